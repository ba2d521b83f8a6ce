package importer

import (
	"errors"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
)

// diffUnit is a part of a diff that is counted and read as one: a page, or the
// pages of a batch in which rows come up more than once.
type diffUnit []ledger.Page

// diffUnits cuts headers, which are in order of batch, pass and sequence.
func diffUnits(headers []ledger.Page) []diffUnit {
	var units []diffUnit
	for len(headers) > 0 {
		n := 1
		for n < len(headers) && headers[n].Batch == headers[0].Batch {
			n++
		}
		batch := headers[:n]
		headers = headers[n:]
		if overlaps(batch) {
			units = append(units, batch)
			continue
		}
		for i := range batch {
			units = append(units, batch[i:i+1])
		}
	}
	return units
}

// overlaps reports whether a row may stand on several pages of a batch.
func overlaps(batch []ledger.Page) bool {
	for i := 1; i < len(batch); i++ {
		if batch[i].FirstRow <= batch[i-1].LastRow {
			return true
		}
	}
	return false
}

// tally is the sum of the unit's pages.
func (u diffUnit) tally() (t catalog.Tally) {
	for i := range u {
		t = t.Add(u[i].Tally)
	}
	return t
}

// fields sums what the unit's updates did to a field, or with "" to all fields.
// known is false where its pages do not tell.
func (u diffUnit) fields(name string) (sum ledger.FieldCount, known bool) {
	if !u.countsFields() {
		return sum, false
	}
	for i := range u {
		for _, c := range u[i].Fields {
			if name == "" || c.Field == name {
				sum.Added += c.Added
				sum.Changed += c.Changed
				sum.Cleared += c.Cleared
			}
		}
	}
	return sum, true
}

// countsFields reports whether the headers' counts by field are what updates did:
// a plan's row that was amended is counted still, and old pages count nothing.
func (u diffUnit) countsFields() bool {
	return (len(u) == 1 || !u[0].Pass.Planning()) && !slices.ContainsFunc(u, func(p ledger.Page) bool { return p.Format < fieldsFormat })
}

// fieldsFormat is the first format of pages that count by field.
const fieldsFormat = 2

// each calls fn with every change of the unit that the filter selects, in order
// of rows.
func (u diffUnit) each(load ledger.Load, f ChangeFilter, fn func(imageChange) error) error {
	return ledger.NewBook(u, load).EachWritten(nil, func(w ledger.Written) error {
		changes := changesOf(&w)
		for i := range changes {
			selected, err := f.selects(&changes[i])
			if err != nil {
				return err
			}
			if !selected {
				continue
			}
			if err := fn(changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// errMiscounted: a unit holds another number of changes than its headers say, as
// it may where a row writes several items.
var errMiscounted = errors.New("the headers do not count these changes")

// diffWindow collects the changes between two places of a diff, and counts all
// of it. Units whose headers tell how many of their changes are selected are
// loaded only where the window touches them, so one deep in a million changes
// costs no more than the first.
type diffWindow struct {
	filter   ChangeFilter
	from, to int64 // to is -1 for no end
	at       int64 // selected changes before the one at hand
	found    []imageChange
}

// read goes over the units; trust takes their headers' counts as true.
func (w *diffWindow) read(units []diffUnit, load ledger.Load, trust bool) error {
	w.at, w.found = 0, nil
	for _, u := range units {
		n, known := w.filter.count(u)
		known = known && (trust || n == 0)
		if known && (n == 0 || !w.touches(w.at, n)) {
			w.at += n
			continue
		}
		first := w.at
		if err := u.each(load, w.filter, w.take); err != nil {
			return fmt.Errorf("read changes: %w", err)
		}
		if known && w.at-first != n {
			return errMiscounted
		}
	}
	return nil
}

func (w *diffWindow) touches(at, n int64) bool {
	return at+n > w.from && (w.to < 0 || at < w.to)
}

func (w *diffWindow) take(c imageChange) error {
	if w.touches(w.at, 1) {
		w.found = append(w.found, c)
	}
	w.at++
	return nil
}
