package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tallyman/internal/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrate brings the tables up to date, one process at a time. It leaves those of
// a newer program as they are, and refuses them where that program says that this
// one cannot work on them.
func (db *DB) Migrate(ctx context.Context) error {
	return wrap("migrate", db.Alone(ctx, db.migrate))
}

func (db *DB) migrate(ctx context.Context) (err error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	// A migration may take longer than any statement of a worker.
	conns := stdlib.OpenDB(*db.plain, stdlib.OptionAfterConnect(db.waitForLocks))
	defer func() { err = errors.Join(err, conns.Close()) }()
	p, err := goose.NewProvider(goose.DialectPostgres, conns, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, newest, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > newest {
		return db.compatible(ctx, have, newest)
	}
	if have == newest {
		return nil
	}
	if err := db.bringUp(ctx, p); err != nil {
		return err
	}
	db.log.InfoContext(ctx, "database migrated", "from", have, "to", newest)
	return nil
}

// A migration that waits for a lock makes everybody who comes after it wait too.
// So it waits for a moment, lets the others go first for as long, and tries again.
const (
	migrationLockWait = 5 * time.Second
	migrationTries    = 6
)

// waitForLocks bounds how long a connection waits for a lock.
func (db *DB) waitForLocks(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", db.lockWait.Milliseconds()))
	return err
}

// bringUp applies what is missing. A try that got no lock has changed nothing of
// the migration it was at.
func (db *DB) bringUp(ctx context.Context, p *goose.Provider) error {
	for try := 1; ; try++ {
		_, err := p.Up(ctx)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != codeLockNotAvailable {
			return err
		}
		if try == migrationTries {
			return fmt.Errorf("a table is in use, and it was tried %d times to get it for a moment: %s. End or wait for that and start again: %w",
				try, db.lockHolders(ctx), err)
		}
		db.log.WarnContext(ctx, "a migration waits for a table that is in use", "try", try, "tries", migrationTries, "in_use_by", db.lockHolders(ctx))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(db.lockWait):
		}
	}
}

// selectLockHolders lists the sessions with locks on tables of this database whose
// transactions have been there for at least as long as a migration waits, oldest
// first. Of other users' sessions the server may not say when they began.
const selectLockHolders = `SELECT format('session %s (%s) of user %s, since %s, %s', pid, coalesce(nullif(application_name, ''), 'without a name'), coalesce(usename, 'unknown'),
	coalesce(to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'unknown'), coalesce(state, 'state unknown'))
FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND (xact_start IS NULL OR xact_start <= clock_timestamp() - make_interval(secs => $1))
	AND EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = a.pid AND l.granted AND c.relkind IN ('r', 'p')
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND c.relnamespace <> 'pg_catalog'::regnamespace)
ORDER BY xact_start NULLS LAST, pid`

// lockHolders says who has had locks on tables for as long as a migration waits.
func (db *DB) lockHolders(ctx context.Context) string {
	rows, err := db.engine.Query(ctx, selectLockHolders, db.lockWait.Seconds())
	if err != nil {
		return "by whom could not be found out: " + err.Error()
	}
	who, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "by whom could not be found out: " + err.Error()
	}
	if len(who) == 0 {
		return "by whom cannot be seen any more"
	}
	return strings.Join(who, "; ")
}

// compatible checks that a program which knows these tables up to a version may
// work on newer ones.
func (db *DB) compatible(ctx context.Context, have, known int64) error {
	var oldest int64
	if err := db.writers.QueryRow(ctx, "SELECT oldest FROM compatibility").Scan(&oldest); err != nil {
		return interpret(ctx, err, nil)
	}
	if oldest > known {
		return fmt.Errorf("the database is of version %d, which asks for programs that know %d, and this one knows only %d; use a newer program", have, oldest, known)
	}
	db.log.InfoContext(ctx, "the database is of a newer program", "version", have, "known", known)
	return nil
}

// mayOpen looks at the version of the tables where they must stay as they are.
func (db *DB) mayOpen(ctx context.Context, m store.Migrate) error {
	if m == store.MigrateAlways {
		return nil
	}
	have, newest, err := Versions(ctx, db.engine)
	if err != nil {
		return err
	}
	return m.Allows(have, newest)
}

// aloneKey is the advisory lock of Alone.
const aloneKey = 7453010362719

// Alone runs fn while no other process that shares the database is within
// Alone: what starting nodes must do one after the other, the migrations of the
// job engine too.
func (db *DB) Alone(ctx context.Context, fn func(context.Context) error) (err error) {
	conn, err := pgx.ConnectConfig(ctx, db.plain.Copy())
	if err != nil {
		return fmt.Errorf("wait for other nodes: %w", err)
	}
	// The lock goes with its connection.
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(aloneKey)); err != nil {
		return fmt.Errorf("wait for other nodes: %w", interpret(ctx, err, nil))
	}
	return fn(ctx)
}
