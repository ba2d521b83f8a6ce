package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

// toldRows says what it is told to of rows, changes and corrections.
type toldRows struct {
	told
	rows     importer.RowFilter
	changes  importer.ChangeFilter
	plan     bool
	examples int
	cells    map[string]string
	file     string
	fix      store.Fix
	no       int
	text     string // of downloads; err comes after it
}

func (f *toldRows) Rows(_ context.Context, _ store.Workspace, _ string, flt importer.RowFilter, r store.Range) ([]ledger.Entry, int, error) {
	f.rows, f.span = flt, r
	return []ledger.Entry{
		{Row: 7, Outcome: catalog.Pending},
		{Row: 42, Line: 44, Outcome: catalog.Failed, Ident: []catalog.Key{{Field: catalog.KeyGTIN, Value: "x"}},
			Problems: []catalog.Problem{{Code: catalog.CodeInvalidGTIN, Severity: catalog.Error, Column: "EAN", Value: "x", Message: "Invalid EAN format."}}},
	}, 2, f.err
}
func (f *toldRows) Row(_ context.Context, _ store.Workspace, _ string, row int64) (importer.RowReport, error) {
	return importer.RowReport{Entry: ledger.Entry{Row: row, Outcome: catalog.Updated, ItemID: "i1"}, Pass: ledger.ApplyOf(1), Batch: 3, Node: "n1",
		Header: []string{"SKU", "Price"}, Cells: []string{"A-1", "12.50", "surplus"}, Original: map[int]string{1: ""},
		Changes: []importer.RowChange{{Row: row, Outcome: catalog.Updated, Kind: catalog.KindProduct, ItemID: "i1", SKU: "A-1",
			Fields: []catalog.FieldChange{{Field: "price", Old: `"10.00 EUR"`, New: `"12.50 EUR"`}, {Field: "stock", New: "0"}, {Field: "tags", Old: `["a"]`}}}}}, f.err
}
func (f *toldRows) WriteRows(_ context.Context, _ store.Workspace, _ string, flt importer.RowFilter, w io.Writer) error {
	f.rows = flt
	return f.write(w)
}
func (f *toldRows) WriteChanges(_ context.Context, _ store.Workspace, _ string, flt importer.ChangeFilter, w io.Writer) error {
	f.changes = flt
	return f.write(w)
}
func (f *toldRows) write(w io.Writer) error {
	if _, err := io.WriteString(w, f.text); f.text != "" && err != nil {
		return err
	}
	return f.err
}
func (f *toldRows) Changes(_ context.Context, _ store.Workspace, _ string, flt importer.ChangeFilter, r store.Range) ([]importer.RowChange, int, error) {
	f.changes, f.span = flt, r
	return []importer.RowChange{{Row: 2, Outcome: catalog.Created, Kind: catalog.KindProduct, Gone: true}}, 9, f.err
}
func (f *toldRows) Summary(_ context.Context, _ store.Workspace, _ string, plan bool) (importer.ChangeSummary, error) {
	f.plan = plan
	return importer.ChangeSummary{Tally: catalog.Tally{Created: 1, Warned: 2}, Cleared: 3, Causes: 4, Fields: []ledger.FieldCount{{Field: "price", Added: 5, Changed: 6, Cleared: 7}}}, f.err
}
func (f *toldRows) Causes(_ context.Context, _ store.Workspace, _ string, plan bool, examples int) ([]importer.CauseReport, error) {
	f.plan, f.examples = plan, examples
	return []importer.CauseReport{{Cause: ledger.Cause{Code: catalog.CodeExistingGTIN, Severity: catalog.Error, Column: "EAN", Count: 1000000},
		Examples: []ledger.Example{{Row: 2, Value: "1", Message: "It is there."}}}}, f.err
}
func (f *toldRows) Correct(_ context.Context, _ store.Workspace, _ string, row int64, cells map[string]string, by string) (importer.Check, error) {
	f.cells = cells
	return importer.Check{Row: row, Outcome: catalog.Updated}, f.err
}
func (f *toldRows) Uncorrect(_ context.Context, _ store.Workspace, _ string, row int64) (importer.Check, error) {
	return importer.Check{Row: row, Outcome: catalog.Failed, Problems: []catalog.Problem{{Code: catalog.CodeInvalidPrice, Severity: catalog.Error}}}, f.err
}
func (f *toldRows) CorrectFile(_ context.Context, _ store.Workspace, _, name, _ string, body io.Reader) (importer.CorrectionReport, error) {
	b, err := io.ReadAll(body)
	f.file = name + ": " + string(b)
	if err == nil {
		err = f.err
	}
	return importer.CorrectionReport{Rows: 8, Changed: 1, Same: 2, NoKey: 3, Foreign: 4, Done: 5, Twice: 6, Cells: 7}, err
}
func (f *toldRows) Fix(_ context.Context, _ store.Workspace, _ string, fix store.Fix) (store.Fix, int64, error) {
	f.fix = fix
	fix.No = 1
	return fix, 12, f.err
}
func (f *toldRows) Fixes(context.Context, store.Workspace, string) ([]store.Fix, error) {
	return []store.Fix{{No: 2, Code: catalog.CodeInvalidPrice}}, f.err
}
func (f *toldRows) Unfix(_ context.Context, _ store.Workspace, _ string, no int) error {
	f.no = no
	return f.err
}

func TestRows(t *testing.T) {
	for query, want := range map[string]importer.RowFilter{
		"":                                      {},
		"?outcome=failed":                       {Outcomes: []catalog.Outcome{catalog.Failed}},
		"?outcome=failed,Unprocessed&plan=true": {Outcomes: []catalog.Outcome{catalog.Failed, catalog.Pending}, Plan: true},
		"?outcome=held&outcome=failed,held":     {Outcomes: []catalog.Outcome{catalog.Held, catalog.Failed}},
		"?outcome=pending":                      {Outcomes: []catalog.Outcome{catalog.Pending}},
	} {
		f := &toldRows{}
		h, _ := newDoor(t, f, server.Rates{})
		a := ask(t, h, "GET", Prefix+"/imports/x/rows"+query, "read", nil)
		if d := cmp.Diff(want, f.rows); a.Code != 200 || d != "" {
			t.Errorf("%s: %d %s", query, a.Code, d)
		}
		f.rows = importer.RowFilter{}
		if ask(t, h, "GET", Prefix+"/imports/x/rows.csv"+query, "read", nil); cmp.Diff(want, f.rows) != "" {
			t.Errorf("rows.csv%s: asked for %+v", query, f.rows)
		}
		row := map[string]any{"row": 42.0, "line": 44.0, "outcome": "failed", "id": nil, "ean": "x", "sku": nil, "errors": []any{map[string]any{
			"row": 42.0, "line": 44.0, "ean": "x", "sku": nil, "error": "validation_error", "code": "invalid_gtin", "severity": "error",
			"column": "EAN", "value": "x", "message": "Invalid EAN format."}}}
		data, _ := a.body["data"].([]any)
		if d := cmp.Diff(row, data[1]); d != "" || data[0].(map[string]any)["outcome"] != "unprocessed" {
			t.Errorf("%v %s", data[0], d)
		}
	}
	h, _ := newDoor(t, &toldRows{}, server.Rates{})
	for _, path := range []string{"/rows?outcome=lost", "/rows.csv?outcome=failed,lost", "/rows/0", "/rows/x"} {
		if a := ask(t, h, "GET", Prefix+"/imports/x"+path, "read", nil); a.Code != 422 || a.body["details"] == nil {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
}

func TestRow(t *testing.T) {
	h, _ := newDoor(t, &toldRows{}, server.Rates{})
	a := ask(t, h, "GET", Prefix+"/imports/x/rows/5", "read", nil)
	want := map[string]any{"row": 5.0, "outcome": "updated", "id": "i1", "ean": nil, "sku": nil, "errors": []any{}, "pass": "retry-1", "batch": 3.0, "node": "n1",
		"cells": []any{map[string]any{"column": "SKU", "value": "A-1"}, map[string]any{"column": "Price", "value": "12.50", "original": ""}, map[string]any{"column": "", "value": "surplus"}},
		"changes": []any{map[string]any{"row": 5.0, "outcome": "updated", "kind": "product", "id": "i1", "sku": "A-1", "ean": nil, "fields": []any{
			map[string]any{"field": "price", "old": "10.00 EUR", "new": "12.50 EUR", "change_percent": 25.0},
			map[string]any{"field": "stock", "old": nil, "new": 0.0},
			map[string]any{"field": "tags", "old": []any{"a"}, "new": nil}}}}}
	if d := cmp.Diff(want, a.body); a.Code != 200 || d != "" {
		t.Errorf("%d %s", a.Code, d)
	}
}

func TestChanges(t *testing.T) {
	for query, want := range map[string]importer.ChangeFilter{
		"":                                 {},
		"?plan=true&outcome=held":          {Plan: true, Outcome: catalog.Held},
		"?property=price&cleared=true":     {Property: "price", Cleared: true},
		"?min_percent=12.5&max_percent=50": {MinPercent: 12.5, MaxPercent: 50},
	} {
		f := &toldRows{}
		h, _ := newDoor(t, f, server.Rates{})
		a := ask(t, h, "GET", Prefix+"/imports/x/changes"+query, "read", nil)
		if d := cmp.Diff(want, f.changes); a.Code != 200 || d != "" {
			t.Errorf("%s: %d %s", query, a.Code, d)
		}
		change := map[string]any{"row": 2.0, "outcome": "created", "kind": "product", "id": nil, "sku": nil, "ean": nil, "fields": []any{}, "gone": true}
		if d := cmp.Diff([]any{change}, a.body["data"]); d != "" {
			t.Error(d)
		}
		f.changes = importer.ChangeFilter{}
		if ask(t, h, "GET", Prefix+"/imports/x/changes.csv"+query, "read", nil); f.changes != want {
			t.Errorf("changes.csv%s: asked for %+v", query, f.changes)
		}
	}
	h, _ := newDoor(t, &toldRows{}, server.Rates{})
	for _, query := range []string{"?outcome=lost", "?min_percent=-1", "?min_percent=much", "?min_percent=NaN", "?max_percent=Inf", "?max_percent=-Inf", "?min_percent=%2BInfinity", "?max_percent=-0.5", "?max_percent=1e999", "?plan=perhaps"} {
		for _, path := range []string{"/changes", "/changes.csv"} {
			if a := ask(t, h, "GET", Prefix+"/imports/x"+path+query, "read", nil); a.Code != 422 || a.body["error"] != "validation_error" {
				t.Errorf("%s: %d %s", path+query, a.Code, a.Body)
			}
		}
	}
}

func TestSummaryAndCauses(t *testing.T) {
	f := &toldRows{}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "GET", Prefix+"/imports/x/summary?plan=true", "read", nil)
	want := map[string]any{"plan": true, "cleared_values": 3.0, "causes": 4.0,
		"rows":   map[string]any{"created": 1.0, "updated": 0.0, "unchanged": 0.0, "deleted": 0.0, "failed": 0.0, "skipped": 0.0, "held": 0.0, "warnings": 2.0},
		"fields": []any{map[string]any{"field": "price", "added": 5.0, "changed": 6.0, "cleared": 7.0}}}
	if d := cmp.Diff(want, a.body); d != "" || !f.plan {
		t.Errorf("plan %v, %s", f.plan, d)
	}
	a = ask(t, h, "GET", Prefix+"/imports/x/causes", "read", nil)
	cause := map[string]any{"error": "duplicate_ean", "code": "existing_gtin", "severity": "error", "column": "EAN", "count": 1e6,
		"examples": []any{map[string]any{"row": 2.0, "value": "1", "message": "It is there."}}}
	if d := cmp.Diff(map[string]any{"data": []any{cause}}, a.body); d != "" || f.plan || f.examples != 3 {
		t.Errorf("plan %v, %d examples, %s", f.plan, f.examples, d)
	}
}

func TestErrorsAreFiltered(t *testing.T) {
	for query, want := range map[string]importer.ProblemFilter{
		"":                            {},
		"?code=invalid_price":         {Code: catalog.CodeInvalidPrice},
		"?column=Price&plan=true":     {Column: "Price", HasColumn: true, Plan: true},
		"?column=":                    {HasColumn: true},
		"?column=a%26b&code=too_long": {Column: "a&b", HasColumn: true, Code: catalog.CodeTooLong},
	} {
		f := &toldRows{}
		h, _ := newDoor(t, f, server.Rates{})
		if a := ask(t, h, "GET", Prefix+"/imports/x/errors"+query, "read", nil); a.Code != 200 || f.filter != want {
			t.Errorf("%s: %d, asked for %+v", query, a.Code, f.filter)
		}
	}
}

// TestDownloadThatBreaksOff: before its first byte a download fails like any
// answer; later its connection is cut.
func TestDownloadThatBreaksOff(t *testing.T) {
	for _, path := range []string{"/imports/x/rows.csv", "/imports/x/failed-rows.csv", "/imports/x/changes.csv", "/imports/x/errors.csv"} {
		f := &toldRows{told: told{err: catalog.Faultf(catalog.KindConflict, "file_gone", "It is gone.")}}
		h, _ := newDoor(t, f, server.Rates{})
		if a := ask(t, h, "GET", Prefix+path, "read", nil); a.Code != 409 || a.body["error"] != "file_gone" || a.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: %d %v %s", path, a.Code, a.Header(), a.Body)
		}
	}
	f := &toldRows{text: "a,b\r\n", told: told{err: errors.New("the disk is gone")}}
	h, log := newDoor(t, f, server.Rates{})
	s := httptest.NewServer(h)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+Prefix+"/imports/x/rows.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer read")
	res, err := s.Client().Do(r)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	s.Close() // ends the handler, which logs
	if err == nil || !strings.Contains(log.String(), "download broke off") {
		t.Errorf("half a file was taken for whole; the log says %s", log)
	}
}

func TestDownload(t *testing.T) {
	f := &toldRows{text: "a,b\r\n"}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "GET", Prefix+"/imports/imp_01/failed-rows.csv?plan=true", "read", nil)
	if a.Code != 200 || a.Body.String() != "a,b\r\n" || a.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
		a.Header().Get("Content-Disposition") != `attachment; filename="imp_01-failed-rows.csv"` {
		t.Errorf("got %d %v %s", a.Code, a.Header(), a.Body)
	}
	if d := cmp.Diff(importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}, Plan: true}, f.rows); d != "" {
		t.Error(d)
	}
	f.text = ""
	if a := ask(t, h, "GET", Prefix+"/imports/imp_01/rows.csv", "read", nil); a.Code != 200 || a.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("an empty file: %d %v", a.Code, a.Header())
	}
}

func TestCorrections(t *testing.T) {
	f := &toldRows{}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "PATCH", Prefix+"/imports/x/rows/5", "import", strings.NewReader(`{"cells":{"Price":"12.50","#3":""}}`))
	want := map[string]any{"row": 5.0, "outcome": "updated", "errors": []any{}, "changes": []any{}}
	if d := cmp.Diff(want, a.body) + cmp.Diff(map[string]string{"Price": "12.50", "#3": ""}, f.cells); a.Code != 200 || d != "" {
		t.Errorf("%d %s", a.Code, d)
	}
	for _, body := range []string{"{}", `{"cells":{}}`, `{"cells":{"Price":12.5}}`, `{"Price":"12.50"}`} {
		if a := ask(t, h, "PATCH", Prefix+"/imports/x/rows/5", "import", strings.NewReader(body)); a.Code != 422 {
			t.Errorf("%s: %d %s", body, a.Code, a.Body)
		}
	}
	a = ask(t, h, "DELETE", Prefix+"/imports/x/rows/5/corrections", "import", nil)
	if errs, _ := a.body["errors"].([]any); a.Code != 200 || a.body["outcome"] != "failed" || len(errs) != 1 {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	for code, status := range map[string]int{"row_not_correctable": 409, "wrong_state": 409} {
		f.err = catalog.Faultf(catalog.KindConflict, code, "No.")
		if a := ask(t, h, "DELETE", Prefix+"/imports/x/rows/5/corrections", "import", nil); a.Code != status || a.body["error"] != code {
			t.Errorf("got %d %s", a.Code, a.Body)
		}
	}
	f.err = catalog.Faultf(catalog.KindNotFound, "row_not_found", "No.")
	if a := ask(t, h, "GET", Prefix+"/imports/x/rows/5", "read", nil); a.Code != 404 || a.body["error"] != "row_not_found" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

func TestCorrectionsByFile(t *testing.T) {
	want := map[string]any{"rows": 8.0, "corrected_rows": 1.0, "unchanged_rows": 2.0, "rows_without_key": 3.0, "foreign_rows": 4.0, "done_rows": 5.0,
		"repeated_rows": 6.0, "corrected_cells": 7.0, "ignored_columns": []any{}, "examples": []any{}}
	f := &toldRows{}
	h, _ := newDoor(t, f, server.Rates{})
	body, contentType := form(t, "file", "a,tallyman_row\n")
	a := ask(t, h, "POST", Prefix+"/imports/x/corrections", "import", body, "Content-Type", contentType)
	if d := cmp.Diff(want, a.body); a.Code != 200 || d != "" || f.file != "catalog.csv: a,tallyman_row\n" {
		t.Errorf("%d %q %s", a.Code, f.file, d)
	}
	a = ask(t, h, "POST", Prefix+"/imports/x/corrections?name=b.csv", "import", strings.NewReader("b\n"), "Content-Type", "text/csv")
	if a.Code != 200 || f.file != "b.csv: b\n" {
		t.Errorf("%d %q", a.Code, f.file)
	}
	body, contentType = form(t)
	if a := ask(t, h, "POST", Prefix+"/imports/x/corrections", "import", body, "Content-Type", contentType); a.Code != 422 {
		t.Errorf("no file: %d %s", a.Code, a.Body)
	}
	if a := ask(t, h, "POST", Prefix+"/imports/x/corrections", "read", strings.NewReader("b\n"), "Content-Type", "text/csv"); a.Code != 403 {
		t.Errorf("without the right: %d %s", a.Code, a.Body)
	}
	f.err = catalog.Faultf(catalog.KindInvalid, "no_row_key", "There is no column tallyman_row.")
	if a := ask(t, h, "POST", Prefix+"/imports/x/corrections", "import", strings.NewReader("b\n"), "Content-Type", "text/csv"); a.Code != 422 || a.body["error"] != "no_row_key" {
		t.Errorf("no key: %d %s", a.Code, a.Body)
	}
}

func TestFixes(t *testing.T) {
	f := &toldRows{}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "POST", Prefix+"/imports/x/fixes", "import", strings.NewReader(`{"code":"invalid_price","column":"Price","from":"n/a","to":""}`))
	fix := map[string]any{"no": 1.0, "code": "invalid_price", "column": "Price", "from": "n/a", "to": "", "by": "key_import", "at": "2026-03-15T12:00:30Z"}
	if d := cmp.Diff(map[string]any{"fix": fix, "rows": 12.0}, a.body); a.Code != 201 || d != "" {
		t.Errorf("%d %s", a.Code, d)
	}
	if a := ask(t, h, "POST", Prefix+"/imports/x/fixes", "import", strings.NewReader(`{"code":"invalid_price"}`)); a.Code != 422 {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a := ask(t, h, "GET", Prefix+"/imports/x/fixes", "read", nil); len(a.body["data"].([]any)) != 1 {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a := ask(t, h, "DELETE", Prefix+"/imports/x/fixes/2", "import", nil); a.Code != 204 || f.no != 2 || a.Body.Len() != 0 {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	f.err = catalog.Faultf(catalog.KindConflict, "nothing_to_fix", "There is no such row.")
	if a := ask(t, h, "POST", Prefix+"/imports/x/fixes", "import", strings.NewReader(`{"code":"c","column":"d","from":"","to":"1"}`)); a.Code != 409 || a.body["error"] != "nothing_to_fix" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}
