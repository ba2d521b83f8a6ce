package catalog

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func decimalIn(style DecimalStyle) func(string, []Problem) (string, []Problem) {
	return func(cell string, ps []Problem) (string, []Problem) { return ParseDecimal(cell, style, ps) }
}

func integerIn(style DecimalStyle) func(string, []Problem) (string, []Problem) {
	return func(cell string, ps []Problem) (string, []Problem) { return ParseInteger(cell, style, ps) }
}

func TestParseDecimalAuto(t *testing.T) {
	testCells(t, decimalIn(DecimalAuto), []cellCase{
		good("12", "12"), good("12.5", "12.5"), good("12,5", "12.5"), good("12.50", "12.5"), good("12,50", "12.5"),
		good("0", "0"), good("0.0", "0"), good("-0", "0"), good("-0,00", "0"), good("007", "7"), good("00.50", "0.5"),
		good(".5", "0.5"), good(",5", "0.5"), good("5.", "5"), good(".0", "0"), good("0.123", "0.123"), good("0,123", "0.123"), good(".123", "0.123"),
		good("+3", "3"), good("-3", "-3"), good("-3.5", "-3.5"), good("-3,5", "-3.5"), good("\u22123", "-3"),
		good("1234.567", "1234.567"), good("1234,567", "1234.567"), good("1.2345", "1.2345"),

		// Both signs: the last one is decimal.
		good("1,234.56", "1234.56"), good("1.234,56", "1234.56"), good("1.234.567,8", "1234567.8"), good("1,234,567.891", "1234567.891"),
		// One sign more than once groups.
		good("1.234.567", "1234567"), good("1,234,567", "1234567"),
		// Blanks and apostrophes group, in all their forms.
		good("1 234", "1234"), good("1 234,5", "1234.5"), good("1 234.567", "1234.567"), good("1'234.50", "1234.5"), good("1’234’567", "1234567"),
		good("1\u00a0234,5", "1234.5"), good("1\u202f234,5", "1234.5"), good("12\u2009345", "12345"),
		{"'12.5", "12.5", []Code{CodeTextGuardRemoved}},

		bad("1.234", CodeNumberAmbiguous), bad("1,234", CodeNumberAmbiguous), bad("999,000", CodeNumberAmbiguous), bad("-1.234", CodeNumberAmbiguous),

		bad("abc", CodeInvalidDecimal), bad("--", CodeInvalidDecimal), bad("-", CodeInvalidDecimal), bad(".", CodeInvalidDecimal), bad("12,9x", CodeInvalidDecimal),
		bad("1.2.3", CodeInvalidDecimal), bad("1,23,456", CodeInvalidDecimal), bad("1,2345,678", CodeInvalidDecimal), bad("1234,567.8", CodeInvalidDecimal),
		bad("0,123,456", CodeInvalidDecimal), bad("1,234.567.8", CodeInvalidDecimal), bad("1.234,567.8", CodeInvalidDecimal), bad("1 2", CodeInvalidDecimal),
		bad("1 234'567", CodeInvalidDecimal), bad("1  234", CodeInvalidDecimal), bad(",,", CodeInvalidDecimal), bad("1,,234", CodeInvalidDecimal), bad("--5", CodeInvalidDecimal),
		bad("- 5", CodeInvalidDecimal), bad("5-", CodeInvalidDecimal), bad("(5)", CodeInvalidDecimal), bad("5%", CodeInvalidDecimal), bad("12 kg", CodeInvalidDecimal),
		bad("0x1F", CodeInvalidDecimal), bad("NaN", CodeInvalidDecimal), bad("Inf", CodeInvalidDecimal), bad("1_000", CodeInvalidDecimal), bad("٣", CodeInvalidDecimal),
		bad("1.5 000", CodeInvalidDecimal), bad("1234 567", CodeInvalidDecimal),

		bad("1E+3", CodeExcelDamagedNumber), bad("1.5e-05", CodeExcelDamagedNumber), bad("-1,5E+11", CodeExcelDamagedNumber), bad("1e5", CodeExcelDamagedNumber),

		good("123456789012345678", "123456789012345678"), good("000123456789012345678", "123456789012345678"), good("0.123456", "0.123456"), good("0.12345600", "0.123456"),
		good("123 456 789 012 345 678,123456", "123456789012345678.123456"),
		bad("1234567890123456789", CodeInvalidDecimal), bad("1 234 567 890 123 456 789", CodeInvalidDecimal), bad("0.1234567", CodeInvalidDecimal),
	})
}

func TestParseDecimalInAStyle(t *testing.T) {
	testCells(t, decimalIn(DecimalPoint), []cellCase{
		good("1.234", "1.234"), good("1,234", "1234"), good("12.5", "12.5"), good("1,234.5", "1234.5"), good("1 234.5", "1234.5"), good("-1,234", "-1234"),
		bad("12,5", CodeInvalidDecimal), bad("1.234,5", CodeInvalidDecimal), bad("1.234.567", CodeInvalidDecimal), bad("0,123", CodeInvalidDecimal),
	})
	testCells(t, decimalIn(DecimalComma), []cellCase{
		good("1,234", "1.234"), good("1.234", "1234"), good("12,5", "12.5"), good("1.234,5", "1234.5"), good("-1,25", "-1.25"),
		bad("12.5", CodeInvalidDecimal), bad("1,234.5", CodeInvalidDecimal), bad("1,234,567", CodeInvalidDecimal),
	})
	testCells(t, decimalIn(DecimalAutoPoint), []cellCase{
		good("1.234", "1.234"), good("1,234", "1234"), good("12,5", "12.5"), good("1.234,5", "1234.5"),
	})
	testCells(t, decimalIn(DecimalAutoComma), []cellCase{
		good("1,234", "1.234"), good("1.234", "1234"), good("12.5", "12.5"), good("1,234.5", "1234.5"),
	})
}

func TestParseInteger(t *testing.T) {
	testCells(t, integerIn(DecimalAuto), []cellCase{
		good("12", "12"), good("-12", "-12"), good("+12", "12"), good("1 234", "1234"), good("12.0", "12"), good("12,00", "12"), good("0", "0"), good("0010", "10"),
		good("1,234,567", "1234567"), good("-12,0", "-12"),
		bad("12.5", CodeInvalidInteger), bad("12,5", CodeInvalidInteger), bad("abc", CodeInvalidInteger), bad("1e3", CodeExcelDamagedNumber),
		bad("1.234", CodeNumberAmbiguous), bad("12.000", CodeNumberAmbiguous), bad("12 pcs", CodeInvalidInteger), bad("9223372036854775807", CodeInvalidInteger),
	})
	testCells(t, integerIn(DecimalPoint), []cellCase{good("12.000", "12"), good("1,234", "1234"), bad("1.234", CodeInvalidInteger)})
	testCells(t, integerIn(DecimalComma), []cellCase{good("12,000", "12"), good("1.234", "1234")})
}

func TestParseDecimalStyle(t *testing.T) {
	for _, style := range []DecimalStyle{DecimalAuto, DecimalPoint, DecimalComma, DecimalAutoPoint, DecimalAutoComma} {
		if got, ok := ParseDecimalStyle(style.String()); !ok || got != style {
			t.Errorf("%v: got %v %v", style, got, ok)
		}
	}
	if got, ok := ParseDecimalStyle(""); !ok || got != DecimalAuto {
		t.Errorf("no style: got %v %v, want auto", got, ok)
	}
	if _, ok := ParseDecimalStyle("dot"); ok {
		t.Error("dot is no style")
	}
}

func TestDecimalEvidence(t *testing.T) {
	for _, c := range []struct {
		cells string
		want  DecimalStyle
	}{
		{"", DecimalAuto},
		{"1.234 5.678 9", DecimalAuto},
		{"1.234 12.5", DecimalAutoPoint},
		{"1,234 12.5", DecimalAutoPoint},
		{"1.234 12,5", DecimalAutoComma},
		{"€1.234,50", DecimalAutoComma},
		{"1.234.567", DecimalAutoComma},
		{"1,234,567", DecimalAutoPoint},
		{"0.123", DecimalAutoPoint},
		{"1234,567", DecimalAutoComma},
		{"'12,5", DecimalAutoComma},
		{"12.5 12,5", DecimalAuto},
		{"15.03.2026 abc - , 12.", DecimalAuto},
		{"1'234", DecimalAuto},
	} {
		var e DecimalEvidence
		for cell := range strings.FieldsSeq(c.cells) {
			e.Add(cell)
		}
		if got := e.Style(); got != c.want {
			t.Errorf("%q: got %v, want %v", c.cells, got, c.want)
		}
	}
}

// drawCanonical draws a canonical number, not negative, with at most the given
// number of decimals.
func drawCanonical(t *rapid.T, decimals int) string {
	whole := strconv.FormatUint(rapid.Uint64Range(0, 999_999_999_999_999_999).Draw(t, "whole"), 10)
	fraction := strings.TrimRight(rapid.StringMatching(`[0-9]{0,`+strconv.Itoa(decimals)+`}`).Draw(t, "fraction"), "0")
	return join(whole, fraction)
}

// written is how a country writes a canonical number.
func written(canonical, group, sign string) string {
	whole, fraction, found := strings.Cut(canonical, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if !found {
		return whole
	}
	return whole + sign + fraction
}

func TestDecimalRoundTrip(t *testing.T) {
	type country struct {
		group, sign string
		style       DecimalStyle
	}
	countries := []country{
		{"", ".", DecimalPoint}, {",", ".", DecimalPoint}, {"'", ".", DecimalPoint}, {" ", ".", DecimalPoint},
		{"", ",", DecimalComma}, {".", ",", DecimalComma}, {"\u00a0", ",", DecimalComma}, {"\u202f", ",", DecimalComma},
	}
	rapid.Check(t, func(t *rapid.T) {
		want := drawCanonical(t, 6)
		c := rapid.SampledFrom(countries).Draw(t, "country")
		cell := written(want, c.group, c.sign)
		if got, ps := ParseDecimal(cell, c.style, nil); got != want || len(ps) > 0 {
			t.Fatalf("%q in %v: got %q %v, want %q", cell, c.style, got, codesOf(ps), want)
		}
		// Read without knowing the country, it is the same number or nothing.
		if got, ps := ParseDecimal(cell, DecimalAuto, nil); got != want && !slices.Equal(codesOf(ps), []Code{CodeNumberAmbiguous}) {
			t.Fatalf("%q in auto: got %q %v, want %q", cell, got, codesOf(ps), want)
		}
		// And the style that the cell gives evidence of reads it rightly too.
		var e DecimalEvidence
		e.Add(cell)
		if style := e.Style(); style != DecimalAuto {
			if got, _ := ParseDecimal(cell, style, nil); got != want {
				t.Fatalf("%q in %v: got %q, want %q", cell, style, got, want)
			}
		}
	})
}

var canonicalNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,17}|-?(0|[1-9][0-9]{0,17})\.[0-9]{0,5}[1-9])$`)

func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{"12.50", "1.234,56", "1 234", "-0", "1E+5", "1'234'567.891", ".", ",5", "\u22125", "0.1234567", "12345678901234567890"} {
		for style := range 5 {
			f.Add(seed, uint8(style))
		}
	}
	f.Fuzz(func(t *testing.T, cell string, s uint8) {
		style := DecimalStyle(s % 5)
		got, ps := ParseDecimal(cell, style, nil)
		checkProblems(t, cell, got, ps)
		if got == "" {
			return
		}
		if !canonicalNumber.MatchString(got) {
			t.Fatalf("%q: %q is not canonical", cell, got)
		}
		if again, _ := ParseDecimal(got, DecimalPoint, nil); again != got {
			t.Fatalf("%q: %q is read back as %q", cell, got, again)
		}
		sameNumber(t, cell, got)
		integer, _ := ParseInteger(cell, style, nil)
		if strings.Contains(got, ".") != (integer == "") || integer != "" && integer != got {
			t.Fatalf("%q: as decimal %q, as integer %q", cell, got, integer)
		}
		if _, err := strconv.ParseInt(integer, 10, 64); integer != "" && err != nil {
			t.Fatalf("%q: %v", cell, err)
		}
	})
}

// sameNumber compares with math/big what that reads as well, but for a point
// that groups thousands.
func sameNumber(t *testing.T, cell, got string) {
	t.Helper()
	want, ok := new(big.Rat).SetString(cell)
	if !ok || strings.ContainsAny(cell, "eExX_/oObBpP") || strings.Count(cell, ".") == 1 && !strings.Contains(got, ".") {
		return
	}
	if have, _ := new(big.Rat).SetString(got); have.Cmp(want) != 0 {
		t.Fatalf("%q: got %q", cell, got)
	}
}

func BenchmarkParseDecimal(b *testing.B) {
	for _, cell := range []string{"12.50", "1.234,56"} {
		b.Run(cell, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseDecimal(cell, DecimalAuto, nil)
			}
		})
	}
}
