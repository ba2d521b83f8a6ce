package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"
)

// Look opens the database file at path, which must be there, to ask it
// something; unlike Open it changes nothing there. The caller closes the handle.
func Look(path string) (*sql.DB, error) {
	db, err := openReaders(path, Options{}, readerCacheBytes)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// Versions says of which version the tables are, 0 where there are none, and
// which one is the newest that this program knows.
func Versions(ctx context.Context, db *sql.DB) (have, newest int64, err error) {
	newest, err = newestVersion()
	if err != nil {
		return 0, 0, err
	}
	var is bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version')`).Scan(&is); err != nil || !is {
		return 0, newest, wrap("ask for the version of the tables", interpret(err, nil))
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	return have, newest, wrap("ask for the version of the tables", interpret(err, nil))
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
