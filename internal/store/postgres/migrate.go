package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
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
	conns := stdlib.OpenDB(*db.plain)
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
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	db.log.InfoContext(ctx, "database migrated", "from", have, "to", newest)
	return nil
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
