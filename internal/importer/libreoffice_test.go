package importer_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// The files of testdata/libreoffice: products.csv was imported, failed-rows.csv
// downloaded, and the others saved by LibreOffice after a person's work on it:
// sorted, corrected, columns deleted. corrected.csv is what products.csv should
// have been. make libreoffice writes them all again.
const libreOffice = "testdata/libreoffice"

// TestFilesSavedByLibreOffice uploads each and runs the rows again. The catalog is
// then what the right file makes, so each row got its own correction, and what the
// spreadsheet did to other cells was taken for none.
func TestFilesSavedByLibreOffice(t *testing.T) {
	right := newStack(t, nil)
	if imp := right.run("products.csv", fixture(t, "corrected.csv"), importer.Options{}); imp.Tally.Failed > 0 {
		t.Fatalf("the right file: %+v", imp.Tally)
	}
	want := right.dump()
	for _, name := range []string{"standard-comma-utf8.csv", "text-semicolon-windows1252.csv", "german-semicolon-utf8.csv", "text-comma-windows1252.csv"} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, nil)
			ctx := context.Background()
			imp := s.run("products.csv", fixture(t, "products.csv"), importer.Options{})
			saved := s.rekeyed(imp, fixture(t, "failed-rows.csv"), fixture(t, name))
			report, err := s.svc.CorrectFile(ctx, s.ws, imp.ID, name, "", strings.NewReader(saved))
			if err != nil {
				t.Fatal(err)
			}
			cells := correctedCells(t)
			if report.Rows != imp.Tally.Failed || report.Changed != report.Rows || report.Cells != cells {
				t.Errorf("%d rows had %d cells to correct; taken: %+v", imp.Tally.Failed, cells, report)
			}
			if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true}); err != nil {
				t.Fatal(err)
			}
			end := s.await(imp.ID, store.State.Ended)
			if end.Tally.Failed > 0 {
				t.Errorf("rows still fail: %+v", end.Tally)
			}
			if got := s.dump(); got != want {
				t.Errorf("the catalog is\n%s\n-- and should be\n%s", got, want)
			}
		})
	}
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(libreOffice, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rekeyed gives a saved file the row keys of this stack's import in place of those
// that it was downloaded with. The download must be the one of then in everything
// else that a person corrects.
func (s *stack) rekeyed(imp store.Import, download, saved string) string {
	s.t.Helper()
	var now bytes.Buffer
	if err := s.svc.WriteRows(context.Background(), s.ws, imp.ID, importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}}, &now); err != nil {
		s.t.Fatal(err)
	}
	was, is := csvRows(s.t, download), csvRows(s.t, now.String())
	if len(was) != len(is) || !slices.Equal(was[0], is[0]) {
		s.t.Fatalf("the download has %d rows under %q; it had %d under %q", len(is), is[0], len(was), was[0])
	}
	key := slices.Index(is[0], importer.RowColumns[0])
	var pairs []string
	for i := 1; i < len(is); i++ {
		if !slices.Equal(was[i][:key], is[i][:key]) {
			s.t.Errorf("row %d of the download is %q; it was %q", i, is[i], was[i])
		}
		if !strings.Contains(saved, was[i][key]) {
			s.t.Errorf("the saved file has lost the row key %s", was[i][key])
		}
		pairs = append(pairs, was[i][key], is[i][key])
	}
	return strings.NewReplacer(pairs...).Replace(saved)
}

func csvRows(t testing.TB, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// correctedCells counts the cells that were wrong.
func correctedCells(t *testing.T) (n int64) {
	t.Helper()
	wrong, right := csvRows(t, fixture(t, "products.csv")), csvRows(t, fixture(t, "corrected.csv"))
	for i, row := range wrong {
		for k, cell := range row {
			if cell != right[i][k] {
				n++
			}
		}
	}
	return n
}
