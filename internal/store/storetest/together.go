package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

var togetherTrials = []trial{
	{"together/writers of one batch lose nothing", func(w *world) {
		const writers, chunks = 4, 15
		imp := w.addImport(1, store.Running)
		w.addBatches(newBatch(apply(imp, 1)))
		errs := make(chan error, writers)
		for n := range writers {
			go func() { errs <- w.countUp(apply(imp, 1), n, chunks) }()
		}
		for range writers {
			w.ok(<-errs)
		}
		w.same("tally", w.batch(apply(imp, 1)).Tally.Created, int64(writers*chunks))
		w.same("items", w.count(), writers*chunks)
	}},
	{"together/one of many gets a key", func(w *world) {
		const writers = 6
		errs := make(chan error, writers)
		for n := range writers {
			go func() {
				it := newItem(n)
				it.SKU = "the one"
				p := w.s.Prepare(w.ws, []catalog.Item{it})
				errs <- w.retried(func(tx store.Tx) error { return tx.Insert(w.ctx(), p) })
			}()
		}
		got := 0
		for range writers {
			switch err := <-errs; {
			case err == nil:
				got++
			default:
				w.want(err, store.ErrConflict)
			}
		}
		w.same("winners", got, 1)
		w.same("items", w.count(), 1)
	}},
	{"together/of many who change an item as they read it, one does", func(w *world) {
		const writers = 6
		w.insert(newItem(1))
		var read []catalog.Item
		w.write(func(tx store.Tx) error { read = w.read(tx, newItem(1).ID); return nil })
		errs := make(chan error, writers)
		for n := range writers {
			go func() {
				mine := read[0]
				mine.Version++
				mine.ImportNo = int64(100 + n)
				errs <- w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error { return tx.Update(w.ctx(), []catalog.Item{mine}) })
			}()
		}
		won := 0
		for range writers {
			switch err := <-errs; {
			case err == nil:
				won++
			default:
				w.want(err, store.ErrRetry)
			}
		}
		w.same("winners", won, 1)
		w.same("version", w.all(w.s, w.ws)[0].Version, read[0].Version+1)
	}},
	{"together/a reader beside a bulk write always sees one account", func(w *world) {
		imp := w.addImport(1, store.Running)
		w.addBatches(newBatch(apply(imp, 1)))
		ctx, stop := context.WithCancel(w.ctx())
		var readers sync.WaitGroup
		seen := make(chan error, 3)
		for range 3 {
			readers.Go(func() {
				for ctx.Err() == nil {
					if err := w.balanced(imp); err != nil {
						seen <- err
						return
					}
				}
			})
		}
		for seq := range 40 {
			w.write(func(tx store.Tx) error { return w.chunk(tx, apply(imp, 1), seq, 25) })
		}
		stop()
		readers.Wait()
		close(seen)
		w.ok(<-seen)
		w.ok(w.balanced(imp))
		w.same("items", w.count(), 40*25)
	}},
}

// retried writes as a caller must: again after ErrRetry.
func (w *world) retried(fn func(store.Tx) error) error {
	for {
		err := w.s.Write(w.ctx(), w.ws, false, fn)
		if !errors.Is(err, store.ErrRetry) {
			return err
		}
	}
}

// countUp adds chunks of one item to a batch.
func (w *world) countUp(ref store.BatchRef, writer, chunks int) error {
	for i := range chunks {
		p := w.s.Prepare(w.ws, []catalog.Item{newItem(1000*writer + i)})
		err := w.retried(func(tx store.Tx) error {
			b, err := tx.Batch(w.ctx(), ref)
			if err != nil {
				return err
			}
			if err := tx.Insert(w.ctx(), p); err != nil {
				return err
			}
			b.Tally.Created++
			return tx.SaveBatch(w.ctx(), &b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// chunk writes items, their page, and the batch's cursor and tally.
func (w *world) chunk(tx store.Tx, ref store.BatchRef, seq, rows int) error {
	b, err := tx.Batch(w.ctx(), ref)
	if err != nil {
		return err
	}
	if err := tx.Insert(w.ctx(), w.s.Prepare(w.ws, newItems(seq*rows, (seq+1)*rows))); err != nil {
		return err
	}
	p := newPage(ref.ImportNo, ref.Pass, ref.No, seq)
	p.Tally = catalog.Tally{Created: int64(rows)}
	if err := tx.InsertPage(w.ctx(), &p); err != nil {
		return err
	}
	b.Tally = b.Tally.Add(p.Tally)
	b.Beat = ptr(after(time.Duration(seq) * time.Second))
	return tx.SaveBatch(w.ctx(), &b)
}

// balanced checks that tally, pages and items agree at one moment.
func (w *world) balanced(imp store.Import) error {
	return w.s.Snapshot(w.ctx(), func(still store.Store) error {
		now, err := still.Import(w.ctx(), w.ws, imp.ID)
		if err != nil {
			return err
		}
		pages := catalog.Tally{}
		if err := still.Pages(w.ctx(), w.ws, imp.No, store.PageFilter{}, func(p ledger.Page) error {
			pages = pages.Add(p.Tally)
			return nil
		}); err != nil {
			return err
		}
		items, err := still.CountItems(w.ctx(), w.ws, store.ItemFilter{})
		if err == nil && (now.Tally != pages || int64(items) != pages.Created) {
			err = fmt.Errorf("the tally is %+v, the pages' sum %+v, and there are %d items", now.Tally, pages, items)
		}
		return err
	})
}
