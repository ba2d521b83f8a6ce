package storetest

import (
	"bytes"
	"errors"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

func (w *world) addPage(p ledger.Page) {
	w.Helper()
	w.write(func(tx store.Tx) error { return tx.InsertPage(w.ctx(), &p) })
}

func (w *world) onePage(importNo int64, f store.PageFilter) ledger.Page {
	w.Helper()
	var list []ledger.Page
	w.ok(w.s.Pages(w.ctx(), w.ws, importNo, f, func(p ledger.Page) error { list = append(list, p); return nil }))
	if len(list) != 1 {
		w.Fatalf("got %d pages, want 1", len(list))
	}
	return list[0]
}

var pageTrials = []trial{
	{"page/round trip with the bodies asked for", func(w *world) {
		p := newPage(1, ledger.PassApply, 1, 1)
		w.addPage(p)
		w.same("whole page", w.onePage(1, store.PageFilter{Outcomes: true, Images: true}), p)
		noImages, noOutcomes := p, p
		noImages.Images, noOutcomes.Outcomes = nil, nil
		w.same("outcomes alone", w.onePage(1, store.PageFilter{Outcomes: true}), noImages)
		w.same("images alone", w.onePage(1, store.PageFilter{Images: true}), noOutcomes)
		noImages.Outcomes = nil
		w.same("no bodies", w.onePage(1, store.PageFilter{}), noImages)
	}},
	{"page/without problems or bodies", func(w *world) {
		p := ledger.Page{ImportNo: 1, Pass: ledger.PassApply, Batch: 1, Seq: 1}
		w.addPage(p)
		w.same("page", w.onePage(1, store.PageFilter{Outcomes: true, Images: true}), p)
	}},
	{"page/large bodies", func(w *world) {
		p := newPage(1, ledger.PassApply, 1, 1)
		p.Outcomes, p.Images = bytes.Repeat([]byte("outcomes"), 1<<17), bytes.Repeat([]byte{0}, 3<<20)
		w.addPage(p)
		got := w.onePage(1, store.PageFilter{Outcomes: true, Images: true})
		if !bytes.Equal(got.Outcomes, p.Outcomes) || !bytes.Equal(got.Images, p.Images) {
			w.Fatalf("bodies of %d and %d bytes came back as others, of %d and %d", len(p.Outcomes), len(p.Images), len(got.Outcomes), len(got.Images))
		}
	}},
	{"page/its key once", func(w *world) {
		p := newPage(1, ledger.PassApply, 1, 1)
		w.addPage(p)
		again := p
		again.Rows = 99
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.InsertPage(w.ctx(), &again) }), store.ErrExists)
		w.same("page", w.onePage(1, store.PageFilter{}).Rows, 10)
	}},
	{"page/order and filters", func(w *world) {
		var want []string
		for _, pass := range []ledger.Pass{ledger.PassPlan, "plan-12", ledger.PassMedia, ledger.PassApply} {
			for _, batch := range []int{10, 2, 1} {
				for seq := 3; seq > 0; seq-- {
					p := newPage(1, pass, batch, seq)
					p.Tally = catalog.Tally{Created: 1, Errors: []int64{0, 2, 0}[seq-1], Warnings: []int64{0, 0, 1}[seq-1]}
					w.addPage(p)
				}
			}
		}
		w.addPage(newPage(2, ledger.PassApply, 1, 1))
		for _, batch := range []string{"1", "2", "10"} {
			for _, seq := range []string{"1", "2", "3"} {
				want = append(want, "apply/"+batch+"/"+seq)
			}
		}
		w.same("a pass", w.pages(w.s, w.ws, 1, store.PageFilter{Pass: ledger.PassApply}), want)
		for _, batch := range []string{"1", "2", "10"} {
			for _, seq := range []string{"1", "2", "3"} {
				want = append(want, "media/"+batch+"/"+seq)
			}
		}
		w.same("all but plans", w.pages(w.s, w.ws, 1, store.PageFilter{}), want)
		w.same("a batch", w.pages(w.s, w.ws, 1, store.PageFilter{Pass: ledger.PassPlan, Batch: 2}), []string{"plan/2/1", "plan/2/2", "plan/2/3"})
		w.same("a later plan's batch", w.pages(w.s, w.ws, 1, store.PageFilter{Pass: "plan-12", Batch: 1}), []string{"plan-12/1/1", "plan-12/1/2", "plan-12/1/3"})
		w.same("errors", w.pages(w.s, w.ws, 1, store.PageFilter{Pass: ledger.PassApply, Batch: 10, ErrorsOnly: true}), []string{"apply/10/2"})
		w.same("errors of a plan", w.pages(w.s, w.ws, 1, store.PageFilter{Pass: ledger.PassPlan, Batch: 10, ErrorsOnly: true}), []string{"plan/10/2"})
		w.same("problems", w.pages(w.s, w.ws, 1, store.PageFilter{Pass: ledger.PassApply, Batch: 10, ProblemsOnly: true}), []string{"apply/10/2", "apply/10/3"})
		for _, c := range []struct {
			f    store.PageFilter
			want []string
		}{
			{store.PageFilter{Pass: ledger.PassApply, Batch: 2, Seq: 3, HasSeq: true}, []string{"apply/2/3"}},
			{store.PageFilter{Pass: ledger.PassApply, Batch: 2, Seq: 4, HasSeq: true}, nil},
			{store.PageFilter{Pass: ledger.PassApply, Batch: 2, HasSeq: true}, nil},
			{store.PageFilter{Pass: ledger.PassPlan, Seq: 1, HasSeq: true}, []string{"plan/1/1", "plan/2/1", "plan/10/1"}},
			{store.PageFilter{Batch: 10, Seq: 2, HasSeq: true}, []string{"apply/10/2", "media/10/2"}},
			{store.PageFilter{Batch: 10, Seq: 2}, []string{"apply/10/1", "apply/10/2", "apply/10/3", "media/10/1", "media/10/2", "media/10/3"}},
			{store.PageFilter{Pass: "retry-1"}, nil},
		} {
			w.same(fmt.Sprintf("pages of %+v", c.f), w.pages(w.s, w.ws, 1, c.f), c.want)
		}
		w.same("no import", w.pages(w.s, w.ws, 9, store.PageFilter{}), []string(nil))
	}},
	{"page/of a later pass is never left out, for its counts are signed", func(w *world) {
		for _, pass := range []ledger.Pass{ledger.PassApply, ledger.ApplyOf(1), ledger.PlanOf(1)} {
			p := newPage(1, pass, 1, 1)
			p.Tally = catalog.Tally{}
			w.addPage(p)
		}
		for _, f := range []store.PageFilter{{ErrorsOnly: true}, {ProblemsOnly: true}} {
			w.same("pages", w.pages(w.s, w.ws, 1, f), []string{"retry-1/1/1"})
			f.Pass = ledger.PlanOf(1)
			w.same("pages of a plan", w.pages(w.s, w.ws, 1, f), []string{"plan-1/1/1"})
		}
	}},
	{"page/round a row", func(w *world) {
		for seq, rows := range [][2]int64{{2, 11}, {12, 12}, {13, 30}, {5, 20}} {
			p := newPage(1, ledger.PassApply, 1, seq+1)
			p.FirstRow, p.LastRow = rows[0], rows[1]
			w.addPage(p)
		}
		for row, want := range map[int64][]string{
			1: nil, 2: {"apply/1/1"}, 11: {"apply/1/1", "apply/1/4"}, 12: {"apply/1/2", "apply/1/4"}, 13: {"apply/1/3", "apply/1/4"},
			30: {"apply/1/3"}, 31: nil, 0: {"apply/1/1", "apply/1/2", "apply/1/3", "apply/1/4"},
		} {
			w.same(fmt.Sprintf("pages round row %d", row), w.pages(w.s, w.ws, 1, store.PageFilter{Row: row}), want)
		}
	}},
	{"page/many, while reading others", func(w *world) {
		const n = 150
		w.write(func(tx store.Tx) error {
			for seq := range n {
				p := newPage(1, ledger.PassApply, 1+seq/70, seq)
				if err := tx.InsertPage(w.ctx(), &p); err != nil {
					return err
				}
			}
			return nil
		})
		seen := 0
		w.ok(w.s.Pages(w.ctx(), w.ws, 1, store.PageFilter{}, func(p ledger.Page) error {
			w.same("sequence", p.Seq, seen)
			seen++
			_, err := w.s.Keys(w.ctx(), w.ws)
			return err
		}))
		w.same("pages", seen, n)
	}},
	{"page/stops at the reader's error", func(w *world) {
		w.addPage(newPage(1, ledger.PassApply, 1, 1))
		w.addPage(newPage(1, ledger.PassApply, 1, 2))
		enough := errors.New("enough")
		calls := 0
		err := w.s.Pages(w.ctx(), w.ws, 1, store.PageFilter{}, func(ledger.Page) error { calls++; return enough })
		w.want(err, enough)
		w.same("calls", calls, 1)
	}},
}
