package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

// plan decides the group and returns what its plan shows of each row.
func plan(g *catalog.Group, w catalog.World, f *catalog.Facts) []catalog.Planned {
	var d catalog.Decisions
	catalog.Decide(g, w, f, &d)
	planned := make([]catalog.Planned, len(d.Rows))
	for i, r := range d.Rows {
		planned[i].Outcome = r.Outcome
		if r.Outcome == catalog.Failed {
			planned[i].Problems = r.Row.Problems
		}
		for _, w := range d.Writes {
			if w.Row != r.Row.Number {
				continue
			}
			p := catalog.PlannedWrite{ItemID: w.After.ID, Outcome: w.Outcome, Changes: w.Changes}
			if w.Before != nil {
				p.Version = w.Before.Version
			} else {
				p.ItemID = ""
			}
			planned[i].Writes = append(planned[i].Writes, p)
		}
	}
	return planned
}

// moved is an item as it stood when the plan was made, changed by others since.
func moved(doc string) *catalog.Item {
	it := item("1", "A", doc)
	it.Version, it.ImportNo = 9, 8
	return it
}

func TestARowThatMovedSinceThePlanIsHeld(t *testing.T) {
	f := facts()
	lamp := `{"brand":"x","price":"10.00 EUR","sku":"A","title":"Lamp"}`
	there := shelf{item("1", "A", lamp)}
	cheaper := change(sku("A"), set(f, "price", "8"), set(f, "title", "Lamp"))
	remove := catalog.Change{Kind: catalog.KindProduct, Keys: sku("A"), Delete: true}
	create := change(sku("A"), set(f, "sku", "A"), set(f, "title", "x"))
	reverted := undoChange(&catalog.Undo{ImportNo: 1, Row: 5, Outcome: catalog.Updated,
		Changes: []catalog.FieldChange{{Field: "brand", Old: `"w"`, New: `"x"`}, {Field: "price", Old: `"9.00 EUR"`, New: `"10.00 EUR"`}}})
	const advice = "; look at the new values and retry the row, or leave it."
	tests := []struct {
		name      string
		change    catalog.Change
		then, now shelf
		outcome   catalog.Outcome
		held      int // writes shown
		column    string
		value     string
		message   string
	}{
		{name: "nothing moved", change: cheaper, then: there, now: there, outcome: catalog.Updated},
		{name: "what the row does not touch moved", change: cheaper, then: there, outcome: catalog.Updated,
			now: shelf{moved(`{"brand":"y","price":"10.00 EUR","sku":"A","stock":3,"title":"Lamp"}`)}},
		{name: "a value moved", change: cheaper, then: there, outcome: catalog.Held, held: 1, column: "price", value: "12.00 EUR",
			now:     shelf{moved(`{"brand":"x","price":"12.00 EUR","sku":"A","title":"Lamp"}`)},
			message: `price was "10.00 EUR" in the plan and is "12.00 EUR" now`},
		{name: "a value is gone", change: cheaper, then: there, outcome: catalog.Held, held: 1, column: "price",
			now:     shelf{moved(`{"sku":"A","title":"Lamp"}`)},
			message: `price was "10.00 EUR" in the plan and is empty now`},
		{name: "a value is what it is to become", change: cheaper, then: there, outcome: catalog.Held, column: "price", value: "8.00 EUR",
			now:     shelf{moved(`{"price":"8.00 EUR","sku":"A","title":"Lamp"}`)},
			message: `price was "10.00 EUR" in the plan and is "8.00 EUR" now`},
		{name: "a further value would change", change: cheaper, then: there, outcome: catalog.Held, held: 1, column: "title", value: "Light",
			now:     shelf{moved(`{"price":"10.00 EUR","sku":"A","title":"Light"}`)},
			message: `title is "Light" and would become "Lamp" now, and the plan showed it unchanged`},
		{name: "the row was unchanged", change: change(sku("A"), set(f, "title", "Lamp")), then: there, outcome: catalog.Held, held: 1, column: "title", value: "Light",
			now:     shelf{moved(`{"sku":"A","title":"Light"}`)},
			message: `title is "Light" and would become "Lamp" now, and the plan showed it unchanged`},
		{name: "the row would still become unchanged", change: change(sku("A"), set(f, "title", "Lamp")), then: there, outcome: catalog.Unchanged,
			now: shelf{moved(`{"sku":"A","title":"Lamp"}`)}},
		{name: "the item exists now", change: create, outcome: catalog.Held, held: 1, now: there,
			message: "The product exists now (SKU A), and the plan would have created it"},
		{name: "the item exists now, as it was to be", change: create, outcome: catalog.Held, now: shelf{moved(`{"sku":"A","title":"x"}`)},
			message: "The product exists now (SKU A), and the plan would have created it"},
		{name: "the item is gone", change: create, then: there, outcome: catalog.Held, held: 1,
			message: "The item that the plan showed is gone (1)"},
		{name: "the item was unchanged and is gone", change: create, then: shelf{moved(`{"sku":"A","title":"x"}`)}, outcome: catalog.Held, held: 1,
			message: "The plan showed the row as unchanged, and it would be created now"},
		{name: "the key is another item's", change: cheaper, then: there, outcome: catalog.Held, held: 1, now: shelf{item("2", "A", lamp)},
			message: "The row reaches another item now (2) than in the plan (1)"},
		{name: "a new item is as planned", change: create, outcome: catalog.Created},
		{name: "a deletion is as planned", change: remove, then: there, now: there, outcome: catalog.Deleted},
		{name: "an item to be deleted moved", change: remove, then: there, now: shelf{moved(lamp)}, outcome: catalog.Held, held: 1,
			message: "The product to be deleted has changed since the plan (version 9 now, 3 then)"},
		{name: "an item to be deleted is gone", change: remove, then: there, outcome: catalog.Failed},
		{name: "an undo as planned", change: reverted, then: there, now: there, outcome: catalog.Updated},
		{name: "an undo keeps what it kept in the plan", change: reverted, outcome: catalog.Updated,
			then: shelf{moved(`{"brand":"z","price":"10.00 EUR"}`)}, now: shelf{moved(`{"brand":"z","price":"10.00 EUR"}`)}},
		{name: "an undo would keep more", change: reverted, then: there, outcome: catalog.Held, held: 1, column: "price", value: "11.00 EUR",
			now:     shelf{moved(`{"brand":"x","price":"11.00 EUR"}`)},
			message: `price was "10.00 EUR" in the plan and is "11.00 EUR" now`},
		{name: "an undo would keep all", change: reverted, then: there, outcome: catalog.Held, column: "brand", value: "z",
			now:     shelf{moved(`{"brand":"z"}`)},
			message: `brand was "x" in the plan and is "z" now`},
		{name: "an undo had nothing to take back and would keep all", change: reverted, then: shelf{moved(`{"brand":"w","price":"9.00 EUR"}`)}, outcome: catalog.Held,
			now:     shelf{moved(`{"brand":"z","price":"9.00 EUR"}`)},
			message: "The plan showed the row as unchanged, and it would be held now"},
		{name: "an undo kept all and keeps it", change: reverted, then: shelf{moved(`{"brand":"z"}`)}, now: shelf{moved(`{"brand":"z"}`)}, outcome: catalog.Held},
		{name: "an undo kept all and would take it back", change: reverted, then: shelf{moved(`{"brand":"z"}`)}, outcome: catalog.Held, held: 1,
			column: "brand", value: "x", now: there,
			message: `brand is "x" and would become "w" now, and the plan showed it unchanged`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := group(tt.change)
			g.Planned = plan(group(tt.change), tt.then, facts())
			var d catalog.Decisions
			catalog.Decide(g, tt.now, facts(), &d)
			r := d.Rows[0]
			if r.Outcome != tt.outcome || len(d.Held) != tt.held {
				t.Fatalf("%v with %d writes held, want %v with %d (problems %v)", r.Outcome, len(d.Held), tt.outcome, tt.held, r.Row.Problems)
			}
			if wrote := r.Outcome != catalog.Held && r.Outcome != catalog.Failed && r.Outcome != catalog.Unchanged; wrote != (len(d.Writes) == 1) {
				t.Errorf("%v with writes %+v", r.Outcome, d.Writes)
			}
			var got catalog.Problem
			for _, p := range r.Row.Problems {
				if p.Code == catalog.CodeMovedSincePlan {
					got = p
				}
			}
			want := catalog.Problem{}
			if tt.message != "" {
				want = catalog.Problem{Code: catalog.CodeMovedSincePlan, Severity: catalog.Warning, Column: tt.column, Value: tt.value, Message: tt.message + advice}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
			if r.Outcome == catalog.Held && r.ItemID == "" {
				t.Error("the row does not say which item it is about")
			}
		})
	}
}

func TestARowThatFailedInThePlanFailsAgain(t *testing.T) {
	f := facts()
	g := group(mode(catalog.Update, change(sku("A"), set(f, "title", "x"))))
	g.Planned = plan(g, shelf{}, f)
	r, writes := decide1(g, shelf{item("1", "A", `{"sku":"A","title":"y"}`)}, f)
	if r.Outcome != catalog.Failed || len(writes) > 0 {
		t.Fatalf("%v with %d writes, want failed with none", r.Outcome, len(writes))
	}
	if diff := cmp.Diff(g.Planned[0].Problems, r.Row.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	fails := group(change(sku("A"), set(f, "title", "x")))
	fails.Planned = []catalog.Planned{{Outcome: catalog.Created, Writes: []catalog.PlannedWrite{{Outcome: catalog.Created}}}}
	if r, _ := decide1(fails, shelf{item("1", "A", "{}"), item("2", "A", "{}")}, f); r.Outcome != catalog.Failed || r.Row.Problems[0].Code != catalog.CodeAmbiguousMatch {
		t.Errorf("a row that fails now and did not in the plan: %v %v", r.Outcome, r.Row.Problems)
	}
}

func TestRowsOfAGroupAreHeldApart(t *testing.T) {
	f := facts()
	row := func(n int, key string, parent int) catalog.Change {
		c := change(sku(key), set(f, "price", "5"), set(f, "sku", key), set(f, "title", key))
		c.Row, c.Parent = n, parent
		return c
	}
	// B belongs to A and C to B; D stands alone, and so does the second item of D's row.
	g := &catalog.Group{
		Rows:    []catalog.Row{{Number: 2}, {Number: 3}, {Number: 4}, {Number: 5}},
		Changes: []catalog.Change{row(0, "A", 0), row(1, "B", 1), row(2, "C", 2), row(3, "D", 0), row(3, "E", 0)},
	}
	then := shelf{item("a", "A", `{"sku":"A","title":"A"}`)}
	g.Planned = plan(g, then, f)
	if n := len(g.Planned[3].Writes); n != 2 {
		t.Fatalf("the plan shows %d writes of the last row", n)
	}
	var d catalog.Decisions
	catalog.Decide(g, shelf{item("a", "A", `{"price":"9.00 EUR","sku":"A","title":"A"}`)}, f, &d)
	var got []catalog.Outcome
	for _, r := range d.Rows {
		got = append(got, r.Outcome)
	}
	want := []catalog.Outcome{catalog.Held, catalog.Held, catalog.Held, catalog.Created}
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	if diff := cmp.Diff([]string{"A", "B", "C"}, skus(d.Held)); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"D", "E"}, skus(d.Writes)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	for _, r := range d.Rows[:3] {
		if len(r.Row.Problems) != 1 || r.Row.Problems[0].Code != catalog.CodeMovedSincePlan {
			t.Errorf("row %d: %v", r.Row.Number, r.Row.Problems)
		}
	}
	// The plan may show a row's writes in another order.
	slices.Reverse(g.Planned[3].Writes)
	d.Reset()
	catalog.Decide(g, then, f, &d)
	if len(d.Held) > 0 || len(d.Writes) != 5 {
		t.Errorf("nothing moved: %d writes, %d held", len(d.Writes), len(d.Held))
	}
}

// A row is held because of another one that stands before it among the changes.
func TestDependantsAreHeldWhateverTheirOrder(t *testing.T) {
	f := facts()
	by := func(n int, key string, parent int) catalog.Change {
		c := change(sku(key), set(f, "price", "5"), set(f, "sku", key), set(f, "title", key))
		c.Row, c.Parent = n, parent
		return c
	}
	g := &catalog.Group{Rows: []catalog.Row{{Number: 2}, {Number: 3}, {Number: 4}},
		Changes: []catalog.Change{by(1, "B", 0), by(2, "C", 1), by(0, "A", 0), by(1, "D", 3)}}
	g.Planned = plan(g, shelf{}, f)
	var d catalog.Decisions
	catalog.Decide(g, shelf{item("a", "A", `{"sku":"A","title":"A"}`)}, f, &d)
	if len(d.Writes) > 0 || len(d.Held) != 4 {
		t.Errorf("%d writes, %d held, want all held", len(d.Writes), len(d.Held))
	}
}

func TestARowOfSeveralItemsNamesTheOneThatMoved(t *testing.T) {
	f := facts()
	dear := func(key string) catalog.Change { return change(sku(key), set(f, "price", "5")) }
	at := func(id, key, price string) *catalog.Item {
		return item(id, key, `{"price":"`+price+` EUR","sku":"`+key+`","title":"x"}`)
	}
	then := shelf{at("1", "A", "1.00"), at("2", "B", "2.00")}
	for _, tt := range []struct{ name, one, two, want string }{
		{"the second", "1.00", "3.00", `price was "2.00 EUR" in the plan and is "3.00 EUR" now`},
		{"the first is as it was to be, the second moved", "5.00", "3.00", `price was "1.00 EUR" in the plan and is "5.00 EUR" now`},
		{"the second is as it was to be", "1.00", "5.00", `price was "2.00 EUR" in the plan and is "5.00 EUR" now`},
	} {
		g := group(dear("A"), dear("B"))
		g.Planned = plan(g, then, f)
		r, writes := decide1(g, shelf{at("1", "A", tt.one), at("2", "B", tt.two)}, f)
		if r.Outcome != catalog.Held || len(writes) > 0 || !strings.HasPrefix(r.Row.Problems[0].Message, tt.want) {
			t.Errorf("%s: %v %v", tt.name, r.Outcome, r.Row.Problems)
		}
	}
	// The workspace has another currency by now, and the plan shows the items the
	// other way round.
	bare := shelf{item("1", "A", `{"sku":"A","title":"x"}`), item("2", "B", `{"sku":"B","title":"x"}`)}
	g := group(dear("A"), dear("B"))
	g.Planned = plan(g, bare, f)
	slices.Reverse(g.Planned[0].Writes)
	f.Currency = "USD"
	r, _ := decide1(g, bare, f)
	if want := `price would have become "5.00 EUR" by the plan and would become "5.00 USD" now`; r.Outcome != catalog.Held || !strings.HasPrefix(r.Row.Problems[0].Message, want) {
		t.Errorf("%v %v", r.Outcome, r.Row.Problems)
	}
}

func skus(ws []catalog.Write) []string {
	var out []string
	for _, w := range ws {
		out = append(out, w.After.SKU)
	}
	return out
}

// A group decided with its own plan on the world of that plan is decided as
// without; on another world, a row is either as the plan showed, or held or
// failed and writes nothing.
func TestAPlanIsAppliedAsShownOrNotAtAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genCatalogue(t)
		writes, _ := s.run(2, genImport(t, s))
		changes := genImport(t, s)
		for i := range writes {
			if rapid.Bool().Draw(t, "undo") {
				changes = append(changes, undoOf(&writes[i]))
			}
		}
		for i := range changes {
			g := &catalog.Group{Rows: []catalog.Row{{Number: 2}}, Changes: changes[i : i+1]}
			then := s.shelf
			plain, bare := decide1(g, then, facts())
			planned := plan(g, then, facts())
			g.Planned = planned
			r, writes := decide1(g, then, facts())
			if diff := cmp.Diff(plain, r) + cmp.Diff(bare, writes); diff != "" {
				t.Fatalf("nothing moved (-without plan +with):\n%s", diff)
			}
			s.run(8, genImport(t, s))
			r, writes = decide1(g, s.shelf, facts())
			g.Planned = nil
			if again := plan(g, s.shelf, facts()); r.Outcome != catalog.Held && r.Outcome != catalog.Failed && !sameShown(again[0], planned[0]) {
				t.Fatalf("planned %+v, done %+v", planned[0], again[0])
			}
			if (r.Outcome == catalog.Held || r.Outcome == catalog.Failed) && len(writes) > 0 {
				t.Fatalf("%v with writes %+v", r.Outcome, writes)
			}
			if planned[0].Outcome == catalog.Failed && r.Outcome != catalog.Failed {
				t.Fatalf("it failed in the plan and is %v", r.Outcome)
			}
			s.shelf = then
		}
	})
}

func sameShown(a, b catalog.Planned) bool {
	for _, p := range []*catalog.Planned{&a, &b} {
		p.Writes = slices.Clone(p.Writes)
		for i := range p.Writes {
			if p.Writes[i].Outcome != catalog.Deleted {
				p.Writes[i].Version = 0
			}
		}
	}
	return cmp.Equal(a, b)
}

func TestAtVersion(t *testing.T) {
	f := facts()
	c := mode(catalog.Update, change(sku("A"), set(f, "title", "x")))
	c.AtVersion = 3
	items := shelf{item("1", "A", `{"sku":"A","title":"y"}`)}
	if r, writes := decide1(group(c), items, f); r.Outcome != catalog.Updated || len(writes) != 1 {
		t.Errorf("the version asked for: %v %v", r.Outcome, r.Row.Problems)
	}
	for _, gone := range []bool{false, true} {
		c.AtVersion, c.Delete = 2, gone
		r, writes := decide1(group(c), items, f)
		want := []catalog.Problem{{Code: catalog.CodeVersionConflict, Severity: catalog.Error,
			Message: "The product has changed since it was read (version 3 now, 2 then); read it again."}}
		if diff := cmp.Diff(want, r.Row.Problems); diff != "" || r.Outcome != catalog.Failed || len(writes) > 0 {
			t.Errorf("another version: %v (-want +got):\n%s", r.Outcome, diff)
		}
	}
}

func TestANewItemNotesWhoCreatedIt(t *testing.T) {
	f := facts()
	_, writes := decide1(group(change(sku("A"), set(f, "sku", "A"), set(f, "title", "x"))), shelf{}, f)
	if writes[0].After.CreatedNo != 7 {
		t.Errorf("created by %d", writes[0].After.CreatedNo)
	}
	after := writes[0].After
	f.ImportNo = 8
	_, writes = decide1(group(change(sku("A"), set(f, "title", "y"))), shelf{&after}, f)
	if writes[0].After.CreatedNo != 7 {
		t.Errorf("once written again, created by %d", writes[0].After.CreatedNo)
	}
}

func TestKeysSetByOperations(t *testing.T) {
	f := facts()
	c := change(sku("A"), set(f, "ean", "96385074"), set(f, "sku", "A"), set(f, "title", "x"), op(f, catalog.OpUnset, "slug"))
	keys := func() (out []catalog.Key) {
		c.KeysSet(func(k catalog.Key) { out = append(out, k) })
		return out
	}
	if got, want := keys(), []catalog.Key{{Field: catalog.KeyGTIN, Value: "00000096385074"}, {Field: catalog.KeySKU, Value: "A"}}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	c.GTINShared = true
	if got := keys(); !slices.Equal(got, sku("A")) {
		t.Errorf("with shared numbers: %v", got)
	}
}
