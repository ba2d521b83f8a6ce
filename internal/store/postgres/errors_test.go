package postgres

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/internal/store"
)

// TestNoNumbersLeft: a server that takes no writes until it has been vacuumed says so
// with the code for values that are too large. An import must outlast it.
func TestNoNumbersLeft(t *testing.T) {
	for file, want := range map[string]error{"varsup.c": store.ErrUnavailable, "multixact.c": store.ErrUnavailable, "nbtutils.c": store.ErrTooLarge, "": store.ErrTooLarge} {
		if err := interpret(t.Context(), &pgconn.PgError{Code: codeLimitExceeded, File: file}, nil); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", file, err, want)
		}
	}
}
