package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

// TestPlansOnceMade checks that the queries which are planned once, without the
// values that they are run with, use the indexes made for them: on a table that was
// filled a moment ago, just so far that queries are planned so, and that the planner
// knows nothing of.
func TestPlansOnceMade(t *testing.T) {
	db := openDB(t)
	queries := map[string]struct {
		query string
		args  int
		want  []string
	}{
		"find by sku":  {findItems("sku", "text[]"), 3, []string{"Index Scan using item_sku on item", "((ws = $1) AND (sku = s.k))"}},
		"find by slug": {findItems("slug", "text[]"), 3, []string{"Index Scan using item_slug on item", "((ws = $1) AND (slug = s.k))"}},
		"find by ref":  {findItems("ref", "text[]"), 3, []string{"Index Scan using item_ref on item", "((ws = $1) AND (ref = s.k))"}},
		"find by id":   {findItems("id", "text[]"), 3, []string{"Index Scan using item_id on item", "((ws = $1) AND (kind = $2) AND (id = s.k))"}},
		"find by gtin": {findItems("gtin", "bigint[]"), 3, []string{"Index Scan using item_gtin on item", "((ws = $1) AND (gtin = s.k))"}},
		"read":         {readUnlocked, 3, []string{"Index Scan using item_pkey on item", "((ws = $1) AND (nid = h.nid))"}},
		"read locked":  {readLocked, 3, []string{"Index Scan using item_pkey on item", "((ws = $1) AND (nid = h.nid))"}},
		"update":       {updateItems, 1, []string{"Index Scan using item_pkey on item", "(nid = c.nid)", "Tid Scan on item i", "(ws = ", "((n.version - 1) = version)"}},
		"content":      {updateContent, 1, []string{"Index Scan using item_pkey on item", "(nid = c.nid)", "Tid Scan on item i", "(ws = ", "((n.version - 1) = version)"}},
		"release keys": {releaseKeys, 1, []string{"Index Scan using item_pkey on item", "(nid = c.nid)", "Tid Scan on item i", "(ws = ", "((n.version - 1) = version)"}},
		"delete":       {deleteItems, 4, []string{"Index Scan using item_pkey on item", "(nid = h.nid)", "Tid Scan on item", "Filter: (ws = "}},
		"check batch":  {selectEpoch, 4, []string{"Index Scan using batch_pkey on batch", "(no = $4)"}},
		"save batch":   {saveBatchQuery, 23, []string{"Index Scan using batch_pkey on batch", "(no = $23)"}},
		"held batch":   {selectHeld, 4, []string{"Index Scan using batch_pkey on batch", "(pass = $3)"}},
		"next batches": {selectJobless, 4, []string{"Index Scan using batch_pkey on batch", "(pass = $3)"}},
		"batches left": {countUnfinished, 3, []string{"Index Scan using batch_pkey on batch", "(pass = $3)"}},
		"drop bodies":  {dropBodiesQuery, 5, []string{"Index Scan using page_pkey on page", "Tid Scan on page p", "Filter: (ws = "}},
		"drop a pass":  {deletePagesQuery, 3, []string{"Index Scan using page_pkey on page", "(pass = $3)"}},
	}
	fill(t, db, 8000)
	if mode := planMode(t, db); mode != "force_generic_plan" {
		t.Fatalf("the mode is %s", mode)
	}
	for name, c := range queries {
		plan := explainOnce(t, db, c.query, c.args)
		for _, want := range c.want {
			if !strings.Contains(plan, want) {
				t.Errorf("%s: the plan is\n%swant %s", name, plan, want)
				break
			}
		}
	}
}

// TestPlansOnEmptyTableAreNotKept checks that nothing is planned for long while the
// planner could take any index for any other.
func TestPlansOnEmptyTableAreNotKept(t *testing.T) {
	db := openDB(t)
	for _, rows := range []int{0, 100} {
		fill(t, db, rows)
		if mode := planMode(t, db); mode != "force_custom_plan" {
			t.Errorf("the mode is %s with %d items", mode, rows)
		}
	}
}

// planMode is how a chunk's statements are planned.
func planMode(t *testing.T, db *DB) (mode string) {
	t.Helper()
	err := db.transact(t.Context(), false, func(pg pgx.Tx) error {
		return pg.QueryRow(t.Context(), "SHOW plan_cache_mode").Scan(&mode)
	})
	if err != nil {
		t.Fatal(err)
	}
	return mode
}

// explainOnce explains a writer's query as it is planned for any values.
func explainOnce(t *testing.T, db *DB, query string, args int) string {
	t.Helper()
	conn, err := db.writers.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan; PREPARE once AS "+query); err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer conn.Exec(context.WithoutCancel(t.Context()), "RESET plan_cache_mode; DEALLOCATE once")
	nulls := strings.Repeat(", NULL", args)[2:]
	return lines(t, conn, "EXPLAIN EXECUTE once("+nulls+")")
}

// openDB opens a new database for the test.
func openDB(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), pgtest.New(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// fill puts n items into the catalog and returns them.
func fill(t *testing.T, db *DB, n int) []catalog.Item {
	t.Helper()
	filled := items(n)
	if err := db.Write(t.Context(), 1, false, func(tx store.Tx) error { return tx.Insert(t.Context(), db.Prepare(1, filled)) }); err != nil {
		t.Fatal(err)
	}
	return filled
}

// items are n items with all keys.
func items(n int) (list []catalog.Item) {
	for n := range n {
		list = append(list, catalog.Item{ID: fmt.Sprintf("prd_%06d", n), Kind: catalog.KindProduct, SKU: fmt.Sprintf("S%06d", n), Slug: fmt.Sprintf("l%06d", n),
			Ref: fmt.Sprintf("r%06d", n), GTIN: fmt.Sprintf("%014d", n), Doc: catalog.Doc(`{"title":"` + strings.Repeat("T", 400) + `"}`), Version: 1, CreatedAt: time.UnixMilli(0), UpdatedAt: time.UnixMilli(0)})
	}
	return list
}

// TestPlans checks that the queries whose speed matters use the indexes made for
// them, on a table that was filled a moment ago and that the planner knows
// nothing of.
func TestPlans(t *testing.T) {
	db := openDB(t)
	items := fill(t, db, 4000)
	handles := make([]int64, 2000)
	keys := make([]string, len(handles))
	for i := range handles {
		handles[i], keys[i] = int64(2*i), items[2*i].SKU
	}
	w := func(f store.ImportFilter) string {
		return `SELECT no FROM import` + importWhere(1, f).text() + ` ORDER BY no DESC`
	}
	whole := auditWhere(1, store.AuditFilter{Before: 9, Action: "import."})
	ofOne := auditWhere(1, store.AuditFilter{Object: "imp_1"})
	for name, c := range map[string]struct {
		query string
		args  []any
		want  []string
	}{
		"find by sku":  {findItems("sku", "text[]"), []any{1, 1, keys}, []string{"Index Scan using item_sku on item", "((ws = '1'::bigint) AND (sku = s.k))"}},
		"find by slug": {findItems("slug", "text[]"), []any{1, 1, keys}, []string{"Index Scan using item_slug on item", "((ws = '1'::bigint) AND (slug = s.k))"}},
		"find by ref":  {findItems("ref", "text[]"), []any{1, 1, keys}, []string{"Index Scan using item_ref on item", "((ws = '1'::bigint) AND (ref = s.k))"}},
		"find by id":   {findItems("id", "text[]"), []any{1, 1, keys}, []string{"Index Scan using item_id on item", "((ws = '1'::bigint) AND (kind = '1'::smallint) AND (id = s.k))"}},
		"find by gtin": {findItems("gtin", "bigint[]"), []any{1, 1, handles}, []string{"Index Scan using item_gtin on item", "((ws = '1'::bigint) AND (gtin = s.k))"}},
		"one by sku":   {selectItem("sku"), []any{1, 1, "S1"}, []string{"Index Scan using item_sku on item", "(sku = 'S1'::text)"}},
		"one by gtin":  {selectItem("gtin"), []any{1, 1, 7}, []string{"Index Scan using item_gtin on item", "(gtin = '7'::bigint)"}},
		"read":         {readUnlocked, []any{1, 1, handles}, []string{"Index Scan using item_pkey on item", "((ws = '1'::bigint) AND (nid = h.nid))"}},
		"read locked":  {readLocked, []any{1, 1, handles}, []string{"Index Scan using item_pkey on item", "((ws = '1'::bigint) AND (nid = h.nid))"}},
		"update":       {updateItems, []any{1}, []string{"Index Scan using item_pkey on item", "(nid = c.nid)", "Tid Scan on item i", "(ws = "}},
		"content":      {updateContent, []any{1}, []string{"Index Scan using item_pkey on item", "(nid = c.nid)", "Tid Scan on item i", "(ws = "}},
		"release keys": {releaseKeys, []any{1}, []string{"Index Scan using item_pkey on item", "(nid = c.nid)", "Tid Scan on item i", "(ws = "}},
		"delete":       {deleteItems, []any{1, 1, handles, handles}, []string{"Index Scan using item_pkey on item", "(nid = h.nid)", "Tid Scan on item", "Filter: (ws = "}},
		"list items":   {`SELECT ` + itemColumns + ` FROM item i WHERE i.ws = 1 AND i.kind = 1 AND i.id > 'p' ORDER BY id LIMIT 10`, nil, []string{"Index Scan using item_id on item", "(id > 'p'::text)"}},
		"pages": {selectPages, []any{1, 1, "apply", 1, -1, "apply", 1, 9, true, true, true, 1, false, 0, 0, false, false, 32},
			[]string{"Index Scan using page_pkey on page", "ROW(pass, batch, seq) > ROW("}},
		"drop bodies":    {dropBodiesQuery, []any{1, 1, true, true, 100}, []string{"Index Scan using page_pkey on page", "Tid Scan on page p", "Filter: (ws = "}},
		"drop a pass":    {deletePagesQuery, []any{1, 1, "plan"}, []string{"Index Scan using page_pkey on page", "(pass = 'plan'::text)"}},
		"by feed":        {w(store.ImportFilter{Feed: "x", State: "done"}), []any{1, "done", "x"}, []string{"import_feed"}},
		"by content":     {w(store.ImportFilter{SHA256: "x", Source: "x"}), []any{1, "x", "x"}, []string{"import_content"}},
		"by undo":        {w(store.ImportFilter{UndoOf: "x"}), []any{1, "x"}, []string{"import_undo"}},
		"by request":     {selectImportByRequest, []any{1, "k"}, []string{"import_request"}},
		"tallies":        {selectImportNo, []any{1, 1}, []string{"batch_pkey"}},
		"old bodies":     {selectExpired, []any{1, 1, 1, 10}, []string{"import_images", "import_outcomes", "import_files"}},
		"file keys":      {selectFileKeys, []any{1, keys}, []string{"import_file ", "file_key = k.k"}},
		"user by name":   {selectUser + ` AND name = $2`, []any{1, "jo"}, []string{"workspace_user_ws_name_key"}},
		"audit log":      {selectAudit(whole, 0), whole.args, []string{"Index Scan Backward using audit_pkey"}},
		"audit of one":   {selectAudit(ofOne, 0), ofOne.args, []string{"audit_object"}},
		"old acts":       {purgeAuditQuery, []any{1, 10}, []string{"audit_age", "Tid Scan on audit a", "Filter: (old.ws = ws)"}},
		"open imports":   {countOpen, nil, []string{"import_moving", "import_standing"}},
		"open batches":   {countBatches, nil, []string{"import_moving", "batch_pkey"}},
		"silent batches": {selectSilent, []any{1, 2}, []string{"import_moving", "batch_pkey"}},
		"idle imports":   {selectIdle, []any{1, 2}, []string{"import_moving", "batch_pkey"}},
		"old requests":   {purgeRequestsQuery, []any{1}, []string{"request_age"}},
	} {
		plan := explain(t, db, c.query, c.args...)
		for _, want := range c.want {
			if !strings.Contains(plan, want) {
				t.Errorf("%s: the plan is\n%swant %s", name, plan, want)
				break
			}
		}
	}
}

// explain explains a query as a reader plans it: for these values.
func explain(t *testing.T, db *DB, query string, args ...any) string {
	t.Helper()
	return lines(t, db.writers, "EXPLAIN "+query, args...)
}

// lines returns what a query of one column of text says.
func lines(t *testing.T, q querier, query string, args ...any) string {
	t.Helper()
	rows, err := q.Query(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		text.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	return text.String()
}
