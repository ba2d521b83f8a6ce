package postgres_test

import (
	"testing"

	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
)

// Every database is an installation of its own, and stays it.
func TestEveryDatabaseIsAnInstallation(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		url := pgtest.New(t)
		for range 2 {
			id, err := open(t, url, postgres.Options{}).Installation(t.Context())
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
