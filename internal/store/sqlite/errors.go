package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tallyman/internal/store"
)

// interpret is the one place where the driver's errors become the store's: a
// key that is taken becomes taken, no row becomes ErrNotFound, and what is wrong
// with the disk, or a lock that another process holds for longer than the busy
// timeout, becomes ErrUnavailable.
func interpret(err error, taken error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		if taken != nil {
			return taken
		}
	case sqlite3.SQLITE_BUSY_SNAPSHOT:
		return fmt.Errorf("%w: %w", store.ErrRetry, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", store.ErrRetry, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// endsTransaction reports whether nothing more may be done in a transaction after
// an error: the chunk must be decided again, or SQLite has rolled back by itself
// and the next statement would be committed alone.
func endsTransaction(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnavailable)
}

// wrap names the operation an error came from; nil stays nil.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}
