package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestField(t *testing.T) {
	schema := NewSchema(1, nil)
	for _, c := range []struct {
		name, property, key, locale string // property "" where there is no such field
	}{
		{"title", "title", "", ""},
		{"title@fr", "title", "", "fr"},
		{"title@zh-Hant_TW", "title", "", "zh-Hant_TW"},
		{"attributes.color", "attributes", "color", ""},
		{"attributes.Größe in cm", "attributes", "Größe in cm", ""},
		{"attributes.a.b", "attributes", "a.b", ""},
		{"attributes.a@b", "attributes", "a", "b"},
		{"attributes.__proto__", "attributes", "__proto__", ""},
		{"attributes." + strings.Repeat("k", 255), "attributes", strings.Repeat("k", 255), ""},

		{name: ""}, {name: "."}, {name: "@"}, {name: "__proto__"},
		{name: "attributes"}, {name: "attributes."}, {name: "attributes.@fr"}, {name: "title.a"},
		{name: "sku@fr"}, {name: "title@"}, {name: "title@fr@de"}, {name: "title@-"}, {name: "title@fr-"},
		{name: "title@x y"}, {name: `title@x"y`}, {name: "title@.a"}, {name: "title@" + strings.Repeat("ab-", 12) + "c"},
		{name: "title@" + strings.Repeat("a", 9)},
		{name: `attributes.a"b`}, {name: `attributes.a\`}, {name: "attributes.a\nb"}, {name: "attributes.\x00"},
		{name: "attributes.\x7f"}, {name: "attributes.\xff"}, {name: "attributes. "}, {name: "attributes. a"},
		{name: "attributes.a\u00a0"}, {name: "attributes." + strings.Repeat("k", 256)},
	} {
		f, ok := schema.Field(KindProduct, "", c.name)
		switch {
		case ok != (c.property != ""):
			t.Errorf("%q: got %v, want a field: %v", c.name, f, c.property != "")
		case ok && (f.Name != c.name || f.Property.Name != c.property || f.Key != c.key || f.Locale != c.locale):
			t.Errorf("%q: got %q %q %q %q", c.name, f.Name, f.Property.Name, f.Key, f.Locale)
		}
	}
}

// Whatever name is a field's stands in JSON as it is.
func TestFieldNamesNeedNoEscaping(t *testing.T) {
	schema := NewSchema(1, nil)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"attributes.", "title@", "attributes.a@", ""}).Draw(t, "property") +
			rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("ab\"\\\n\x00 .@-\u2028\ufffd")))).Draw(t, "rest")
		if _, ok := schema.Field(KindProduct, "", name); !ok {
			return
		}
		if quoted := string(AppendQuoted(nil, name)); quoted != `"`+name+`"` || !json.Valid([]byte(quoted)) {
			t.Fatalf("the field %q must be written %s", name, quoted)
		}
	})
}
