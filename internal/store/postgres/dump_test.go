package postgres_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
)

// A database that a Restore fills, or left half-filled, opens for nobody but
// whoever clears it.
func TestHalfFilledIsNotOpened(t *testing.T) {
	ctx := context.Background()
	url := pgtest.New(t)
	db, other := open(t, url, postgres.Options{}), open(t, url, postgres.Options{Unfinished: true})
	broken := errors.New("broken off")
	refuses := func(when string) {
		t.Helper()
		again, err := postgres.Open(ctx, url, postgres.Options{})
		if !errors.Is(err, store.ErrUnfinished) {
			again.Close()
			t.Errorf("%s: opened: %v", when, err)
		}
	}
	given := false
	err := db.Restore(ctx, func() (store.Record, error) {
		if !given {
			given = true
			return store.Record{WS: 3, Workspace: &store.Workspace{WS: 3, Name: "w", CreatedAt: time.UnixMilli(1)}}, nil
		}
		refuses("while it is filled")
		if err := other.Abandon(ctx); !errors.Is(err, store.ErrUnfinished) {
			t.Errorf("it was cleared while it is filled: %v", err)
		}
		if err := other.Restore(ctx, func() (store.Record, error) { return store.Record{}, io.EOF }); !errors.Is(err, store.ErrUnfinished) {
			t.Errorf("it is filled twice: %v", err)
		}
		return store.Record{}, broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	refuses("after it broke off")
	if err := other.Abandon(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := open(t, url, postgres.Options{}).Workspaces(ctx); err != nil || len(all) != 0 {
		t.Errorf("left %v, %v", all, err)
	}
}
