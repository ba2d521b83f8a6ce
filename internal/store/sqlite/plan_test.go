package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"tallyman/internal/store"
)

// TestPlans checks that the queries whose speed matters use the indexes made
// for them, on a database whose planner knows nothing.
func TestPlans(t *testing.T) {
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "t.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	where := func(f store.ImportFilter) string {
		w, _ := importWhere(1, f)
		return w
	}
	audit := func(f store.AuditFilter) string {
		w, _ := auditWhere(1, f)
		return w
	}
	list := func(query string) string { return strings.Replace(query, listMark, parameters(500), 1) }
	for name, c := range map[string]struct{ query, want string }{
		"find by sku":    {list(findItems("sku", "item_sku")), "SEARCH item USING INDEX item_sku (ws=? AND kind=? AND sku=?)"},
		"find by gtin":   {list(findItems("gtin", "item_gtin")), "SEARCH item USING INDEX item_gtin (ws=? AND kind=? AND gtin=?)"},
		"find by id":     {list(findItems("id", "item_id")), "SEARCH item USING INDEX item_id (ws=? AND kind=? AND id=?)"},
		"read":           {list(readItems), "SEARCH item USING INTEGER PRIMARY KEY (rowid=?)"},
		"delete":         {list(deleteItems), "SEARCH item USING INTEGER PRIMARY KEY (rowid=?)"},
		"update content": {updateContent, "SEARCH item USING INTEGER PRIMARY KEY (rowid=?)"},
		"update whole":   {updateWhole, "SEARCH item USING INTEGER PRIMARY KEY (rowid=?)"},
		"release keys":   {releaseKeys, "SEARCH item USING INTEGER PRIMARY KEY (rowid=?)"},
		"count items":    {"SELECT count(*) FROM item INDEXED BY item_id WHERE ws = ? AND kind = ?", "SEARCH item USING COVERING INDEX item_id (ws=? AND kind=?)"},
		"list items":     {"SELECT " + itemColumns + " FROM item INDEXED BY item_id WHERE ws = ? AND kind = ? AND id > ? ORDER BY id, kind", "SEARCH item USING INDEX item_id (ws=? AND kind=? AND id>?)"},
		"pages":          {selectPages, "SEARCH page USING INDEX sqlite_autoindex_page_1 (ws=? AND import_no=? AND (pass,batch,seq)>(?,?,?) AND (pass,batch,seq)<(?,?,?))"},
		"pages' bodies":  {dropBodiesQuery, "SEARCH page USING INDEX sqlite_autoindex_page_1 (ws=? AND import_no=?)"},
		"drop a pass":    {deletePagesQuery, "SEARCH page USING INDEX sqlite_autoindex_page_1 (ws=? AND import_no=? AND pass=?)"},
		"tallies":        {selectImports(" WHERE ws = ?"), "SEARCH b USING INDEX sqlite_autoindex_batch_1 (ws=? AND import_no=?)"},
		"plans":          {selectImports(" WHERE ws = ?"), "SEARCH b USING INDEX sqlite_autoindex_batch_1 (ws=? AND import_no=? AND pass=?)"},
		"list imports":   {selectImports(" WHERE ws = ?"), "SEARCH import USING INDEX sqlite_autoindex_import_1 (ws=?)"},
		"by feed":        {selectImports(where(store.ImportFilter{Feed: "x", State: "done"})), "SEARCH import USING INDEX import_feed (ws=? AND feed=?)"},
		"by content":     {selectImports(where(store.ImportFilter{SHA256: "x", Source: "x"})), "SEARCH import USING INDEX import_content (ws=? AND sha256=?)"},
		"by undo":        {selectImports(where(store.ImportFilter{UndoOf: "x"})), "SEARCH import USING INDEX import_undo (ws=? AND undo_of=?)"},
		"by request":     {selectImportByRequest, "SEARCH import USING INDEX import_request (ws=? AND request_key=?)"},
		"old images":     {selectExpired, "SEARCH import USING INDEX import_images (<expr><?)"},
		"old files":      {selectExpired, "SEARCH import USING INDEX import_files (<expr><?)"},
		"file keys":      {list(selectFileKeys), "SEARCH import USING COVERING INDEX import_file (ws=? AND file_key=?)"},
		"user by name":   {selectUser + " AND name = ?", "SEARCH workspace_user USING INDEX sqlite_autoindex_workspace_user_2 (ws=? AND name=?)"},
		"audit log":      {selectAudit(audit(store.AuditFilter{Before: 9, Action: "import."})), "SEARCH audit USING INDEX sqlite_autoindex_audit_1 (ws=? AND no<?)"},
		"audit of one":   {selectAudit(audit(store.AuditFilter{Object: "imp_1"})), "SEARCH audit USING INDEX audit_object (ws=? AND object=?)"},
		"old acts":       {purgeAuditQuery, "SEARCH audit USING COVERING INDEX audit_age (at<?)"},
		"moving imports": {countOpen, "SCAN i USING INDEX import_moving"},
		"other imports":  {countOpen, "SEARCH i USING COVERING INDEX import_standing (state=?)"},
		"moving batches": {countBatches, "SCAN i USING INDEX import_moving\nSEARCH b USING INDEX sqlite_autoindex_batch_1 (ws=? AND import_no=?)"},
		"old outcomes":   {selectExpired, "SEARCH import USING INDEX import_outcomes (<expr><?)"},
		"corrections":    {selectCorrections, "SEARCH correction USING PRIMARY KEY (ws=? AND import_no=? AND row>? AND row<?)"},
		"old requests":   {purgeRequestsQuery, "SEARCH request USING INDEX request_age (began_at<?)"},
		"silent batches": {selectSilent, "SCAN i USING INDEX import_moving"},
		"idle imports":   {selectIdle, "SCAN i USING INDEX import_moving"},
	} {
		if plan := explain(t, db, c.query); !strings.Contains(plan, c.want) || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") && !strings.Contains(c.query, withTallies) {
			t.Errorf("%s: the plan is\n%swant %s", name, plan, c.want)
		}
	}
}

func explain(t *testing.T, db *DB, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := db.reader.pool.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
