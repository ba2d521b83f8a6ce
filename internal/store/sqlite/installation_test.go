package sqlite_test

import (
	"path/filepath"
	"testing"

	"tallyman/internal/store/sqlite"
)

// Every database is an installation of its own, and stays it.
func TestEveryDatabaseIsAnInstallation(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		path := filepath.Join(t.TempDir(), "t.db")
		for range 2 {
			id, err := open(t, path, sqlite.Options{}).Installation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen[id] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("two databases are the installations %v", seen)
	}
}
