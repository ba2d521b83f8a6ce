package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// workspace makes one and returns its number.
func workspace(t testing.TB, db *sqlite.DB, name string) store.WS {
	t.Helper()
	ws, err := db.CreateWorkspace(context.Background(), store.Workspace{Name: name, CreatedAt: benchTime})
	if err != nil {
		t.Fatal(err)
	}
	return ws.WS
}

func TestReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ws := workspace(t, db, "a")
	insert(t, db, ws, benchItem(1))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was left behind: %v", suffix, err)
		}
	}
	db = open(t, path, sqlite.Options{})
	if n, err := db.CountItems(context.Background(), ws, store.ItemFilter{}); n != 1 || err != nil {
		t.Errorf("counted %d items, %v; want 1", n, err)
	}
}

func insert(t testing.TB, db *sqlite.DB, ws store.WS, items ...catalog.Item) {
	t.Helper()
	p := db.Prepare(ws, items)
	if err := db.Write(context.Background(), ws, false, func(tx store.Tx) error { return tx.Insert(context.Background(), p) }); err != nil {
		t.Fatal(err)
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "q?x=1.db", "100%25.db", "h#1.db", "größe.db", "a&b.db"} {
		dir := t.TempDir()
		open(t, filepath.Join(dir, name), sqlite.Options{})
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	open(t, "data.db", sqlite.Options{})
	if _, err := os.Stat("data.db"); err != nil {
		t.Error(err)
	}
}

func TestCannotOpen(t *testing.T) {
	dir := t.TempDir()
	if db, err := sqlite.Open(context.Background(), filepath.Join(dir, "none", "t.db"), sqlite.Options{}); err == nil {
		db.Close()
		t.Error("a file in a folder that is not there was opened")
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := sqlite.Open(context.Background(), text, sqlite.Options{}); err == nil {
		db.Close()
		t.Error("a text file was opened")
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db := open(t, path, sqlite.Options{})
	if _, err := db.Writer().Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if db, err := sqlite.Open(context.Background(), path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "newer program") {
		if err == nil {
			db.Close()
		}
		t.Errorf("got %v for a file of version 9999", err)
	}
}

// TestTwoProcesses opens the file twice, which is what a second process does.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	server := open(t, path, sqlite.Options{})
	ws := workspace(t, server, "a")
	patient := open(t, path, sqlite.Options{BusyTimeout: time.Minute})
	hasty := open(t, path, sqlite.Options{BusyTimeout: time.Millisecond})

	waited := make(chan error, 1)
	err := server.Write(context.Background(), ws, false, func(tx store.Tx) error {
		go func() {
			waited <- patient.Write(context.Background(), ws, false, func(tx store.Tx) error {
				imp := store.Import{ID: "imp_2", CreatedAt: benchTime, UpdatedAt: benchTime}
				return tx.InsertImport(context.Background(), &imp)
			})
		}()
		err := hasty.Write(context.Background(), ws, false, func(store.Tx) error { return nil })
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a write that will not wait: got %v, want %v", err, store.ErrUnavailable)
		}
		if _, err := hasty.Workspaces(context.Background()); err != nil {
			t.Errorf("a read beside a write: %v", err)
		}
		imp := store.Import{ID: "imp_1", CreatedAt: benchTime, UpdatedAt: benchTime}
		return tx.InsertImport(context.Background(), &imp)
	})
	if err := errors.Join(err, <-waited); err != nil {
		t.Fatal(err)
	}
	if _, n, err := hasty.Imports(context.Background(), ws, store.ImportFilter{}, store.Range{}); n != 2 || err != nil {
		t.Errorf("found %d imports, %v; want 2", n, err)
	}
}

func TestDurableWritesAreSynced(t *testing.T) {
	const normal, full = 1, 2
	db := open(t, filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	ws := workspace(t, db, "a")
	var mode int64
	db.BindEnqueue(func(ctx context.Context, tx *sql.Tx, _ store.Job) (int64, error) {
		return 1, tx.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&mode)
	})
	for _, c := range []struct {
		durable bool
		fail    error
		want    int64
	}{{false, nil, normal}, {true, nil, full}, {false, nil, normal}, {true, errors.New("on purpose"), full}, {false, nil, normal}} {
		err := db.Write(context.Background(), ws, c.durable, func(tx store.Tx) error {
			_, err := tx.Enqueue(context.Background(), store.Job{WS: ws})
			return errors.Join(err, c.fail)
		})
		if !errors.Is(err, c.fail) {
			t.Fatal(err)
		}
		if mode != c.want {
			t.Errorf("durable=%v runs with synchronous=%d, want %d", c.durable, mode, c.want)
		}
	}
}

func TestJobsLiveAndDieWithTheirTransaction(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	ws := workspace(t, db, "a")
	gone := errors.New("rolled back")
	for no, result := range []error{nil, gone, nil} {
		err := db.Write(context.Background(), ws, false, func(tx store.Tx) error {
			_, err := tx.Enqueue(context.Background(), store.Job{WS: ws, Batch: store.BatchRef{ImportNo: int64(no)}})
			return errors.Join(err, result)
		})
		if !errors.Is(err, result) {
			t.Fatal(err)
		}
	}
	var jobs string
	if err := db.Writer().QueryRow("SELECT group_concat(import_no) FROM test_job").Scan(&jobs); err != nil || jobs != "0,2" {
		t.Errorf("jobs of imports %s, %v; want 0,2", jobs, err)
	}
}

func TestEnqueueUnbound(t *testing.T) {
	db, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ws := workspace(t, db, "a")
	err = db.Write(context.Background(), ws, false, func(tx store.Tx) error {
		_, err := tx.Enqueue(context.Background(), store.Job{WS: ws})
		return err
	})
	if err == nil {
		t.Error("a job was enqueued without an engine")
	}
}

func TestGTINThatIsNone(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	ws := workspace(t, db, "a")
	for _, gtin := range []string{"4006381333931", "0400638133393x", "-4006381333931", "+4006381333931"} {
		it := benchItem(1)
		it.GTIN = gtin
		p := db.Prepare(ws, []catalog.Item{it})
		if err := db.Write(context.Background(), ws, false, func(tx store.Tx) error { return tx.Insert(context.Background(), p) }); err == nil {
			t.Errorf("GTIN %q was stored", gtin)
		}
	}
}

// TestPreparedElsewhere checks that a set of another store is refused.
func TestPreparedElsewhere(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	ws := workspace(t, db, "a")
	for _, p := range []store.Prepared{nil, []catalog.Item{}, db.Prepare(ws+1, nil)} {
		if err := db.Write(context.Background(), ws, false, func(tx store.Tx) error { return tx.Insert(context.Background(), p) }); err == nil {
			t.Errorf("%T was inserted", p)
		}
	}
}

// TestCheckpointsBesideTheWriter writes what calls for a checkpoint, but not
// what makes the writer do one itself, and waits for it to arrive in the file.
func TestCheckpointsBesideTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db := open(t, path, sqlite.Options{})
	ws := workspace(t, db, "a")
	items := make([]catalog.Item, 10_000)
	for i := range items {
		items[i] = catalog.Item{ID: benchItem(i).ID, Kind: catalog.KindProduct, Doc: "{}", Version: 1, CreatedAt: benchTime, UpdatedAt: benchTime}
	}
	before := fileSize(t, path)
	insert(t, db, ws, items...)
	for fileSize(t, path) == before {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
