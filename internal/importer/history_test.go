package importer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// product returns the product with this SKU; its ID is "" for none.
func (s *stack) product(sku string) catalog.Item {
	s.t.Helper()
	it, err := s.db.Item(context.Background(), s.ws.WS, catalog.KindProduct, catalog.Key{Field: catalog.KeySKU, Value: sku})
	if err != nil && err != store.ErrNotFound {
		s.t.Fatal(err)
	}
	return it
}

func (s *stack) history(id string, limit int) ([]importer.HistoryStep, bool) {
	s.t.Helper()
	steps, truncated, err := s.svc.History(context.Background(), s.ws, catalog.KindProduct, id, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	return steps, truncated
}

// undo takes an import back and waits for its end.
func (s *stack) undo(id string) store.Import {
	s.t.Helper()
	imp, err := s.svc.Undo(context.Background(), s.ws, id, importer.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.await(imp.ID, store.State.Ended)
}

func saidSteps(steps []importer.HistoryStep) string {
	var lines []string
	for _, st := range steps {
		c := said(importer.RowChange{Row: st.Row, Outcome: st.Outcome, Fields: st.Fields, Gone: st.Gone})
		lines = append(lines, fmt.Sprintf("v%d %s %s", st.Version, st.Import.SourceName, strings.ReplaceAll(normal(c), " :", ":")))
	}
	return strings.Join(lines, "\n")
}

func TestAHistoryNamesTheImportAndRowOfEachWrite(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	s.run("b.csv", "sku,price\nC,31.00\nB,25.00\n", importer.Options{})
	s.run("c.csv", "sku,title\nB,Bread\n", importer.Options{}) // changes nothing
	s.run("d.csv", "sku,title,price\nX,Xylose,1.00\nC,Corn,32.00\nB,Bun,25.00\n", importer.Options{})
	id := s.product("B").ID
	want := `v3 d.csv 4 updated: title "Bread">"Bun"
v2 b.csv 3 updated: price "20 EUR">"25 EUR"
v1 a.csv 3 created: price >"20 EUR" sku >"B" stock >2 title >"Bread"`
	steps, truncated := s.history(id, 0)
	if got := saidSteps(steps); got != want || truncated {
		t.Errorf("history, truncated %t:\n%s\nwant\n%s", truncated, got, want)
	}
	if steps[0].At != s.product("B").UpdatedAt || steps[1].At != *steps[1].Import.CompletedAt {
		t.Errorf("times %s and %s", steps[0].At, steps[1].At)
	}
	if steps, truncated := s.history(id, 2); len(steps) != 2 || truncated {
		t.Errorf("two steps: %d, truncated %t", len(steps), truncated)
	}
	_, _, err := s.svc.History(context.Background(), s.ws, catalog.KindProduct, "nobody", 0)
	if !catalog.IsNotFound(err) {
		t.Errorf("an item that is not there: %v", err)
	}
}

func TestAHistoryOutlivesItsValuesAndEndsWithItsRows(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	b := s.run("b.csv", "sku,price\nC,31.00\nB,25.00\n", importer.Options{})
	s.run("c.csv", "sku,title\nB,Bun\n", importer.Options{})
	id := s.product("B").ID
	s.ageOut(b, false)
	want := "v3 c.csv 2 updated: title \"Bread\">\"Bun\"\nv2 b.csv 3 updated: gone\nv1 a.csv 3 created: gone"
	steps, truncated := s.history(id, 0)
	if got := saidSteps(steps); got != want || truncated {
		t.Errorf("without values, truncated %t:\n%s\nwant\n%s", truncated, got, want)
	}
	s.ageOut(b, true)
	want = "v3 c.csv 2 updated: title \"Bread\">\"Bun\""
	steps, truncated = s.history(id, 0)
	if got := saidSteps(steps); got != want || !truncated {
		t.Errorf("without rows, truncated %t:\n%s\nwant\n%s", truncated, got, want)
	}
}

func TestAHistoryGoesOnThroughDeletionAndUndo(t *testing.T) {
	s := newStack(t, nil)
	a := s.run("a.csv", smallFile, importer.Options{})
	id := s.product("B").ID
	undo := s.undo(a.ID)
	s.undo(undo.ID)
	b := s.run("b.csv", "sku,price\nB,25.00\n", importer.Options{})
	fields := `price >"20 EUR" sku >"B" stock >2 title >"Bread"`
	want := `v4 b.csv 2 updated: price "20 EUR">"25 EUR"
v3 undo of undo of a.csv 3 created: ` + fields + `
v2 undo of a.csv 3 deleted: price "20 EUR"> sku "B"> stock 2> title "Bread">
v1 a.csv 3 created: ` + fields
	steps, truncated := s.history(id, 0)
	if got := saidSteps(steps); got != want || truncated {
		t.Errorf("history, truncated %t:\n%s\nwant\n%s", truncated, got, want)
	}
	s.ageOut(b, false)
	steps, _ = s.history(id, 0)
	if !steps[0].Gone || !steps[1].Gone || steps[2].Gone || !strings.HasSuffix(saidSteps(steps), fields) {
		t.Errorf("what is known is what was deleted, and what was before:\n%s", saidSteps(steps))
	}
}

// written is what a test saw of an item after an import.
type written struct {
	importNo int64
	doc      catalog.Doc
}

func TestEveryHistoryLeadsBackThroughWhatWasSeen(t *testing.T) {
	s := newStack(t, func(cfg *importer.Config) { cfg.ChunkRows = 3 })
	r := rand.New(rand.NewPCG(7, 7))
	seen := make(map[string][]written)
	look := func() {
		items, err := s.db.Items(context.Background(), s.ws.WS, store.ItemFilter{}, store.Range{})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			if w := seen[it.ID]; len(w) == 0 || w[len(w)-1].importNo != it.ImportNo {
				seen[it.ID] = append(w, written{it.ImportNo, it.Doc})
			}
		}
	}
	var last []store.Import
	for n := range sized(25, 8) {
		if len(last) > 0 && r.IntN(4) == 0 {
			i := r.IntN(len(last))
			if imp := last[i]; imp.Tally.Created+imp.Tally.Updated > 0 {
				s.undo(imp.ID)
			}
			last = append(last[:i], last[i+1:]...)
			look()
			continue
		}
		var file strings.Builder
		file.WriteString("sku,title,price,stock\n")
		for _, k := range r.Perm(12)[:1+r.IntN(10)] {
			fmt.Fprintf(&file, "P%d,Title %d,%d.00,%d\n", k, r.IntN(3), 1+r.IntN(4), r.IntN(3))
		}
		last = append(last, s.run(fmt.Sprintf("%d.csv", n), file.String(), importer.Options{}))
		look()
	}
	items, err := s.db.Items(context.Background(), s.ws.WS, store.ItemFilter{}, store.Range{})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		steps, truncated := s.history(it.ID, 0)
		if truncated {
			t.Errorf("%s: truncated", it.SKU)
		}
		s.checkHistory(it, steps, seen[it.ID])
	}
}

// checkHistory takes an item's steps back one by one and compares what is left
// with what was seen.
func (s *stack) checkHistory(it catalog.Item, steps []importer.HistoryStep, seen []written) {
	s.t.Helper()
	doc := it.Doc
	for i, st := range steps {
		if st.Outcome == catalog.Deleted {
			doc = catalog.Doc("{}").Revert(st.Fields)
			continue
		}
		if len(seen) == 0 || seen[len(seen)-1].importNo != st.Import.No || seen[len(seen)-1].doc != doc {
			s.t.Fatalf("%s, step %d: %s left %s, seen was %+v", it.SKU, i, st.Import.SourceName, doc, seen)
		}
		seen = seen[:len(seen)-1]
		doc = doc.Revert(st.Fields)
	}
	if len(seen) > 0 || doc != "{}" {
		s.t.Errorf("%s: %d writes were seen that no step tells of; %s is left of it", it.SKU, len(seen), doc)
	}
}

func TestWritersAreWordedForPeople(t *testing.T) {
	s := newStack(t, nil)
	a := s.run("a.csv", smallFile, importer.Options{})
	s.run("b.csv", "sku,price\nB,25.00\n", importer.Options{CreatedBy: "key_abc"})
	undo := s.undo(a.ID)
	problems, _, err := s.svc.Problems(context.Background(), s.ws, undo.ID, importer.ProblemFilter{Severities: 2}, store.Range{})
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Message, "(b.csv, by key_abc), row 2") {
		t.Errorf("problems %+v, %v", problems, err)
	}
}
