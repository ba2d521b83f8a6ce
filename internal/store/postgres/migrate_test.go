package postgres

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

// versionOne is what a database of version 1 holds: an import that runs and has
// a page, one that has ended, a key, and an item.
const versionOne = `
INSERT INTO workspace (ws, name, currency, created_at) OVERRIDING SYSTEM VALUE VALUES (1, 'default', 'EUR', 1000);
INSERT INTO api_key VALUES (1, 'key_1', 'k', 'admin', 'hash', 1000, NULL);
INSERT INTO import_counter VALUES (1, 2);

INSERT INTO import VALUES
	(1, 1, 'imp_1', 'running', 'rest', 'products', 1, 'csv', 'a.csv', 'w1/a', 10, 'abc', 4, true, true, 0, 'apply', 1, '', 'products', 0, '', '', '', '', false, false, '', '', 'key_1', 1000, 1001, NULL, 1002, 3, '{}', '{}', NULL, NULL),
	(1, 2, 'imp_2', 'done',    'rest', 'products', 1, 'csv', 'b.csv', 'w1/b', 10, 'def', 4, true, true, 0, 'apply', 1, '', 'products', 0, '', '', '', '', true,  false, '', '', 'key_1', 1000, 1001, 1003, 1003, 3, NULL, NULL, NULL, NULL);

INSERT INTO batch VALUES
	(1, 1, 'apply', 1, 'done',    '', 0, 5, 2, 2, 2, 0, 1, 5, 4, 4, 2, 1, 0, 0, 0, 1, 0, 0, 4, 0, 0, 1002, 'n'),
	(1, 1, 'apply', 2, 'waiting', '', 5, 5, 4, 4, 2, 0, 0, 5, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, '');

INSERT INTO page VALUES (1, 1, 'apply', 1, 1, 2, 3, 2, 1, 0, 0, 0, 1, 0, 0, 4, 0, 0, 2, NULL, NULL, NULL, '\x01', '\x02');

INSERT INTO item (nid, ws, hash, import_no, row_no, version, created_no, created_at, updated_at, gtin_seq, kind, live_state, id, sku, doc)
VALUES (7, 1, -5, 1, 2, 1, 1, 1001, 1002, 0, 1, 0, 'prd_1', 'A-1', '{"sku":"A-1"}');`

// oldVersion makes a database of an older version and returns its address.
func oldVersion(t *testing.T, version int64, content string) string {
	t.Helper()
	url := pgtest.New(t)
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	conns := stdlib.OpenDB(*cfg)
	defer conns.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, conns, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	old, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close(context.Background())
	if _, err := old.Exec(t.Context(), content); err != nil {
		t.Fatal(err)
	}
	return url
}

func openURL(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, d)
	}
}

func TestVersionOneReadsRight(t *testing.T) {
	ctx := t.Context()
	db := openURL(t, oldVersion(t, 1, versionOne))
	at := func(ms int64) *time.Time { when := fromMillis(ms); return &when }

	imp, err := db.Import(ctx, 1, "imp_1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "import", imp, store.Import{WS: 1, No: 1, ID: "imp_1", State: store.Running, Door: "rest", Source: "products", Definition: []byte("{}"), Mode: catalog.Create,
		Layout: []byte("{}"), Format: "csv", SourceName: "a.csv", FileKey: "w1/a", FileSize: 10, SHA256: "abc", Rows: 4, Sliced: true, Small: true, Cut: 1,
		Pass: ledger.PassApply, Feed: "products", CreatedBy: "key_1", CreatedAt: *at(1000), StartedAt: at(1001), UpdatedAt: *at(1002), Version: 3,
		Tally: catalog.Tally{Created: 1, Failed: 1, Errors: 4}, PassRows: 4, PassDone: 2, Beat: at(1002)})
	it, err := db.Item(ctx, 1, catalog.KindProduct, catalog.Key{Field: catalog.KeySKU, Value: "A-1"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "item", it, catalog.Item{Handle: 7, ID: "prd_1", Kind: catalog.KindProduct, SKU: "A-1", Doc: `{"sku":"A-1"}`, Hash: -5,
		Version: 1, ImportNo: 1, Row: 2, CreatedNo: 1, CreatedAt: *at(1001), UpdatedAt: *at(1002)})
	var pages []ledger.Page
	if err := db.Pages(ctx, 1, 1, store.PageFilter{Outcomes: true, Images: true}, func(p ledger.Page) error { pages = append(pages, p); return nil }); err != nil {
		t.Fatal(err)
	}
	same(t, "pages", pages, []ledger.Page{{ImportNo: 1, Pass: ledger.PassApply, Batch: 1, Seq: 1, FirstRow: 2, LastRow: 3, Rows: 2,
		Tally: catalog.Tally{Created: 1, Failed: 1, Errors: 4}, Format: 2, Outcomes: []byte{1}, Images: []byte{2}}})
}

// TestVersionOneGoesOn checks that what was under way, and what retention is to
// take, is found, and that what is new works.
func TestVersionOneGoesOn(t *testing.T) {
	ctx := t.Context()
	db := openURL(t, oldVersion(t, 1, versionOne))
	stalled, err := db.Stalled(ctx, fromMillis(5000), fromMillis(5000))
	if err != nil || len(stalled) != 1 || stalled[0].Batch.BatchRef != (store.BatchRef{ImportNo: 1, Pass: ledger.PassApply, No: 2}) {
		t.Errorf("stalled are %+v, %v", stalled, err)
	}
	expired, err := db.Expired(ctx, store.Expiry{Files: fromMillis(5000)}, 10)
	if err != nil || len(expired) != 1 || expired[0].ID != "imp_2" || expired[0].FilesGone {
		t.Errorf("expired are %+v, %v; want imp_2", expired, err)
	}
	load, err := db.Load(ctx)
	same(t, "error", err, nil)
	same(t, "load", load, store.Load{Imports: map[store.State]int64{store.Running: 1}, Batches: map[store.BatchState]int64{store.BatchWaiting: 1}, Oldest: load.Oldest})
	if err := db.Writable(ctx); err != nil {
		t.Error(err)
	}
	if err := db.AppendAudit(ctx, 1, &store.AuditEntry{At: fromMillis(1), Action: "import.start"}); err != nil {
		t.Error(err)
	}
}

// These are what a program that knows version 1 writes to an import. Nodes of both
// versions work on the tables while a cluster is brought to the next one.
const (
	insertOfVersionOne = `INSERT INTO import (ws, no, id, state, door, source, mode, format, source_name,
	file_key, file_size, sha256, rows, sliced, small, fault_code, fault_message,
	created_by, created_at, started_at, completed_at, updated_at, version, definition, layout,
	round, pass, cut, fingerprint, feed, extra, undo_of, undone_by, duplicate_of, request_key,
	images_gone, outcomes_gone, options, findings)
VALUES (1, 3, 'imp_3', 'received', 'rest', 'stock', 2, '', 'c.csv', 'w1/c', 10, 'ghi', 0, false, true, '', '', 'key_1', 2000, NULL, NULL, 2000, 1, NULL, NULL,
	0, '', 0, '', 'stock', 0, '', '', '', '', false, false, NULL, NULL)
ON CONFLICT DO NOTHING`

	updateOfVersionOne = `UPDATE import SET state = 'done', format = 'csv', layout = NULL, definition = NULL, rows = 4, sliced = true, small = true,
	round = 0, pass = 'apply', cut = 1, fingerprint = '', findings = NULL, extra = 0, undone_by = '', images_gone = true, outcomes_gone = true,
	fault_code = '', fault_message = '', started_at = 1001, completed_at = 1003, updated_at = 1003, version = version + 1
WHERE ws = 1 AND no = 2 RETURNING version`
)

func TestVersionOneWorksBesideThisOne(t *testing.T) {
	ctx := t.Context()
	db := openURL(t, oldVersion(t, 1, versionOne))
	ended, err := db.ImportNo(ctx, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(ctx, 1, false, func(tx store.Tx) error { ended.FilesGone = true; return tx.UpdateImport(ctx, &ended) }); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{insertOfVersionOne, updateOfVersionOne} {
		if tag, err := db.writers.Exec(ctx, statement); err != nil || tag.RowsAffected() != 1 {
			t.Errorf("%s: %v, %v", statement, tag, err)
		}
	}
	made, err := db.Import(ctx, 1, "imp_3")
	if err != nil || made.FilesGone {
		t.Errorf("an import that the older program made: files gone %v, %v", made.FilesGone, err)
	}
	if ended, err = db.ImportNo(ctx, 1, 2); err != nil || !ended.FilesGone || !ended.OutcomesGone {
		t.Errorf("an import that the older program changed: %+v, %v", ended, err)
	}
	var oldest int64
	if err := db.writers.QueryRow(ctx, "SELECT oldest FROM compatibility").Scan(&oldest); err != nil || oldest != 1 {
		t.Errorf("the tables ask for programs that know %d, %v; want 1", oldest, err)
	}
}

// dumping holds a transaction as pg_dump does: it has read the table of imports and
// goes on for a while.
func dumping(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), with(address, "application_name=pg_dump"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE import IN ACCESS SHARE MODE; SELECT count(*) FROM import"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// waiting waits until a migration, which tells ended of its end, waits for a lock.
func waiting(t *testing.T, on *pgx.Conn, ended <-chan error) {
	t.Helper()
	for waits := false; !waits; {
		select {
		case err := <-ended:
			t.Fatalf("it ended without having waited: %v", err)
		default:
		}
		if err := on.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'import'::regclass AND NOT granted)").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMigrationStandsInNobodysWay: behind a long read it does not make everybody
// wait, gives up with the name of who is in its way, and has changed nothing.
func TestMigrationStandsInNobodysWay(t *testing.T) {
	address := oldVersion(t, 1, versionOne)
	dump := dumping(t, address)
	beside, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := Open(context.Background(), address, Options{LockWait: 100 * time.Millisecond})
		ended <- err
	}()
	waiting(t, dump, ended)
	if _, err := beside.Exec(t.Context(), "UPDATE import SET rows = rows"); err != nil { // it comes after the migration's wait
		t.Error(err)
	}
	err = <-ended
	if err == nil || !strings.Contains(err.Error(), "(pg_dump) of user tallyman, since ") || !strings.Contains(err.Error(), "tried 6 times") {
		t.Errorf("the migration said %v", err)
	}
	pool, err := Look(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if have, _, err := Versions(t.Context(), pool); have != 1 || err != nil {
		t.Errorf("the tables are of version %d, %v", have, err)
	}
}

// TestMigrationComesAfterALongRead waits for one that ends in time.
func TestMigrationComesAfterALongRead(t *testing.T) {
	address := oldVersion(t, 1, versionOne)
	dump := dumping(t, address)
	ended := make(chan error, 1)
	go func() {
		db, err := Open(context.Background(), address, Options{LockWait: time.Second})
		if err == nil {
			err = db.Close()
		}
		ended <- err
	}()
	waiting(t, dump, ended)
	if _, err := dump.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
