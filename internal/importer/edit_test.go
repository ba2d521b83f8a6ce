package importer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

func (s *stack) edit(e importer.EditRequest) (importer.Edited, error) {
	e.Kind, e.Door, e.By = catalog.KindProduct, "test", "key_1"
	return s.svc.Edit(context.Background(), s.ws, e)
}

func TestAnEditIsAnImportOfOneRow(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	id := s.product("B").ID
	before := s.docs()
	done, err := s.edit(importer.EditRequest{ID: id, Set: map[string]string{
		"title": `"Bun, \"fresh\""`, "price": `"12.34"`, "images": `["https://example.com/a|b.jpg","https://example.com/c.jpg"]`, "stock": "null"}})
	if err != nil {
		t.Fatal(err)
	}
	if done.Outcome != catalog.Updated || done.Import.Source != importer.SourceEdit || done.Import.State != store.Done || done.Import.Tally.Updated != 1 {
		t.Errorf("%+v", done)
	}
	doc := done.Item.Doc
	if doc.Text("title") != `Bun, "fresh"` || doc.Text("price") != "12.34 EUR" || doc.Token("stock") != "" ||
		doc.Token("images") != `["https://example.com/a|b.jpg","https://example.com/c.jpg"]` {
		t.Errorf("document %s", doc)
	}
	s.checkTally(done.Import)
	if steps, _ := s.history(id, 0); len(steps) != 2 || steps[0].Import.ID != done.Import.ID {
		t.Errorf("history %+v", steps)
	}
	s.takeBack(done.Import)
	if d := diffDocs(s.docs(), before); d != "" {
		t.Error(d)
	}
}

func TestAnEditThatCannotBeMadeLeavesNothing(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	it := s.product("B")
	before, imports := s.dump(), s.imports()
	cases := map[string]importer.EditRequest{
		"not_found":        {ID: "none", Set: map[string]string{"title": `"x"`}},
		"version_conflict": {ID: it.ID, Version: it.Version + 1, Set: map[string]string{"title": `"x"`}},
		"validation_error": {ID: it.ID, Set: map[string]string{"price": `"many"`, "title": "null"}},
	}
	for code, e := range cases {
		_, err := s.edit(e)
		wantFault(t, err, code)
	}
	for _, name := range []string{"@delete", "@version", "id", "nothing", "tallyman_row"} {
		_, err := s.edit(importer.EditRequest{ID: it.ID, Set: map[string]string{name: `"true"`}})
		if f := catalog.AsFault(err); f == nil || f.Fields[name] == nil {
			t.Errorf("field %s: %v", name, err)
		}
	}
	if s.dump() != before || s.imports() != imports {
		t.Error("refused edits left something")
	}
}

func (s *stack) imports() int {
	s.t.Helper()
	_, n, err := s.svc.Imports(context.Background(), s.ws, store.ImportFilter{}, store.Range{})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestReplaceAndDelete(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	it := s.product("B")
	done, err := s.edit(importer.EditRequest{ID: it.ID, Replace: true, Set: map[string]string{"sku": `"B"`, "title": `"only"`}})
	if err != nil || done.Item.Doc != `{"sku":"B","title":"only"}` {
		t.Fatalf("%v %+v", err, done.Item)
	}
	gone, err := s.edit(importer.EditRequest{ID: it.ID, Delete: true})
	if err != nil || gone.Outcome != catalog.Deleted || gone.Item != nil {
		t.Fatalf("%v %+v", err, gone)
	}
	s.takeBack(gone.Import)
	if again := s.product("B"); again.Doc != done.Item.Doc || again.ID != it.ID {
		t.Errorf("undone: %+v", again)
	}
}

// Edits beside each other and beside an import are made one after the other, and
// none is lost.
func TestEditsBesideEachOther(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	id := s.product("B").ID
	imp, err := s.begin("b.csv", products(8000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := s.edit(importer.EditRequest{ID: id, Set: map[string]string{fmt.Sprintf("attributes.a%d", i): `"x"`}})
			if err != nil {
				t.Errorf("edit %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	s.await(imp.ID, store.State.Ended)
	if doc := s.product("B").Doc; strings.Count(string(doc), "attributes.") != 8 {
		t.Errorf("document %s", doc)
	}
}

// What a product shows makes it what it is, whatever quotes its values begin with.
func TestAReplacementOfWhatIsShownChangesNothing(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	id := s.product("B").ID
	for _, sku := range []string{"'=1+1", "'", "''A", `="007"`, "'7", "=", "B"} {
		token, _ := json.Marshal(sku)
		done, err := s.edit(importer.EditRequest{ID: id, Set: map[string]string{"sku": string(token), "title": string(token)}})
		if err != nil || done.Item.Doc.Text("sku") != sku || done.Item.Doc.Text("title") != sku {
			t.Fatalf("sku %s: %v %+v", sku, err, done.Item)
		}
		shown := make(map[string]string)
		done.Item.Doc.Each(func(field, token string) bool { shown[field] = token; return true })
		if done, err = s.edit(importer.EditRequest{ID: id, Replace: true, Set: shown}); err != nil || done.Outcome != catalog.Unchanged {
			t.Errorf("sku %s put as it is shown: %v, %s", sku, err, done.Outcome)
		}
	}
	for field, token := range map[string]string{"price": `"'5"`, "stock": `"'5"`, "ean": `"'4006381333931"`, "asin": `"'B0031066V8"`} {
		_, err := s.edit(importer.EditRequest{ID: id, Set: map[string]string{field: token}})
		if f := catalog.AsFault(err); f == nil || f.Fields[field] == nil || strings.Contains(fmt.Sprint(f.Fields), "guard") {
			t.Errorf("%s %s: %v", field, token, err)
		}
	}
}

func TestNamesOfFieldsAreExact(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	it := s.product("B")
	for _, name := range []string{" @delete", "\ufeff@delete", "@delete ", "\ufeffid", "id\u00a0", "title ", "\ttitle", "attributes.a ", "attributes.a\ufeff",
		"attributes.a\x00b", "attributes.a\nb", "attributes.", "Title", "nothing", ""} {
		_, err := s.edit(importer.EditRequest{ID: it.ID, Set: map[string]string{name: `"true"`, "title": `"x"`}})
		if f := catalog.AsFault(err); f == nil || f.Kind != catalog.KindInvalid || len(f.Fields[name]) != 1 {
			t.Errorf("field %q: %v", name, err)
		}
	}
	_, err := s.edit(importer.EditRequest{ID: it.ID, Set: map[string]string{"attributes." + strings.Repeat("x", 300): `"x"`}})
	if f := catalog.AsFault(err); f == nil || len(f.Fields) != 1 || f.Fields[catalog.Shorten("attributes."+strings.Repeat("x", 300))] == nil {
		t.Errorf("a long name: %v", err)
	}
	if now := s.product("B"); now.Version != it.Version {
		t.Errorf("changed: %+v", now)
	}
}

func TestAProductOfManyAttributes(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	id := s.product("B").ID
	set := map[string]string{"sku": `"B"`, "title": `"Bun"`}
	for i := range 2000 {
		set[fmt.Sprintf("attributes.%s%d", strings.Repeat("n", 80), i)] = `"v"`
	}
	for _, want := range []catalog.Outcome{catalog.Updated, catalog.Unchanged} {
		done, err := s.edit(importer.EditRequest{ID: id, Replace: true, Set: set})
		if err != nil || done.Outcome != want || strings.Count(string(done.Item.Doc), "attributes.") != 2000 {
			t.Fatalf("%v %s, want %s", err, done.Outcome, want)
		}
	}
	done, err := s.edit(importer.EditRequest{ID: id, Replace: true, Set: map[string]string{"sku": `"B"`, "title": `"Bun"`}})
	if err != nil || done.Item.Doc != `{"sku":"B","title":"Bun"}` {
		t.Errorf("%v %+v", err, done.Item)
	}
	r, err := s.svc.Row(context.Background(), s.ws, done.Import.ID, 2)
	if err != nil || len(r.Cells) != len(r.Header) || r.Cells[0] != id {
		t.Errorf("the edit's row: %d cells, %v", len(r.Cells), err)
	}
}

// Whoever names no version need not know that others write.
func TestReplacementsBesideEachOther(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	id := s.product("B").ID
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 5 {
				set := map[string]string{"sku": `"B"`, "title": `"Bun"`, fmt.Sprintf("attributes.a%d", i): fmt.Sprintf(`"%d"`, j)}
				if _, err := s.edit(importer.EditRequest{ID: id, Replace: true, Set: set}); err != nil {
					t.Errorf("replacement %d of %d: %v", j, i, err)
				}
			}
		})
	}
	wg.Wait()
	if doc := s.product("B").Doc; strings.Count(string(doc), "attributes.") != 1 {
		t.Errorf("document %s", doc)
	}
}
