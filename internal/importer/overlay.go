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

// rowOverlay is what is laid over one row: the fixes that reach it, in their order,
// and its correction.
type rowOverlay struct {
	fixes []*columnFix
	cells map[int]string
	// at is when the correction was made; zero for none.
	at time.Time
}

// columnFix is a fix with the indexes of the columns that it is about.
type columnFix struct {
	*store.Fix
	columns []int
}

// overlay reads what is laid over the rows of a batch as they run: its corrections,
// and the fixes as they reach its rows, by the entries that book has of them (of
// every pass, plans included). It returns nil for nothing.
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
			return s.sectionOverlay(ctx, imp, book, header, sectionOf(batches, i), asItRuns)
		}
	}
	return nil, fmt.Errorf("find what corrects batch %d: the file has no such section", b.No)
}

// sectionOverlay is overlay for the rows of a section.
func (s *Service) sectionOverlay(ctx context.Context, imp *store.Import, book *ledger.Book, header []string, sec rowSection, how reach) (*overlay, error) {
	corrections, err := s.cfg.Store.Corrections(ctx, imp.WS, imp.No, sec.first, sec.last)
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	all, err := s.cfg.Store.Fixes(ctx, imp.WS, imp.No)
	if err != nil {
		return nil, fmt.Errorf("read fixes: %w", err)
	}
	fixes := columnFixes(all, header)
	had, err := s.reached(ctx, imp, book, sec, fixes, how)
	if err != nil {
		return nil, err
	}
	o := &overlay{width: len(header), rows: make(map[int64]*rowOverlay, len(corrections))}
	for i := range corrections {
		c := &corrections[i]
		r := o.row(c.Row)
		r.cells, r.at = c.Cells, c.At
	}
	for i, f := range fixes {
		for row := range had[i] {
			r := o.row(row)
			r.fixes = append(r.fixes, f)
		}
	}
	if len(o.rows) == 0 {
		return nil, nil
	}
	return o, nil
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

// problem is the one that the fix corrects: problems quote long cells cut short.
func (f *columnFix) problem() problem {
	return problem{f.Code, f.Column, catalog.Shorten(f.From)}
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
	for _, f := range r.fixes {
		if !f.At.After(r.at) {
			cells = f.lay(cells)
		}
	}
	if len(r.cells) > 0 && len(cells) > o.width {
		// Whoever corrects a row has seen the cells that no column has.
		cells = cells[:o.width]
	}
	for i, text := range r.cells {
		cells = setCell(cells, i, text)
	}
	for _, f := range r.fixes {
		if f.At.After(r.at) {
			cells = f.lay(cells)
		}
	}
	rec.Cells = cells
}

// fixes are those that reach a row, in their order.
func (o *overlay) fixes(row int64) []*columnFix {
	if o == nil || o.rows[row] == nil {
		return nil
	}
	return o.rows[row].fixes
}

// lay puts the fix's value into the cells that hold what it replaces.
func (f *columnFix) lay(cells []string) []string {
	for _, i := range f.columns {
		if f.replaces(cellAt(cells, i)) {
			cells = setCell(cells, i, f.To)
		}
	}
	return cells
}

// replaces reports whether a cell is what the fix replaces.
func (f *columnFix) replaces(cell string) bool { return strings.TrimSpace(cell) == f.From }

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
