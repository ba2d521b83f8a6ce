//go:build !race

package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/config"
)

// Tables of an older program are brought forward by those who work, and by migrate;
// whoever only looks says what to do and changes nothing.
func TestOnlyThoseWhoWorkBringTablesForward(t *testing.T) {
	for ground, at := range map[string]func(t *testing.T, data string) config.Storage{
		"embedded": func(_ *testing.T, data string) config.Storage { return config.Storage{Data: data} },
		"shared":   sharedStorage,
	} {
		t.Run(ground, func(t *testing.T) {
			where := at(t, filepath.Join(t.TempDir(), "data"))
			flags := []string{"--data", where.Data}
			if where.Database != "" {
				flags = append(flags, "--database", where.Database)
			}
			tallyman := func(code int, args ...string) string { t.Helper(); return says(t, code, append(args, flags...)...) }
			if where.Database != "" {
				if said := tallyman(exitOther, "keys", "create", "--name", "k"); !strings.Contains(said, "no tables of this program") {
					t.Errorf("without tables it says %s", said)
				}
				tallyman(exitComplete, "migrate")
			}
			tallyman(exitComplete, "keys", "create", "--name", "k")
			ageTables(t, where)
			before := tallyman(exitErrors, "migrate", "--check")
			for _, args := range [][]string{{"keys", "list"}, {"keys", "create", "--name", "l"}, {"workspaces"}, {"imports"}, {"nodes"}, {"dump"}} {
				if said := tallyman(exitOther, args...); !strings.Contains(said, "this program needs") || !strings.Contains(said, "run: tallyman migrate") {
					t.Errorf("%s says %s", args, said)
				}
			}
			if said := tallyman(exitOther, "doctor"); !strings.Contains(said, "WRONG  tables") || !strings.Contains(said, "this program needs") {
				t.Errorf("the doctor says %s", said)
			}
			if after := tallyman(exitErrors, "migrate", "--check"); after != before {
				t.Errorf("the tables were\n%s and are\n%s", before, after)
			}
		})
	}
}

// TestNobodyMigratesUnderAnother has an older program at work on a folder.
func TestNobodyMigratesUnderAnother(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	says(t, exitComplete, "keys", "create", "--name", "k", "--data", data)
	ageTables(t, config.Storage{Data: data})
	lock, err := folder(data).lock("serve")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.unlock()
	for _, args := range [][]string{{"keys", "list"}, {"migrate"}} {
		if said := says(t, exitOther, append(args, "--data", data)...); !strings.Contains(said, "tallyman serve (process ") || !strings.Contains(said, "end that first") {
			t.Errorf("%s says %s", args, said)
		}
	}
	says(t, exitErrors, "migrate", "--check", "--data", data)
}

// ageTables makes the tables say that they are of the version before.
func ageTables(t *testing.T, where config.Storage) {
	t.Helper()
	const age = `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`
	if where.Database == "" {
		db, err := sql.Open("sqlite", folder(where.Data).database())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(age); err != nil {
			t.Fatal(err)
		}
		return
	}
	conn, err := pgx.Connect(t.Context(), where.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), age); err != nil {
		t.Fatal(err)
	}
}

// TestTheDoctorTriesEveryPartByItself has neither a database server nor a bucket, and
// then one of them.
func TestTheDoctorTriesEveryPartByItself(t *testing.T) {
	where := sharedStorage(t, filepath.Join(t.TempDir(), "data"))
	const noDatabase, noBucket = "postgres://u:geheim@127.0.0.1:1/x", "s3://nobucket?endpoint=http://127.0.0.1:1"
	says(t, exitComplete, "migrate", "--data", where.Data, "--database", where.Database)
	for name, c := range map[string]struct {
		database, files string
		has, hasNot     []string
	}{
		"neither":     {noDatabase, noBucket, []string{"WRONG  database", "nothing listens at 127.0.0.1:1", "WRONG  file store", "ok     disk"}, []string{"geheim"}},
		"no database": {noDatabase, where.Files, []string{"WRONG  database", "ok     file store"}, []string{"WRONG  file store"}},
		"no bucket":   {where.Database, noBucket, []string{"ok     database", "ok     tables", "ok     clock", "WRONG  file store", "no server is there"}, []string{"WRONG  database"}},
	} {
		said := says(t, exitOther, "doctor", "--data", where.Data, "--database", c.database, "--files", c.files)
		for _, want := range c.has {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, said)
			}
		}
		for _, not := range append(c.hasNot, "setting node") {
			if strings.Contains(said, not) {
				t.Errorf("%s: %q is in\n%s", name, not, said)
			}
		}
	}
}
