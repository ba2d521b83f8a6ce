package main

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/store"
)

// migrateJobs brings the job engine's tables up to date, as far as the node may.
func (n *node) migrateJobs(ctx context.Context, migrate func(context.Context) error, versions func(context.Context) (have, newest int64, err error)) error {
	if n.migrate == store.MigrateAlways {
		return migrate(ctx)
	}
	have, newest, err := versions(ctx)
	if err == nil {
		err = n.migrate.Allows(have, newest)
	}
	if err != nil || have >= newest {
		return err
	}
	return migrate(ctx)
}

// oldTables says what to do about tables that a command may not bring forward;
// other errors stay as they are.
func (s *settings) oldTables(err error) error {
	old, is := errors.AsType[*store.OldTablesError](err)
	switch {
	case !is:
		return err
	case old.Have > 0 && s.busy():
		return fmt.Errorf("%w, and %s; end that first and run: %s", old, s.inUse(), s.ofDatabase().commandLine("migrate"))
	case old.Have > 0:
		return fmt.Errorf("%w; run: %s", old, s.ofDatabase().commandLine("migrate"))
	case s.config.Shared():
		return fmt.Errorf("%w in %s yet; start the server, or run: %s", old, s.where(), s.ofDatabase().commandLine("migrate"))
	}
	return s.nothingThere()
}

// busy reports whether another process works on the data folder's own database.
func (s *settings) busy() bool {
	if s.config.Shared() {
		return false
	}
	lock, err := s.folder.peek()
	if err == nil {
		lock.unlock()
	}
	return errors.Is(err, errLocked)
}
