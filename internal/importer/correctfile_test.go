package importer_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// sendBack uploads a file of corrected rows.
func (s *stack) sendBack(id, text string) importer.CorrectionReport {
	s.t.Helper()
	report, err := s.svc.CorrectFile(context.Background(), s.ws, id, "corrected.csv", "tester", strings.NewReader(text))
	if err != nil {
		s.t.Fatalf("send corrections back: %v\n%.2000s", err, text)
	}
	if r := report; r.Rows != r.Changed+r.Same+r.NoKey+r.Foreign+r.Done+r.Twice {
		s.t.Errorf("the report does not add up: %+v", r)
	}
	return report
}

// csvOf writes rows with a delimiter.
func csvOf(t testing.TB, comma rune, rows [][]string) string {
	t.Helper()
	var out strings.Builder
	w := csv.NewWriter(&out)
	w.Comma = comma
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWhatASpreadsheetDoesToOtherCellsIsNoCorrection(t *testing.T) {
	s := newStack(t, nil)
	file := "sku,title,price,ean,stock,attributes.code,attributes.flag,attributes.day\n" +
		"A,One,x,4006381333931,1.0,007,true,2026-03-15\n" +
		"B,\"Two\r\nlines\",y,4006381333932,2,=1+1,no,\n" +
		"C,Three,5,,3,,,\n" +
		"D,日本,z,,4,,,\n"
	imp := s.run("p.csv", file, importer.Options{})
	checkOutcomes(t, s.outcomes(imp.ID), "2 failed invalid_price", "3 failed gtin_check_digit invalid_price", "4 created", "5 failed invalid_price")
	other := s.run("other.csv", "sku,price\nA,x\n", importer.Options{})
	rows := cells(t, s.download(imp.ID, importer.RowFilter{}))
	keys := make([]string, len(rows))
	for i := range rows {
		keys[i] = rows[i][8]
	}
	back := [][]string{
		{"tallyman_row", "Price", "attributes.code", "attributes.flag", "attributes.day", "ean", "title", "stock", "notes"},
		{keys[4], "3", "", "", "", "", "??", "4", ""},
		{keys[1], "12", "7", "TRUE", "3/15/26", "4.00638E+12", "One ", "1", "mine"},
		{keys[2], "y", "'=1+1", "no", "", "4006381333931", "Two\nlines", "2.00", ""},
		{keys[3], "6", "", "", "", "", "Three", "3", ""},
		{keys[2], "8", "'=1+1", "no", "", "4006381333931", "Two\nlines", "2.00", ""},
		{keys[2], "y ", "'=1+1", "no", "", "4006381333931", "Two\r\nlines", "2.00", ""},
		{strings.Replace(keys[2], ":3:", ":4:", 1), "1", "", "", "", "", "", "", ""},
		{"", "1", "", "", "", "", "", "", ""},
		{"", "", "", "", "", "", "", "", ""},
		{cells(t, s.failedRows(other.ID))[1][2], "1", "", "", "", "", "", "", ""},
	}
	// An É makes the file windows-1252, in which the title of row 5 is lost.
	text := strings.ReplaceAll(csvOf(t, ';', back), "mine", "\xc9t\xe9")
	got := s.sendBack(imp.ID, text)
	want := importer.CorrectionReport{Rows: 9, Changed: 3, Cells: 3, Same: 1, Done: 1, Twice: 1, NoKey: 2, Foreign: 1, Ignored: []string{"notes"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(importer.CorrectionReport{}, "Examples")); diff != "" {
		t.Errorf("report (-want +got):\n%s\n%q", diff, got.Examples)
	}
	if len(got.Examples) < 5 {
		t.Errorf("examples: %q", got.Examples)
	}
	for row, want := range map[int64][]string{
		2: {"A", "One", "12", "4006381333931", "1.0", "007", "true", "2026-03-15"},
		3: {"B", "Two\r\nlines", "y", "4006381333931", "2", "=1+1", "no", ""},
		5: {"D", "日本", "3", "", "4", "", "", ""},
	} {
		if r, err := s.svc.Row(context.Background(), s.ws, imp.ID, row); err != nil || !slices.Equal(r.Cells, want) {
			t.Errorf("row %d has %q, want %q (%v)", row, r.Cells, want, err)
		}
	}
	if again := s.sendBack(imp.ID, text); again.Changed != 0 || again.Same != 4 {
		t.Errorf("sent twice: %+v", again)
	}
}

func TestFilesThatAreNoCorrections(t *testing.T) {
	s := newStack(t, func(c *importer.Config) { c.MaxUploadBytes = 2000 })
	imp := s.run("p.csv", "sku,price\nA,x\n", importer.Options{})
	for _, c := range []struct{ text, code string }{
		{"sku,price\nA,5\n", "no_row_key"},
		{"", "empty_file"},
		{"PK\x03\x04" + strings.Repeat("\x00", 100), "unsupported_format"},
		{"sku,tallyman_row\n" + strings.Repeat("x", 3000), "file_too_large"},
	} {
		_, err := s.svc.CorrectFile(context.Background(), s.ws, imp.ID, "x", "", strings.NewReader(c.text))
		if f := catalog.AsFault(err); f == nil || f.Code != c.code && c.code != "unsupported_format" {
			t.Errorf("%.40q: got %v, want %s", c.text, err, c.code)
		}
	}
}

func TestCorrectionsInUTF16(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,title,price\nÄ,Ö,x\n", importer.Options{})
	rows := cells(t, s.failedRows(imp.ID))
	rows[1][2] = "5"
	units := utf16.Encode([]rune("\ufeff" + csvOf(t, '\t', rows)))
	var text strings.Builder
	for _, u := range units {
		text.WriteByte(byte(u))
		text.WriteByte(byte(u >> 8))
	}
	if r := s.sendBack(imp.ID, text.String()); r.Changed != 1 || r.Cells != 1 {
		t.Errorf("%+v", r)
	}
}

// TestAnyCellsComeBackAsTheyWere sends what was downloaded back: whatever stands in
// the cells, nothing of it is a correction.
func TestAnyCellsComeBackAsTheyWere(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := []string{"'", "=", "+", "-", "@", "\t", "\"", "\"\"", ",", ";", "|", "\n", "\r\n", " ", "1", "23", "0", ".", "E", "é", "日", "a", "TRUE", "/", "<b>"}
	for n := range sized(30, 4) {
		s := newStack(t, nil)
		columns := 1 + rnd.IntN(4)
		rows := [][]string{{"sku", "price"}}
		for c := range columns {
			rows[0] = append(rows[0], []string{fmt.Sprintf("c%d", c), "", "-x", "tallyman_code", "sku "}[rnd.IntN(5)])
		}
		for i := range 30 {
			row := []string{fmt.Sprintf("S%d", i), "x"}
			for range columns {
				var cell strings.Builder
				for range rnd.IntN(6) {
					cell.WriteString(letters[rnd.IntN(len(letters))])
				}
				row = append(row, cell.String())
			}
			rows = append(rows, row)
		}
		imp := s.run("p.csv", csvOf(t, []rune{',', ';', '\t', '|'}[n%4], rows), importer.Options{Delimiter: []string{",", ";", "\t", "|"}[n%4]})
		text := s.download(imp.ID, importer.RowFilter{})
		if r := s.sendBack(imp.ID, text); r.Same != 30 || len(r.Ignored)+len(r.Examples) > 0 {
			t.Fatalf("%+v\n%s", r, text)
		}
		for i := range rows[1:] {
			r, err := s.svc.Row(context.Background(), s.ws, imp.ID, int64(i+2))
			if err != nil || !slices.Equal(lines(r.Cells), lines(rows[i+1])) || r.Original != nil {
				t.Fatalf("row %d has %q, want %q (%v)", i+2, r.Cells, rows[i+1], err)
			}
		}
	}
}

// lines makes line ends one kind: encoding/csv does so when it writes.
func lines(cells []string) (out []string) {
	for _, c := range cells {
		out = append(out, strings.ReplaceAll(c, "\r\n", "\n"))
	}
	return out
}

// TestCorrectionsFindTheirRows sends some of the failed rows back in any order and
// with any of the columns left.
func TestCorrectionsFindTheirRows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for n := range sized(20, 4) {
		s := newStack(t, func(c *importer.Config) { c.ChunkRows = 300 })
		rows := [][]string{{"sku", "title", "price", "stock", "brand"}}
		for i := range 6000 {
			price := "5"
			if rnd.IntN(3) == 0 {
				price = "x"
			}
			rows = append(rows, []string{fmt.Sprintf("S%d", i), fmt.Sprintf("T%d", i), price, "1", "b"})
		}
		imp := s.run("p.csv", csvOf(t, ',', rows), importer.Options{})
		back := cells(t, s.failedRows(imp.ID))
		header, failed := back[0], back[1:]
		want := make(map[int64][]string)
		if n%2 == 0 {
			rnd.Shuffle(len(failed), func(i, j int) { failed[i], failed[j] = failed[j], failed[i] })
		}
		failed = failed[:1+rnd.IntN(len(failed))]
		columns := rnd.Perm(len(header))
		columns = columns[:1+rnd.IntN(len(columns))]
		if !slices.Contains(columns, 5) {
			columns = append(columns, 5)
		}
		var changed, kept int64
		sent := [][]string{pick(header, columns)}
		for _, row := range failed {
			var i int
			if _, err := fmt.Sscanf(row[0], "S%d", &i); err != nil {
				t.Fatal(err)
			}
			right := slices.Clone(rows[i+1])
			if rnd.IntN(4) > 0 {
				for _, c := range []int{2, 3} {
					row[c] = fmt.Sprint(7 + i + c)
					if slices.Contains(columns, c) {
						right[c] = row[c]
					}
				}
			}
			if slices.Equal(right, rows[i+1]) {
				kept++
			} else {
				changed++
			}
			want[int64(i+2)] = right
			sent = append(sent, pick(row, columns))
		}
		r := s.sendBack(imp.ID, csvOf(t, []rune{',', ';', '\t'}[n%3], sent))
		if r.Changed != changed || r.Same != kept || r.Rows != int64(len(failed)) || len(r.Examples) > 0 {
			t.Fatalf("%d changed and %d kept: %+v", changed, kept, r)
		}
		for i, row := range cells(t, s.failedRows(imp.ID))[1:] {
			var at int
			if _, err := fmt.Sscanf(row[0], "S%d", &at); err != nil {
				t.Fatal(err)
			}
			right := want[int64(at+2)]
			if right == nil {
				right = rows[at+1]
			}
			if !slices.Equal(row[:5], right) {
				t.Fatalf("failed row %d is %q, want %q", i, row[:5], right)
			}
		}
	}
}

func pick(row []string, columns []int) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = row[c]
	}
	return out
}

// TestDuplicatesAreFoundAgainAfterCorrections compares what a retry makes of random
// keys, corrected in rows, by file and by fixes, with what the rows say.
func TestDuplicatesAreFoundAgainAfterCorrections(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	key := func() string { return fmt.Sprintf("K%d", rnd.IntN(60)) }
	slug := func() string { return []string{"", fmt.Sprintf("s%d", rnd.IntN(60))}[rnd.IntN(2)] }
	for range sized(25, 3) {
		s := newStack(t, func(c *importer.Config) { c.ChunkRows = 40 })
		rows := [][]string{{"sku", "title", "slug", "price"}}
		for range 100 {
			rows = append(rows, []string{key(), "T", slug(), []string{"5", "x", "n/a"}[rnd.IntN(3)]})
		}
		imp := s.run("p.csv", csvOf(t, ',', rows), importer.Options{Mapping: []source.Mapping{{Column: "sku", Field: "sku"}}})
		for range 3 {
			back := cells(t, s.failedRows(imp.ID))
			for _, row := range back[1:] {
				switch rnd.IntN(6) {
				case 0:
					row[0] = key()
				case 1:
					row[2] = slug()
				case 2:
					row[0], row[3] = key(), "5"
				case 3:
					row[3] = []string{"5", "x"}[rnd.IntN(2)]
				}
			}
			s.sendBack(imp.ID, csvOf(t, ',', back))
			s.randomFix(rnd, imp.ID)
			want := s.expectDuplicates(imp.ID)
			imp = s.retry(imp.ID)
			for _, e := range s.rows(imp.ID) {
				for code, column := range map[catalog.Code]string{catalog.CodeDuplicateSKUInFile: "sku", catalog.CodeDuplicateKeyInFile: "slug"} {
					got := slices.ContainsFunc(e.Problems, func(p catalog.Problem) bool { return p.Code == code })
					if expected, ran := want[rowColumn{e.Row, column}]; ran && got != expected {
						t.Fatalf("row %d: duplicate in %s is %v, should be %v: %+v", e.Row, column, got, expected, e.Problems)
					}
				}
			}
		}
	}
}

type rowColumn struct {
	row    int64
	column string
}

// expectDuplicates says of each row that will run again, and of each of its keys,
// whether another row has that key: one that is done, or an earlier one.
func (s *stack) expectDuplicates(id string) map[rowColumn]bool {
	s.t.Helper()
	type had struct {
		row  int64
		done bool
	}
	owners := make(map[string][]had)
	now := make(map[int64][]string)
	done := make(map[int64]bool)
	for _, row := range cells(s.t, s.download(id, importer.RowFilter{}))[1:] {
		var number int64
		if _, err := fmt.Sscanf(strings.Split(row[4], ":")[1], "%d", &number); err != nil {
			s.t.Fatal(err)
		}
		now[number], done[number] = row[:4], row[5] != "failed"
		for _, c := range []int{0, 2} {
			if row[c] != "" {
				k := fmt.Sprint(c, row[c])
				owners[k] = append(owners[k], had{number, done[number]})
			}
		}
	}
	want := make(map[rowColumn]bool)
	for row, cells := range now {
		if done[row] {
			continue
		}
		for c, column := range map[int]string{0: "sku", 2: "slug"} {
			want[rowColumn{row, column}] = slices.ContainsFunc(owners[fmt.Sprint(c, cells[c])], func(o had) bool {
				return o.row != row && (o.done || o.row < row)
			})
		}
	}
	return want
}

// randomFix fixes one cause, of a price or of a key.
func (s *stack) randomFix(rnd *rand.Rand, id string) {
	s.t.Helper()
	fixes := []store.Fix{{Code: catalog.CodeInvalidPrice, Column: "price", From: "n/a", To: "6"}}
	for _, e := range s.rows(id) {
		for _, p := range e.Problems {
			if p.Code == catalog.CodeDuplicateSKUInFile {
				fixes = append(fixes, store.Fix{Code: p.Code, Column: p.Column, From: p.Value, To: fmt.Sprintf("K%d", rnd.IntN(60))})
			}
		}
	}
	_, _, err := s.svc.Fix(context.Background(), s.ws, id, fixes[rnd.IntN(len(fixes))])
	if f := catalog.AsFault(err); err != nil && (f == nil || f.Code != "nothing_to_fix" && f.Code != "validation_error") {
		s.t.Fatal(err)
	}
}

func TestGroupsOfDigitsGoWhereNobodyHadAReason(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,title,price,stock\nA,One,\"1,500\",\"x1,500\"\nB,Two,x,\"1,500\"\n", importer.Options{Decimal: "comma"})
	rows := cells(t, s.failedRows(imp.ID))
	for _, row := range rows[1:] {
		row[3] = "1500"
	}
	rows[1][2] = "1500"
	before := s.outcomes(imp.ID)
	// The stock of row 2 was wrong, its price was not; the stock of row 3 stands or
	// falls with its own problem.
	r := s.sendBack(imp.ID, csvOf(t, ',', rows))
	got := cells(t, s.failedRows(imp.ID))
	if got[1][2] != "1,500" || got[1][3] != "1500" {
		t.Errorf("row 2 is %q after %q: %+v", got[1], before, r)
	}
}

// In a column in which its row has a problem, what a spreadsheet might have done
// may be the correction.
func TestACorrectionMayLookLikeASpreadsheetsWork(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,title,price,stock,ean,attributes.code\n"+
		"007,One,5,1,,1E5\n007,Two,5,1,,1E5\nB,Three,5,1E5,,007\nC,Four,5,1,6.93E+12,007\nD,Five,10.0050,1.0,,1.0\n", importer.Options{})
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 failed duplicate_sku_in_file", "4 failed excel_damaged_number", "5 failed excel_damaged_number", "6 failed price_precision")
	rows := cells(t, s.failedRows(imp.ID))
	rows[1][0], rows[1][5] = "7", "100000"
	rows[2][3], rows[2][5] = "100000", "7"
	rows[3][4], rows[3][5] = "6930000000000", "7"
	rows[4][2], rows[4][3], rows[4][5] = "10.005", "1", "1"
	if r := s.sendBack(imp.ID, csvOf(t, ',', rows)); r.Changed != 4 || r.Cells != 4 {
		t.Errorf("%+v", r)
	}
	s.checkCells(imp.ID, 3, "7", "Two", "5", "1", "", "1E5")
	s.checkCells(imp.ID, 4, "B", "Three", "5", "100000", "", "007")
	s.checkCells(imp.ID, 5, "C", "Four", "5", "1", "6930000000000", "007")
	s.checkCells(imp.ID, 6, "D", "Five", "10.005", "1.0", "", "1.0")
}

func TestAReportNamesFewOfManyColumns(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,price\nA,x\n", importer.Options{})
	rows := cells(t, s.failedRows(imp.ID))
	for i := range 4000 {
		name, cell := fmt.Sprintf("c%d", i), ""
		if i == 0 {
			name = strings.Repeat("c", 3*catalog.MaxProblemValue)
		}
		rows[0], rows[1] = append(rows[0], name), append(rows[1], cell)
	}
	got := s.sendBack(imp.ID, csvOf(t, ',', rows)).Ignored
	if len(got) != 21 || len(got[0]) > catalog.MaxProblemValue || got[1] != "c1" || got[20] != "… and 3,980 more" {
		t.Errorf("%d: %q", len(got), got)
	}
}

func TestAFileOfStrangeRowsIsNotReadToItsEnd(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,price\nA,x\n", importer.Options{})
	key := cells(t, s.failedRows(imp.ID))[1][2]
	upload := func(before int) error {
		_, err := s.svc.CorrectFile(context.Background(), s.ws, imp.ID, "x.csv", "", strings.NewReader("tallyman_row,price\n"+strings.Repeat("none,1\n", before)+key+",2\n"))
		return err
	}
	wantFault(t, upload(100_001), "no_row_key")
	s.checkCells(imp.ID, 2, "A", "x")
	if err := upload(99_999); err != nil {
		t.Error(err)
	}
	s.checkCells(imp.ID, 2, "A", "2")
}
