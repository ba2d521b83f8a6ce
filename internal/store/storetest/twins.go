package storetest

import (
	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// twinTrials change one of two workspaces that hold the same, written in the same
// order: a store that goes by where rows lie must not take one for the other.
var twinTrials = []trial{
	{"twins/changed and deleted items are one workspace's", func(w *world) {
		other := w.twins(func(ws store.WS, tx store.Tx) error { return tx.Insert(w.ctx(), w.s.Prepare(ws, newItems(0, 6))) })
		before := w.all(w.s, other)
		w.write(func(tx store.Tx) error {
			items := w.read(tx, newItem(0).ID, newItem(1).ID, newItem(2).ID)
			for i := range items {
				items[i].Version++
				items[i].Doc = `{"title":"new"}`
			}
			items[1].SKU, items[2].SKU = items[2].SKU, items[1].SKU // goes the way of changed keys
			return tx.Update(w.ctx(), items)
		})
		w.write(func(tx store.Tx) error {
			return tx.Delete(w.ctx(), catalog.KindProduct, locators(w.read(tx, newItem(3).ID, newItem(4).ID)))
		})
		w.same("items of the other workspace", w.all(w.s, other), before)
		w.same("items", w.count(), 4)
	}},
	{"twins/dropped bodies are one workspace's", func(w *world) {
		other := w.twins(func(_ store.WS, tx store.Tx) error {
			for seq := range 3 {
				p := newPage(1, ledger.PassApply, 1, seq)
				if err := tx.InsertPage(w.ctx(), &p); err != nil {
					return err
				}
			}
			return nil
		})
		w.write(func(tx store.Tx) error {
			n, err := tx.DropBodies(w.ctx(), 1, true, true, 10)
			w.same("pages", n, 3)
			return err
		})
		size, err := w.s.LedgerSize(w.ctx(), other)
		w.ok(err)
		w.same("pages with bodies in the other workspace", []int64{size.WithOutcomes, size.WithImages}, []int64{3, 3})
	}},
}

// twins writes the same into the world's workspace and into another one, which it
// returns.
func (w *world) twins(fn func(store.WS, store.Tx) error) store.WS {
	w.Helper()
	for _, ws := range []store.WS{w.ws, w.other} {
		w.ok(w.s.Write(w.ctx(), ws, false, func(tx store.Tx) error { return fn(ws, tx) }))
	}
	return w.other
}
