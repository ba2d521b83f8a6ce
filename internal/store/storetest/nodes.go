package storetest

import (
	"time"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

func newNode(name string, beat time.Time) store.Node {
	return store.Node{Name: name, Version: "1.2.3", Workers: 4, Held: "disk full", StartedAt: start, Beat: beat}
}

func (w *world) beat(nodes ...store.Node) {
	w.Helper()
	for _, n := range nodes {
		w.ok(w.s.BeatNode(w.ctx(), n))
	}
}

func (w *world) nodes(since time.Time) []store.Node {
	w.Helper()
	list, err := w.s.Nodes(w.ctx(), since)
	w.ok(err)
	return list
}

var nodeTrials = []trial{
	{"node/beats and leaves", func(w *world) {
		w.same("none", w.nodes(time.Time{}), []store.Node(nil))
		b, a := newNode("b/2 ü", start), newNode("a/1", after(time.Second))
		w.beat(b, a)
		w.same("nodes", w.nodes(start), []store.Node{a, b})
		w.same("since", w.nodes(after(time.Millisecond)), []store.Node{a})
		b.Version, b.Workers, b.Held, b.StartedAt, b.Beat = "1.2.4", 0, "", after(time.Minute), after(time.Hour)
		w.beat(b)
		w.same("after another beat", w.nodes(start), []store.Node{a, b})
		w.ok(w.s.LeaveNode(w.ctx(), a.Name))
		w.ok(w.s.LeaveNode(w.ctx(), "nobody"))
		w.same("after it left", w.nodes(start), []store.Node{b})
	}},
	{"node/forgotten after a day", func(w *world) {
		old, new := newNode("old", start), newNode("new", after(time.Hour))
		w.beat(old, new)
		new.Beat = after(24 * time.Hour)
		w.beat(new)
		w.same("after a day", w.nodes(time.Time{}), []store.Node{new, old})
		new.Beat = after(24*time.Hour + time.Millisecond)
		w.beat(new)
		w.same("later", w.nodes(time.Time{}), []store.Node{new})
	}},
	{"node/names byte by byte", func(w *world) {
		for i, name := range bytewise {
			w.beat(newNode(name, start))
			w.same("nodes", len(w.nodes(start)), i+1)
		}
	}},
	{"clock/goes on", func(w *world) {
		first, err := w.s.Clock(w.ctx())
		w.ok(err)
		second, err := w.s.Clock(w.ctx())
		w.ok(err)
		if first.IsZero() || second.Before(first) || first.Location() != time.UTC {
			w.Fatalf("the clock says %v, then %v", first, second)
		}
	}},
	{"clock/and does not stand still in a snapshot", func(w *world) {
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			first, err := still.Clock(w.ctx())
			w.ok(err)
			for now := first; !now.After(first); {
				now, err = still.Clock(w.ctx())
				w.ok(err)
			}
			return nil
		}))
	}},
	{"writable/and nothing is left of it", func(w *world) {
		w.write(func(tx store.Tx) error { w.everything(tx); return nil })
		before := w.digest(w.s)
		for range 3 {
			w.ok(w.s.Writable(w.ctx()))
		}
		w.same("store", w.digest(w.s), before)
		w.insert(newItem(2))
	}},
}

func (w *world) load() store.Load {
	w.Helper()
	load, err := w.s.Load(w.ctx())
	w.ok(err)
	return load
}

// loadOf stores an import, of any workspace, and batches of it in states, each of
// which beat a minute after the one before.
func (w *world) loadOf(ws store.WS, n int, state store.State, started *time.Time, batches ...store.BatchState) store.Import {
	w.Helper()
	imp := newImport(n)
	imp.State, imp.StartedAt = state, started
	w.ok(w.s.Write(w.ctx(), ws, false, func(tx store.Tx) error {
		if err := tx.InsertImport(w.ctx(), &imp); err != nil {
			return err
		}
		var list []store.Batch
		for i, s := range batches {
			b := newBatch(store.BatchRef{ImportNo: imp.No, Pass: ledger.PassApply, No: i + 1})
			b.State, b.Beat = s, ptr(after(time.Duration(i+1)*time.Minute))
			list = append(list, b)
		}
		return tx.InsertBatches(w.ctx(), list)
	}))
	return imp
}

var loadTrials = []trial{
	{"load/nothing to do", func(w *world) {
		w.loadOf(w.ws, 1, store.Done, nil, store.BatchDone, store.BatchWaiting)
		w.same("load", w.load(), store.Load{Imports: map[store.State]int64{}, Batches: map[store.BatchState]int64{}})
	}},
	{"load/imports that have not ended, of all workspaces", func(w *world) {
		want := map[store.State]int64{}
		for n, state := range states {
			w.addImport(n+1, state)
			if !state.Ended() {
				want[state] = 1
			}
		}
		w.loadOf(w.other, 1, store.Paused, nil)
		w.loadOf(w.other, 2, store.Running, nil)
		want[store.Paused], want[store.Running] = 2, 2
		w.same("imports", w.load().Imports, want)
	}},
	{"load/unfinished batches of imports that move", func(w *world) {
		every := []store.BatchState{store.BatchRunning, store.BatchPaused, store.BatchQueued, store.BatchWaiting, store.BatchDone, store.BatchTerminated, store.BatchFailed}
		w.loadOf(w.ws, 1, store.Running, nil, every...)
		w.loadOf(w.ws, 2, store.Paused, nil, every...)
		w.loadOf(w.ws, 3, store.Done, nil, every...)
		w.loadOf(w.other, 1, store.Slicing, nil, store.BatchQueued, store.BatchRunning)
		w.same("load", w.load(), store.Load{
			Imports: map[store.State]int64{store.Running: 1, store.Paused: 1, store.Slicing: 1},
			Batches: map[store.BatchState]int64{store.BatchRunning: 2, store.BatchPaused: 1, store.BatchQueued: 2, store.BatchWaiting: 1},
			Oldest:  ptr(after(time.Minute)),
		})
	}},
	{"load/the oldest is by its beat, or else by its import's start", func(w *world) {
		imp := w.loadOf(w.ws, 1, store.Running, ptr(after(time.Second)), store.BatchRunning, store.BatchWaiting, store.BatchQueued)
		w.same("by its beat", w.load().Oldest, ptr(after(2*time.Minute)))
		b := newBatch(apply(imp, 4))
		w.addBatches(b)
		w.same("by its import's start", w.load().Oldest, ptr(after(time.Second)))
		b.State = store.BatchRunning
		w.write(func(tx store.Tx) error { return tx.SaveBatch(w.ctx(), &b) })
		w.same("at work", w.load().Oldest, ptr(after(2*time.Minute)))
		w.loadOf(w.ws, 2, store.Received, nil)
		w.addBatches(newBatch(store.BatchRef{ImportNo: 2, Pass: ledger.PassSlice, No: 1}))
		w.same("of an import that has not started", w.load().Oldest, ptr(start))
	}},
	{"load/as it was at a snapshot's moment", func(w *world) {
		w.loadOf(w.ws, 1, store.Running, nil, store.BatchQueued)
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			before, err := still.Load(w.ctx())
			w.ok(err)
			w.loadOf(w.ws, 2, store.Running, nil, store.BatchQueued)
			now, err := still.Load(w.ctx())
			w.same("load", now, before)
			return err
		}))
	}},
}
