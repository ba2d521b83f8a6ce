package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// modelTrials drive the store and a map side by side with whatever comes, over
// so few keys that they collide all the time.
var modelTrials = []trial{
	{"model/items are what a map would hold", func(w *world) {
		n := 0 // workspaces made, one for each run
		rapid.Check(w.T, func(t *rapid.T) {
			n++
			ws, err := w.s.CreateWorkspace(w.ctx(), store.Workspace{Name: fmt.Sprintf("model-%d", n), CreatedAt: start})
			if err != nil {
				t.Fatal(err)
			}
			m := &model{T: t, s: w.s, ws: ws.WS, items: map[string]catalog.Item{}}
			t.Repeat(map[string]func(*rapid.T){"insert": m.insert, "update": m.update, "delete": m.delete, "": m.check})
		})
	}},
}

// model is the items a workspace should hold, by id.
type model struct {
	*rapid.T
	s     store.Store
	ws    store.WS
	items map[string]catalog.Item
}

// draw makes an item with keys from a handful, often none.
func (m *model) draw(id string, version int64) catalog.Item {
	key := func(prefix string) string {
		n := rapid.IntRange(0, 8).Draw(m.T, prefix)
		if n > 5 {
			return ""
		}
		return fmt.Sprintf("%s%d", prefix, n)
	}
	it := catalog.Item{ID: id, Kind: catalog.KindProduct, SKU: key("sku"), Slug: key("slug"), Ref: key("ref"), GTIN: key("0000000000001"),
		Version: version, ImportNo: rapid.Int64().Draw(m.T, "import"), Row: 2, Hash: rapid.Int64().Draw(m.T, "hash"), CreatedNo: 1, CreatedAt: start, UpdatedAt: start}
	it.GTINShared = it.GTIN != "" && rapid.Bool().Draw(m.T, "shared")
	it.Doc = docOf(it, rapid.String().Draw(m.T, "title"), "b")
	return it
}

// collides reports whether two of the items have a key that is one item's own.
func collides(items map[string]catalog.Item) bool {
	seen := map[string]bool{}
	for _, it := range items {
		keys := []string{"s" + it.SKU, "l" + it.Slug, "r" + it.Ref, "g" + it.GTIN}
		if it.GTINShared {
			keys = keys[:3]
		}
		for _, k := range keys {
			if len(k) > 1 && seen[k] {
				return true
			}
			seen[k] = true
		}
	}
	return false
}

func (m *model) with(changed []catalog.Item) map[string]catalog.Item {
	next := map[string]catalog.Item{}
	for id, it := range m.items {
		next[id] = it
	}
	for _, it := range changed {
		next[it.ID] = it
	}
	return next
}

// settle compares what the store said with what the model says.
func (m *model) settle(err error, next map[string]catalog.Item) {
	switch taken := collides(next); {
	case taken && !errors.Is(err, store.ErrConflict):
		m.Fatalf("got %v where a key is taken", err)
	case !taken && err != nil:
		m.Fatal(err)
	case !taken:
		m.items = next
	}
}

func (m *model) insert(t *rapid.T) {
	m.T = t
	var fresh []catalog.Item
	for range rapid.IntRange(1, 3).Draw(t, "new") {
		fresh = append(fresh, m.draw(fmt.Sprintf("prd_%d_%d", len(m.items), len(fresh)), rapid.Int64Range(1, 3).Draw(t, "version")))
	}
	for _, it := range fresh {
		if _, there := m.items[it.ID]; there {
			return
		}
	}
	p := m.s.Prepare(m.ws, fresh)
	err := m.s.Write(context.Background(), m.ws, false, func(tx store.Tx) error { return tx.Insert(context.Background(), p) })
	m.settle(err, m.with(fresh))
}

// some picks items, in any order, with their handles.
func (m *model) some(tx store.Tx) ([]catalog.Item, error) {
	ids := m.ids()
	found, err := tx.Find(context.Background(), catalog.KindProduct, catalog.KeyID, ids)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	picked := rapid.Permutation(found).Draw(m.T, "order")[:rapid.IntRange(1, len(found)).Draw(m.T, "some")]
	return tx.Read(context.Background(), catalog.KindProduct, handlesOf(picked))
}

func (m *model) ids() []string {
	var ids []string
	for id := range m.items {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (m *model) update(t *rapid.T) {
	m.T = t
	var next map[string]catalog.Item
	err := m.s.Write(context.Background(), m.ws, false, func(tx store.Tx) error {
		now, err := m.some(tx)
		var changed []catalog.Item
		for _, it := range now {
			c := m.draw(it.ID, it.Version+1)
			c.Handle = it.Handle
			changed = append(changed, c)
		}
		next = m.with(changed)
		return errors.Join(err, tx.Update(context.Background(), changed))
	})
	m.settle(err, next)
}

func (m *model) delete(t *rapid.T) {
	m.T = t
	err := m.s.Write(context.Background(), m.ws, false, func(tx store.Tx) error {
		gone, err := m.some(tx)
		for _, it := range gone {
			delete(m.items, it.ID)
		}
		return errors.Join(err, tx.Delete(context.Background(), catalog.KindProduct, locators(gone)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) check(t *rapid.T) {
	got, err := m.s.Items(context.Background(), m.ws, store.ItemFilter{}, store.Range{})
	if err != nil {
		t.Fatal(err)
	}
	var want []catalog.Item
	for _, id := range m.ids() {
		want = append(want, m.items[id])
	}
	for _, list := range [][]catalog.Item{got, want} {
		for i := range list {
			list[i].Handle = 0
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("items differ (-want +got):\n%s", d)
	}
	n, err := m.s.CountItems(context.Background(), m.ws, store.ItemFilter{Query: strings.ToUpper("sku1")})
	if err != nil {
		t.Fatal(err)
	}
	matches := 0
	for _, it := range want {
		if strings.Contains(it.SKU, "sku1") || strings.Contains(strings.ToLower(it.Doc.Text("title")), "sku1") {
			matches++
		}
	}
	if n != matches {
		t.Fatalf("a query counts %d items, want %d", n, matches)
	}
}
