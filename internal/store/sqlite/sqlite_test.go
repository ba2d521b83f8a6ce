package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
	"tallyman/internal/store/storetest"
)

// open opens the database at path with a job table in the place of an engine.
func open(t testing.TB, path string, opt sqlite.Options) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := db.Writer().Exec("CREATE TABLE IF NOT EXISTS test_job (id INTEGER PRIMARY KEY, import_no INTEGER)"); err != nil {
		t.Fatal(err)
	}
	db.BindEnqueue(func(ctx context.Context, tx *sql.Tx, j store.Job) (id int64, err error) {
		err = tx.QueryRowContext(ctx, "INSERT INTO test_job (import_no) VALUES (?) RETURNING id", j.Batch.ImportNo).Scan(&id)
		return id, err
	})
	return db
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	})
}
