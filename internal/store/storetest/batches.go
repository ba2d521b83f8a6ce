package storetest

import (
	"errors"
	"fmt"
	"time"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

var batchTrials = []trial{
	{"batch/round trip", func(w *world) {
		imp := w.addImport(1, store.Running)
		b := newBatch(apply(imp, 1))
		b.State, b.JobID, b.Epoch, b.NextOffset, b.NextRow, b.NextLine, b.NextSeq = store.BatchQueued, 42, 7, 5, 6, 7, 8
		b.Tally, b.Beat, b.Node, b.Input = counted(-3), ptr(after(time.Second)), "node-1", store.ImageInput
		w.addBatches(b)
		w.same("batch", w.batch(b.BatchRef), b)
		w.addBatches(newBatch(apply(imp, 2)))
		list, err := w.s.Batches(w.ctx(), w.ws, imp.No, ledger.PassApply)
		w.ok(err)
		w.same("batches", list, []store.Batch{b, newBatch(apply(imp, 2))})
	}},
	{"batch/listed by pass and number", func(w *world) {
		imp := w.addImport(1, store.Running)
		for _, no := range []int{10, 2, 1} {
			w.addBatches(newBatch(apply(imp, no)), newBatch(store.BatchRef{ImportNo: imp.No, Pass: ledger.PassPlan, No: no}))
		}
		places := func(pass ledger.Pass) (list []store.BatchRef) {
			batches, err := w.s.Batches(w.ctx(), w.ws, imp.No, pass)
			w.ok(err)
			for _, b := range batches {
				list = append(list, b.BatchRef)
			}
			return list
		}
		plan := func(no int) store.BatchRef {
			return store.BatchRef{ImportNo: imp.No, Pass: ledger.PassPlan, No: no}
		}
		w.same("one pass", places(ledger.PassApply), []store.BatchRef{apply(imp, 1), apply(imp, 2), apply(imp, 10)})
		w.same("all passes", places(""), []store.BatchRef{apply(imp, 1), apply(imp, 2), apply(imp, 10), plan(1), plan(2), plan(10)})
		w.same("no pass", places(ledger.PassMedia), []store.BatchRef(nil))
	}},
	{"batch/a pass removed with its pages", func(w *world) {
		imp, other := w.addImport(1, store.Planning), w.addImport(2, store.Planning)
		for _, no := range []int64{imp.No, other.No} {
			for _, pass := range []ledger.Pass{ledger.PassPlan, "plan-1", ledger.PassApply} {
				w.addBatches(newBatch(store.BatchRef{ImportNo: no, Pass: pass, No: 1}), newBatch(store.BatchRef{ImportNo: no, Pass: pass, No: 2}))
				w.addPage(newPage(no, pass, 1, 1))
				w.addPage(newPage(no, pass, 2, 1))
			}
		}
		left := func(no int64) (list []string) {
			batches, err := w.s.Batches(w.ctx(), w.ws, no, "")
			w.ok(err)
			for _, b := range batches {
				list = append(list, fmt.Sprintf("%s/%d", b.Pass, b.No))
			}
			for _, pass := range []ledger.Pass{ledger.PassPlan, "plan-1", ""} {
				list = append(list, w.pages(w.s, w.ws, no, store.PageFilter{Pass: pass})...)
			}
			return list
		}
		whole := left(other.No)
		for range 2 { // that there is nothing is no error
			w.write(func(tx store.Tx) error { return tx.DeletePass(w.ctx(), imp.No, ledger.PassPlan) })
		}
		w.same("left", left(imp.No), []string{"apply/1", "apply/2", "plan-1/1", "plan-1/2", "plan-1/1/1", "plan-1/2/1", "apply/1/1", "apply/2/1"})
		w.same("left of another import", left(other.No), whole)
		w.addBatches(newBatch(store.BatchRef{ImportNo: imp.No, Pass: ledger.PassPlan, No: 1}))
		w.addPage(newPage(imp.No, ledger.PassPlan, 1, 1))
	}},
	{"batch/taken and unknown", func(w *world) {
		imp := w.addImport(1, store.Running)
		w.addBatches(newBatch(apply(imp, 1)))
		none := apply(imp, 9)
		for name, c := range map[string]struct {
			call func(store.Tx) error
			want error
		}{
			"insert twice":  {func(tx store.Tx) error { return tx.InsertBatches(w.ctx(), []store.Batch{newBatch(apply(imp, 1))}) }, store.ErrExists},
			"read unknown":  {func(tx store.Tx) error { _, err := tx.Batch(w.ctx(), none); return err }, store.ErrNotFound},
			"start unknown": {func(tx store.Tx) error { _, err := tx.StartBatch(w.ctx(), none, 0, "n", start); return err }, store.ErrNotFound},
			"check unknown": {func(tx store.Tx) error { return tx.CheckBatch(w.ctx(), none, 0) }, store.ErrNotFound},
			"save unknown":  {func(tx store.Tx) error { b := newBatch(none); return tx.SaveBatch(w.ctx(), &b) }, store.ErrNotFound},
			"read another pass": {func(tx store.Tx) error {
				_, err := tx.Batch(w.ctx(), store.BatchRef{ImportNo: imp.No, Pass: ledger.PassPlan, No: 1})
				return err
			}, store.ErrNotFound},
			"check its own":      {func(tx store.Tx) error { return tx.CheckBatch(w.ctx(), apply(imp, 1), 0) }, nil},
			"check another time": {func(tx store.Tx) error { return tx.CheckBatch(w.ctx(), apply(imp, 1), 1) }, store.ErrFenced},
		} {
			if err := w.try(w.ws, c.call); !errors.Is(err, c.want) {
				w.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
	}},
	{"batch/started by its own job alone", func(w *world) {
		imp := w.addImport(1, store.Running)
		b := newBatch(apply(imp, 1))
		b.State, b.JobID, b.Epoch = store.BatchQueued, 42, 7
		w.addBatches(b)
		w.want(w.try(w.ws, func(tx store.Tx) error { _, err := tx.StartBatch(w.ctx(), b.BatchRef, 41, "n", start); return err }), store.ErrStale)
		var started store.Batch
		w.write(func(tx store.Tx) (err error) {
			started, err = tx.StartBatch(w.ctx(), b.BatchRef, 42, "node-2", after(time.Minute))
			return err
		})
		want := b
		want.State, want.Epoch, want.Node, want.Beat = store.BatchRunning, 8, "node-2", ptr(after(time.Minute))
		w.same("started batch", started, want)
		w.same("stored batch", w.batch(b.BatchRef), want)
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.CheckBatch(w.ctx(), b.BatchRef, 7) }), store.ErrFenced)
	}},
	{"batch/a finished one is not started", func(w *world) {
		imp := w.addImport(1, store.Running)
		for i, state := range []store.BatchState{store.BatchDone, store.BatchTerminated, store.BatchFailed} {
			b := newBatch(apply(imp, i+1))
			b.State, b.JobID = state, 42
			w.addBatches(b)
			w.want(w.try(w.ws, func(tx store.Tx) error { _, err := tx.StartBatch(w.ctx(), b.BatchRef, 42, "n", start); return err }), store.ErrStale)
		}
	}},
	{"batch/held by a job", func(w *world) {
		imp := w.addImport(1, store.Running)
		held := func(pass ledger.Pass, job int64) (no int, err error) {
			w.write(func(tx store.Tx) error {
				var b store.Batch
				b, err = tx.HeldBatch(w.ctx(), imp.No, pass, job)
				no = b.No
				return nil
			})
			return no, err
		}
		for no, state := range []store.BatchState{store.BatchDone, store.BatchRunning, store.BatchQueued} {
			b := newBatch(apply(imp, no+1))
			b.State, b.JobID = state, int64(40+no)
			w.addBatches(b)
		}
		for job, want := range map[int64]int{41: 2, 42: 3} {
			no, err := held(ledger.PassApply, job)
			w.ok(err)
			w.same("batch held", no, want)
		}
		for _, job := range []int64{0, 40, 43} {
			_, err := held(ledger.PassApply, job)
			w.want(err, store.ErrNotFound)
		}
		_, err := held(ledger.PassSlice, 41)
		w.want(err, store.ErrNotFound)
	}},
	{"batch/save stores what moves and nothing else", func(w *world) {
		imp := w.addImport(1, store.Running)
		b := newBatch(apply(imp, 1))
		b.Node = "node-1"
		w.addBatches(b)
		saved := store.Batch{BatchRef: b.BatchRef, State: store.BatchQueued, Offset: 1, Length: 2, FirstRow: 3, FirstLine: 4, Rows: 5, JobID: 6, Epoch: 7,
			NextOffset: 8, NextRow: 9, NextLine: 10, NextSeq: 11, Tally: counted(12), Beat: ptr(after(time.Second)), Node: "x"}
		w.write(func(tx store.Tx) error { return tx.SaveBatch(w.ctx(), &saved) })
		want := saved
		want.Offset, want.Length, want.FirstRow, want.FirstLine, want.Node = b.Offset, b.Length, b.FirstRow, b.FirstLine, "node-1"
		w.same("batch", w.batch(b.BatchRef), want)
	}},
	{"batch/stop takes back what is unfinished", func(w *world) {
		imp, second := w.addImport(1, store.Running), w.addImport(2, store.Running)
		states := []store.BatchState{store.BatchWaiting, store.BatchQueued, store.BatchRunning, store.BatchPaused, store.BatchDone, store.BatchTerminated, store.BatchFailed}
		for _, i := range []store.Import{imp, second} {
			for n, state := range states {
				b := newBatch(apply(i, n+1))
				b.State, b.JobID, b.Epoch = state, 42, 5
				w.addBatches(b)
			}
		}
		w.addBatches(newBatch(store.BatchRef{ImportNo: imp.No, Pass: ledger.PassMedia, No: 1}))
		w.write(func(tx store.Tx) error {
			n, err := tx.StopBatches(w.ctx(), imp.No, store.BatchPaused)
			w.same("stopped", n, 5)
			return err
		})
		for n, state := range states {
			want := newBatch(apply(imp, n+1))
			want.State, want.JobID, want.Epoch = state, 42, 5
			if !state.Finished() {
				want.State, want.JobID, want.Epoch = store.BatchPaused, 0, 6
			}
			w.same("batch "+string(state), w.batch(want.BatchRef), want)
			want = newBatch(apply(second, n+1))
			want.State, want.JobID, want.Epoch = state, 42, 5
			w.same("another import's batch", w.batch(want.BatchRef), want)
		}
	}},
	{"batch/next are those without a job", func(w *world) {
		imp := w.addImport(1, store.Running)
		for n := 1; n <= 8; n++ {
			b := newBatch(apply(imp, n))
			switch n {
			case 2:
				b.State, b.JobID = store.BatchQueued, 9
			case 3:
				b.State = store.BatchDone
			case 4:
				b.State = store.BatchPaused
			}
			w.addBatches(b)
		}
		w.addBatches(newBatch(store.BatchRef{ImportNo: imp.No, Pass: ledger.PassPlan, No: 1}))
		next := func(limit int) (nos []int) {
			w.write(func(tx store.Tx) error {
				list, err := tx.NextBatches(w.ctx(), imp.No, ledger.PassApply, limit)
				for _, b := range list {
					nos = append(nos, b.No)
				}
				return err
			})
			return nos
		}
		w.same("first three", next(3), []int{1, 4, 5})
		w.same("all", next(100), []int{1, 4, 5, 6, 7, 8})
		w.write(func(tx store.Tx) error {
			n, err := tx.UnfinishedBatches(w.ctx(), imp.No, ledger.PassApply)
			w.same("unfinished", n, 7)
			return err
		})
	}},
}

var stalledTrials = []trial{
	{"stalled/batches whose beat has stopped", func(w *world) {
		imp := w.addImport(1, store.Running)
		for n, c := range []struct {
			state store.BatchState
			beat  *time.Time
		}{
			{store.BatchRunning, ptr(after(time.Minute))},
			{store.BatchRunning, ptr(after(time.Hour))},
			{store.BatchQueued, ptr(after(time.Minute))},
			{store.BatchQueued, nil},
			{store.BatchPaused, ptr(after(time.Minute))},
			{store.BatchDone, ptr(after(time.Minute))},
			{store.BatchWaiting, nil},
		} {
			b := newBatch(apply(imp, n+1))
			b.State, b.Beat, b.JobID = c.state, c.beat, 5
			w.addBatches(b)
		}
		w.same("before the import's own time", w.stalled(start), []place(nil))
		w.same("after a while", w.stalled(after(time.Second)), []place{{w.ws, apply(imp, 4), store.BatchQueued, store.Running}})
		w.same("after the beats", w.stalled(after(2*time.Minute)), []place{
			{w.ws, apply(imp, 1), store.BatchRunning, store.Running},
			{w.ws, apply(imp, 3), store.BatchQueued, store.Running},
			{w.ws, apply(imp, 4), store.BatchQueued, store.Running}})
	}},
	{"stalled/what was noted for the future is of a wrong clock", func(w *world) {
		add := func(n int, updated, beat time.Time) {
			imp := newImport(n)
			imp.State, imp.Pass, imp.UpdatedAt = store.Running, ledger.PassApply, updated
			w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
			b := newBatch(apply(imp, 1))
			b.State, b.Beat, b.JobID = store.BatchRunning, &beat, 5
			w.addBatches(b)
		}
		now, until, ahead := after(time.Minute), after(70*time.Second), after(time.Hour)
		add(1, start, ahead)
		add(2, start, until)
		add(3, ahead, start)
		add(4, ahead, ahead)
		imp := newImport(5)
		imp.State, imp.Pass, imp.UpdatedAt = store.Running, ledger.PassApply, ahead
		w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
		done := newBatch(apply(imp, 1))
		done.State, done.Beat = store.BatchDone, &ahead
		w.addBatches(done)
		list, err := w.s.Stalled(w.ctx(), now, until)
		w.ok(err)
		var nos []int64
		for _, sb := range list {
			nos = append(nos, sb.Batch.ImportNo)
		}
		w.same("stalled imports", nos, []int64{1, 3, 4, 5})
	}},
	{"stalled/whole batches are listed", func(w *world) {
		imp := w.addImport(1, store.Slicing)
		b := newBatch(apply(imp, 1))
		b.State, b.Beat, b.JobID, b.Epoch, b.Tally, b.Node = store.BatchRunning, ptr(start), 5, 6, counted(2), "node"
		w.addBatches(b)
		list, err := w.s.Stalled(w.ctx(), after(time.Second), after(time.Hour))
		w.ok(err)
		w.same("stalled", list, []store.StalledBatch{{WS: w.ws, Batch: b, State: store.Slicing}})
	}},
	{"stalled/imports without a job", func(w *world) {
		for n, state := range []store.State{store.Received, store.Slicing, store.Pausing, store.Terminating, store.Running, store.Planning,
			store.Planned, store.Paused, store.Terminated, store.Stopped, store.RollingBack, store.RolledBack, store.Done, store.Refused, store.FailedState} {
			imp := w.addImport(n+1, state)
			b := newBatch(apply(imp, 1))
			b.State = store.BatchDone
			w.addBatches(b)
		}
		none := func(no int64) store.BatchRef { return store.BatchRef{ImportNo: no} }
		w.same("stalled", w.stalled(after(time.Second)), []place{
			{w.ws, none(1), "", store.Received}, {w.ws, none(2), "", store.Slicing}, {w.ws, none(3), "", store.Pausing},
			{w.ws, none(4), "", store.Terminating}, {w.ws, none(5), "", store.Running}, {w.ws, none(6), "", store.Planning}})
		w.same("too early", w.stalled(start), []place(nil))
	}},
	{"stalled/batches that wait are those of the pass at work", func(w *world) {
		for n, c := range []struct {
			state store.State
			pass  ledger.Pass
		}{{store.Planning, ledger.PassPlan}, {store.Running, ledger.PassApply}, {store.Running, "retry-1"}, {store.Planning, "plan-1"}, {store.Planned, ledger.PassPlan}} {
			imp := newImport(n + 1)
			imp.State, imp.Pass = c.state, c.pass
			w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
			for _, pass := range []ledger.Pass{ledger.PassPlan, ledger.PassApply} {
				w.addBatches(newBatch(store.BatchRef{ImportNo: imp.No, Pass: pass, No: 1}))
			}
		}
		w.same("stalled", w.stalled(after(time.Second)), []place{
			{w.ws, store.BatchRef{ImportNo: 1, Pass: ledger.PassPlan, No: 1}, store.BatchWaiting, store.Planning},
			{w.ws, store.BatchRef{ImportNo: 2, Pass: ledger.PassApply, No: 1}, store.BatchWaiting, store.Running},
			{w.ws, store.BatchRef{ImportNo: 3}, "", store.Running},
			{w.ws, store.BatchRef{ImportNo: 4}, "", store.Planning}})
	}},
	{"stalled/batches that wait while none works", func(w *world) {
		imp := newImport(1)
		imp.State, imp.Pass = store.Running, ledger.PassApply
		w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
		done := newBatch(apply(imp, 1))
		done.State, done.Beat = store.BatchDone, ptr(after(time.Minute))
		w.addBatches(done, newBatch(apply(imp, 2)), newBatch(apply(imp, 3)))
		w.same("the last one has just ended", w.stalled(after(time.Minute)), []place(nil))
		w.same("none has ended since", w.stalled(after(2*time.Minute)), []place{
			{w.ws, apply(imp, 2), store.BatchWaiting, store.Running}, {w.ws, apply(imp, 3), store.BatchWaiting, store.Running}})
	}},
	{"stalled/over all workspaces", func(w *world) {
		imp := newImport(1)
		w.addImport(2, store.Received)
		w.ok(w.s.Write(w.ctx(), w.other, false, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) }))
		w.same("stalled", w.stalled(after(time.Second)), []place{
			{w.ws, store.BatchRef{ImportNo: 1}, "", store.Received}, {w.other, store.BatchRef{ImportNo: 1}, "", store.Received}})
	}},
}

// place says which batch stalled.
type place struct {
	WS    store.WS
	Ref   store.BatchRef
	Batch store.BatchState
	State store.State
}

func (w *world) stalled(before time.Time) (list []place) {
	w.Helper()
	all, err := w.s.Stalled(w.ctx(), before, before.Add(time.Hour))
	w.ok(err)
	for _, sb := range all {
		list = append(list, place{sb.WS, sb.Batch.BatchRef, sb.Batch.State, sb.State})
	}
	return list
}
