package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

// undoOf asks for a write of an import to be taken back, as its page has it.
func undoOf(w *catalog.Write) catalog.Change {
	u := &catalog.Undo{ImportNo: 7, Row: w.Row, Outcome: w.Outcome, Changes: w.Changes}
	if w.Outcome != catalog.Deleted {
		u.ImportNo = w.After.ImportNo
	}
	if b := w.Before; b != nil {
		u.Version, u.Hash, u.Live, u.LiveChanged = b.Version, b.Hash, b.Live, b.Live != w.After.Live
		if w.Outcome == catalog.Deleted {
			u.Doc, u.GTINShared, u.CreatedAt, u.CreatedNo = b.Doc, b.GTINShared, b.CreatedAt, b.CreatedNo
		}
	}
	return catalog.Change{Kind: catalog.KindProduct, Keys: id(w.After.ID), Undo: u}
}

func id(v string) []catalog.Key { return []catalog.Key{{Field: catalog.KeyID, Value: v}} }

// undoFacts are those of import 9, which takes back import 7.
func undoFacts() *catalog.Facts {
	f := facts()
	f.ImportNo = 9
	f.Writer = func(no int64) string { return fmt.Sprintf("import imp_%d", no) }
	return f
}

// written is the item as import 7, row 2, left it: the lamp had another price and
// brand, and no stock.
func written() *catalog.Item {
	it := item("1", "A", `{"price":"12.00 EUR","sku":"A","stock":7,"title":"Lamp"}`)
	it.ImportNo, it.Row, it.Hash, it.Version = 7, 2, 70, 4
	return it
}

// writing is what import 7 did to it.
func writing() *catalog.Undo {
	return &catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Updated, Version: 3, Hash: 30, Changes: []catalog.FieldChange{
		{Field: "brand", Old: `"x"`},
		{Field: "price", Old: `"10.00 EUR"`, New: `"12.00 EUR"`},
		{Field: "stock", New: `7`},
	}}
}

func undoChange(u *catalog.Undo) catalog.Change {
	return catalog.Change{Kind: catalog.KindProduct, Keys: id("1"), Undo: u}
}

func TestUndoOfAnUpdate(t *testing.T) {
	const was = `{"brand":"x","price":"10.00 EUR","sku":"A","title":"Lamp"}`
	edited := func(doc string) *catalog.Item {
		it := written()
		it.Doc, it.ImportNo, it.Row, it.Hash, it.Version = catalog.Doc(doc), 8, 12, 80, 5
		return it
	}
	again := edited(`{"price":"15.00 EUR","sku":"A","title":"Lamp"}`)
	again.ImportNo = 7
	tests := []struct {
		name    string
		item    *catalog.Item
		force   bool
		outcome catalog.Outcome
		doc     string // "" for nothing written
		hash    int64
		kept    []catalog.Problem
	}{
		{name: "nobody wrote since", item: written(), outcome: catalog.Updated, doc: was, hash: 30},
		{name: "another property was changed since", item: edited(`{"price":"12.00 EUR","sku":"A","stock":7,"tags":["n"],"title":"Light"}`),
			outcome: catalog.Updated, doc: `{"brand":"x","price":"10.00 EUR","sku":"A","tags":["n"],"title":"Light"}`},
		{name: "one was changed since", item: edited(`{"price":"15.00 EUR","sku":"A","stock":7,"title":"Lamp"}`),
			outcome: catalog.Updated, doc: `{"brand":"x","price":"15.00 EUR","sku":"A","title":"Lamp"}`,
			kept: []catalog.Problem{{Code: catalog.CodeChangedSince, Severity: catalog.Warning, Column: "price", Value: "15.00 EUR",
				Message: `price was set to "12.00 EUR" and is "15.00 EUR" now, so it was kept (last written by import imp_8, row 12); undo again with force to take it back as well.`}}},
		{name: "one was changed since, by force", item: edited(`{"price":"15.00 EUR","sku":"A","stock":7,"title":"Lamp"}`), force: true,
			outcome: catalog.Updated, doc: was},
		{name: "another row of the import changed one", item: again, outcome: catalog.Updated, doc: `{"brand":"x","price":"15.00 EUR","sku":"A","title":"Lamp"}`,
			kept: []catalog.Problem{{Code: catalog.CodeChangedSince, Severity: catalog.Warning, Column: "price", Value: "15.00 EUR",
				Message: `price was set to "12.00 EUR" and is "15.00 EUR" now, so it was kept (last written by import imp_7, row 12); undo again with force to take it back as well.`}}},
		{name: "one is as before already", item: edited(`{"price":"12.00 EUR","sku":"A","title":"Lamp"}`), outcome: catalog.Updated, doc: was},
		{name: "all are as before already", item: edited(was), outcome: catalog.Unchanged},
		{name: "all were changed since", item: edited(`{"brand":"y","sku":"A","stock":8,"title":"Lamp"}`), outcome: catalog.Held,
			kept: []catalog.Problem{
				{Code: catalog.CodeChangedSince, Severity: catalog.Warning, Column: "brand", Value: "y",
					Message: `brand was cleared and is "y" now, so it was kept (last written by import imp_8, row 12); undo again with force to take it back as well.`},
				{Code: catalog.CodeChangedSince, Severity: catalog.Warning, Column: "price",
					Message: `price was set to "12.00 EUR" and is empty now, so it was kept (last written by import imp_8, row 12); undo again with force to take it back as well.`},
				{Code: catalog.CodeChangedSince, Severity: catalog.Warning, Column: "stock", Value: "8",
					Message: `stock was set to 7 and is 8 now, so it was kept (last written by import imp_8, row 12); undo again with force to take it back as well.`}}},
		{name: "the item is gone", outcome: catalog.Held, kept: []catalog.Problem{{Code: catalog.CodeDeletedSince, Severity: catalog.Warning,
			Message: "The product was deleted since, so there is nothing to take back; undo its deletion first if it is wanted."}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := writing()
			u.Force = tt.force
			var s shelf
			if tt.item != nil {
				s = shelf{tt.item}
			}
			r, writes := decide1(group(undoChange(u)), s, undoFacts())
			if r.Outcome != tt.outcome || r.ItemID != "1" {
				t.Errorf("%v of %q, want %v of 1", r.Outcome, r.ItemID, tt.outcome)
			}
			if diff := cmp.Diff(tt.kept, r.Row.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if tt.doc == "" {
				if len(writes) > 0 {
					t.Errorf("unexpected writes %+v", writes)
				}
				return
			}
			if len(writes) != 1 || writes[0].Outcome != catalog.Updated {
				t.Fatalf("writes %+v, want one update", writes)
			}
			w := writes[0]
			if string(w.After.Doc) != tt.doc || tt.item.Doc.Apply(w.Changes) != w.After.Doc {
				t.Errorf("document %s by %v, want %s", w.After.Doc, w.Changes, tt.doc)
			}
			if w.After.Hash != tt.hash || w.After.Version != tt.item.Version+1 || w.After.ImportNo != 9 || w.After.Row != 2 {
				t.Errorf("hash %d version %d by import %d row %d", w.After.Hash, w.After.Version, w.After.ImportNo, w.After.Row)
			}
		})
	}
}

func TestUndoMovesTheKeysAlong(t *testing.T) {
	it := item("1", "B", `{"ean":"4006381333931","sku":"B","slug":"b"}`)
	it.GTIN, it.Slug, it.ImportNo, it.Row = "04006381333931", "b", 7, 2
	u := &catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Updated, Changes: []catalog.FieldChange{
		{Field: "ean", Old: `"96385074"`, New: `"4006381333931"`},
		{Field: "external_ref", Old: `"r"`},
		{Field: "sku", Old: `"A"`, New: `"B"`},
		{Field: "slug", New: `"b"`},
		{Field: "title", New: `"a title that it lacked before"`},
	}}
	it.Doc = it.Doc.Apply([]catalog.FieldChange{u.Changes[4]})
	_, writes := decide1(group(undoChange(u)), shelf{it}, undoFacts())
	if a := writes[0].After; a.SKU != "A" || a.GTIN != "00000096385074" || a.Ref != "r" || a.Slug != "" || a.Doc != `{"ean":"96385074","external_ref":"r","sku":"A"}` {
		t.Fatalf("after the undo: %+v", a)
	}
	var keys []catalog.Key
	c := undoChange(u)
	c.KeysSet(func(k catalog.Key) { keys = append(keys, k) })
	want := []catalog.Key{{Field: catalog.KeyGTIN, Value: "00000096385074"}, {Field: catalog.KeyRef, Value: "r"}, {Field: catalog.KeySKU, Value: "A"}}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys that it sets (-want +got):\n%s", diff)
	}
	r, writes := decide1(group(undoChange(u)), shelf{it, item("2", "A", `{"sku":"A"}`)}, undoFacts())
	if r.Outcome != catalog.Failed || r.Row.Problems[0].Code != catalog.CodeSKUTaken || len(writes) > 0 {
		t.Errorf("a key that another item has by now: %v %v", r.Outcome, r.Row.Problems)
	}
}

func TestUndoOfACreation(t *testing.T) {
	made := func(importNo, row int64) shelf {
		it := written()
		it.ImportNo, it.Row = importNo, row
		return shelf{it}
	}
	for _, tt := range []struct {
		name    string
		items   shelf
		force   bool
		outcome catalog.Outcome
	}{
		{"untouched", made(7, 2), false, catalog.Deleted},
		{"gone already", nil, false, catalog.Unchanged},
		{"written by another import", made(8, 2), false, catalog.Held},
		{"written by another row", made(7, 3), false, catalog.Held},
		{"written by another import, by force", made(8, 2), true, catalog.Deleted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, writes := decide1(group(undoChange(&catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Created, Force: tt.force})), tt.items, undoFacts())
			if r.Outcome != tt.outcome {
				t.Errorf("%v, want %v", r.Outcome, tt.outcome)
			}
			if (tt.outcome == catalog.Deleted) != (len(writes) == 1) {
				t.Errorf("writes %+v", writes)
			}
			if tt.outcome == catalog.Held {
				p := r.Row.Problems[0]
				if p.Code != catalog.CodeChangedSince || p.Severity != catalog.Warning || p.Column != "" || !strings.Contains(p.Message, "import imp_") {
					t.Errorf("problem %+v", p)
				}
			}
		})
	}
}

func TestUndoOfADeletion(t *testing.T) {
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	u := &catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Deleted, Version: 3, Hash: 30, CreatedAt: at, CreatedNo: 4, GTINShared: true,
		Doc: `{"ean":"96385074","sku":"A"}`, Live: catalog.Live{State: catalog.LiveOlder, Doc: `{"sku":"old"}`}}
	other := item("2", "B", `{"ean":"96385074","sku":"B"}`)
	other.GTIN = "00000096385074"
	r, writes := decide1(group(undoChange(u)), shelf{other}, undoFacts())
	if r.Outcome != catalog.Created || r.ItemID != "1" || len(writes) != 1 {
		t.Fatalf("%v of %q with writes %+v", r.Outcome, r.ItemID, writes)
	}
	want := catalog.Item{ID: "1", Kind: catalog.KindProduct, SKU: "A", GTIN: "00000096385074", GTINShared: true, Doc: u.Doc, Live: u.Live,
		Hash: 30, Version: 5, ImportNo: 9, Row: 2, CreatedNo: 4, CreatedAt: at, UpdatedAt: now}
	if diff := cmp.Diff(want, writes[0].After); diff != "" || writes[0].Before != nil {
		t.Errorf("made again (-want +got):\n%s", diff)
	}
	c := undoChange(u)
	var keys []catalog.Key
	c.KeysSet(func(k catalog.Key) { keys = append(keys, k) })
	if !slices.Equal(keys, sku("A")) {
		t.Errorf("it sets %v, want its SKU alone: its number is shared", keys)
	}
	if r, writes := decide1(group(undoChange(u)), shelf{item("2", "A", `{"sku":"A"}`)}, undoFacts()); r.Outcome != catalog.Failed || r.Row.Problems[0].Code != catalog.CodeSKUTaken || len(writes) > 0 {
		t.Errorf("its key is taken: %v %v", r.Outcome, r.Row.Problems)
	}
	if r, writes := decide1(group(undoChange(u)), shelf{written()}, undoFacts()); r.Outcome != catalog.Held || r.Row.Problems[0].Code != catalog.CodeChangedSince || len(writes) > 0 {
		t.Errorf("it is there again: %v %v", r.Outcome, r.Row.Problems)
	}
}

func TestUndoAndWhatTheStorefrontSees(t *testing.T) {
	const before, after, older = `{"sku":"A","title":"old"}`, `{"sku":"A","title":"new"}`, `{"sku":"A","title":"older"}`
	published := func(doc string) catalog.Live {
		return catalog.Live{State: catalog.LiveOlder, Doc: catalog.Doc(doc)}
	}
	for _, tt := range []struct {
		name     string
		was, is  catalog.Live // before the import, and now
		since    bool         // another import wrote since
		want     catalog.Live
		unmoving bool // the import did not change what the storefront saw
	}{
		{name: "the same all along", unmoving: true},
		{name: "a staged import", is: published(before)},
		{name: "a staged import, on staged ones", was: published(older), is: published(older), want: published(older), unmoving: true},
		{name: "a staged import, on staged ones, whose page does not repeat them", is: published(older), want: published(older), unmoving: true},
		{name: "an import that went live, on staged ones", was: published(older), is: published(before), want: published(older)},
		{name: "an import that made both the same", was: published(older), want: published(older)},
		{name: "a staged import, and another since", is: published(before), since: true},
		{name: "an import that made both the same, and another since", was: published(older), since: true},
		{name: "nothing yet", was: catalog.Live{State: catalog.LiveNothing}, is: catalog.Live{State: catalog.LiveNothing}, want: catalog.Live{State: catalog.LiveNothing}, unmoving: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			it := item("1", "A", after)
			it.ImportNo, it.Row, it.Live = 7, 2, tt.is
			if tt.since {
				it.ImportNo = 8
			}
			u := &catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Updated, Live: tt.was, LiveChanged: !tt.unmoving,
				Changes: []catalog.FieldChange{{Field: "title", Old: `"old"`, New: `"new"`}}}
			_, writes := decide1(group(undoChange(u)), shelf{it}, undoFacts())
			if got := writes[0].After; got.Doc != before || got.Live != tt.want {
				t.Errorf("working %s, live %+v, want %+v", got.Doc, got.Live, tt.want)
			}
		})
	}
	t.Run("nothing but what it saw", func(t *testing.T) {
		it := item("1", "A", before)
		it.ImportNo, it.Row = 7, 2
		u := &catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Updated, Live: published(older), LiveChanged: true, Hash: 3}
		r, writes := decide1(group(undoChange(u)), shelf{it}, undoFacts())
		if r.Outcome != catalog.Updated || writes[0].After.Live != u.Live || writes[0].After.Hash != 3 {
			t.Errorf("%v, %+v", r.Outcome, writes)
		}
	})
}

func TestUndoOfSeveralWritesInOneRow(t *testing.T) {
	kept := written()
	kept.ImportNo = 8
	fresh := item("2", "B", `{"sku":"B","title":"b"}`)
	fresh.ImportNo, fresh.Row = 7, 2
	created := func(id string) catalog.Change {
		c := undoChange(&catalog.Undo{ImportNo: 7, Row: 2, Outcome: catalog.Created})
		c.Keys = []catalog.Key{{Field: catalog.KeyID, Value: id}}
		return c
	}
	for _, tt := range []struct {
		name    string
		changes []catalog.Change
		outcome catalog.Outcome
		writes  int
	}{
		{"kept and taken back", []catalog.Change{created("1"), created("2")}, catalog.Deleted, 1},
		{"taken back and kept", []catalog.Change{created("2"), created("1")}, catalog.Deleted, 1},
		{"kept and gone", []catalog.Change{created("1"), created("3")}, catalog.Held, 0},
		{"gone and kept", []catalog.Change{created("3"), created("1")}, catalog.Held, 0},
		{"gone", []catalog.Change{created("3"), created("4")}, catalog.Unchanged, 0},
	} {
		r, writes := decide1(group(tt.changes...), shelf{kept, fresh}, undoFacts())
		if r.Outcome != tt.outcome || len(writes) != tt.writes {
			t.Errorf("%s: %v with %d writes, want %v with %d", tt.name, r.Outcome, len(writes), tt.outcome, tt.writes)
		}
	}
}

// catalogue keeps items as a store does, so that imports can follow each other.
type catalogue struct {
	shelf
	f *catalog.Facts
	n int64
}

// run decides the changes row by row as import no, one group each, and stores
// what they write. It returns the writes and the rows.
func (s *catalogue) run(no int64, changes []catalog.Change) ([]catalog.Write, []catalog.RowDecision) {
	s.f.ImportNo = no
	var d catalog.Decisions
	for i, c := range changes {
		first := len(d.Writes)
		catalog.Decide(&catalog.Group{Rows: []catalog.Row{{Number: int64(i + 2)}}, Changes: []catalog.Change{c}}, s, s.f, &d)
		for _, w := range d.Writes[first:] {
			s.shelf = slices.DeleteFunc(slices.Clone(s.shelf), func(it *catalog.Item) bool { return it.ID == w.After.ID })
			if w.Outcome != catalog.Deleted {
				after := w.After
				s.shelf = append(s.shelf, &after)
			}
		}
	}
	return d.Writes, d.Rows
}

// undo takes an import's writes back, the last one first.
func (s *catalogue) undo(no, of int64, writes []catalog.Write) ([]catalog.Write, []catalog.RowDecision) {
	var changes []catalog.Change
	for i := len(writes) - 1; i >= 0; i-- {
		c := undoOf(&writes[i])
		c.Undo.ImportNo = of
		changes = append(changes, c)
	}
	return s.run(no, changes)
}

// state is what is compared of the items: their documents, keys and what the
// storefront sees, by id.
func (s *catalogue) state() map[string]catalog.Item {
	m := make(map[string]catalog.Item)
	for _, it := range s.shelf {
		m[it.ID] = catalog.Item{ID: it.ID, SKU: it.SKU, Slug: it.Slug, Ref: it.Ref, GTIN: it.GTIN, GTINShared: it.GTINShared,
			Doc: it.Doc, Live: it.Live, CreatedAt: it.CreatedAt, CreatedNo: it.CreatedNo}
	}
	return m
}

// genCatalogue draws some items, by an import of them.
func genCatalogue(t *rapid.T) *catalogue {
	s := &catalogue{f: facts()}
	var changes []catalog.Change
	for i := range rapid.IntRange(0, 4).Draw(t, "items") {
		c := change([]catalog.Key{{Field: catalog.KeyID, Value: fmt.Sprint(i)}}, append(genOps(t, s.f), set(s.f, "title", "t"))...)
		c.Hash = int64(100 + i)
		changes = append(changes, c)
	}
	s.run(1, changes)
	return s
}

var undoFields = []string{"brand", "ean", "external_ref", "images", "price", "sku", "slug", "stock", "tags", "title@fr"}

func genOps(t *rapid.T, f *catalog.Facts) []catalog.Op {
	var ops []catalog.Op
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(undoFields), 0, 6, rapid.ID).Draw(t, "fields") {
		switch {
		case rapid.IntRange(0, 4).Draw(t, "unset") == 0:
			ops = append(ops, op(f, catalog.OpUnset, name))
		case name == "tags" || name == "images":
			kind := rapid.SampledFrom([]catalog.OpKind{catalog.OpSet, catalog.OpAppend, catalog.OpRemove}).Draw(t, "op")
			ops = append(ops, op(f, kind, name, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "\"c\\"}), 1, 2).Draw(t, "list")...))
		case name == "ean":
			ops = append(ops, set(f, name, rapid.SampledFrom([]string{"96385074", "4006381333931", "061500127178"}).Draw(t, "ean")))
		case name == "price":
			ops = append(ops, set(f, name, rapid.SampledFrom([]string{"1", "2.50 USD", "3"}).Draw(t, "price")))
		default:
			ops = append(ops, set(f, name, rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value")))
		}
	}
	return ops
}

// genImport draws an import of up to six rows, at most one for each item.
func genImport(t *rapid.T, s *catalogue) []catalog.Change {
	var changes []catalog.Change
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"0", "1", "2", "3", "4", "5"}), 0, 6, rapid.ID).Draw(t, "rows") {
		s.n++
		c := change(id(key), genOps(t, s.f)...)
		c.Hash = 1000 + s.n
		c.Staged = rapid.IntRange(0, 3).Draw(t, "staged") == 0
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			c.Ops, c.Delete, c.Hash = nil, true, 0
		case 1, 2:
			c.Ops = slices.DeleteFunc(c.Ops, func(o catalog.Op) bool { return o.Field.Name == "title" })
			c.Ops = append(c.Ops, set(s.f, "title", "new"))
			slices.SortFunc(c.Ops, func(a, b catalog.Op) int { return strings.Compare(a.Field.Name, b.Field.Name) })
		}
		changes = append(changes, c)
	}
	return changes
}

// An import that is taken back leaves every item as it was, and the undo taken
// back leaves it as the import did; again and again.
func TestUndoIsTheWayBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genCatalogue(t)
		before := s.state()
		hashes := s.hashes()
		writes, _ := s.run(7, genImport(t, s))
		after := s.state()
		back, rows := s.undo(9, 7, writes)
		checkAllTakenBack(t, rows)
		if diff := cmp.Diff(before, s.state()); diff != "" {
			t.Fatalf("taken back (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(hashes, s.hashes()); diff != "" {
			t.Fatalf("hashes (-want +got):\n%s", diff)
		}
		again, rows := s.undo(10, 9, back)
		checkAllTakenBack(t, rows)
		// What the import had created is created again by it.
		if diff := cmp.Diff(after, s.state()); diff != "" {
			t.Fatalf("the undo taken back (-want +got):\n%s", diff)
		}
		s.undo(11, 10, again)
		if diff := cmp.Diff(before, s.state()); diff != "" {
			t.Fatalf("taken back once more (-want +got):\n%s", diff)
		}
	})
}

func (s *catalogue) hashes() map[string]int64 {
	m := make(map[string]int64)
	for _, it := range s.shelf {
		m[it.ID] = it.Hash
	}
	return m
}

func checkAllTakenBack(t *rapid.T, rows []catalog.RowDecision) {
	for _, r := range rows {
		if r.Outcome == catalog.Held || r.Outcome == catalog.Failed || len(r.Row.Problems) > 0 {
			t.Fatalf("row %d: %v with %v", r.Row.Number, r.Outcome, r.Row.Problems)
		}
	}
}

// With others' edits in between, each property is as it was before the import or
// as the edits left it, the latter only where they touched it, and each one kept
// has its problem. Whatever was not touched is taken back.
func TestUndoKeepsWhatOthersChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genCatalogue(t)
		before := s.state()
		writes, _ := s.run(7, genImport(t, s))
		s.run(8, genImport(t, s))
		edited := s.state()
		left, force := s.shelf, rapid.Bool().Draw(t, "force")
		for i := len(writes) - 1; i >= 0; i-- {
			w := &writes[i]
			c := undoOf(w)
			c.Undo.ImportNo, c.Undo.Force = 7, force
			// Each write is taken back by itself: from the edits on.
			s.shelf = left
			_, rows := s.run(9, []catalog.Change{c})
			if it := left.Match(w.After.Kind, c.Keys[0]); w.Outcome == catalog.Created && len(it) == 1 && it[0].ImportNo == 7 && rows[0].Outcome != catalog.Deleted {
				t.Fatalf("nobody wrote the new item since, and it is %v", rows[0].Outcome)
			}
			checkUndone(t, w, before, edited, s.state(), &rows[0], force)
		}
	})
}

func checkUndone(t *rapid.T, w *catalog.Write, before, edited, now map[string]catalog.Item, r *catalog.RowDecision, force bool) {
	is, there := now[w.After.ID]
	was, wasThere := before[w.After.ID]
	left, leftThere := edited[w.After.ID]
	if there {
		checkKeys(t, is)
	}
	if r.Outcome == catalog.Failed {
		switch r.Row.Problems[len(r.Row.Problems)-1].Code {
		case catalog.CodeSKUTaken, catalog.CodeGTINTaken, catalog.CodeKeyTaken:
		default:
			t.Fatalf("failed by %v", r.Row.Problems)
		}
		if is != left {
			t.Fatalf("a failed undo left %v, found %v", is, left)
		}
		return
	}
	if w.Outcome != catalog.Updated || !leftThere {
		untouched := is == was && there == wasThere
		kept := is == left && there == leftThere
		if !untouched && !(kept && (r.Outcome == catalog.Held || r.Outcome == catalog.Unchanged)) {
			t.Fatalf("%v taken back, %v: %v; before %v, edited %v", w.Outcome, r.Outcome, is, was, left)
		}
		return
	}
	kept := map[string]bool{}
	for _, p := range r.Row.Problems {
		if p.Code != catalog.CodeChangedSince || p.Severity != catalog.Warning || p.Value != catalog.Unquote(left.Doc.Token(p.Column)) {
			t.Fatalf("problem %+v of %s", p, left.Doc)
		}
		kept[p.Column] = true
	}
	imported := map[string]bool{}
	for _, ch := range w.Changes {
		imported[ch.Field] = true
		want := ch.Old
		if kept[ch.Field] {
			want = left.Doc.Token(ch.Field)
		}
		touched := left.Doc.Token(ch.Field) != ch.New && left.Doc.Token(ch.Field) != ch.Old
		if is.Doc.Token(ch.Field) != want || kept[ch.Field] != (touched && !force) {
			t.Fatalf("%s is %s: before %s, imported %s, edited %s, problems %v", ch.Field, is.Doc.Token(ch.Field), ch.Old, ch.New, left.Doc.Token(ch.Field), r.Row.Problems)
		}
	}
	left.Doc.Each(func(name, token string) bool {
		if !imported[name] && is.Doc.Token(name) != token {
			t.Fatalf("%s became %s, the import did not touch it", name, is.Doc.Token(name))
		}
		return true
	})
}

func checkKeys(t *rapid.T, it catalog.Item) {
	if it.SKU != it.Doc.Text("sku") || it.Slug != it.Doc.Text("slug") || it.Ref != it.Doc.Text("external_ref") || it.GTIN != catalog.GTINKey(it.Doc.Text("ean")) && it.Doc.Token("ean") != "" {
		t.Fatalf("the keys %q %q %q %q are not those of %s", it.SKU, it.Slug, it.Ref, it.GTIN, it.Doc)
	}
}
