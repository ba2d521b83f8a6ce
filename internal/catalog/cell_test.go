package catalog

import (
	"slices"
	"testing"
	"unicode/utf8"
)

// codesOf returns the codes of problems, in order.
func codesOf(ps []Problem) []Code {
	var codes []Code
	for _, p := range ps {
		codes = append(codes, p.Code)
	}
	return codes
}

// cellCase is a cell, the value that is read from it, and the problems.
type cellCase struct {
	cell, want string
	codes      []Code
}

func bad(cell string, code Code) cellCase { return cellCase{cell: cell, codes: []Code{code}} }

func good(cell, want string) cellCase { return cellCase{cell: cell, want: want} }

// testCells runs a parser over cells and checks what holds for all of them: a
// problem quotes the cell and says something, and an error empties the value.
func testCells(t *testing.T, parse func(string, []Problem) (string, []Problem), cases []cellCase) {
	t.Helper()
	for _, c := range cases {
		got, ps := parse(c.cell, nil)
		if got != c.want || !slices.Equal(codesOf(ps), c.codes) {
			t.Errorf("%q: got %q %v, want %q %v", c.cell, got, codesOf(ps), c.want, c.codes)
		}
		checkProblems(t, c.cell, got, ps)
	}
}

func checkProblems(t *testing.T, cell, got string, ps []Problem) {
	t.Helper()
	for _, p := range ps {
		if p.Message == "" || p.Value == "" || len(p.Value) > MaxProblemValue || p.Column != "" || p.Severity == 0 {
			t.Errorf("%q: the problem is not well formed: %+v", cell, p)
		}
	}
	if HasErrors(ps) && got != "" {
		t.Errorf("%q: refused, but has the value %q", cell, got)
	}
}

func TestUnguard(t *testing.T) {
	for _, c := range []struct {
		cell, want string
		guarded    bool
	}{
		{"'0123", "0123", true},
		{`="0123"`, "0123", true},
		{`="5"" pipe"`, `5" pipe`, true},
		{"'=1+1", "=1+1", true},
		{"''quoted", "'quoted", true},
		{"'", "", true},
		{`=""`, "", true},
		{`="`, `="`, false},
		{`="0123`, `="0123`, false},
		{"0123", "0123", false},
		{"O'Neill", "O'Neill", false},
		{"", "", false},
	} {
		if got, guarded := Unguard(c.cell); got != c.want || guarded != c.guarded {
			t.Errorf("%q: got %q %v, want %q %v", c.cell, got, guarded, c.want, c.guarded)
		}
	}
}

func TestParsersAppendAndKeepWhatIsThere(t *testing.T) {
	before := []Problem{{Code: CodeColumnCount}}
	for name, parse := range cellParsers() {
		if _, ps := parse("\u2603", before); len(ps) != 2 || ps[0].Code != CodeColumnCount {
			t.Errorf("%s: got problems %v, want one more than before", name, codesOf(ps))
		}
		for _, blank := range []string{"", "  ", "\u00a0\t"} {
			if got, ps := parse(blank, before); got != "" || len(ps) != 1 {
				t.Errorf("%s: a blank cell gives %q and %v, want nothing", name, got, codesOf(ps))
			}
		}
	}
}

// cellParsers are the parsers that refuse a snowman, by name.
func cellParsers() map[string]func(string, []Problem) (string, []Problem) {
	return map[string]func(string, []Problem) (string, []Problem){
		"asin":      ParseASIN,
		"boolean":   ParseBoolean,
		"currency":  ParseCurrency,
		"date":      ParseDate,
		"timestamp": ParseTimestamp,
		"image":     ParseImageURL,
		"decimal":   decimalIn(DecimalAuto),
		"integer":   integerIn(DecimalAuto),
		"amount": func(cell string, ps []Problem) (string, []Problem) {
			amount, _, ps := ParseAmount(cell, DecimalAuto, ps)
			return amount, ps
		},
		"gtin": func(cell string, ps []Problem) (string, []Problem) {
			given, _, ps := ParseGTIN(cell, GTINAny, GTINStrict, ps)
			return given, ps
		},
	}
}

// TestGoodCellsAllocateNothing holds the parsers to their promise for the hot
// path: a value that is canonical already costs no memory.
func TestGoodCellsAllocateNothing(t *testing.T) {
	parsers := cellParsers()
	parsers["sku"] = skuOf(0)
	delete(parsers, "gtin") // its key is text of its own; see below
	for name, cells := range map[string][]string{
		"asin":      {"B0031066V8", "080442957X", "https://www.amazon.com/dp/B0031066V8/ref=x"},
		"boolean":   {"true", "No"},
		"currency":  {"EUR", "€"},
		"date":      {"2026-03-15", "2026-03-15T00:00:00Z"},
		"timestamp": {"2026-03-15T09:00:00Z"},
		"image":     {"https://img.example.com/kb-001.jpg?w=100#a"},
		"decimal":   {"12.5", "-12.5", "0012.50", "12"},
		"integer":   {"12", "-3", "12.0"},
		"amount":    {"29.90", "29.90 EUR", "€29.90", "$ 12"},
		"sku":       {"KB-001", "äöü"},
	} {
		for _, cell := range cells {
			parse := parsers[name]
			if _, ps := parse(cell, nil); len(ps) > 0 {
				t.Errorf("%s %q: got %v, want no problem", name, cell, codesOf(ps))
			}
			if n := testing.AllocsPerRun(10, func() { parse(cell, nil) }); n != 0 {
				t.Errorf("%s %q: got %v allocations, want none", name, cell, n)
			}
		}
	}
	for cell, want := range map[string]float64{"09780306406157": 0, "9780306406157": 1, "96385074": 1} {
		if n := testing.AllocsPerRun(10, func() { ParseGTIN(cell, GTINIsEAN, GTINStrict, nil) }); n != want {
			t.Errorf("gtin %q: got %v allocations, want %v", cell, n, want)
		}
	}
}

// FuzzCells looks for a cell that makes a parser panic, or whose canonical
// value is not read back as itself.
func FuzzCells(f *testing.F) {
	for _, seed := range []string{"", "'", `=""`, "B0031066V8", "2026-03-15", "2026-03-15T09:00:00+01:00", "EUR", "kr", "1E+5", "a\x80b", "KB-001"} {
		f.Add(seed)
	}
	parsers := cellParsers()
	parsers["sku"] = skuOf(40)
	f.Fuzz(func(t *testing.T, cell string) {
		for name, parse := range parsers {
			value, ps := parse(cell, nil)
			checkProblems(t, cell, value, ps)
			if value == "" || value[0] == '\'' || value[0] == '=' {
				continue
			}
			if name == "integer" || name == "decimal" || name == "amount" {
				continue // canonical numbers are in point style; FuzzDecimal reads them so
			}
			if again, _ := parse(value, nil); again != value {
				t.Errorf("%s %q: %q is read back as %q", name, cell, value, again)
			}
			if utf8.ValidString(cell) && !utf8.ValidString(value) {
				t.Errorf("%s %q: %q is not UTF-8", name, cell, value)
			}
		}
	})
}
