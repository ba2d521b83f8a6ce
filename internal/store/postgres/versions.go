package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
)

// Look connects to a database to ask it something; unlike Open it changes
// nothing there. The caller closes the pool.
func Look(ctx context.Context, url string) (*pgxpool.Pool, error) {
	server, err := parse(url)
	if err != nil {
		return nil, err
	}
	plain := server.plain()
	if err := check(ctx, plain); err != nil {
		return nil, fmt.Errorf("open %s: %w", place(plain), err)
	}
	return pgxpool.NewWithConfig(ctx, server.bounded(fewestConns, storeName, 0))
}

// Versions says of which version the tables are, 0 where there are none, and
// which one is the newest that this program knows.
func Versions(ctx context.Context, pool *pgxpool.Pool) (have, newest int64, err error) {
	newest, err = newestVersion()
	if err != nil {
		return 0, 0, err
	}
	var is bool
	if err := pool.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&is); err != nil || !is {
		return 0, newest, wrap("ask for the version of the tables", interpret(ctx, err, nil))
	}
	err = pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	return have, newest, wrap("ask for the version of the tables", interpret(ctx, err, nil))
}

func newestVersion() (newest int64, err error) {
	files, err := migrationFiles.ReadDir("migrations")
	for _, f := range files {
		n, bad := goose.NumericComponent(f.Name())
		if bad != nil {
			return 0, bad
		}
		newest = max(newest, n)
	}
	return newest, err
}
