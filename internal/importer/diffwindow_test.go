package importer

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
)

// pageBook is pages in memory that know how often they were loaded.
type pageBook struct {
	pages []ledger.Page
	loads int
}

func (b *pageBook) add(pass ledger.Pass, batch, seq int, entries []ledger.Entry, images []ledger.Image) {
	p := ledger.Page{ImportNo: 1, Pass: pass, Batch: batch, Seq: seq}
	ledger.NewEncoder().Encode(&p, entries, images)
	p.ImportNo, p.Pass, p.Batch, p.Seq = 1, pass, batch, seq
	b.pages = append(b.pages, p)
}

func (b *pageBook) headers() []ledger.Page {
	var out []ledger.Page
	for _, p := range b.pages {
		p.Outcomes, p.Images = nil, nil
		out = append(out, p)
	}
	return ledger.NewBook(out, nil).Pages()
}

func (b *pageBook) load(h ledger.Page, images bool) (ledger.Page, error) {
	b.loads++
	for _, p := range b.pages {
		if p.Pass == h.Pass && p.Batch == h.Batch && p.Seq == h.Seq {
			return p, nil
		}
	}
	return h, fmt.Errorf("no such page")
}

// randomRow is a row and what it writes.
func randomRow(r *rand.Rand, row int64) (ledger.Entry, []ledger.Image) {
	e := ledger.Entry{Row: row, Outcome: catalog.Outcome(1 + r.IntN(7)), ItemID: fmt.Sprintf("id-%d", row)}
	im := ledger.Image{Row: row, Kind: catalog.KindProduct, ItemID: e.ItemID, Outcome: e.Outcome}
	prior := func() { im.Version, im.ImportNo, im.LastRow = 3, 1, row }
	change := func(old, new string) catalog.FieldChange {
		return catalog.FieldChange{Field: []string{"price", "stock", "title"}[r.IntN(3)], Old: old, New: new}
	}
	switch e.Outcome {
	case catalog.Created:
		return e, []ledger.Image{im}
	case catalog.Deleted:
		prior()
		im.Doc = `{"sku":"S","title":"gone"}`
		return e, []ledger.Image{im}
	case catalog.Updated, catalog.Held:
		if e.Outcome == catalog.Held && r.IntN(2) == 0 {
			return e, nil // kept, and nothing to do
		}
		prior()
		im.Changes = []catalog.FieldChange{[]catalog.FieldChange{change("10", "15"), change("10", "11"), change("", "7"), change(`"x"`, "")}[r.IntN(4)]}
		return e, []ledger.Image{im}
	}
	return e, nil
}

func randomPages(r *rand.Rand) *pageBook {
	b := &pageBook{}
	row := int64(2)
	for batch := 1; batch <= 3; batch++ {
		var failed []int64
		for seq := range 1 + r.IntN(3) {
			var entries []ledger.Entry
			var images []ledger.Image
			for range r.IntN(8) {
				e, ims := randomRow(r, row)
				if e.Outcome == catalog.Failed {
					failed = append(failed, row)
				}
				entries, images = append(entries, e), append(images, ims...)
				row++
			}
			b.add(ledger.PassApply, batch, seq, entries, images)
		}
		if len(failed) == 0 || r.IntN(2) == 0 {
			continue
		}
		var entries []ledger.Entry
		var images []ledger.Image
		for _, n := range failed {
			e, ims := randomRow(r, n)
			e.Was = &ledger.Was{Outcome: catalog.Failed}
			entries, images = append(entries, e), append(images, ims...)
		}
		b.add(ledger.ApplyOf(1), batch, 0, entries, images)
	}
	return b
}

var someFilters = []ChangeFilter{
	{}, {Outcome: catalog.Created}, {Outcome: catalog.Updated}, {Outcome: catalog.Deleted}, {Outcome: catalog.Held}, {Outcome: catalog.Failed},
	{Property: "price"}, {Property: "price", Outcome: catalog.Updated}, {Property: "price", Outcome: catalog.Created},
	{Property: "stock", Cleared: true}, {Cleared: true}, {MinPercent: 20}, {MaxPercent: 20}, {Property: "price", MinPercent: 5, MaxPercent: 20},
	{Cleared: true, MinPercent: 1},
}

// wants says in other words what a filter selects.
func wants(f *ChangeFilter, c *imageChange) bool {
	if f.Outcome != 0 && f.Outcome != c.Outcome {
		return false
	}
	if f.Property == "" && !f.Cleared && f.MinPercent == 0 && f.MaxPercent == 0 {
		return true
	}
	if c.whole {
		return false
	}
	ok := false
	for _, fc := range c.Fields {
		percent := map[string]float64{"15": 50, "11": 10}[fc.New]
		moved := f.MinPercent == 0 && f.MaxPercent == 0 ||
			percent > 0 && percent >= f.MinPercent && (f.MaxPercent == 0 || percent <= f.MaxPercent)
		ok = ok || (f.Property == "" || fc.Field == f.Property) && (!f.Cleared || fc.New == "") && moved
	}
	return ok
}

func TestAnyWindowOfADiffIsAPartOfTheWhole(t *testing.T) {
	for seed := range uint64(60) {
		b := randomPages(rand.New(rand.NewPCG(seed, 1)))
		units := diffUnits(b.headers())
		var all []imageChange
		for _, u := range units {
			if err := u.each(b.load, ChangeFilter{}, func(c imageChange) error { all = append(all, c); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range someFilters {
			var want []imageChange
			for i := range all {
				if wants(&f, &all[i]) {
					want = append(want, all[i])
				}
			}
			for from := 0; from <= len(want)+1; from++ {
				w := diffWindow{filter: f, from: int64(from), to: int64(from) + 3}
				if err := w.read(units, b.load, true); err != nil {
					t.Fatalf("seed %d, %+v from %d: %v", seed, f, from, err)
				}
				part := want[min(from, len(want)):min(from+3, len(want))]
				if int(w.at) != len(want) || len(part) != len(w.found) || len(part) > 0 && !reflect.DeepEqual(w.found, part) {
					t.Fatalf("seed %d, %+v from %d: %d of %d found, %d of %d wanted", seed, f, from, len(w.found), w.at, len(part), len(want))
				}
			}
		}
	}
}

func TestAWindowDeepInADiffLoadsOnlyThePagesThatItTouches(t *testing.T) {
	b := &pageBook{}
	for seq := range 100 {
		var entries []ledger.Entry
		var images []ledger.Image
		for i := range 10 {
			row := int64(seq*10 + i + 2)
			e := ledger.Entry{Row: row, Outcome: catalog.Updated, ItemID: fmt.Sprint(row)}
			field := "stock"
			if seq%2 == 0 {
				field = "price"
			}
			entries = append(entries, e)
			images = append(images, ledger.Image{Row: row, Kind: catalog.KindProduct, ItemID: e.ItemID, Outcome: e.Outcome, Version: 1,
				Changes: []catalog.FieldChange{{Field: field, Old: "1", New: "2"}}})
		}
		b.add(ledger.PassApply, 1+seq/10, seq%10, entries, images)
	}
	for _, c := range []struct {
		name         string
		filter       ChangeFilter
		from, size   int64
		total        int64
		first, loads int
	}{
		{"no filter", ChangeFilter{}, 705, 10, 1000, 707, 2},
		{"an outcome", ChangeFilter{Outcome: catalog.Updated}, 990, 10, 1000, 992, 1},
		{"an outcome that none has", ChangeFilter{Outcome: catalog.Created}, 0, 10, 0, 0, 0},
		{"a property", ChangeFilter{Property: "price"}, 495, 5, 500, 987, 1},
		{"a property that is nowhere cleared", ChangeFilter{Property: "price", Cleared: true}, 0, 10, 0, 0, 0},
		{"how far a property moves", ChangeFilter{Property: "price", MinPercent: 50}, 0, 1, 500, 2, 50},
		{"behind the end", ChangeFilter{}, 1000, 10, 1000, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.loads = 0
			w := diffWindow{filter: c.filter, from: c.from, to: c.from + c.size}
			if err := w.read(diffUnits(b.headers()), b.load, true); err != nil {
				t.Fatal(err)
			}
			if w.at != c.total || b.loads != c.loads {
				t.Errorf("%d changes with %d loads, want %d with %d", w.at, b.loads, c.total, c.loads)
			}
			if c.first > 0 && w.found[0].Row != int64(c.first) {
				t.Errorf("the first is row %d, want %d", w.found[0].Row, c.first)
			}
		})
	}
}

func TestHeadersThatDoNotCountChangesAreNoticed(t *testing.T) {
	b := &pageBook{}
	image := func(id string) ledger.Image {
		return ledger.Image{Row: 2, Kind: catalog.KindProduct, ItemID: id, Outcome: catalog.Created}
	}
	b.add(ledger.PassApply, 1, 0, []ledger.Entry{{Row: 2, Outcome: catalog.Created, ItemID: "a"}}, []ledger.Image{image("a"), image("b")})
	w := diffWindow{to: -1}
	if err := w.read(diffUnits(b.headers()), b.load, true); err != errMiscounted {
		t.Errorf("a row that writes two items: %v", err)
	}
	if err := w.read(diffUnits(b.headers()), b.load, false); err != nil || w.at != 2 || len(w.found) != 2 {
		t.Errorf("counted by its rows: %d changes, %v", w.at, err)
	}
}

func TestValuesThatAreGoneAreNotGuessedAt(t *testing.T) {
	b := &pageBook{}
	b.add(ledger.PassApply, 1, 0, []ledger.Entry{{Row: 2, Outcome: catalog.Updated, ItemID: "a"}}, []ledger.Image{{Row: 2, Kind: catalog.KindProduct,
		ItemID: "a", Outcome: catalog.Updated, Version: 1, Changes: []catalog.FieldChange{{Field: "price", Old: "1", New: "2"}}}})
	b.pages[0].Images = nil
	w := diffWindow{to: -1}
	if err := w.read(diffUnits(b.headers()), b.load, true); err != nil || len(w.found) != 1 || !w.found[0].Gone || w.found[0].ItemID != "a" {
		t.Errorf("without a filter: %+v, %v", w.found, err)
	}
	w.filter.Property = "price"
	f := catalog.AsFault(w.read(diffUnits(b.headers()), b.load, true))
	if f == nil || f.Code != "values_gone" {
		t.Errorf("by a property: %v", f)
	}
}

func TestAnAmendedPlanCountsFieldsByItsRows(t *testing.T) {
	b := &pageBook{}
	update := func(row int64, field string) (ledger.Entry, ledger.Image) {
		id := fmt.Sprint(row)
		return ledger.Entry{Row: row, Outcome: catalog.Updated, ItemID: id}, ledger.Image{Row: row, Kind: catalog.KindProduct, ItemID: id,
			Outcome: catalog.Updated, Version: 1, Changes: []catalog.FieldChange{{Field: field, Old: "1", New: "2"}}}
	}
	price, priceImage := update(2, "price")
	stock, stockImage := update(3, "stock")
	b.add(ledger.PassPlan, 1, 0, []ledger.Entry{price, stock}, []ledger.Image{priceImage, stockImage})
	stock.Was, stock.Outcome = &ledger.Was{Outcome: catalog.Updated}, catalog.Failed
	b.add(ledger.PassPlan, 1, 1, []ledger.Entry{stock}, nil)
	units := diffUnits(b.headers())
	got, err := countFields(units, b.load)
	if want := []ledger.FieldCount{{Field: "price", Changed: 1}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("counted %+v, %v; want %+v", got, err, want)
	}
	w := diffWindow{filter: ChangeFilter{Property: "stock"}, to: -1}
	if err := w.read(units, b.load, true); err != nil || w.at != 0 {
		t.Errorf("%d changes of what the amended row would have done, %v", w.at, err)
	}
}
