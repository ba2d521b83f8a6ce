package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

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
	codeLimitExceeded        = "54000" // an entry that no index takes, and what noNumbersLeft tells apart

	classConnection   = "08"
	classResources    = "53"    // disk full, too many connections, out of memory
	codeReadOnly      = "25006" // a standby, or what an operator set
	codeIdleTooLong   = "25P03" // this process stood still within a transaction
	codeShutdown      = "57P01"
	codeCrash         = "57P02"
	codeCannotConnect = "57P03" // it starts, stops or recovers
	codeIdleSession   = "57P05"
	codeIO            = "58030"
	codeCancelled     = "57014" // it took longer than a statement may
)

// interpret is the one place where the database's errors become the store's: a
// key that is taken becomes taken, a deadlock becomes ErrRetry, no row becomes
// ErrNotFound, and a database that is away or takes no writes becomes
// ErrUnavailable.
func interpret(ctx context.Context, err error, taken error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if ctx.Err() == nil && unreachable(err) {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, inWords(err))
		}
		return err
	}
	switch e.Code {
	case codeUniqueViolation:
		if taken != nil {
			return fmt.Errorf("%w: %s", taken, e.ConstraintName)
		}
	case codeLimitExceeded:
		if noNumbersLeft(e) {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	case codeDeadlock, codeSerializationFailure, codeLockNotAvailable:
		return fmt.Errorf("%w: %w", store.ErrRetry, err)
	}
	if ctx.Err() != nil {
		// A statement that was cancelled says so in the database's words alone.
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if unavailable(e.Code) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// noNumbersLeft reports whether the server hands out no more transaction numbers
// until it has been vacuumed. Its code for that is the one for values that are too
// large; the place of its source that says it tells the two apart.
func noNumbersLeft(e *pgconn.PgError) bool { return e.File == "varsup.c" || e.File == "multixact.c" }

// unavailable reports whether a code says that the database takes nothing just
// now, whatever is asked of it.
func unavailable(code string) bool {
	switch code {
	case codeReadOnly, codeIdleTooLong, codeShutdown, codeCrash, codeCannotConnect, codeIdleSession, codeIO, codeCancelled:
		return true
	}
	return len(code) == 5 && (code[:2] == classConnection || code[:2] == classResources)
}

// unreachable reports whether an error is that of a connection, which the database
// says nothing about. A time-out is one as long as the caller's own time is not
// over.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// endsTransaction reports whether nothing more may be done in a transaction after
// an error.
func endsTransaction(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrUnavailable)
}

// wrap names the operation an error came from; nil stays nil.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}
