package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"tallyman/internal/store"
)

// fileOf makes a file whose tables are of a version; 0 is for none, -1 for no file.
func fileOf(t *testing.T, version int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.db")
	if version < 0 {
		return path
	}
	w, err := openWriter(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, w, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if version > 0 {
		if _, err := p.UpTo(context.Background(), version); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestTablesStayAsTheyAre opens files as somebody who may not bring them forward.
func TestTablesStayAsTheyAre(t *testing.T) {
	newest, err := newestVersion()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		version int64
		may     store.Migrate
		want    int64 // the version found; -1 if it is opened
	}{
		"no file, never": {-1, store.MigrateNever, 0},
		"no file, empty": {-1, store.MigrateEmpty, -1},
		"none, empty":    {0, store.MigrateEmpty, -1},
		"old, never":     {1, store.MigrateNever, 1},
		"old, empty":     {1, store.MigrateEmpty, 1},
		"old, always":    {1, store.MigrateAlways, -1},
		"current, never": {newest, store.MigrateNever, -1},
	} {
		path := fileOf(t, c.version)
		db, err := Open(t.Context(), path, Options{Migrate: c.may})
		if c.want < 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			db.Close()
			continue
		}
		var old *store.OldTablesError
		if !errors.As(err, &old) || old.Have != c.want || old.Newest != newest {
			t.Errorf("%s: got %v", name, err)
		}
		if c.version < 0 {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the file was made: %v", name, err)
			}
			continue
		}
		look, err := Look(path)
		if err != nil {
			t.Fatal(err)
		}
		if have, _, err := Versions(t.Context(), look); err != nil || have != c.want {
			t.Errorf("%s: the tables are of version %d, %v", name, have, err)
		}
		look.Close()
	}
}
