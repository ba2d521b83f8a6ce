package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// overlay is what is laid over the rows of one batch: corrections and fixes. What
// was said last counts: a correction lies over the fixes made before it and under
// those made after it.
type overlay struct {
	// width is the number of columns of the header.
	width int
	rows  map[int64]*rowOverlay
}

// rowOverlay is what is laid over one row, in this order.
type rowOverlay struct {
	under []*columnFix
	cells map[int]string
	over  []*columnFix
}

// columnFix is a fix with the indexes of the columns that it is about.
type columnFix struct {
	*store.Fix
	columns []int
}

// overlay reads what is laid over the rows of a batch: its corrections, and the
// fixes as they reach its rows, by the entries that book has of them (of every
// pass, plans included). It returns nil for nothing.
func (s *Service) overlay(ctx context.Context, imp *store.Import, book *ledger.Book, header []string, b *store.Batch) (*overlay, error) {
	if b.Input != store.FileInput {
		return nil, nil
	}
	batches, err := s.fileBatches(ctx, imp)
	if err != nil {
		return nil, err
	}
	for i := range batches {
		if batches[i].No == b.No {
			return s.sectionOverlay(ctx, imp, book, header, sectionOf(batches, i))
		}
	}
	return nil, fmt.Errorf("find what corrects batch %d: the file has no such section", b.No)
}

// sectionOverlay is overlay for the rows of a section.
func (s *Service) sectionOverlay(ctx context.Context, imp *store.Import, book *ledger.Book, header []string, sec rowSection) (*overlay, error) {
	corrections, err := s.cfg.Store.Corrections(ctx, imp.WS, imp.No, sec.first, sec.last)
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	all, err := s.cfg.Store.Fixes(ctx, imp.WS, imp.No)
	if err != nil {
		return nil, fmt.Errorf("read fixes: %w", err)
	}
	fixes := columnFixes(all, header)
	had, err := s.reached(ctx, imp, book, sec, fixes)
	if err != nil {
		return nil, err
	}
	o := &overlay{width: len(header), rows: make(map[int64]*rowOverlay, len(corrections))}
	made := make(map[int64]time.Time, len(corrections))
	for i := range corrections {
		c := &corrections[i]
		made[c.Row], o.row(c.Row).cells = c.At, c.Cells
	}
	for i, f := range fixes {
		for row := range had[i] {
			o.row(row).fix(f, made[row])
		}
	}
	if len(o.rows) == 0 {
		return nil, nil
	}
	return o, nil
}

// fix lays a fix over the row, or under its correction, which was made at a time
// (zero for none). Fixes come in their order.
func (r *rowOverlay) fix(f *columnFix, corrected time.Time) {
	if f.At.After(corrected) {
		r.over = append(r.over, f)
		return
	}
	r.under = append(r.under, f)
}

func (o *overlay) row(number int64) *rowOverlay {
	r := o.rows[number]
	if r == nil {
		r = &rowOverlay{}
		o.rows[number] = r
	}
	return r
}

// columnFixes finds the columns of fixes. One whose column the file has not can
// reach nothing and is left out.
func columnFixes(fixes []store.Fix, header []string) []*columnFix {
	var out []*columnFix
	for i := range fixes {
		f := &columnFix{Fix: &fixes[i]}
		for at, h := range header {
			if h == f.Column {
				f.columns = append(f.columns, at)
			}
		}
		if len(f.columns) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// about reports whether a problem is the one that the fix corrects.
func (f *columnFix) about(p *catalog.Problem) bool {
	return p.Code == f.Code && p.Column == f.Column && p.Value == f.From
}

// lay changes the record's cells as the overlay says. A nil overlay changes none.
// A record that could not be read stays as it is.
func (o *overlay) lay(rec *tabular.Record) {
	if o == nil || rec.Problem != nil {
		return
	}
	r := o.rows[rec.Number]
	if r == nil {
		return
	}
	cells := slices.Clone(rec.Cells) // the decoder's own are written again
	for _, f := range r.under {
		cells = f.lay(cells)
	}
	if len(r.cells) > 0 && len(cells) > o.width {
		// Whoever corrects a row has seen the cells that no column has.
		cells = cells[:o.width]
	}
	for i, text := range r.cells {
		cells = setCell(cells, i, text)
	}
	for _, f := range r.over {
		cells = f.lay(cells)
	}
	rec.Cells = cells
}

// corrected returns the cells of a row that are corrected by hand.
func (o *overlay) corrected(row int64) map[int]string {
	if o == nil || o.rows[row] == nil {
		return nil
	}
	return o.rows[row].cells
}

// lay puts the fix's value into the cells that hold what it replaces.
func (f *columnFix) lay(cells []string) []string {
	for _, i := range f.columns {
		if f.holds(cells, i) {
			cells = setCell(cells, i, f.To)
		}
	}
	return cells
}

// holds reports whether a cell is what the fix replaces.
func (f *columnFix) holds(cells []string, i int) bool {
	return problemValue(cellAt(cells, i)) == f.From
}

// problemValue is a whole cell as problems quote it.
func problemValue(cell string) string { return catalog.Shorten(strings.TrimSpace(cell)) }

// cellAt returns a cell, "" where the record is too short.
func cellAt(cells []string, i int) string {
	if i < len(cells) {
		return cells[i]
	}
	return ""
}

// setCell sets a cell, lengthening a record that is too short.
func setCell(cells []string, i int, text string) []string {
	for len(cells) <= i {
		cells = append(cells, "")
	}
	cells[i] = text
	return cells
}
