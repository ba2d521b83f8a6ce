package importer_test

import (
	"context"
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
