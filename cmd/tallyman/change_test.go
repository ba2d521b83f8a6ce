package main

import (
	"encoding/json"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

func TestChangeWords(t *testing.T) {
	field := func(name, was, is string) catalog.FieldChange {
		return catalog.FieldChange{Field: name, Old: was, New: is}
	}
	for _, c := range []struct {
		change importer.RowChange
		want   string
	}{
		{importer.RowChange{Outcome: catalog.Updated, SKU: "A-1", Fields: []catalog.FieldChange{field("price", `"1.00 EUR"`, `"1.50 EUR"`)}},
			"changed A-1: price 1.00 EUR → 1.50 EUR (by 50 %)"},
		{importer.RowChange{Outcome: catalog.Updated, GTIN: "96385074", Fields: []catalog.FieldChange{field("stock", "7", ""), field("title", "", `"Lamp"`)}},
			`changed 96385074: stock 7 → nothing, title nothing → "Lamp"`},
		{importer.RowChange{Outcome: catalog.Created, SKU: "A-2", Fields: []catalog.FieldChange{field("a", "", "1"), field("b", "", "2"), field("c", "", "3"), field("d", "", "4"), field("e", "", "5"), field("f", "", "6")}},
			"new A-2: a 1, b 2, c 3, d 4, and 2 more"},
		{importer.RowChange{Outcome: catalog.Deleted, ItemID: "id-1", Fields: []catalog.FieldChange{field("tags", `["a","b"]`, "")}},
			`deleted id-1: tags ["a" "b"]`},
		{importer.RowChange{Outcome: catalog.Held, SKU: "A-3", Gone: true}, "held A-3: values past their retention"},
		{importer.RowChange{Outcome: catalog.Updated, SKU: "A-4\x1b[31m", Fields: []catalog.FieldChange{field("title", `"a\u001b[2J"`, `"b"`)}},
			`changed "A-4\x1b[31m": title "a\x1b[2J" → "b"`},
		{importer.RowChange{Outcome: catalog.Updated, SKU: "A-5", Fields: []catalog.FieldChange{field("stock", "0", "5")}}, "changed A-5: stock 0 → 5"},
	} {
		one := changeOf(&c.change)
		if got := one.words(); got != c.want {
			t.Errorf("%s\nnot %s", got, c.want)
		}
		// What comes from a server says the same.
		text, err := json.Marshal(one)
		var back change
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back.words() != c.want {
			t.Errorf("as JSON: %v, %s\nnot %s", err, back.words(), c.want)
		}
	}
}

func TestSpokenIsShort(t *testing.T) {
	long := string(catalog.AppendQuoted(nil, strings.Repeat("ä", 500)))
	if got := spoken(long); len([]rune(got)) > spokenLength+2 || !strings.HasSuffix(got, `…"`) {
		t.Errorf("%d characters: %s", len([]rune(got)), got)
	}
}

func TestPercentage(t *testing.T) {
	for p, want := range map[float64]string{20: "20 %", 7.54: "7.5 %", 0.04: "less than 0.1 %", 120.4: "120 %", 9900: "9900 %"} {
		if got := percentage(p); got != want {
			t.Errorf("%g: %s, not %s", p, got, want)
		}
	}
}

func TestCauseWords(t *testing.T) {
	c := cause{Code: "invalid_price", Severity: "error", Column: "Price", Count: 1234, Examples: []example{
		{Row: 3, Value: "cheap", Message: "It is no price."}, {Row: 9, Message: "It is no price."}}}
	want := `1,234 errors: invalid_price in Price: It is no price. (row 3: "cheap", row 9)`
	if got := c.words(); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
}

// TestSpokenAlike checks that every text is quoted, whatever it begins with, and no
// number or amount of money is.
func TestSpokenAlike(t *testing.T) {
	for token, want := range map[string]string{
		`"Lamp"`: `"Lamp"`, `"12 pack"`: `"12 pack"`, `"4006381333931"`: `"4006381333931"`, `"-"`: `"-"`, `"2026-03-15"`: `"2026-03-15"`,
		`"12 ABC DEF"`: `"12 ABC DEF"`, `"NaN EUR"`: `"NaN EUR"`, `""`: `""`,
		`"12.50 EUR"`: "12.50 EUR", `"-3 USD"`: "-3 USD", "7": "7", "true": "true", "": "nothing",
	} {
		if got := spoken(token); got != want {
			t.Errorf("%s: %s, not %s", token, got, want)
		}
	}
}
