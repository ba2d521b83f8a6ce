package storetest

import (
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

var importTrials = []trial{
	{"import/round trip", func(w *world) {
		imp := newImport(1)
		w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
		w.same("number", imp.No, int64(1))
		want := newImport(1)
		want.WS, want.No = w.ws, 1
		got, err := w.s.Import(w.ctx(), w.ws, imp.ID)
		w.ok(err)
		w.same("import", got, want)
	}},
	{"import/numbered from 1 in each workspace", func(w *world) {
		w.addImport(1, store.Received)
		w.same("second", w.addImport(2, store.Received).No, int64(2))
		imp := newImport(1) // ids are a workspace's own as well
		w.ok(w.s.Write(w.ctx(), w.other, false, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) }))
		w.same("first of another", imp.No, int64(1))
	}},
	{"import/id taken", func(w *world) {
		w.addImport(1, store.Received)
		imp := newImport(1)
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) }), store.ErrExists)
	}},
	{"import/by number and by the request that made it", func(w *world) {
		w.addImport(1, store.Received)
		imp := w.addImport(2, store.Planning)
		b := newBatch(apply(imp, 1))
		b.Tally = counted(4)
		w.addBatches(b)
		want, err := w.s.Import(w.ctx(), w.ws, imp.ID)
		w.ok(err)
		w.same("tally", want.Tally, counted(4))
		got, err := w.s.ImportNo(w.ctx(), w.ws, imp.No)
		w.ok(err)
		w.same("import by number", got, want)
		got, err = w.s.ImportByRequest(w.ctx(), w.ws, imp.RequestKey)
		w.ok(err)
		w.same("import by request", got, want)
	}},
	{"import/made by one request once", func(w *world) {
		w.addImport(1, store.Received)
		again := newImport(2)
		again.RequestKey = newImport(1).RequestKey
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &again) }), store.ErrExists)
		for n := 2; n < 4; n++ {
			imp := newImport(n)
			imp.RequestKey = ""
			w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
		}
		_, err := w.s.ImportByRequest(w.ctx(), w.ws, "")
		w.want(err, store.ErrNotFound)
	}},
	{"import/unknown", func(w *world) {
		_, err := w.s.Import(w.ctx(), w.ws, "imp_none")
		w.want(err, store.ErrNotFound)
		_, err = w.s.ImportNo(w.ctx(), w.ws, 9)
		w.want(err, store.ErrNotFound)
		_, err = w.s.ImportByRequest(w.ctx(), w.ws, "key_9/9")
		w.want(err, store.ErrNotFound)
		w.want(w.try(w.ws, func(tx store.Tx) error { _, err := tx.LockImport(w.ctx(), 9); return err }), store.ErrNotFound)
		w.want(w.try(w.ws, func(tx store.Tx) error { _, err := tx.LockImportID(w.ctx(), "imp_none"); return err }), store.ErrNotFound)
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.UpdateImport(w.ctx(), &store.Import{No: 9}) }), store.ErrNotFound)
	}},
	{"import/update stores what may change and nothing else", func(w *world) {
		imp := w.addImport(1, store.Received)
		changed := store.Import{No: imp.No, WS: w.ws, ID: "imp_x", State: store.Refused, Door: "x", Source: "x", Definition: []byte(`{"n":2}`), Mode: catalog.Update,
			Layout: []byte(`{"n":3}`), Format: "xlsx", SourceName: "x", FileKey: "x", FileSize: 5, SHA256: "x", Rows: 12, Sliced: true, Small: false,
			Round: 3, Pass: "plan-3", Options: []byte(`{"n":4}`), Cut: 4, Fingerprint: "", Findings: nil, Feed: "x", Extra: 6, UndoOf: "x", UndoneBy: "imp_y", DuplicateOf: "x",
			RequestKey: "x", ImagesGone: false, OutcomesGone: false, FilesGone: false, Plan: counted(6),
			FaultCode: "empty_file", FaultMessage: "The file is empty.", CreatedBy: "x", CreatedAt: after(time.Hour), StartedAt: ptr(after(time.Minute)),
			CompletedAt: ptr(after(2 * time.Minute)), UpdatedAt: after(3 * time.Minute), Version: 77, Tally: counted(5), Beat: ptr(start)}
		w.write(func(tx store.Tx) error { return tx.UpdateImport(w.ctx(), &changed) })
		w.same("version", changed.Version, int64(2))
		want := imp
		want.State, want.Definition, want.Layout, want.Format, want.Rows, want.Sliced, want.Small = store.Refused, changed.Definition, changed.Layout, "xlsx", 12, true, false
		want.Round, want.Pass, want.Cut, want.Fingerprint, want.Findings, want.Extra, want.UndoneBy = 3, "plan-3", 4, "", nil, 6, "imp_y"
		want.ImagesGone, want.OutcomesGone, want.FilesGone = false, false, false
		want.FaultCode, want.FaultMessage = "empty_file", "The file is empty."
		want.StartedAt, want.CompletedAt, want.UpdatedAt, want.Version = changed.StartedAt, changed.CompletedAt, changed.UpdatedAt, 2
		got, err := w.s.Import(w.ctx(), w.ws, imp.ID)
		w.ok(err)
		w.same("import", got, want)
		w.write(func(tx store.Tx) error {
			locked, err := tx.LockImport(w.ctx(), imp.No)
			w.same("locked import", locked, want)
			byID, errID := tx.LockImportID(w.ctx(), imp.ID)
			w.ok(errID)
			w.same("import locked by id", byID, want)
			return err
		})
	}},
	{"import/tally is the sum over batches of every pass but plans, plan that of its round", func(w *world) {
		imp := w.addImport(1, store.Running)
		w.addImport(2, store.Running)
		sum, plans := catalog.Tally{}, map[int]catalog.Tally{}
		passes := []ledger.Pass{ledger.PassPlan, ledger.PassSlice, ledger.PassApply, ledger.PlanOf(1), ledger.ApplyOf(1), ledger.PlanOf(12), ledger.ApplyOf(12), ledger.PassMedia, ledger.PassFinish}
		for i, pass := range passes {
			for no := 1; no <= 2; no++ {
				b := newBatch(store.BatchRef{ImportNo: imp.No, Pass: pass, No: no})
				b.Tally, b.Beat = counted(int64(100*i*no-150)), ptr(after(time.Duration(i)*time.Second)) // negative ones too
				w.addBatches(b)
				if pass.Planning() {
					plans[pass.Round()] = plans[pass.Round()].Add(b.Tally)
				} else {
					sum = sum.Add(b.Tally)
				}
			}
		}
		for _, round := range []int{0, 1, 2, 12} {
			imp.Round = round
			w.write(func(tx store.Tx) error { return tx.UpdateImport(w.ctx(), &imp) })
			got, err := w.s.Import(w.ctx(), w.ws, imp.ID)
			w.ok(err)
			w.same("tally", got.Tally, sum)
			w.same("plan", got.Plan, plans[round])
			w.same("beat", got.Beat, ptr(after(time.Duration(len(passes)-1)*time.Second)))
			list, n, err := w.s.Imports(w.ctx(), w.ws, store.ImportFilter{}, store.Range{})
			w.ok(err)
			w.same("count", n, 2)
			w.same("listed import", list[1], got)
			w.same("tallies of an import without batches", []catalog.Tally{list[0].Tally, list[0].Plan}, make([]catalog.Tally, 2))
		}
	}},
	{"import/rows of the pass at work, and those of its finished batches", func(w *world) {
		imp := w.addImport(1, store.Running)
		for _, pass := range []ledger.Pass{ledger.PassSlice, ledger.PassApply, ledger.ApplyOf(1)} {
			for no, state := range []store.BatchState{store.BatchDone, store.BatchDone, store.BatchRunning, store.BatchWaiting} {
				b := newBatch(store.BatchRef{ImportNo: imp.No, Pass: pass, No: no + 1})
				b.State, b.Rows = state, int64(10*(no+1))
				w.addBatches(b)
			}
		}
		for pass, want := range map[ledger.Pass][]int64{"": {0, 0}, ledger.PassSlice: {0, 0}, ledger.PassApply: {100, 30}, ledger.ApplyOf(1): {100, 30}, ledger.ApplyOf(2): {0, 0}} {
			imp.Pass = pass
			w.write(func(tx store.Tx) error { return tx.UpdateImport(w.ctx(), &imp) })
			got, err := w.s.Import(w.ctx(), w.ws, imp.ID)
			w.ok(err)
			w.same("rows of pass "+string(pass), []int64{got.PassRows, got.PassDone}, want)
		}
	}},
	{"import/listed newest first, filtered and ranged", func(w *world) {
		for n := 1; n <= 12; n++ {
			imp := newImport(n)
			imp.State, imp.Source, imp.Door = []store.State{store.Done, store.Running}[n%2], []string{"a", "b", "c"}[n%3], []string{"rest", "cli"}[n/7]
			imp.Feed, imp.SHA256, imp.UndoOf = []string{"daily", "weekly"}[n/9], []string{"x", "y", "z", ""}[n%4], []string{"", "imp_1", "imp_2"}[n/5]
			w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
		}
		for _, c := range []struct {
			filter store.ImportFilter
			rg     store.Range
			want   []int64
			all    int
		}{
			{store.ImportFilter{}, store.Range{Limit: 3}, []int64{12, 11, 10}, 12},
			{store.ImportFilter{}, store.Range{Offset: 10}, []int64{2, 1}, 12},
			{store.ImportFilter{}, store.Range{Offset: 12, Limit: 5}, nil, 12},
			{store.ImportFilter{State: store.Running}, store.Range{Limit: 2}, []int64{11, 9}, 6},
			{store.ImportFilter{Source: "a"}, store.Range{}, []int64{12, 9, 6, 3}, 4},
			{store.ImportFilter{Door: "cli", State: store.Done}, store.Range{}, []int64{12, 10, 8}, 3},
			{store.ImportFilter{Door: "web"}, store.Range{}, nil, 0},
			{store.ImportFilter{Feed: "weekly"}, store.Range{Offset: 1, Limit: 2}, []int64{11, 10}, 4},
			{store.ImportFilter{Feed: "weekly", State: store.Done}, store.Range{Limit: 1}, []int64{12}, 2},
			{store.ImportFilter{SHA256: "y"}, store.Range{}, []int64{9, 5, 1}, 3},
			{store.ImportFilter{SHA256: "y", Source: "c", State: store.Running}, store.Range{}, []int64{5}, 1},
			{store.ImportFilter{UndoOf: "imp_2"}, store.Range{}, []int64{12, 11, 10}, 3},
			{store.ImportFilter{UndoOf: "imp_9"}, store.Range{}, nil, 0},
		} {
			list, all, err := w.s.Imports(w.ctx(), w.ws, c.filter, c.rg)
			w.ok(err)
			var got []int64
			for _, imp := range list {
				got = append(got, imp.No)
			}
			w.same("imports", got, c.want)
			w.same("count", all, c.all)
		}
	}},
}
