package catalog

import (
	"strings"
	"testing"
)

func skuOf(longest int) func(string, []Problem) (string, []Problem) {
	return func(cell string, ps []Problem) (string, []Problem) { return ParseSKU(cell, longest, ps) }
}

func TestParseSKU(t *testing.T) {
	testCells(t, skuOf(40), []cellCase{
		good("KB-001", "KB-001"),
		good("  kb 001\t", "kb 001"),
		good("0012", "0012"),
		good("1E5", "1E5"),
		good("12E3", "12E3"),
		good("1E+5", "1E+5"),
		good("12E+34", "12E+34"),
		good("1.5", "1.5"),
		good("3.65E11", "3.65E11"),
		good("A+B", "A+B"),
		good("Größe-42/ü", "Größe-42/ü"),
		good(strings.Repeat("ü", 40), strings.Repeat("ü", 40)),
		{"'0012", "0012", []Code{CodeTextGuardRemoved}},
		{`="0012"`, "0012", []Code{CodeTextGuardRemoved}},
		{"'", "", []Code{CodeTextGuardRemoved}},
		bad(strings.Repeat("x", 41), CodeTooLong),
		bad(strings.Repeat("ü", 41), CodeTooLong),
		bad("3.65275E+11", CodeExcelDamagedNumber),
		bad("3,65275e+11", CodeExcelDamagedNumber),
		bad("3E+11", CodeExcelDamagedNumber),
		bad("KB\n001", CodeInvalidSKU),
		bad("KB\x00001", CodeInvalidSKU),
		bad("KB\u0085001", CodeInvalidSKU),
		bad("KB\x80001", CodeInvalidSKU),
		bad("ü\x01", CodeInvalidSKU),
	})
}

func TestParseSKULength(t *testing.T) {
	testCells(t, skuOf(0), []cellCase{
		good(strings.Repeat("x", 255), strings.Repeat("x", 255)),
		bad(strings.Repeat("x", 256), CodeTooLong),
	})
	testCells(t, skuOf(5000), []cellCase{
		good(strings.Repeat("界", 666)+"xy", strings.Repeat("界", 666)+"xy"),
		bad(strings.Repeat("界", 667), CodeTooLong),
	})
	_, ps := ParseSKU(strings.Repeat("ü", 300), 40, nil)
	if want := "The SKU has 300 characters; at most 40 are allowed."; ps[0].Message != want {
		t.Errorf("got %q, want %q", ps[0].Message, want)
	}
}
