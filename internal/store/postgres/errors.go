package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/internal/store"
)

// The codes of PostgreSQL that mean something to a caller.
const (
	codeUniqueViolation      = "23505"
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeLockNotAvailable     = "55P03"
)

// interpret is the one place where the database's errors become the store's: a
// key that is taken becomes taken, a deadlock becomes ErrRetry, and no row
// becomes ErrNotFound.
func interpret(ctx context.Context, err error, taken error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case codeUniqueViolation:
		if taken != nil {
			return fmt.Errorf("%w: %s", taken, e.ConstraintName)
		}
	case codeDeadlock, codeSerializationFailure, codeLockNotAvailable:
		return fmt.Errorf("%w: %w", store.ErrRetry, err)
	}
	if ctx.Err() != nil {
		// A statement that was cancelled says so in the database's words alone.
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// wrap names the operation an error came from; nil stays nil.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}
