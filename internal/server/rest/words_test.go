package rest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
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
		"updated_at": "2024-03-15T09:02:34Z", "file_size": 99.0, "sha256": "ab",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
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
