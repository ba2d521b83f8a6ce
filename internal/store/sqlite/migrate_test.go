package sqlite

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// versionOne is what a database of version 1 holds: an import that runs and has
// a page, one that is still received, one that has ended, and an item.
const versionOne = `
INSERT INTO workspace VALUES (1, 'default', 'EUR', 1000);

INSERT INTO import VALUES
	(1, 1, 'imp_1', 'running',  'rest', 'products', 1, 'csv', 'a.csv', 'w1/a', 10, 'abc', 4, 1, 1, '', '', 'key_1', 1000, 1001, NULL, 1002, 3, x'7b7d', x'7b7d'),
	(1, 2, 'imp_2', 'received', 'cli',  'stock',    2, '',    'b.csv', 'w1/b', 10, 'def', 0, 0, 1, '', '', '',      1000, NULL, NULL, 1000, 1, NULL,    NULL),
	(1, 3, 'imp_3', 'done',     'rest', 'products', 1, 'csv', 'c.csv', 'w1/c', 10, 'abc', 4, 1, 1, '', '', 'key_1', 1000, 1001, 1003, 1003, 3, NULL,    NULL);

INSERT INTO batch VALUES
	(1, 1, 'slice', 1, 'done',    0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1001, 'n'),
	(1, 1, 'apply', 1, 'done',    0, 5, 2, 2, 2, 0, 1, 5, 4, 4, 2, 1, 0, 0, 0, 1, 0, 0, 4, 0, 0, 1002, 'n'),
	(1, 1, 'apply', 2, 'waiting', 5, 5, 4, 4, 2, 0, 0, 5, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, '');

INSERT INTO page VALUES
	(1, 1, 'apply', 1, 1, 2, 3, 2, 1, 0, 0, 0, 1, 0, 0, 4, 0, 0, 1, '{"invalid_asin":3,"too_long":1}', zeroblob(100000), zeroblob(200000)),
	(1, 3, 'apply', 1, 1, 2, 5, 4, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, NULL, x'01', NULL);

INSERT INTO item VALUES (7, 1, 1, -5, 1, 2, 1, 0, 4006381333931, 0, 1001, 1002, 'prd_1', 'A-1', NULL, NULL, '{"sku":"A-1"}', NULL);`

// openVersion makes a database of an older version and opens it with this one.
func openVersion(t *testing.T, version int64, content string) *DB {
	t.Helper()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "t.db")
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	old, err := openWriter(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, old, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		t.Fatal(err)
	}
	if _, err := old.ExecContext(ctx, content); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, d)
	}
}

func TestVersionOneReadsRight(t *testing.T) {
	ctx := context.Background()
	db := openVersion(t, 1, versionOne)
	at := func(ms int64) *time.Time { when := fromMillis(ms); return &when }

	imp, err := db.Import(ctx, 1, "imp_1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "import", imp, store.Import{WS: 1, No: 1, ID: "imp_1", State: store.Running, Door: "rest", Source: "products", Definition: []byte("{}"), Mode: catalog.Create,
		Layout: []byte("{}"), Format: "csv", SourceName: "a.csv", FileKey: "w1/a", FileSize: 10, SHA256: "abc", Rows: 4, Sliced: true, Small: true,
		Pass: ledger.PassApply, Feed: "products", CreatedBy: "key_1", CreatedAt: *at(1000), StartedAt: at(1001), UpdatedAt: *at(1002), Version: 3,
		Tally: catalog.Tally{Created: 1, Failed: 1, Errors: 4}, PassRows: 4, PassDone: 2, Beat: at(1002)})
	received, err := db.ImportNo(ctx, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "pass and feed of an import not sliced", []string{string(received.Pass), received.Feed}, []string{"", "stock"})
	_, twins, err := db.Imports(ctx, 1, store.ImportFilter{SHA256: "abc", Feed: "products"}, store.Range{})
	same(t, "imports of one content and feed", twins, 2)
	same(t, "error", err, nil)

	var pages []ledger.Page
	if err := db.Pages(ctx, 1, 1, store.PageFilter{Outcomes: true, Images: true}, func(p ledger.Page) error { pages = append(pages, p); return nil }); err != nil {
		t.Fatal(err)
	}
	same(t, "pages", pages, []ledger.Page{{ImportNo: 1, Pass: ledger.PassApply, Batch: 1, Seq: 1, FirstRow: 2, LastRow: 3, Rows: 2,
		Tally: catalog.Tally{Created: 1, Failed: 1, Errors: 4}, Format: 1, Outcomes: make([]byte, 100000), Images: make([]byte, 200000),
		Causes: []ledger.Cause{{Code: catalog.CodeInvalidASIN, Severity: catalog.Error, Count: 3}, {Code: catalog.CodeTooLong, Severity: catalog.Error, Count: 1}}}})

	it, err := db.Item(ctx, 1, catalog.KindProduct, catalog.Key{Field: catalog.KeySKU, Value: "A-1"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "item", it, catalog.Item{Handle: 7, ID: "prd_1", Kind: catalog.KindProduct, SKU: "A-1", GTIN: "04006381333931", Doc: `{"sku":"A-1"}`, Hash: -5,
		Version: 1, ImportNo: 1, Row: 2, CreatedAt: *at(1001), UpdatedAt: *at(1002)})
}

// TestVersionOneGoesOn checks that what was under way, and what retention is to
// take, is found.
func TestVersionOneGoesOn(t *testing.T) {
	ctx := context.Background()
	db := openVersion(t, 1, versionOne)
	stalled, err := db.Stalled(ctx, fromMillis(5000), fromMillis(5000))
	if err != nil {
		t.Fatal(err)
	}
	var refs []store.BatchRef
	for _, sb := range stalled {
		refs = append(refs, sb.Batch.BatchRef)
	}
	same(t, "stalled", refs, []store.BatchRef{{ImportNo: 1, Pass: ledger.PassApply, No: 2}, {ImportNo: 2}})
	expired, err := db.Expired(ctx, store.Expiry{Images: fromMillis(5000)}, 10)
	if err != nil || len(expired) != 1 || expired[0].ID != "imp_3" {
		t.Errorf("expired are %v, %v; want imp_3", expired, err)
	}
}

// TestBodiesAreLast guards what makes a page's header cheap to read.
func TestBodiesAreLast(t *testing.T) {
	db := openVersion(t, 1, versionOne)
	columns, err := collect(context.Background(), db.q, func(s scanner) (name string, err error) {
		return name, s.Scan(&name)
	}, `SELECT name FROM pragma_table_info('page') ORDER BY cid`)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(columns); n < 2 || !slices.Equal(columns[n-2:], []string{"outcomes", "images"}) {
		t.Errorf("the columns of page are %v; the bodies must be the last", columns)
	}
}

// TestPlanningAgreesWithPass checks the SQL that tells plans from other passes.
func TestPlanningAgreesWithPass(t *testing.T) {
	db := openVersion(t, 1, "")
	for _, pass := range []ledger.Pass{"", ledger.PassSlice, ledger.PassPlan, ledger.PassApply, ledger.PassMedia, ledger.PassFinish,
		ledger.PlanOf(1), ledger.PlanOf(12), ledger.ApplyOf(1), "plans", "PLAN", "plan-", "a plan-1"} {
		var got bool
		if err := db.reader.pool.QueryRow(`SELECT `+planning+` FROM (SELECT ?1 AS pass)`, pass).Scan(&got); err != nil || got != pass.Planning() {
			t.Errorf("%q: planning is %v (%v), want %v", pass, got, err, pass.Planning())
		}
	}
}
