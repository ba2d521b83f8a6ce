package source_test

import (
	"testing"

	"pgregory.net/rapid"

	"tallyman/internal/catalog"
	"tallyman/internal/source"
	"tallyman/internal/tabular"
)

// hashed is a row of a file, and how it is read.
type hashed struct {
	header, cells []string
	definition    string
	settings      string
	schema        int64
}

func (h hashed) hash(t *testing.T) int64 {
	t.Helper()
	def, err := source.ByID(source.Default)
	if err != nil {
		t.Fatal(err)
	}
	overrule(t, h.definition, &def)
	b, err := def.Bind(h.header, catalog.NewSchema(max(h.schema, 1), nil), h.settings)
	if err != nil {
		t.Fatal(err)
	}
	var g catalog.Group
	b.Mapper(catalog.Upsert).Map(&tabular.Record{Number: 2, Cells: h.cells}, &g)
	if len(g.Changes) != 1 {
		t.Fatalf("%q asks for nothing: %+v", h.cells, g.Rows)
	}
	return g.Changes[0].Hash
}

func TestWhatARowsHashStandsFor(t *testing.T) {
	header := []string{"sku", "title", "price", "note"}
	cells := []string{"A", "Red shoe", "12.50", "new"}
	base := hashed{header: header, cells: cells}.hash(t)
	if base == 0 {
		t.Fatal("a row of values has no hash")
	}
	for name, same := range map[string]hashed{
		"blanks round a cell":               {header: header, cells: []string{"A ", " Red shoe", "12.50", "new"}},
		"another number in a column unread": {header: header, cells: []string{"A", "Red shoe", "12.50", "old"}},
		"columns in another order":          {header: []string{"price", "note", "title", "sku"}, cells: []string{"12.50", "", "Red shoe", "A"}},
		"another spelling of a heading":     {header: []string{"SKU", "Title", "Price"}, cells: cells[:3]},
		"rails, limits and what is missing": {header: header, cells: cells, definition: `{"name":"x","max_rows":9,"max_bytes":9,"missing":"delete","rails":{"changed_percent":1}}`},
		"a mapping that says what is known": {header: header, cells: cells, definition: `{"mapping":[{"column":"title","field":"title"}]}`},
	} {
		if same.hash(t) != base {
			t.Errorf("%s: another hash", name)
		}
	}
	seen := map[int64]string{base: "the row itself"}
	for name, other := range map[string]hashed{
		"key":                   {header: header, cells: []string{"B", "Red shoe", "12.50", "new"}},
		"value":                 {header: header, cells: []string{"A", "Red shoe", "12.51", "new"}},
		"moved end of a cell":   {header: header, cells: []string{"A", "Red shoe1", "2.50", "new"}},
		"blank":                 {header: header, cells: []string{"A", "", "12.50", "new"}},
		"column not there":      {header: []string{"sku", "price"}, cells: []string{"A", "12.50"}},
		"cells not there":       {header: []string{"sku", "price", "title"}, cells: []string{"A", "12.50"}},
		"column more":           {header: append([]string{"brand"}, header...), cells: append([]string{"Acme"}, cells...)},
		"swapped meanings":      {header: []string{"sku", "description", "price", "title"}, cells: cells},
		"settings":              {header: header, cells: cells, settings: "USD"},
		"schema":                {header: header, cells: cells, schema: 2},
		"version of the source": {header: header, cells: cells, definition: `{"version":77}`},
		"id of the source":      {header: header, cells: cells, definition: `{"id":"other"}`},
		"currency":              {header: header, cells: cells, definition: `{"currency":"CHF"}`},
		"decimals":              {header: header, cells: cells, definition: `{"decimal":"point"}`},
		"decimals of a column":  {header: header, cells: cells, definition: `{"column_decimals":{"price":"point"}}`},
		"blank cells":           {header: header, cells: cells, definition: `{"blank":"clear"}`},
		"word that clears":      {header: header, cells: cells, definition: `{"clear_word":"-"}`},
		"fall-through":          {header: header, cells: cells, definition: `{"fallthrough":true,"match":["gtin","sku"]}`},
		"match":                 {header: header, cells: cells, definition: `{"match":["sku","slug","id"]}`},
		"shared numbers":        {header: header, cells: cells, definition: `{"gtin_shared":true}`},
		"check digits":          {header: header, cells: cells, definition: `{"gtin_check":"off"}`},
		"guards":                {header: header, cells: cells, definition: `{"no_guards":true}`},
		"lists":                 {header: header, cells: cells, definition: `{"json_lists":true}`},
		"length of a SKU":       {header: header, cells: cells, definition: `{"sku_length":99}`},
		"separator":             {header: append([]string{"tags"}, header...), cells: append([]string{"a"}, cells...)},
		"other separator":       {header: append([]string{"tags"}, header...), cells: append([]string{"a"}, cells...), definition: `{"columns":[{"name":"sku","field":"sku"},{"name":"title","field":"title"},{"name":"price","field":"price"},{"name":"tags","field":"tags","separator":";"}]}`},
	} {
		h := other.hash(t)
		if before, ok := seen[h]; ok {
			t.Errorf("%s: the same hash as %s", name, before)
		}
		seen[h] = name
	}
}

// Items outlive the program that wrote them: were hashes to change without need,
// every row of every feed would be read and decided once more.
func TestARowsHashIsStable(t *testing.T) {
	h := hashed{header: []string{"sku", "title", "price"}, cells: []string{"A", "Red shoe", "12.50"}}
	if got, want := uint64(h.hash(t)), uint64(0x8211f9a144b547e7); got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
}

// Where one cell ends and the next begins is a part of what is hashed.
func TestRowsHashAlikeOnlyIfTheirCellsAreAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x01")), 1, 4, -1)
		row := func(name string) []string {
			return []string{"A", text.Draw(t, name+" title"), text.Draw(t, name+" brand"), text.Draw(t, name+" description")}
		}
		def, _ := source.ByID(source.Default)
		b, err := def.Bind([]string{"sku", "title", "brand", "description"}, catalog.NewSchema(1, nil), "")
		if err != nil {
			t.Fatal(err)
		}
		m := b.Mapper(catalog.Upsert)
		one, other := row("one"), row("other")
		var g catalog.Group
		if !m.Sketch(&tabular.Record{Cells: one}, &g) || !m.Sketch(&tabular.Record{Cells: other}, &g) {
			t.Fatal("not sketched")
		}
		same := one[1] == other[1] && one[2] == other[2] && one[3] == other[3]
		if same != (g.Changes[0].Hash == g.Changes[1].Hash) {
			t.Fatalf("%q and %q: %#x, %#x", one, other, g.Changes[0].Hash, g.Changes[1].Hash)
		}
	})
}
