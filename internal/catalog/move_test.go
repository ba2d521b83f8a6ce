package catalog

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMovePercent(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		was, is string
		percent float64
		ok      bool
	}{
		{"10", "11", 10, true},
		{"10", "9", 10, true},
		{"-10", "10", 200, true},
		{"-10", "-11", 10, true},
		{"10", "10", 0, true},
		{"0", "0", 0, true},
		{"0", "0.01", inf, true},
		{"5", "0", 100, true},
		{"0.1", "0.3", 200, true},
		{"123456789012345678.01", "123456789012345678.02", 0.01 / 123456789012345678.01 * 100, true},
		{`"10.00 EUR"`, `"12.50 EUR"`, 25, true},
		{`"0.00 EUR"`, `"1.00 EUR"`, inf, true},
		{`"10.00 EUR"`, `"10.00 USD"`, 0, false},
		{`"10.00 EUR"`, "10", 0, false},
		{"10", `"10.00 EUR"`, 0, false},
		{"", "10", 0, false},
		{"10", "", 0, false},
		{`"10"`, `"11"`, 0, false},
		{`"a EUR"`, `"b EUR"`, 0, false},
		{`"10 pcs"`, `"11 pcs"`, 0, false},
		{`"1e999999999 EUR"`, `"2 EUR"`, 0, false},
		{`"1.5. EUR"`, `"2 EUR"`, 0, false},
		{`".5 EUR"`, `"2 EUR"`, 0, false},
		{`"` + strings.Repeat("9", 100) + ` EUR"`, `"2 EUR"`, 0, false},
		{"true", "false", 0, false},
		{`["1"]`, `["2"]`, 0, false},
	} {
		percent, ok := MovePercent(tt.was, tt.is)
		if ok != tt.ok || percent != tt.percent {
			t.Errorf("%s to %s: %v %v, want %v %v", tt.was, tt.is, percent, ok, tt.percent, tt.ok)
		}
	}
}

func TestMovePercentOfAnyTokens(t *testing.T) {
	number := rapid.StringMatching(`0|-?[1-9][0-9]{0,17}(\.[0-9]{0,5}[1-9])?`)
	token := rapid.OneOf(number, rapid.Map(number, func(s string) string { return `"` + s + ` EUR"` }),
		rapid.Map(anyText(), func(s string) string { return string(AppendQuoted(nil, s)) }))
	rapid.Check(t, func(t *rapid.T) {
		was, is := token.Draw(t, "was"), token.Draw(t, "is")
		there, ok := MovePercent(was, is)
		if _, back := MovePercent(is, was); back != ok {
			t.Fatalf("%s and %s can be compared in one direction only", was, is)
		}
		if there < 0 || math.IsNaN(there) {
			t.Fatalf("%s to %s is a move of %v per cent", was, is, there)
		}
		if ok && (there == 0) != (was == is) {
			t.Fatalf("%s to %s is a move of %v per cent", was, is, there)
		}
	})
}
