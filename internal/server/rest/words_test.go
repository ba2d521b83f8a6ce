package rest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// constants returns the string constants of a type that a file declares.
func constants(t *testing.T, file, typeName string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typeName {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, s)
			}
		}
		return true
	})
	if len(out) == 0 {
		t.Fatalf("%s declares no %s", file, typeName)
	}
	return out
}

func TestEveryCodeHasAWord(t *testing.T) {
	codes := constants(t, "../../catalog/problem.go", "Code")
	for _, c := range codes {
		if _, ok := rowWords[catalog.Code(c)]; !ok {
			t.Errorf("the code %s has no line in rowWords", c)
		}
	}
	if len(codes) != len(rowWords) {
		t.Errorf("%d codes, %d words", len(codes), len(rowWords))
	}
}

func TestRowWords(t *testing.T) {
	for code, want := range map[catalog.Code]string{
		catalog.CodeInvalidGTIN:        "validation_error",
		catalog.CodeExistingGTIN:       "duplicate_ean",
		catalog.CodeDuplicateSKUInFile: "duplicate_sku",
		catalog.CodeDuplicateKeyInFile: "duplicate_in_file",
		catalog.CodeItemNotFound:       "not_found",
		catalog.CodeAmbiguousMatch:     "ambiguous_match",
		catalog.CodeImageCopyFailed:    "image_copy_failed",
		catalog.CodeMovedSincePlan:     "conflict",
		"a_code_of_tomorrow":           "validation_error",
	} {
		if got := rowWord(code); got != want {
			t.Errorf("%s is %q, want %q", code, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		state  store.State
		failed int64
		status string
		code   string
		paused bool
	}{
		{store.Received, 0, "pending", "", false},
		{store.Slicing, 0, "pending", "", false},
		{store.Planning, 0, "processing", "", false},
		{store.Planned, 0, "pending", "", false},
		{store.RollingBack, 1, "processing", "", false},
		{store.RolledBack, 1, "failed", "header_mismatch", false},
		{store.Stopped, 1, "failed", "header_mismatch", false},
		{store.Running, 3, "processing", "", false},
		{store.Pausing, 0, "processing", "", false},
		{store.Paused, 0, "processing", "", true},
		{store.Terminating, 0, "processing", "", false},
		{store.Terminated, 0, "failed", "import_terminated", false},
		{store.Done, 0, "completed", "", false},
		{store.Done, 1, "completed_with_errors", "", false},
		{store.Refused, 0, "failed", "header_mismatch", false},
		{store.FailedState, 0, "failed", "header_mismatch", false},
	} {
		imp := store.Import{State: c.state, Tally: catalog.Tally{Failed: c.failed}}
		if c.status == "failed" {
			imp.FaultCode, imp.FaultMessage = "header_mismatch", "The header does not match."
		}
		o := ImportObject(imp, time.Time{})
		if o.Status != c.status || o.Error != c.code || o.Paused != c.paused {
			t.Errorf("%s with %d failed: %s, error %q, paused %v; want %+v", c.state, c.failed, o.Status, o.Error, o.Paused, c)
		}
		if (o.Error == "") != (o.Message == "") {
			t.Errorf("%s: error %q, message %q", c.state, o.Error, o.Message)
		}
	}
}

func TestEveryStateHasAStatus(t *testing.T) {
	for _, s := range constants(t, "../../store/store.go", "State") {
		status := statusOf(&store.Import{State: store.State(s)})
		found := false
		for _, of := range statesOf[status] {
			found = found || of == store.State(s)
		}
		if !found {
			t.Errorf("the state %s is %s, which statesOf does not know", s, status)
		}
	}
}

func TestImportObject(t *testing.T) {
	created := time.Date(2024, 3, 15, 10, 0, 0, 900e6, time.FixedZone("CET", 3600))
	started := created.Add(time.Second)
	completed := created.Add(2*time.Minute + 34*time.Second)
	imp := store.Import{ID: "imp_01HQ", State: store.Done, Source: "products", Mode: catalog.Upsert, Format: "csv", SourceName: "catalog.csv",
		FileSize: 99, SHA256: "ab", Rows: 1250, Sliced: true, CreatedAt: created, StartedAt: &started, CompletedAt: &completed, UpdatedAt: completed,
		Tally: catalog.Tally{Created: 980, Updated: 265, Failed: 5, Errors: 6, Warned: 2}}
	got := asMap(t, ImportObject(imp, completed))
	want := map[string]any{
		"id": "imp_01HQ", "status": "completed_with_errors", "format": "csv", "total_rows": 1250.0, "processed_rows": 1250.0, "created_rows": 980.0,
		"updated_rows": 265.0, "error_rows": 5.0, "created_at": "2024-03-15T09:00:00Z", "completed_at": "2024-03-15T09:02:34Z",
		"state": "done", "source": "products", "source_name": "catalog.csv", "mode": "upsert", "unchanged_rows": 0.0, "deleted_rows": 0.0,
		"skipped_rows": 0.0, "held_rows": 0.0, "warning_rows": 2.0, "error_count": 6.0, "progress": 100.0, "started_at": "2024-03-15T09:00:01Z",
		"updated_at": "2024-03-15T09:02:34Z", "file_size": 99.0, "sha256": "ab", "round": 0.0, "policy": "skip",
		"waiting_for": nil,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestImportObjectOfAPlan(t *testing.T) {
	options, err := json.Marshal(importer.Options{Policy: importer.PolicyStop, StopAfter: 3})
	if err != nil {
		t.Fatal(err)
	}
	findings, err := json.Marshal(importer.Findings{Confirm: true, Stale: "Plan again.", Tripped: []importer.Tripped{
		{Rail: "price_move_percent", Limit: 20, Found: 50, Message: "A price moves by 50 %.",
			Changes: &importer.ChangeFilter{Plan: true, Property: "price", MinPercent: 20.5}},
		{Rail: "rows_down_percent", Limit: 10, Found: 40, Message: "40 % fewer rows."},
	}})
	if err != nil {
		t.Fatal(err)
	}
	o := ImportObject(store.Import{ID: "imp_01", State: store.Planned, Rows: 10, Extra: 2, Sliced: true, Pass: ledger.PassPlan, Fingerprint: "f1",
		Feed: "nightly", DuplicateOf: "imp_00", Options: options, Findings: findings, Plan: catalog.Tally{Created: 3, Updated: 4, Failed: 5, Warned: 1, Errors: 6}}, time.Time{})
	o.SetUndoable(time.Time{})
	got := asMap(t, o)
	for name, want := range map[string]any{
		"status": "pending", "state": "planned", "pass": "plan", "fingerprint": "f1", "feed": "nightly", "missing_rows": 2.0, "duplicate_of": "imp_00",
		"policy": "stop", "stop_after": 3.0, "needs_confirmation": true, "stale": "Plan again.", "progress": 100.0, "processed_rows": 0.0,
		"plan": map[string]any{"created": 3.0, "updated": 4.0, "unchanged": 0.0, "deleted": 0.0, "failed": 5.0, "skipped": 0.0, "held": 0.0, "warnings": 1.0},
		"findings": []any{
			map[string]any{"rail": "price_move_percent", "limit": 20.0, "found": 50.0, "message": "A price moves by 50 %.",
				"changes_url": "/api/v1/imports/imp_01/changes?min_percent=20.5&plan=true&property=price"},
			map[string]any{"rail": "rows_down_percent", "limit": 10.0, "found": 40.0, "message": "40 % fewer rows."},
		},
		"undoable_until": nil, "undo_of": nil, "reverted_rows": nil, "kept_rows": nil,
	} {
		if d := cmp.Diff(want, got[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestImportObjectOfAnUndo(t *testing.T) {
	o := ImportObject(store.Import{State: store.Done, UndoOf: "imp_01", UndoneBy: "imp_03", Round: 1,
		Tally: catalog.Tally{Created: 1, Updated: 2, Deleted: 4, Held: 8, Unchanged: 16}}, time.Time{})
	o.SetUndoable(time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC))
	got := asMap(t, o)
	for name, want := range map[string]any{"undo_of": "imp_01", "undone_by": "imp_03", "reverted_rows": 7.0, "kept_rows": 8.0, "round": 1.0,
		"undoable_until": "2026-04-14T12:00:00Z", "plan": nil, "findings": nil} {
		if d := cmp.Diff(want, got[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestProgressAndPace(t *testing.T) {
	start := time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		imp      store.Import
		after    time.Duration
		progress int
		rate     *float64
		left     *int64
	}{
		{"not counted yet", store.Import{State: store.Running, Rows: 100, StartedAt: &start, Tally: catalog.Tally{Created: 50}}, 10 * time.Second, 0, ptr(5.0), nil},
		{"half", store.Import{State: store.Running, Rows: 100, Sliced: true, StartedAt: &start, Tally: catalog.Tally{Created: 49, Failed: 1}}, 10 * time.Second, 50, ptr(5.0), ptr(int64(10))},
		{"all rows but not done", store.Import{State: store.Running, Rows: 100, Sliced: true, StartedAt: &start, Tally: catalog.Tally{Created: 100}}, 10 * time.Second, 99, ptr(10.0), ptr(int64(0))},
		{"paused", store.Import{State: store.Paused, Rows: 100, Sliced: true, StartedAt: &start, Tally: catalog.Tally{Created: 50}}, 10 * time.Second, 50, nil, nil},
		{"no row yet", store.Import{State: store.Running, Rows: 100, Sliced: true, StartedAt: &start}, 10 * time.Second, 0, nil, nil},
		{"no time yet", store.Import{State: store.Running, Rows: 100, Sliced: true, StartedAt: &start, Tally: catalog.Tally{Created: 1}}, 0, 1, nil, nil},
		{"an empty file", store.Import{State: store.Done, Sliced: true, StartedAt: &start}, 0, 100, nil, nil},
		{"planning", store.Import{State: store.Planning, Rows: 90, Extra: 10, Sliced: true, StartedAt: &start, Plan: catalog.Tally{Created: 50}}, 10 * time.Second, 50, ptr(5.0), ptr(int64(10))},
		{"applying a plan", store.Import{State: store.Running, Rows: 100, Sliced: true, StartedAt: &start, UpdatedAt: start.Add(5 * time.Second),
			Plan: catalog.Tally{Created: 100}, Tally: catalog.Tally{Created: 50}}, 10 * time.Second, 50, ptr(10.0), ptr(int64(5))},
		{"a retry", store.Import{State: store.Running, Rows: 100, Sliced: true, Round: 1, StartedAt: &start, Tally: catalog.Tally{Created: 50, Failed: 50}, PassRows: 50, PassDone: 20}, 10 * time.Second, 40, nil, nil},
		{"terminated", store.Import{State: store.Terminated, Rows: 3, Sliced: true, StartedAt: &start, Tally: catalog.Tally{Created: 1}}, 0, 33, nil, nil},
	} {
		o := ImportObject(c.imp, start.Add(c.after))
		if o.Progress != c.progress {
			t.Errorf("%s: progress %d, want %d", c.name, o.Progress, c.progress)
		}
		if d := cmp.Diff(c.rate, o.RowsPerSecond) + cmp.Diff(c.left, o.SecondsLeft); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func ptr[T any](v T) *T { return &v }
