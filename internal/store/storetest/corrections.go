package storetest

import (
	"time"

	"tallyman/internal/store"
)

func newCorrection(row int64) store.Correction {
	return store.Correction{Row: row, Cells: map[int]string{0: "A-1", 7: ""}, By: "key_1", At: start}
}

func newFix(from string) store.Fix {
	return store.Fix{Code: "invalid_number", Column: "Größe", From: from, To: `"7" & <8>`, Since: 2, By: "key_1", At: start}
}

func (w *world) correct(importNo int64, cs ...store.Correction) {
	w.Helper()
	w.write(func(tx store.Tx) error { return tx.SaveCorrections(w.ctx(), importNo, cs) })
}

func (w *world) corrections(importNo, from, to int64) []store.Correction {
	w.Helper()
	list, err := w.s.Corrections(w.ctx(), w.ws, importNo, from, to)
	w.ok(err)
	return list
}

var correctionTrials = []trial{
	{"correction/round trip, in order of rows", func(w *world) {
		odd := newCorrection(1 << 40)
		odd.Cells = map[int]string{}
		for i, text := range bytewise {
			odd.Cells[i] = text
		}
		none := newCorrection(3)
		none.Cells = map[int]string{}
		w.correct(1, odd, none, newCorrection(20))
		w.correct(2, newCorrection(4))
		w.same("corrections", w.corrections(1, 0, 0), []store.Correction{none, newCorrection(20), odd})
		for _, c := range []struct{ from, to, want int64 }{{0, 20, 2}, {3, 20, 2}, {4, 20, 1}, {4, 19, 0}, {20, 0, 2}, {21, 0, 1}, {3, 3, 1}} {
			w.same("corrections of a range", int64(len(w.corrections(1, c.from, c.to))), c.want)
		}
		for no, want := range []int64{0, 3, 1, 0} {
			n, err := w.s.CountCorrections(w.ctx(), w.ws, int64(no))
			w.ok(err)
			w.same("count", n, want)
		}
	}},
	{"correction/cells are added, the later value wins", func(w *world) {
		w.correct(1, store.Correction{Row: 2, Cells: map[int]string{0: "a", 1: "b", 10: "x"}, By: "key_1", At: start}, newCorrection(3))
		w.correct(1, store.Correction{Row: 2, Cells: map[int]string{1: "", 2: "c"}, By: "key_1", At: start},
			store.Correction{Row: 2, Cells: map[int]string{2: "d\x00\"", 10: "y"}, By: "key_2", At: after(time.Hour)})
		w.same("corrections", w.corrections(1, 0, 0), []store.Correction{
			{Row: 2, Cells: map[int]string{0: "a", 1: "", 2: "d\x00\"", 10: "y"}, By: "key_2", At: after(time.Hour)}, newCorrection(3)})
	}},
	{"correction/read in a transaction, with what it changed", func(w *world) {
		w.correct(1, newCorrection(2))
		w.write(func(tx store.Tx) error {
			_, err := tx.Correction(w.ctx(), 1, 3)
			w.want(err, store.ErrNotFound)
			_, err = tx.Correction(w.ctx(), 2, 2)
			w.want(err, store.ErrNotFound)
			was, err := tx.Correction(w.ctx(), 1, 2)
			w.ok(err)
			w.same("correction", was, newCorrection(2))
			w.ok(tx.SaveCorrections(w.ctx(), 1, []store.Correction{{Row: 2, Cells: map[int]string{1: "b"}, By: "key_2", At: after(time.Hour)}}))
			now, err := tx.Correction(w.ctx(), 1, 2)
			w.same("correction with a cell more", now, store.Correction{Row: 2, Cells: map[int]string{0: "A-1", 1: "b", 7: ""}, By: "key_2", At: after(time.Hour)})
			return err
		})
		w.same("corrections", w.corrections(1, 0, 0)[0].Cells, map[int]string{0: "A-1", 1: "b", 7: ""})
	}},
	{"correction/deleted", func(w *world) {
		w.correct(1, newCorrection(2), newCorrection(3))
		w.write(func(tx store.Tx) error { return tx.DeleteCorrection(w.ctx(), 1, 2) })
		w.same("corrections", w.corrections(1, 0, 0), []store.Correction{newCorrection(3)})
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.DeleteCorrection(w.ctx(), 1, 2) }), store.ErrNotFound)
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.DeleteCorrection(w.ctx(), 2, 3) }), store.ErrNotFound)
	}},
	{"fix/numbered from 1 in each import, deleted", func(w *world) {
		add := func(importNo int64, from string) store.Fix {
			f := newFix(from)
			w.write(func(tx store.Tx) error { return tx.InsertFix(w.ctx(), importNo, &f) })
			return f
		}
		fixes := func(importNo int64) []store.Fix {
			list, err := w.s.Fixes(w.ctx(), w.ws, importNo)
			w.ok(err)
			return list
		}
		one, two, three := add(1, "a"), add(1, "b"), add(1, "")
		add(2, "c")
		want := newFix("b")
		want.No = 2
		w.same("second", two, want)
		w.same("fixes", fixes(1), []store.Fix{one, two, three})
		w.same("first of another import", fixes(2)[0].No, 1)
		w.write(func(tx store.Tx) error { return tx.DeleteFix(w.ctx(), 1, 2) })
		w.same("fixes left", fixes(1), []store.Fix{one, three})
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.DeleteFix(w.ctx(), 1, 2) }), store.ErrNotFound)
		w.same("the next", add(1, "d").No, 4)
	}},
}
