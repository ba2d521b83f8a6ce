package catalog_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

// shelf is a world of items for tests.
type shelf []*catalog.Item

func (s shelf) Match(kind catalog.Kind, key catalog.Key) []*catalog.Item {
	var out []*catalog.Item
	for _, it := range s {
		if it.Kind == kind && it.Get(key.Field) == key.Value {
			out = append(out, it)
		}
	}
	return out
}

var now = time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC)

func facts() *catalog.Facts {
	n := 0
	return &catalog.Facts{Schema: catalog.NewSchema(1, nil), Currency: "EUR", Now: now, ImportNo: 7,
		NewID: func(catalog.Kind) string { n++; return fmt.Sprintf("id-%d", n) }}
}

// set builds an operation on a field of products; it panics on unknown fields.
func set(f *catalog.Facts, field, value string) catalog.Op {
	fd, ok := f.Schema.Field(catalog.KindProduct, "", field)
	if !ok {
		panic(field)
	}
	return catalog.Op{Field: fd, Kind: catalog.OpSet, Value: catalog.Value{Type: fd.Property.Type, Text: value}}
}

func op(f *catalog.Facts, kind catalog.OpKind, field string, list ...string) catalog.Op {
	o := set(f, field, "")
	o.Kind = kind
	o.Value.IsList, o.Value.List = true, list
	return o
}

func change(keys []catalog.Key, ops ...catalog.Op) catalog.Change {
	slices.SortFunc(ops, func(a, b catalog.Op) int {
		if a.Field.Name < b.Field.Name {
			return -1
		}
		return 1
	})
	return catalog.Change{Kind: catalog.KindProduct, Keys: keys, Ops: ops, Hash: 99}
}

func sku(v string) []catalog.Key { return []catalog.Key{{Field: catalog.KeySKU, Value: v}} }

func group(cs ...catalog.Change) *catalog.Group {
	return &catalog.Group{Rows: []catalog.Row{{Number: 2, Line: 2}}, Changes: cs}
}

func item(id, sku, doc string) *catalog.Item {
	return &catalog.Item{ID: id, Kind: catalog.KindProduct, SKU: sku, Doc: catalog.Doc(doc), Version: 3, ImportNo: 1, Row: 5, Hash: 5}
}

// decide1 decides one group of one row.
func decide1(g *catalog.Group, w catalog.World, f *catalog.Facts) (catalog.RowDecision, []catalog.Write) {
	var d catalog.Decisions
	catalog.Decide(g, w, f, &d)
	return d.Rows[0], d.Writes
}

func TestDecideOneChange(t *testing.T) {
	f := facts()
	lamp := `{"price":"10.00 USD","sku":"A","tags":["old"],"title":"Lamp"}`
	tests := []struct {
		name    string
		items   shelf
		change  catalog.Change
		outcome catalog.Outcome
		code    catalog.Code
		doc     string
		changes []catalog.FieldChange
	}{
		{name: "a new item", change: change(sku("A"), set(f, "sku", "A"), set(f, "title", "Lamp")),
			outcome: catalog.Created, doc: `{"sku":"A","title":"Lamp"}`},
		{name: "a new item without its title", change: change(sku("A"), set(f, "sku", "A")),
			outcome: catalog.Failed, code: catalog.CodeMissingRequired},
		{name: "the same again", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), set(f, "title", "Lamp")),
			outcome: catalog.Unchanged},
		{name: "a new title", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), set(f, "title", "Light")),
			outcome: catalog.Updated, doc: `{"price":"10.00 USD","sku":"A","tags":["old"],"title":"Light"}`,
			changes: []catalog.FieldChange{{Field: "title", Old: `"Lamp"`, New: `"Light"`}}},
		{name: "a translation beside the title", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), set(f, "title@fr", "Lampe")),
			outcome: catalog.Updated, doc: `{"price":"10.00 USD","sku":"A","tags":["old"],"title":"Lamp","title@fr":"Lampe"}`,
			changes: []catalog.FieldChange{{Field: "title@fr", New: `"Lampe"`}}},
		{name: "an amount keeps the item's currency", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), set(f, "price", "12.5")),
			outcome: catalog.Updated, doc: `{"price":"12.50 USD","sku":"A","tags":["old"],"title":"Lamp"}`,
			changes: []catalog.FieldChange{{Field: "price", Old: `"10.00 USD"`, New: `"12.50 USD"`}}},
		{name: "an amount on a new item takes the default currency", change: change(sku("A"), set(f, "sku", "A"), set(f, "title", "x"), set(f, "price", "3")),
			outcome: catalog.Created, doc: `{"price":"3.00 EUR","sku":"A","title":"x"}`},
		{name: "appending to a list", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), op(f, catalog.OpAppend, "tags", "new")),
			outcome: catalog.Updated, doc: `{"price":"10.00 USD","sku":"A","tags":["old","new"],"title":"Lamp"}`,
			changes: []catalog.FieldChange{{Field: "tags", Old: `["old"]`, New: `["old","new"]`}}},
		{name: "prepending to a list", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), op(f, catalog.OpPrepend, "tags", "new")),
			outcome: catalog.Updated, doc: `{"price":"10.00 USD","sku":"A","tags":["new","old"],"title":"Lamp"}`,
			changes: []catalog.FieldChange{{Field: "tags", Old: `["old"]`, New: `["new","old"]`}}},
		{name: "removing the last element removes the field", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), op(f, catalog.OpRemove, "tags", "old")),
			outcome: catalog.Updated, doc: `{"price":"10.00 USD","sku":"A","title":"Lamp"}`,
			changes: []catalog.FieldChange{{Field: "tags", Old: `["old"]`}}},
		{name: "clearing a value", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), op(f, catalog.OpUnset, "price")),
			outcome: catalog.Updated, doc: `{"sku":"A","tags":["old"],"title":"Lamp"}`,
			changes: []catalog.FieldChange{{Field: "price", Old: `"10.00 USD"`}}},
		{name: "clearing what is not there", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), op(f, catalog.OpUnset, "brand")),
			outcome: catalog.Unchanged},
		{name: "clearing a required value", items: shelf{item("1", "A", lamp)}, change: change(sku("A"), op(f, catalog.OpUnset, "title")),
			outcome: catalog.Failed, code: catalog.CodeMissingRequired},
		{name: "create mode on an item that is there", items: shelf{item("1", "A", lamp)},
			change:  mode(catalog.Create, change(sku("A"), set(f, "title", "x"))),
			outcome: catalog.Failed, code: catalog.CodeExistingSKU},
		{name: "update mode on an item that is not there", change: mode(catalog.Update, change(sku("A"), set(f, "title", "x"))),
			outcome: catalog.Failed, code: catalog.CodeItemNotFound},
		{name: "two items carry the key", items: shelf{item("1", "A", lamp), item("2", "A", lamp)}, change: change(sku("A"), set(f, "title", "x")),
			outcome: catalog.Failed, code: catalog.CodeAmbiguousMatch},
		{name: "a key of another item", items: shelf{item("1", "A", lamp), item("2", "B", `{"sku":"B","title":"x"}`)}, change: change(sku("A"), set(f, "sku", "B")),
			outcome: catalog.Failed, code: catalog.CodeSKUTaken},
		{name: "deleting", items: shelf{item("1", "A", lamp)}, change: catalog.Change{Kind: catalog.KindProduct, Keys: sku("A"), Delete: true},
			outcome: catalog.Deleted},
		{name: "deleting what is not there", change: catalog.Change{Kind: catalog.KindProduct, Keys: sku("A"), Delete: true},
			outcome: catalog.Failed, code: catalog.CodeItemNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, writes := decide1(group(tt.change), tt.items, facts())
			if r.Outcome != tt.outcome {
				t.Fatalf("outcome %v, want %v (problems %v)", r.Outcome, tt.outcome, r.Row.Problems)
			}
			var code catalog.Code
			if len(r.Row.Problems) > 0 {
				code = r.Row.Problems[0].Code
			}
			if code != tt.code {
				t.Errorf("code %q, want %q", code, tt.code)
			}
			if tt.doc == "" {
				if len(writes) > 0 && writes[0].Outcome != catalog.Deleted {
					t.Fatalf("unexpected write %+v", writes[0])
				}
				return
			}
			if len(writes) != 1 || string(writes[0].After.Doc) != tt.doc {
				t.Fatalf("writes %+v, want one of %s", writes, tt.doc)
			}
			if diff := cmp.Diff(tt.changes, writes[0].Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if w := writes[0].After; w.ImportNo != 7 || w.Row != 2 || w.UpdatedAt != now {
				t.Errorf("item is not stamped: %+v", w)
			}
		})
	}
}

func mode(m catalog.Mode, c catalog.Change) catalog.Change {
	c.Mode = m
	return c
}

func TestErrorOnCreateIsAWarningForAnItemThatIsThere(t *testing.T) {
	f := facts()
	g := group(change(sku("A"), set(f, "sku", "A"), set(f, "title", "x")))
	g.Rows[0].Problems = []catalog.Problem{{Code: catalog.CodeGTINCheckDigit, Severity: catalog.ErrorOnCreate}}
	if r, _ := decide1(g, shelf{}, f); r.Outcome != catalog.Failed || r.Row.Problems[0].Severity != catalog.Error {
		t.Errorf("new item: %v %v, want failed with an error", r.Outcome, r.Row.Problems)
	}
	r, writes := decide1(g, shelf{item("1", "A", `{"sku":"A","title":"y"}`)}, f)
	if r.Outcome != catalog.Updated || r.Row.Problems[0].Severity != catalog.Warning {
		t.Errorf("existing item: %v %v, want updated with a warning", r.Outcome, r.Row.Problems)
	}
	if writes[0].After.Hash != 0 {
		t.Error("a decision that hung on the store left a hash")
	}
	if g.Rows[0].Problems[0].Severity != catalog.ErrorOnCreate {
		t.Error("deciding changed the group, which may be decided again")
	}
}

func TestALaterRowOfTheSameImportMayNotReachTheSameItem(t *testing.T) {
	f := facts()
	it := item("1", "A", `{"sku":"A","title":"y"}`)
	it.ImportNo, it.Row = f.ImportNo, 9
	g := group(change(sku("A"), set(f, "title", "x")))
	if r, _ := decide1(g, shelf{it}, f); r.Outcome != catalog.Failed || r.Row.Problems[0].Code != catalog.CodeSameItemInFile {
		t.Errorf("got %v %v, want same_item_in_file", r.Outcome, r.Row.Problems)
	}
	f.InFileOrder = true
	if r, _ := decide1(g, shelf{it}, f); r.Outcome != catalog.Updated {
		t.Errorf("in file order: got %v, want updated", r.Outcome)
	}
}

func TestMatchOrder(t *testing.T) {
	f := facts()
	items := shelf{item("1", "A", `{"sku":"A","title":"y"}`)}
	keys := []catalog.Key{{Field: catalog.KeyRef, Value: "none"}, {Field: catalog.KeySKU, Value: "A"}}
	c := change(keys, set(f, "title", "x"))
	if r, _ := decide1(group(c), items, f); r.Outcome != catalog.Created {
		t.Errorf("without fallthrough: %v, want created: the first key decides", r.Outcome)
	}
	c.Fallthrough = true
	if r, _ := decide1(group(c), items, f); r.Outcome != catalog.Updated || r.ItemID != "1" {
		t.Errorf("with fallthrough: %v of %q, want updated of 1", r.Outcome, r.ItemID)
	}
}

func TestARowIsAppliedWholeOrNotAtAll(t *testing.T) {
	f := facts()
	good := change(sku("A"), set(f, "sku", "A"), set(f, "title", "x"))
	bad := change(sku("B"), set(f, "sku", "B"))
	var d catalog.Decisions
	catalog.Decide(group(good, bad), shelf{}, f, &d)
	if d.Rows[0].Outcome != catalog.Failed || len(d.Writes) != 0 {
		t.Errorf("outcome %v with %d writes, want failed with none", d.Rows[0].Outcome, len(d.Writes))
	}
}

func TestAGroupsRowsFailApart(t *testing.T) {
	f := facts()
	g := &catalog.Group{Rows: []catalog.Row{{Number: 2}, {Number: 3}, {Number: 4}}, Changes: []catalog.Change{
		change(sku("A"), set(f, "sku", "A")), // no title
		change(sku("B"), set(f, "sku", "B"), set(f, "title", "b")),
		change(sku("C"), set(f, "sku", "C"), set(f, "title", "c")),
	}}
	g.Changes[1].Row, g.Changes[2].Row = 1, 2
	g.Changes[2].Parent = 1
	var d catalog.Decisions
	catalog.Decide(g, shelf{}, f, &d)
	got := []catalog.Outcome{d.Rows[0].Outcome, d.Rows[1].Outcome, d.Rows[2].Outcome}
	want := []catalog.Outcome{catalog.Failed, catalog.Created, catalog.Failed}
	if !slices.Equal(got, want) || len(d.Writes) != 1 || d.Writes[0].After.SKU != "B" {
		t.Errorf("outcomes %v with writes %+v, want %v and B alone", got, d.Writes, want)
	}
	if c := d.Rows[2].Row.Problems[0].Code; c != catalog.CodeDependsOnFailedRow {
		t.Errorf("the dependent row says %q", c)
	}
}

func TestStagedChangesWaitForPublishing(t *testing.T) {
	f := facts()
	staged := func(ops ...catalog.Op) catalog.Change {
		c := change(sku("A"), ops...)
		c.Staged = true
		return c
	}
	_, writes := decide1(group(staged(set(f, "sku", "A"), set(f, "title", "x"))), shelf{}, f)
	if writes[0].After.Live.State != catalog.LiveNothing {
		t.Errorf("new item: live %v, want nothing", writes[0].After.Live)
	}
	old := item("1", "A", `{"sku":"A","stock":1,"title":"old"}`)
	_, writes = decide1(group(staged(set(f, "title", "new"))), shelf{old}, f)
	after := writes[0].After
	if after.Live.State != catalog.LiveOlder || after.Live.Doc != old.Doc {
		t.Fatalf("live %+v, want the old document", after.Live)
	}
	after.Version, after.ImportNo = 4, 1
	_, writes = decide1(group(change(sku("A"), set(f, "stock", "9"))), shelf{&after}, f)
	if got := writes[0].After; got.Doc.Text("title") != "new" || got.Live.Doc.Text("title") != "old" || got.Live.Doc.Text("stock") != "9" {
		t.Errorf("a change that goes live at once: working %s live %+v", got.Doc, got.Live)
	}
	_, writes = decide1(group(staged(set(f, "title", "old"))), shelf{&after}, f)
	if got := writes[0].After; got.Live.State != catalog.LiveSame {
		t.Errorf("back to the published text: live %+v, want the same", got.Live)
	}
}

// genChange draws a change of one or two keys over a few items, fields and values.
func genChange(t *rapid.T, f *catalog.Facts) catalog.Change {
	fields := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"title", "title@de", "brand", "price", "stock", "tags", "attributes.color"}), 0, 5, rapid.ID).Draw(t, "fields")
	var ops []catalog.Op
	for _, name := range fields {
		text := rapid.SampledFrom([]string{"1", "2", "12.50 USD", "3.00 EUR"}).Draw(t, "value")
		switch {
		case name == "tags":
			kind := rapid.SampledFrom([]catalog.OpKind{catalog.OpSet, catalog.OpPrepend, catalog.OpAppend, catalog.OpRemove, catalog.OpUnset}).Draw(t, "op")
			ops = append(ops, op(f, kind, name, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "\"c\\"}), 1, 3).Draw(t, "list")...))
		case rapid.IntRange(0, 4).Draw(t, "unset") == 0:
			ops = append(ops, op(f, catalog.OpUnset, name))
		default:
			if name == "stock" {
				text = "7"
			}
			ops = append(ops, set(f, name, text))
		}
	}
	key := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "sku")
	ops = append(ops, set(f, "sku", key))
	c := change(sku(key), ops...)
	c.Mode = rapid.SampledFrom([]catalog.Mode{catalog.Upsert, catalog.Create, catalog.Update}).Draw(t, "mode")
	return c
}

func genShelf(t *rapid.T) shelf {
	var s shelf
	for i, k := range []string{"A", "B"} {
		if rapid.Bool().Draw(t, "there") {
			doc := rapid.SampledFrom([]string{`{"sku":"%s","title":"t"}`, `{"brand":"x","price":"1.00 EUR","sku":"%s","tags":["a"],"title":"t"}`}).Draw(t, "doc")
			s = append(s, item(fmt.Sprint(i), k, fmt.Sprintf(doc, k)))
		}
	}
	return s
}

func TestDecideIsDeterministicAndItsImagesTakeItBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := facts()
		s := genShelf(t)
		g := group(genChange(t, f))
		r1, w1 := decide1(g, s, facts())
		r2, w2 := decide1(g, s, facts())
		if diff := cmp.Diff(r1, r2) + cmp.Diff(w1, w2); diff != "" {
			t.Fatalf("the same question had two answers:\n%s", diff)
		}
		if (r1.Outcome == catalog.Failed) != catalog.HasErrors(r1.Row.Problems) {
			t.Fatalf("outcome %v with problems %v", r1.Outcome, r1.Row.Problems)
		}
		if wrote := len(w1) > 0; wrote != (r1.Outcome == catalog.Created || r1.Outcome == catalog.Updated) {
			t.Fatalf("outcome %v with %d writes", r1.Outcome, len(w1))
		}
		if r1.Outcome != catalog.Updated {
			return
		}
		after := w1[0].After
		if after.SKU != after.Doc.Text("sku") || after.GTIN != "" && after.GTIN != catalog.GTINKey(after.Doc.Text("ean")) {
			t.Fatalf("key fields %q, %q are not those of %s", after.SKU, after.GTIN, after.Doc)
		}
		if back := w1[0].After.Doc.Revert(w1[0].Changes); back != w1[0].Before.Doc {
			t.Fatalf("taken back: %s, was %s", back, w1[0].Before.Doc)
		}
	})
}

func TestTheSameChangeTwiceIsUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := facts()
		c := genChange(t, f)
		c.Mode = catalog.Upsert
		for _, o := range c.Ops {
			if !o.Kind.Idempotent() {
				return
			}
		}
		s := genShelf(t)
		r, w := decide1(group(c), s, f)
		if r.Outcome == catalog.Failed || len(w) == 0 {
			return
		}
		after := w[0].After
		if r, _ := decide1(group(c), shelf{&after}, f); r.Outcome != catalog.Unchanged {
			t.Fatalf("second time: %v (%s)", r.Outcome, after.Doc)
		}
	})
}

func TestRepeatable(t *testing.T) {
	f := facts()
	base := change(sku("A"), set(f, "title", "x"), set(f, "brand", "y"))
	if !base.Repeatable() {
		t.Error("setting values again asks for something")
	}
	versioned := base
	versioned.AtVersion = 3
	for name, c := range map[string]catalog.Change{
		"append":  change(sku("A"), op(f, catalog.OpAppend, "tags", "a")),
		"create":  mode(catalog.Create, base),
		"delete":  {Kind: catalog.KindProduct, Keys: sku("A"), Delete: true},
		"undo":    {Kind: catalog.KindProduct, Keys: id("1"), Undo: &catalog.Undo{Outcome: catalog.Created}},
		"version": versioned,
	} {
		if c.Repeatable() {
			t.Errorf("%s: may not be told unchanged unread", name)
		}
	}
}
