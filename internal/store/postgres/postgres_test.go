package postgres_test

import (
	"context"
	"fmt"
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

// ready returns the address of a database with the store's tables, to be copied.
func ready(t *testing.T, also ...string) string {
	t.Helper()
	url := pgtest.New(t)
	db, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range also {
		if _, err := db.Pool().Exec(t.Context(), statement); err != nil {
			t.Errorf("%v in %s", err, statement)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

func TestContract(t *testing.T) {
	tables := ready(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, pgtest.Copy(t, tables), postgres.Options{})
	})
}

// inParts makes the tables whose rows are taken by their places consist of parts by
// workspace. A place is then one of each part: a statement that goes by places and
// leaves its workspace meets rows of others.
var inParts = []string{parted("item"), parted("page"), parted("audit")}

func parted(table string) string {
	return fmt.Sprintf(`ALTER TABLE %[1]s RENAME TO whole_%[1]s;
CREATE TABLE %[1]s (LIKE whole_%[1]s INCLUDING ALL) PARTITION BY LIST (ws);
DROP TABLE whole_%[1]s;
CREATE TABLE %[1]s_1 PARTITION OF %[1]s FOR VALUES IN (1);
CREATE TABLE %[1]s_more PARTITION OF %[1]s DEFAULT;`, table)
}

func TestContractInParts(t *testing.T) {
	tables := ready(t, inParts...)
	storetest.RunChanges(t, func(t *testing.T) store.Store {
		return open(t, pgtest.Copy(t, tables), postgres.Options{})
	})
}
