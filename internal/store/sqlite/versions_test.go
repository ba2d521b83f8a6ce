package sqlite

import (
	"context"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
)

// To ask for the version of a file changes nothing in it.
func TestVersions(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "t.db")
	old, err := openWriter(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, old, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	newest := p.ListSources()[len(p.ListSources())-1].Version
	ask := func(want int64) {
		t.Helper()
		db, err := Look(path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for range 2 {
			if have, know, err := Versions(ctx, db); err != nil || have != want || know != newest {
				t.Errorf("have %d, know %d, %v; want %d and %d", have, know, err, want, newest)
			}
		}
	}
	if err := old.Ping(); err != nil {
		t.Fatal(err)
	}
	ask(0)
	if _, err := p.UpTo(ctx, 2); err != nil {
		t.Fatal(err)
	}
	ask(2)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ask(newest)
}
