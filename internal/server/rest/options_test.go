package rest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/source"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name   string
		values map[string]string
		want   importer.Options
	}{
		{"none", nil, importer.Options{}},
		{"the seed's", map[string]string{"format": "csv", "mapping": `{"EAN":"ean","Titre":"title","Prix":"price"}`},
			importer.Options{Format: "csv", MappingOnly: true, Mapping: []source.Mapping{{Column: "EAN", Field: "ean"}, {Column: "Titre", Field: "title"}, {Column: "Prix", Field: "price"}}}},
		{"update_existing", map[string]string{"update_existing": "true"}, importer.Options{HasMode: true, Mode: catalog.Upsert}},
		{"no update_existing", map[string]string{"update_existing": " False"}, importer.Options{HasMode: true, Mode: catalog.Create}},
		{"mode", map[string]string{"mode": "Update"}, importer.Options{HasMode: true, Mode: catalog.Update}},
		{"mode and flag agree", map[string]string{"mode": "update", "update_existing": "1"}, importer.Options{HasMode: true, Mode: catalog.Update}},
		{"a blank field is as good as none", map[string]string{"format": " ", "mapping": "", "mode": ""}, importer.Options{}},
		{"delimiters by name", map[string]string{"delimiter": "Semicolon"}, importer.Options{Delimiter: ";"}},
		{"a tab as such", map[string]string{"delimiter": "\t"}, importer.Options{Delimiter: "\t"}},
		{"a tab written out", map[string]string{"delimiter": `\t`}, importer.Options{Delimiter: "\t"}},
		{"encodings", map[string]string{"encoding": "Latin1"}, importer.Options{Encoding: "windows-1252"}},
		{"numbers and such", map[string]string{"currency": "eur", "decimal": "comma", "blank": "clear", "gtin_check": "off", "source": " products "},
			importer.Options{Currency: "EUR", Decimal: "comma", Blank: "clear", GTINCheck: "off", Source: "products"}},
		{"columns mapped to nothing", map[string]string{"mapping": `{"EAN":"ean","Notes":null,"Old":" "}`},
			importer.Options{MappingOnly: true, Mapping: []source.Mapping{{Column: "EAN", Field: "ean"}}}},
		{"a plan", map[string]string{"plan": "true"}, importer.Options{Plan: true}},
		{"policies", map[string]string{"policy": "All_or_nothing"}, importer.Options{Policy: importer.PolicyAll}},
		{"stop at the first", map[string]string{"policy": "stop"}, importer.Options{Policy: importer.PolicyStop, StopAfter: 1}},
		{"stop after some", map[string]string{"policy": "stop", "stop_after": "5"}, importer.Options{Policy: importer.PolicyStop, StopAfter: 5}},
		{"a number makes the policy", map[string]string{"stop_after": "5"}, importer.Options{Policy: importer.PolicyStop, StopAfter: 5}},
		{"limits", map[string]string{"max_changed_percent": "12.5", "max_price_move_percent": "0", "max_cleared_or_deleted": "0", "max_rows_down_percent": "30"},
			importer.Options{Rails: source.Rails{ChangedPercent: new(12.5), PriceMovePercent: new(0.0), ClearedOrDeleted: new(int64(0)), RowsDownPercent: new(30.0)}}},
		{"a full feed", map[string]string{"feed": " nightly ", "missing": "Delete"}, importer.Options{Feed: "nightly", Missing: "delete"}},
		{"an empty mapping", map[string]string{"mapping": " {} "}, importer.Options{}},
	} {
		got, err := options(formFields(), c.values)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for _, c := range []struct {
		values map[string]string
		fields []string
	}{
		{map[string]string{"format": "pdf", "mode": "merge", "decimal": "dot"}, []string{"decimal", "format", "mode"}},
		{map[string]string{"update_existing": "maybe"}, []string{"update_existing"}},
		{map[string]string{"mode": "create", "update_existing": "true"}, []string{"update_existing"}},
		{map[string]string{"mode": "upsert", "update_existing": "false"}, []string{"update_existing"}},
		{map[string]string{"plan": "maybe", "policy": "none", "stop_after": "0", "missing": "hide"}, []string{"missing", "plan", "policy", "stop_after"}},
		{map[string]string{"policy": "skip", "stop_after": "5"}, []string{"stop_after"}},
		{map[string]string{"policy": "all_or_nothing", "stop_after": "5"}, []string{"stop_after"}},
		{map[string]string{"max_changed_percent": "NaN", "max_price_move_percent": "-1", "max_rows_down_percent": "inf", "max_cleared_or_deleted": "1.5"},
			[]string{"max_changed_percent", "max_cleared_or_deleted", "max_price_move_percent", "max_rows_down_percent"}},
		{map[string]string{"feed": strings.Repeat("x", 256)}, []string{"feed"}},
		{map[string]string{"delimiter": ":"}, []string{"delimiter"}},
		{map[string]string{"encoding": "ebcdic"}, []string{"encoding"}},
		{map[string]string{"currency": "EURO"}, []string{"currency"}},
		{map[string]string{"currency": "E1R"}, []string{"currency"}},
		{map[string]string{"mapping": `["ean"]`}, []string{"mapping"}},
		{map[string]string{"mapping": `{"a":1}`}, []string{"mapping"}},
		{map[string]string{"mapping": `{"a":{"b":"c"}}`}, []string{"mapping"}},
		{map[string]string{"mapping": `{"a":"ean","a":"sku"}`}, []string{"mapping"}},
		{map[string]string{"mapping": `{"a":"ean"`}, []string{"mapping"}},
		{map[string]string{"mapping": `{"a":"ean"} x`}, []string{"mapping"}},
		{map[string]string{"mapping": `ean=EAN`}, []string{"mapping"}},
	} {
		_, err := options(formFields(), c.values)
		f := catalog.AsFault(err)
		if f == nil || f.Kind != catalog.KindInvalid {
			t.Errorf("%v: got %v, want a fault", c.values, err)
			continue
		}
		if got := slices.Sorted(maps.Keys(f.Fields)); !slices.Equal(got, c.fields) {
			t.Errorf("%v: blames %v, want %v", c.values, got, c.fields)
		}
	}
}

// FuzzMapping: what is taken for a mapping is JSON, and says what JSON says.
func FuzzMapping(f *testing.F) {
	f.Add(`{"EAN":"ean","Titre":"title"}`)
	f.Add(`{"a":null}`)
	f.Add(`{}`)
	f.Add(`{"a":"b",}`)
	f.Fuzz(func(t *testing.T, s string) {
		var opt importer.Options
		if asMapping(s, &opt) != nil {
			return
		}
		var want map[string]*string
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			t.Fatalf("%q was taken, but %v", s, err)
		}
		for _, m := range opt.Mapping {
			if want[m.Column] == nil {
				t.Errorf("%q: column %q is not in it", s, m.Column)
			}
		}
		if opt.MappingOnly != (len(want) > 0) {
			t.Errorf("%q: MappingOnly %v", s, opt.MappingOnly)
		}
	})
}
