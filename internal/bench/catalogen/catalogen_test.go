package catalogen

import (
	"bytes"
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

func write(t testing.TB, c Config) (string, []Bad, Stats) {
	t.Helper()
	var b bytes.Buffer
	var bad []Bad
	stats, err := Write(&b, c, func(x Bad) error { bad = append(bad, x); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), bad, stats
}

// read parses a file with the standard library, as a second opinion.
func read(t testing.TB, s string) (rows [][]string, lines []int) {
	t.Helper()
	r := csv.NewReader(strings.NewReader(s))
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return rows, lines
		}
		if err != nil {
			t.Fatal(err)
		}
		line, _ := r.FieldPos(0)
		rows, lines = append(rows, rec), append(lines, line)
	}
}

func TestRowsAreWellFormed(t *testing.T) {
	const n = 50_000
	s, _, stats := write(t, Config{Rows: n, Seed: 1})
	rows, _ := read(t, s)
	if len(rows) != n+1 || stats.Records != n || int(stats.Lines) != strings.Count(s, "\n") {
		t.Fatalf("%d records, %d lines stated; %d and %d read", stats.Records, stats.Lines, len(rows)-1, strings.Count(s, "\n"))
	}
	if !slices.Equal(rows[0], Columns(Full)) {
		t.Errorf("header %q", rows[0])
	}
	skus, eans := map[string]bool{}, map[string]bool{}
	for _, row := range rows[1:] {
		skus[row[0]], eans[row[1]] = true, true
		if ean := row[1]; len(ean) != 13 || checkDigit([]byte(ean[:12])) != ean[12] {
			t.Fatalf("EAN %q is not valid", ean)
		}
	}
	if len(skus) != n || len(eans) != n {
		t.Errorf("%d SKUs and %d EANs among %d rows", len(skus), len(eans), n)
	}
	if perRow := len(s) / n; perRow < 390 || perRow > 480 {
		t.Errorf("%d bytes a row; about 440 are promised", perRow)
	}
	for _, mark := range []string{`""`, ",", ".\n", "東", "ł"} {
		if !strings.Contains(s, mark) {
			t.Errorf("no %q in the file", mark)
		}
	}
}

// TestCheckDigit holds the checksum against published numbers.
func TestCheckDigit(t *testing.T) {
	for _, ean := range []string{"4006381333931", "5901234123457", "9780306406157"} {
		if got := checkDigit([]byte(ean[:12])); got != ean[12] {
			t.Errorf("%s: check digit %c", ean, got)
		}
	}
}

// TestEANsNeverRepeat holds the arithmetic that makes EANs unique.
func TestEANsNeverRepeat(t *testing.T) {
	a, b := uint64(eanStep), uint64(maxRows)
	for b > 0 {
		a, b = b, a%b
	}
	if a != 1 {
		t.Errorf("the step of EANs and their count have the divisor %d in common", a)
	}
}

func TestAnyPartIsTheSame(t *testing.T) {
	whole, _, _ := write(t, Config{Rows: 300, Seed: 7, Changed: 30})
	head, _, _ := write(t, Config{Rows: 120, Seed: 7, Changed: 30})
	tail, _, _ := write(t, Config{Rows: 180, Start: 120, Seed: 7, Changed: 30})
	_, tail, _ = strings.Cut(tail, "\n")
	if head+tail != whole {
		t.Error("a catalog written in two parts differs from the whole")
	}
	other, _, _ := write(t, Config{Rows: 300, Seed: 8, Changed: 30})
	if other == whole {
		t.Error("two seeds give one catalog")
	}
}

func TestChanged(t *testing.T) {
	const n = 20_000
	base, _, _ := write(t, Config{Rows: n, Seed: 1})
	all, _, _ := write(t, Config{Rows: n, Seed: 1, Changed: 30})
	only, _, stats := write(t, Config{Rows: n, Seed: 1, Changed: 30, OnlyChanged: true})
	if share := float64(stats.Records) / n; share < 0.29 || share > 0.31 {
		t.Errorf("%.3f of the rows changed", share)
	}
	baseRows, _ := read(t, base)
	allRows, _ := read(t, all)
	changed := [][]string{allRows[0]}
	for i, row := range allRows[1:] {
		was := baseRows[i+1]
		if row[0] != was[0] || row[1] != was[1] {
			t.Fatalf("row %d became another product: %s, %s", i, was[0], row[0])
		}
		if !slices.Equal(row, was) {
			if row[7] == was[7] || row[9] == was[9] {
				t.Fatalf("row %d changed without its price or quantity", i)
			}
			changed = append(changed, row)
		}
	}
	if onlyRows, _ := read(t, only); !slices.EqualFunc(changed, onlyRows, slices.Equal) {
		t.Errorf("%d rows changed, %d are written alone", len(changed), len(onlyRows))
	}
	if again, _, _ := write(t, Config{Rows: n, Seed: 1, Changed: 30, Round: 1}); again == all {
		t.Error("two rounds change alike")
	}
}

func TestCumulativeRounds(t *testing.T) {
	const n = 20_000
	c := Config{Rows: n, Seed: 1, Changed: 5, Cumulative: true}
	base, _, _ := write(t, Config{Rows: n, Seed: 1})
	before, _ := read(t, base)
	for c.Round = 1; c.Round <= 4; c.Round++ {
		s, _, _ := write(t, c)
		rows, _ := read(t, s)
		differ := 0
		for i, row := range rows {
			if !slices.Equal(row, before[i]) {
				differ++
			}
		}
		if share := float64(differ) / n; share < 0.045 || share > 0.055 {
			t.Errorf("round %d changed %.3f of the rows of the round before", c.Round, share)
		}
		before = rows
	}
}

func TestPartialFeeds(t *testing.T) {
	full, _, _ := write(t, Config{Rows: 500, Seed: 1, Changed: 30, Round: 2})
	rows, _ := read(t, full)
	for feed, columns := range map[Feed][]int{Price: {0, 7, 8}, Stock: {0, 9}} {
		s, _, _ := write(t, Config{Rows: 500, Seed: 1, Changed: 30, Round: 2, Feed: feed})
		got, _ := read(t, s)
		for i, row := range rows {
			var want []string
			for _, c := range columns {
				want = append(want, row[c])
			}
			if !slices.Equal(got[i], want) {
				t.Fatalf("%s feed, row %d: %q, the full feed has %q", feed, i, got[i], want)
			}
		}
	}
}

func TestBadRowsMatchTheirTruth(t *testing.T) {
	const n = 20_000
	s, bad, stats := write(t, Config{Rows: n, Seed: 1, Bad: 5})
	rows, lines := read(t, s)
	if share := float64(len(bad)) / n; share < 0.045 || share > 0.055 || int(stats.Bad) != len(bad) {
		t.Errorf("%d bad rows, %d counted", len(bad), stats.Bad)
	}
	good, _, _ := write(t, Config{Rows: n, Seed: 1})
	goodRows, _ := read(t, good)
	truth := map[uint64]Bad{}
	kinds := map[Fault]int{}
	for _, x := range bad {
		truth[x.Record] = x
		kinds[x.Fault]++
		row := rows[x.Record]
		if lines[x.Record] != int(x.Line) || row[0] != x.SKU {
			t.Fatalf("%+v: stands on line %d with SKU %q", x, lines[x.Record], row[0])
		}
		if !isBad(x, row, rows[1:x.Record]) {
			t.Fatalf("%+v: the row shows no such fault: %q", x, row)
		}
	}
	for i, row := range rows[1:] {
		if _, ok := truth[uint64(i)+1]; !ok && !slices.Equal(row, goodRows[i+1]) {
			t.Fatalf("record %d is not what it should be, and the truth does not name it", i+1)
		}
	}
	if want := []Fault{BadEAN, BadPrice, DupSKU, MissingKey}; !slices.Equal(slices.Sorted(maps.Keys(kinds)), want) {
		t.Errorf("faults %v", kinds)
	}
}

func isBad(x Bad, row []string, before [][]string) bool {
	switch x.Fault {
	case BadEAN:
		return checkDigit([]byte(row[1][:12])) != row[1][12]
	case MissingKey:
		return row[0] == "" && row[1] == ""
	case BadPrice:
		return slices.Contains(badPrices, row[7])
	}
	return slices.ContainsFunc(before, func(b []string) bool { return b[0] == row[0] })
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{Feed: "prices"}, {Changed: 101}, {Changed: -1}, {Bad: 100.5}, {Bad: 1, Feed: Stock}, {Rows: maxRows, Start: 1}, {Cumulative: true, OnlyChanged: true}} {
		if _, err := Write(io.Discard, c, nil); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestTruthLine(t *testing.T) {
	got := string(AppendTruth(nil, Bad{Record: 3, Line: 5, Fault: BadEAN, SKU: "A-1"}))
	if want := "3\t5\tbad_ean\tA-1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func BenchmarkWrite(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		if _, err := Write(io.Discard, Config{Rows: n, Seed: 1}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
}
