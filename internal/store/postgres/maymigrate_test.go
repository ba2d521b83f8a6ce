package postgres

import (
	"errors"
	"testing"

	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

// TestTablesStayAsTheyAre opens databases as somebody who may not bring them
// forward.
func TestTablesStayAsTheyAre(t *testing.T) {
	current := pgtest.New(t)
	openURL(t, current)
	newest, err := newestVersion()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		url  string
		may  store.Migrate
		want int64 // the version found; -1 if it is opened
	}{
		"none, never":    {pgtest.New(t), store.MigrateNever, 0},
		"none, empty":    {pgtest.New(t), store.MigrateEmpty, -1},
		"old, never":     {oldVersion(t, 1, versionOne), store.MigrateNever, 1},
		"old, empty":     {oldVersion(t, 1, versionOne), store.MigrateEmpty, 1},
		"old, always":    {oldVersion(t, 1, versionOne), store.MigrateAlways, -1},
		"current, never": {current, store.MigrateNever, -1},
	} {
		db, err := Open(t.Context(), c.url, Options{Migrate: c.may})
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
		pool, err := Look(t.Context(), c.url)
		if err != nil {
			t.Fatal(err)
		}
		if have, _, err := Versions(t.Context(), pool); err != nil || have != c.want {
			t.Errorf("%s: the tables are of version %d, %v", name, have, err)
		}
		pool.Close()
	}
}
