package importer_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// download is the rows that a filter selects, as a file.
func (s *stack) download(id string, f importer.RowFilter) string {
	s.t.Helper()
	var out bytes.Buffer
	if err := s.svc.WriteRows(context.Background(), s.ws, id, f, &out); err != nil {
		s.t.Fatal(err)
	}
	return out.String()
}

// failedRows is the download of the rows that failed.
func (s *stack) failedRows(id string) string {
	return s.download(id, importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}})
}

// cells reads a download without its byte-order mark.
func cells(t testing.TB, text string) [][]string {
	t.Helper()
	text, ok := strings.CutPrefix(text, "\ufeff")
	if !ok {
		t.Fatalf("no byte-order mark: %.40q", text)
	}
	r := csv.NewReader(strings.NewReader(text))
	if line, _, _ := strings.Cut(text, "\r\n"); !strings.Contains(line, ",") {
		r.Comma = ';'
	}
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// keyless takes the row keys out of a download.
func keyless(rows [][]string) [][]string {
	at := slices.Index(rows[0], importer.RowColumns[0])
	for i, row := range rows {
		rows[i] = slices.Delete(slices.Clone(row), at, at+1)
	}
	return rows
}

func TestARowIsAccountedFor(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	s.run("before.csv", "sku,title,price\nA,Old,5\n", importer.Options{})
	imp := s.run("p.csv", "sku,title,price\nA,New,5\n\nB,Bad,x\nC,Made,7\n", importer.Options{})

	r, err := s.svc.Row(ctx, s.ws, imp.ID, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.FieldChange{{Field: "title", Old: `"Old"`, New: `"New"`}}
	if r.Outcome != catalog.Updated || r.Pass != "apply" || r.Batch != 1 || r.Node != "test" || !slices.Equal(r.Cells, []string{"A", "New", "5"}) ||
		len(r.Changes) != 1 || r.Changes[0].SKU != "A" || !slices.Equal(r.Changes[0].Fields, want) {
		t.Errorf("updated row: %+v", r)
	}
	if r, err = s.svc.Row(ctx, s.ws, imp.ID, 4); err != nil {
		t.Fatal(err)
	}
	if r.Outcome != catalog.Failed || len(r.Problems) != 1 || r.Problems[0].Code != catalog.CodeInvalidPrice || len(r.Changes) > 0 || r.Original != nil {
		t.Errorf("failed row: %+v", r)
	}
	if r, err = s.svc.Row(ctx, s.ws, imp.ID, 5); err != nil {
		t.Fatal(err)
	}
	if r.Outcome != catalog.Created || len(r.Changes) != 1 || len(r.Changes[0].Fields) < 3 || r.ItemID == "" {
		t.Errorf("created row: %+v", r)
	}
	for _, none := range []int64{-1, 0, 1, 3, 6, 1 << 40} {
		_, err := s.svc.Row(ctx, s.ws, imp.ID, none)
		wantFault(t, err, "row_not_found")
	}
}

func TestRowsOfAPlanAndOfAnImportThatWasStopped(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.plan("p.csv", "sku,title,price\nA,New,5\nB,Bad,x\n", importer.Options{})
	r, err := s.svc.Row(ctx, s.ws, imp.ID, 2)
	if err != nil || r.Outcome != catalog.Created || r.Pass != "plan" {
		t.Errorf("planned row: %+v, %v", r, err)
	}
	pending := importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Pending}}
	for _, c := range []struct {
		f    importer.RowFilter
		want []string
	}{
		{importer.RowFilter{}, []string{"2 pending", "3 pending"}},
		{importer.RowFilter{Plan: true}, []string{"2 created", "3 failed"}},
		{importer.RowFilter{Plan: true, Outcomes: []catalog.Outcome{catalog.Failed}}, []string{"3 failed"}},
		{pending, []string{"2 pending", "3 pending"}},
	} {
		if got := s.list(imp.ID, c.f, store.Range{}, len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
	if imp, err = s.svc.Terminate(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	if r, err = s.svc.Row(ctx, s.ws, imp.ID, 2); err != nil || r.Outcome != catalog.Pending || r.Pass != "" || r.Cells[0] != "A" {
		t.Errorf("row that never ran: %+v, %v", r, err)
	}
	if got := keyless(cells(t, s.download(imp.ID, pending))); len(got) != 3 || got[1][3] != "unprocessed" {
		t.Errorf("unprocessed rows: %q", got)
	}
}

// list says which rows a listing has, and checks its total.
func (s *stack) list(id string, f importer.RowFilter, r store.Range, total int) []string {
	s.t.Helper()
	found, n, err := s.svc.Rows(context.Background(), s.ws, id, f, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if n != total {
		s.t.Errorf("%+v: %d rows in all, want %d", f, n, total)
	}
	var out []string
	for _, e := range found {
		out = append(out, fmt.Sprintf("%d %s", e.Row, e.Outcome))
	}
	return out
}

func TestAnyWindowOfTheRowsIsAPartOfAllRows(t *testing.T) {
	g := newGate(3)
	s := newStack(t, func(c *importer.Config) { c.ChunkRows, c.Probe = 700, g.probe })
	imp := s.stopHalfway(g, 5000)
	all := importer.RowFilter{}
	want := s.list(imp.ID, all, store.Range{}, 5000)
	for _, outcomes := range [][]catalog.Outcome{nil, {catalog.Pending}, {catalog.Created}, {catalog.Created, catalog.Pending}} {
		f := importer.RowFilter{Outcomes: outcomes}
		var part []string
		for _, row := range want {
			_, o, _ := strings.Cut(row, " ")
			outcome, _ := catalog.ParseOutcome(o)
			if len(outcomes) == 0 || slices.Contains(outcomes, outcome) {
				part = append(part, row)
			}
		}
		if len(part) == 0 {
			t.Fatalf("no rows ended as %v", outcomes)
		}
		for _, r := range []store.Range{{}, {Limit: 10}, {Offset: 1990, Limit: 20}, {Offset: 2500}, {Offset: len(part) - 1, Limit: 5}, {Offset: len(part), Limit: 5}, {Offset: len(part) + 7}} {
			to := len(part)
			if r.Limit > 0 {
				to = min(to, r.Offset+r.Limit)
			}
			window := part[min(r.Offset, len(part)):max(to, min(r.Offset, len(part)))]
			if got := s.list(imp.ID, f, r, len(part)); !slices.Equal(got, window) {
				t.Errorf("%v %+v: %d rows, want %d", outcomes, r, len(got), len(window))
			}
		}
		if rows := cells(t, s.download(imp.ID, f)); len(rows) != len(part)+1 {
			t.Errorf("%v: the download has %d rows, want %d", outcomes, len(rows)-1, len(part))
		}
	}
}

// stopHalfway terminates an import of n rows while some have no outcome, with a
// blank line after every hundredth.
func (s *stack) stopHalfway(g *gate, n int) store.Import {
	s.t.Helper()
	var file strings.Builder
	file.WriteString("sku,title\n")
	for i := range n {
		fmt.Fprintf(&file, "S%d,T%d\n", i, i)
		if i%100 == 99 {
			file.WriteString("\n")
		}
	}
	imp, err := s.begin("p.csv", file.String(), importer.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	<-g.reached
	imp, err = s.svc.Terminate(context.Background(), s.ws, imp.ID)
	close(g.open)
	if err != nil {
		s.t.Fatal(err)
	}
	if imp.Tally.Rows() == 0 || imp.Tally.Rows() == int64(n) {
		s.t.Fatalf("%d of %d rows are done; it was to be some", imp.Tally.Rows(), n)
	}
	return imp
}

func TestRowsAreFoundByNumberAnywhere(t *testing.T) {
	g := newGate(2)
	s := newStack(t, func(c *importer.Config) { c.ChunkRows, c.Probe = 700, g.probe })
	imp := s.stopHalfway(g, 5000)
	// Row numbers count the header and the blank lines.
	for i := 0; i < 5000; i += 37 {
		row := int64(i + i/100 + 2)
		r, err := s.svc.Row(context.Background(), s.ws, imp.ID, row)
		if err != nil {
			t.Fatalf("row %d: %v", row, err)
		}
		if want := []string{fmt.Sprintf("S%d", i), fmt.Sprintf("T%d", i)}; !slices.Equal(r.Cells, want) {
			t.Fatalf("row %d has %q, want %q", row, r.Cells, want)
		}
	}
	for _, blank := range []int64{102, 5051} {
		_, err := s.svc.Row(context.Background(), s.ws, imp.ID, blank)
		wantFault(t, err, "row_not_found")
	}
}

func TestADownloadIsTheFileWithWhatBecameOfItsRows(t *testing.T) {
	s := newStack(t, nil)
	file := "sku;tallyman_status;title;price\n" +
		"A;mine;=1+1;x\n" +
		"B;;\"a;b\";5\n" +
		"C;;Long;6;surplus;more\n" +
		"D\n" +
		"E;;'=quoted;-x\n"
	imp := s.run("p.csv", file, importer.Options{})
	text := s.failedRows(imp.ID)
	if !strings.HasPrefix(text, "\ufeffsku;tallyman_status;title;price;tallyman_row;tallyman_status;tallyman_code;tallyman_message\r\n") {
		t.Errorf("header: %.120q", text)
	}
	rows := keyless(cells(t, text))
	var got []string
	for _, row := range rows[1:] {
		got = append(got, strings.Join(row[:6], "|"))
	}
	want := []string{"A|mine|'=1+1|x|failed|invalid_price", "C||Long|6|failed|column_count", "D||||failed|missing_required", "E||''=quoted|'-x|failed|invalid_price"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failed rows (-want +got):\n%s", diff)
	}
	if !strings.HasSuffix(rows[2][6], "| Cells beyond the last column: surplus | more") {
		t.Errorf("the surplus is not told: %q", rows[2][6])
	}
	if all := cells(t, s.download(imp.ID, importer.RowFilter{})); len(all) != 6 {
		t.Errorf("%d rows of 5", len(all)-1)
	}
	again, err := s.svc.CorrectFile(context.Background(), s.ws, imp.ID, "failed.csv", "", strings.NewReader(text))
	if err != nil || again.Rows != 4 || again.Same != 4 {
		t.Errorf("sent back as it was: %+v, %v", again, err)
	}
}

func TestADownloadOfAnUndoNamesItems(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,title\nA,One\nB,Two\n", importer.Options{})
	s.run("q.csv", "sku,title\nB,Mine\n", importer.Options{})
	undo := s.takeBack(imp)
	rows := cells(t, s.download(undo.ID, importer.RowFilter{}))
	if !slices.Equal(rows[0], []string{"id", "kind", "tallyman_row", "tallyman_status", "tallyman_code", "tallyman_message"}) {
		t.Errorf("header: %q", rows[0])
	}
	var got []string
	for _, row := range rows[1:] {
		if row[0] == "" {
			t.Errorf("no id: %q", row)
		}
		got = append(got, row[1]+" "+row[3])
	}
	if want := []string{"product kept", "product reverted"}; !slices.Equal(sorted(got), want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := s.svc.Correct(context.Background(), s.ws, undo.ID, 1, map[string]string{"id": "x"}, ""); catalog.AsFault(err) == nil {
		t.Errorf("a row of an undo was corrected: %v", err)
	}
}

func TestADownloadNeedsTheFile(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,price\nA,x\n", importer.Options{})
	if err := s.files.Delete(context.Background(), imp.FileKey); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	wantFault(t, s.svc.WriteRows(context.Background(), s.ws, imp.ID, importer.RowFilter{}, &out), "file_gone")
	if out.Len() > 0 {
		t.Errorf("%d bytes were written all the same", out.Len())
	}
	r, err := s.svc.Row(context.Background(), s.ws, imp.ID, 2)
	if err != nil || r.Outcome != catalog.Failed || r.Header != nil || r.Cells != nil {
		t.Errorf("the row without its file: %+v, %v", r, err)
	}
	_, err = s.svc.Correct(context.Background(), s.ws, imp.ID, 2, map[string]string{"price": "5"}, "")
	wantFault(t, err, "file_gone")
}
