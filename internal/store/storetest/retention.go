package storetest

import (
	"fmt"
	"slices"
	"time"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// states are all there are.
var states = []store.State{store.Received, store.Slicing, store.Planning, store.Planned, store.Running, store.Pausing, store.Paused, store.Terminating,
	store.Terminated, store.Stopped, store.RollingBack, store.RolledBack, store.Done, store.Refused, store.FailedState}

// rested stores import n, which came to rest at a time and has its bodies.
func (w *world) rested(ws store.WS, n int, state store.State, completed *time.Time, updated time.Time) store.Import {
	w.Helper()
	imp := newImport(n)
	imp.State, imp.CompletedAt, imp.UpdatedAt, imp.ImagesGone, imp.OutcomesGone, imp.FilesGone = state, completed, updated, false, false, false
	w.ok(w.s.Write(w.ctx(), ws, false, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) }))
	return imp
}

// expired lists expired imports as "workspace/number".
func (w *world) expired(e store.Expiry, limit int) (list []string) {
	w.Helper()
	all, err := w.s.Expired(w.ctx(), e, limit)
	w.ok(err)
	for _, imp := range all {
		list = append(list, fmt.Sprintf("%d/%d", imp.WS-w.ws, imp.No))
	}
	return list
}

// before expires everything that ended before a time.
func before(at time.Time) store.Expiry {
	return store.Expiry{Images: at, Outcomes: at, Files: at}
}

var retentionTrials = []trial{
	{"expired/what has ended, or was left planned", func(w *world) {
		var want []string
		for n, state := range states {
			imp := w.rested(w.ws, n+1, state, ptr(start), after(time.Hour))
			if state.Ended() || state == store.Planned {
				want = append(want, fmt.Sprintf("0/%d", imp.No))
			}
		}
		soon := after(time.Millisecond)
		w.same("images", w.expired(store.Expiry{Images: soon}, 100), want)
		w.same("outcomes", w.expired(store.Expiry{Outcomes: soon}, 100), want)
		w.same("files", w.expired(store.Expiry{Files: soon}, 100), want)
		w.same("any", w.expired(before(soon), 100), want)
		w.same("nothing", w.expired(store.Expiry{}, 100), []string(nil))
		w.same("too early", w.expired(before(start), 100), []string(nil))
	}},
	{"expired/whole imports, oldest first, over all workspaces", func(w *world) {
		w.rested(w.ws, 1, store.Done, ptr(after(3*time.Hour)), start)
		w.rested(w.ws, 2, store.Planned, nil, after(time.Hour))
		w.rested(w.other, 3, store.Done, ptr(after(2*time.Hour)), after(9*time.Hour))
		w.rested(w.other, 4, store.Done, ptr(after(time.Hour)), start)
		late := after(100 * time.Hour)
		want := []string{"0/2", "1/2", "1/1", "0/1"}
		w.same("all", w.expired(before(late), 100), want)
		w.same("first two", w.expired(before(late), 2), want[:2])
		w.same("some", w.expired(store.Expiry{Images: after(2 * time.Hour)}, 100), want[:2])
		w.same("none", w.expired(before(late), 0), []string(nil))
		list, err := w.s.Expired(w.ctx(), store.Expiry{Images: late}, 1)
		w.ok(err)
		imp, err := w.s.ImportNo(w.ctx(), w.ws, 2)
		w.ok(err)
		w.same("import", list, []store.Import{imp})
	}},
	{"expired/until all are gone", func(w *world) {
		imp := w.rested(w.ws, 1, store.Done, ptr(start), start)
		late := after(time.Hour)
		left := func(there bool) []string {
			if there {
				return []string{"0/1"}
			}
			return nil
		}
		for gone := range 8 {
			imp.ImagesGone, imp.OutcomesGone, imp.FilesGone = gone&1 != 0, gone&2 != 0, gone&4 != 0
			w.write(func(tx store.Tx) error { return tx.UpdateImport(w.ctx(), &imp) })
			w.same("for images", w.expired(store.Expiry{Images: late}, 9), left(!imp.ImagesGone))
			w.same("for outcomes", w.expired(store.Expiry{Outcomes: late}, 9), left(!imp.OutcomesGone))
			w.same("for files", w.expired(store.Expiry{Files: late}, 9), left(!imp.FilesGone))
			w.same("for any", w.expired(before(late), 9), left(gone != 7))
		}
	}},
	{"file keys/that an import has", func(w *world) {
		for n, key := range []string{"w1/b", "w1/ä\x00\xff", "w1/a", "", "w1/a"} {
			imp := newImport(n)
			imp.FileKey = key
			w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
		}
		elsewhere := newImport(1)
		elsewhere.FileKey = "w1/c"
		w.ok(w.s.Write(w.ctx(), w.other, false, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &elsewhere) }))
		for _, c := range []struct{ asked, want []string }{
			{[]string{"w1/c", "w1/b", "w1/a", "w1/A", "", "w1/none", "w1/a"}, []string{"w1/a", "w1/b"}},
			{[]string{"w1/ä\x00\xff", "w1/ä"}, []string{"w1/ä\x00\xff"}},
			{nil, nil},
		} {
			got, err := w.s.FileKeys(w.ctx(), w.ws, c.asked)
			w.ok(err)
			w.same("keys", got, c.want)
		}
	}},
	{"drop bodies/images, then outcomes, a few pages at a time", func(w *world) {
		passes := []ledger.Pass{ledger.PassApply, ledger.PassPlan, "plan-1", "retry-1"}
		whole := map[string]ledger.Page{}
		for _, no := range []int64{1, 2} {
			for _, pass := range passes {
				for seq := 1; seq <= 2; seq++ {
					p := newPage(no, pass, 1, seq)
					w.addPage(p)
					whole[fmt.Sprintf("%d/%s/%d", no, pass, seq)] = p
				}
			}
		}
		drop := func(images, outcomes bool, limit int) (n int) {
			w.write(func(tx store.Tx) (err error) {
				n, err = tx.DropBodies(w.ctx(), 1, images, outcomes, limit)
				return err
			})
			return n
		}
		check := func(images, outcomes bool) {
			w.Helper()
			for _, no := range []int64{1, 2} {
				for _, pass := range passes {
					w.ok(w.s.Pages(w.ctx(), w.ws, no, store.PageFilter{Pass: pass, Outcomes: true, Images: true}, func(p ledger.Page) error {
						want := whole[fmt.Sprintf("%d/%s/%d", no, pass, p.Seq)]
						if no == 1 && (images || pass.Planning()) {
							want.Images = nil
						}
						if no == 1 && (outcomes || pass.Planning()) {
							want.Outcomes = nil
						}
						w.same("page of "+string(pass), p, want)
						return nil
					}))
				}
			}
		}
		w.same("of neither", drop(false, false, 100), 0)
		w.same("at most none", drop(true, true, 0), 0)
		w.same("first", drop(true, false, 3), 3)
		w.same("second", drop(true, false, 3), 3)
		w.same("third", drop(true, false, 3), 2)
		w.same("fourth", drop(true, false, 3), 0)
		check(true, false)
		w.same("outcomes", drop(true, true, 100), 4)
		check(true, true)
	}},
	{"drop bodies/outcomes alone", func(w *world) {
		w.addPage(newPage(1, ledger.PassApply, 1, 1))
		bare := newPage(1, ledger.PassApply, 1, 2)
		bare.Outcomes, bare.Images = nil, nil
		w.addPage(bare)
		w.addPage(newPage(1, ledger.PassPlan, 1, 1))
		w.write(func(tx store.Tx) error {
			n, err := tx.DropBodies(w.ctx(), 1, false, true, 100)
			w.same("pages", n, 2)
			return err
		})
		want := newPage(1, ledger.PassApply, 1, 1)
		want.Outcomes = nil
		w.same("page", w.onePage(1, store.PageFilter{Seq: 1, HasSeq: true, Outcomes: true, Images: true}), want)
		want = newPage(1, ledger.PassPlan, 1, 1)
		want.Outcomes, want.Images = nil, nil
		w.same("a plan's page", w.onePage(1, store.PageFilter{Pass: ledger.PassPlan, Outcomes: true, Images: true}), want)
	}},
	{"ledger size/of a workspace", func(w *world) {
		size := func() store.LedgerSize {
			z, err := w.s.LedgerSize(w.ctx(), w.ws)
			w.ok(err)
			return z
		}
		w.same("nothing", size(), store.LedgerSize{})
		w.addImport(1, store.Done)
		w.addImport(2, store.Done)
		bare := newPage(2, ledger.PassApply, 1, 1)
		bare.Outcomes, bare.Images = nil, nil
		large := newPage(1, ledger.PassPlan, 1, 2)
		large.Images = slices.Repeat([]byte("ü\x00"), 1<<16)
		for _, p := range []ledger.Page{newPage(1, ledger.PassApply, 1, 1), large, bare} {
			w.addPage(p)
		}
		w.correct(1, newCorrection(2), newCorrection(3))
		w.correct(2, newCorrection(2))
		w.begin("k", start, start)
		w.same("size", size(), store.LedgerSize{Imports: 2, Pages: 3, Rows: 30, OutcomeBytes: 8, ImageBytes: 6 + 3<<16, WithOutcomes: 2, WithImages: 2, Corrections: 3, Requests: 1})
	}},
}
