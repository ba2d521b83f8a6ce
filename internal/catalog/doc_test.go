package catalog

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// oddNames are field names that stand close to each other in byte order, or
// hold what a document's own punctuation is made of.
var oddNames = []string{
	"attributes.,", "attributes.:", "attributes.[", "attributes.]", "attributes.{", "attributes.}", "attributes.'",
	"attributes.a", "attributes.a b", "attributes.a.b", "attributes.a@b", "attributes.a@fr", "attributes.aa", "attributes.__proto__",
	"attributes.null", "attributes.a\u2028b", "attributes.\ufffd", "attributes.\U0001F600", "attributes.ü",
	"title", "title@fr", "title@fr-CA", "description", "tags", "collections", "stock", "weight", "commodity_type",
}

func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("a\"\\,]}[{:\n\x01\u2028😀"))))
}

// anyValue is a value of the property, never blank.
func anyValue(t *rapid.T, p *Property) Value {
	switch {
	case p.List:
		return Value{Type: p.Type, IsList: true, List: rapid.SliceOfN(anyText(), 1, 4).Draw(t, "list")}
	case p.Type == Integer || p.Type == Decimal:
		return Value{Type: p.Type, Text: rapid.SampledFrom([]string{"0", "7", "120"}).Draw(t, "number")}
	}
	return Value{Type: p.Type, Text: anyText().Draw(t, "text")}
}

// anyOps are operations on some of the odd fields, sorted as a Change has them.
func anyOps(t *rapid.T, schema *Schema) []Op {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(oddNames), 0, len(oddNames), rapid.ID).Draw(t, "fields")
	slices.Sort(names)
	var ops []Op
	for _, name := range names {
		f, ok := schema.Field(KindProduct, "", name)
		if !ok {
			t.Fatalf("%q is no field", name)
		}
		op := Op{Field: f, Kind: OpSet}
		switch {
		case f.Property.List:
			op.Kind = rapid.SampledFrom([]OpKind{OpSet, OpUnset, OpPrepend, OpAppend, OpRemove}).Draw(t, "kind")
		case name != "title":
			op.Kind = rapid.SampledFrom([]OpKind{OpSet, OpSet, OpUnset, OpDefault}).Draw(t, "kind")
		}
		if op.Kind != OpUnset && op.Kind != OpDefault {
			op.Value = anyValue(t, f.Property)
		}
		ops = append(ops, op)
	}
	return ops
}

// checkCanonical checks that a document is what its own content, written anew,
// gives.
func checkCanonical(t *rapid.T, d Doc) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(d), &fields); err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	var w docWriter
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		w.name(name)
		w.b = append(w.b, fields[name]...)
		if got := d.Token(name); got != string(fields[name]) {
			t.Fatalf("%s: the token of %q is %s", d, name, got)
		}
	}
	if w.doc() != d {
		t.Fatalf("%s is not canonical: %s", d, w.doc())
	}
}

// A document stays canonical JSON whatever is done to it, the changes that are
// reported are the difference, Revert takes them back and Apply makes them again.
func TestDocApplyAndRevert(t *testing.T) {
	schema := NewSchema(1, nil)
	rapid.Check(t, func(t *rapid.T) {
		doc := Doc(`{"title":"t"}`)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			d := decider{f: &Facts{Schema: schema}, out: &Decisions{Rows: []RowDecision{{}}}}
			after, changes, ok := d.apply(&Change{Kind: KindProduct, Ops: anyOps(t, schema)}, doc)
			if !ok {
				t.Fatalf("refused: %v", d.out.Rows[0].Row.Problems)
			}
			checkCanonical(t, after)
			checkChanges(t, doc, after, changes)
			if back := after.Revert(changes); back != doc {
				t.Fatalf("%s, changed by %v, is taken back to %s", doc, changes, back)
			}
			if again := doc.Apply(changes); again != after {
				t.Fatalf("%s, changed by %v, is %s and not %s", doc, changes, after, again)
			}
			doc = after
		}
	})
}

// checkChanges checks the changes against the documents, field by field.
func checkChanges(t *rapid.T, before, after Doc, changes []FieldChange) {
	var want []FieldChange
	for _, name := range slices.Sorted(slices.Values(oddNames)) {
		if o, n := before.Token(name), after.Token(name); o != n {
			want = append(want, FieldChange{Field: name, Old: o, New: n})
		}
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Fatalf("changes (-want +got):\n%s", diff)
	}
}

// What a document holds reads back as it was put in.
func TestDocKeepsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(anyText(), 1, 5).Draw(t, "list")
		var w docWriter
		w.name("tags")
		w.b = Value{Type: Text, IsList: true, List: list}.AppendJSON(w.b)
		w.name("title")
		w.b = AppendQuoted(w.b, list[0])
		d := w.doc()
		want := make([]string, len(list))
		for i, s := range list {
			want[i] = strings.ToValidUTF8(s, "\ufffd")
		}
		if got := Elements(d.Token("tags")); !slices.Equal(got, want) || d.Text("title") != want[0] {
			t.Fatalf("put in %q, read %q and %q", list, got, d.Text("title"))
		}
	})
}

// The keys that a document holds are those its properties have, in the form in
// which they are looked up.
func TestDocKeys(t *testing.T) {
	for doc, want := range map[Doc][]Key{
		`{}`: nil,
		`{"ean":"4006381333931","external_ref":"r/1","sku":"A\"1","slug":"a","title":"sku"}`: {
			{KeyGTIN, "04006381333931"}, {KeyRef, "r/1"}, {KeySKU, `A"1`}, {KeySlug, "a"}},
		`{"attributes.sku":"x","sku":"","title@fr":"y"}`: nil,
	} {
		var got []Key
		doc.eachKey(func(k Key) { got = append(got, k) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doc, diff)
		}
		it := Item{SKU: "old", GTIN: "old", Ref: "old", Slug: "old", Doc: doc}
		it.readKeys()
		for _, f := range []KeyField{KeySKU, KeyGTIN, KeyRef, KeySlug} {
			if i := slices.IndexFunc(want, func(k Key) bool { return k.Field == f }); i < 0 && it.Get(f) != "" || i >= 0 && it.Get(f) != want[i].Value {
				t.Errorf("%s: the item's %s is %q", doc, f, it.Get(f))
			}
		}
	}
}
