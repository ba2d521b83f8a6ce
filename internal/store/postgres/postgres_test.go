package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
	"tallyman/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// open opens a database with a job table in the place of an engine.
func open(t testing.TB, url string, opt postgres.Options) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := db.Pool().Exec(context.Background(), "CREATE TABLE IF NOT EXISTS test_job (id bigint GENERATED ALWAYS AS IDENTITY, import_no bigint)"); err != nil {
		t.Fatal(err)
	}
	db.BindEnqueue(func(ctx context.Context, tx pgx.Tx, j store.Job) (id int64, err error) {
		err = tx.QueryRow(ctx, "INSERT INTO test_job (import_no) VALUES ($1) RETURNING id", j.Batch.ImportNo).Scan(&id)
		return id, err
	})
	return db
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, pgtest.New(t), postgres.Options{})
	})
}
