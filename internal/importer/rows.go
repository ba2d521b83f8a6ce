package importer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Row implements API.
func (s *Service) Row(ctx context.Context, ws store.Workspace, id string, row int64) (RowReport, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return RowReport{}, err
	}
	rep := RowReport{Entry: ledger.Entry{Row: row}}
	known, err := s.reportEntry(ctx, &imp, &rep)
	if err != nil {
		return RowReport{}, fmt.Errorf("report row %d: %w", row, err)
	}
	there, err := s.reportCells(ctx, &imp, &rep)
	if err != nil {
		return RowReport{}, fmt.Errorf("report row %d: %w", row, err)
	}
	if !known && !there {
		return RowReport{}, rowNotFound(row)
	}
	return rep, nil
}

// reportEntry fills in how a row ended; false says that it has not.
func (s *Service) reportEntry(ctx context.Context, imp *store.Import, rep *RowReport) (bool, error) {
	passes := []ledger.Pass{""}
	if onlyPlanned(imp) {
		passes = append(passes, imp.Pass)
	}
	for _, pass := range passes {
		book, err := s.book(ctx, imp, pass)
		if err != nil {
			return false, err
		}
		e, page, ok, err := book.Row(rep.Row)
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		rep.Entry, rep.Pass, rep.Batch = e, page.Pass, page.Batch
		if rep.Node, err = s.nodeOf(ctx, imp, &page); err != nil {
			return true, err
		}
		return true, s.reportChanges(ctx, imp, book, &page, rep)
	}
	return false, nil
}

// onlyPlanned reports whether the newest plan says more of a row than what was
// done: it waits to be applied, or was not for the rows that failed in it.
func onlyPlanned(imp *store.Import) bool {
	return imp.Pass.Planning() && (!imp.State.Ended() || imp.State == store.RolledBack)
}

// nodeOf is the process that worked last on the batch of a page.
func (s *Service) nodeOf(ctx context.Context, imp *store.Import, page *ledger.Page) (string, error) {
	batches, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, page.Pass)
	if err != nil {
		return "", fmt.Errorf("list batches: %w", err)
	}
	for i := range batches {
		if batches[i].No == page.Batch {
			return batches[i].Node, nil
		}
	}
	return "", nil
}

// reportChanges fills in what a row did to items.
func (s *Service) reportChanges(ctx context.Context, imp *store.Import, book *ledger.Book, page *ledger.Page, rep *RowReport) error {
	images, gone, err := book.Images(*page)
	if err != nil {
		return fmt.Errorf("read images: %w", err)
	}
	images = slices.DeleteFunc(images, func(im ledger.Image) bool { return im.Row != rep.Row })
	rep.Changes, err = s.rowChanges(ctx, imp, rep.Entry, images, gone)
	return err
}

// reportCells fills in a row's cells where there is a file to read them from;
// false says that the import has no such row, as far as that can be told.
func (s *Service) reportCells(ctx context.Context, imp *store.Import, rep *RowReport) (bool, error) {
	batches, err := s.firstBatches(ctx, imp)
	if err != nil {
		return false, err
	}
	for i := range batches {
		if b := &batches[i]; b.Input != store.FileInput && b.FirstRow <= rep.Row && rep.Row < b.FirstRow+b.Rows {
			rep.Batch = b.No
			return true, nil
		}
	}
	if !hasFile(imp) || len(batches) == 0 {
		return false, nil
	}
	f, err := s.openRowFile(ctx, imp)
	if fault := catalog.AsFault(err); fault != nil && fault.Code == codeFileGone {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	rec, ok, err := f.record(ctx, rep.Row)
	if !ok || err != nil {
		return false, err
	}
	at := f.batchOf(rep.Row)
	o, err := f.overlay(ctx, at)
	if err != nil {
		return false, err
	}
	was := slices.Clone(rec.Cells)
	o.lay(rec)
	rep.Batch, rep.Header, rep.Cells = f.batches[at].No, f.header(), slices.Clone(rec.Cells)
	for i, now := range rep.Cells {
		if before := cellAt(was, i); before != now {
			if rep.Original == nil {
				rep.Original = make(map[int]string)
			}
			rep.Original[i] = before
		}
	}
	return true, nil
}

// Rows implements API.
func (s *Service) Rows(ctx context.Context, ws store.Workspace, id string, f RowFilter, r store.Range) ([]ledger.Entry, int, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, 0, err
	}
	l, err := s.listRows(ctx, &imp, f)
	if err != nil {
		return nil, 0, err
	}
	defer l.Close()
	if !l.pending {
		found, total, err := l.book.Rows(f.Outcomes, int64(r.Offset), int64(r.Limit))
		return found, int(total), err
	}
	var found []ledger.Entry
	total, from, to := int64(0), int64(r.Offset), int64(-1)
	if r.Limit > 0 {
		to = from + int64(r.Limit)
	}
	for i := range l.batches {
		first := total
		n := l.count(&l.batches[i])
		if total += n; total <= from || to >= 0 && first >= to {
			continue
		}
		entries, err := l.entries(ctx, &l.batches[i])
		if err != nil {
			return nil, 0, err
		}
		lo, hi := max(from-first, 0), int64(len(entries))
		if to >= 0 {
			hi = min(hi, to-first)
		}
		found = append(found, entries[min(lo, hi):hi]...)
	}
	return found, int(total), nil
}

// rowLister lists the rows that a filter selects, batch by batch, those that are
// not processed among them.
type rowLister struct {
	svc    *Service
	imp    *store.Import
	filter RowFilter
	book   *ledger.Book
	// batches are those of the first round, which has all rows.
	batches []store.Batch
	// pending says that rows without an entry are asked for.
	pending bool
	done    map[int]catalog.Tally // of batches
	file    *rowFile              // nil until numbers are read from it
}

func (s *Service) listRows(ctx context.Context, imp *store.Import, f RowFilter) (*rowLister, error) {
	l := &rowLister{svc: s, imp: imp, filter: f, done: make(map[int]catalog.Tally)}
	var err error
	if l.book, err = s.book(ctx, imp, planOr(imp, f.Plan)); err != nil {
		return nil, err
	}
	if l.batches, err = s.firstBatches(ctx, imp); err != nil {
		return nil, err
	}
	// The plan of a retry has the rows that run again, and no others are missing.
	l.pending = f.selects(catalog.Pending) && !(f.Plan && imp.Round > 0)
	for _, p := range l.book.Pages() {
		l.done[p.Batch] = l.done[p.Batch].Add(p.Tally)
	}
	return l, nil
}

func (l *rowLister) Close() {
	if l.file != nil {
		l.file.Close()
	}
}

func (f *RowFilter) selects(o catalog.Outcome) bool {
	return len(f.Outcomes) == 0 || slices.Contains(f.Outcomes, o)
}

// firstBatches lists the batches of an import's first round in order of rows:
// those of its file, and those whose rows are not in it.
func (s *Service) firstBatches(ctx context.Context, imp *store.Import) ([]store.Batch, error) {
	for _, pass := range []ledger.Pass{ledger.PassApply, ledger.PassPlan} {
		batches, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, pass)
		if err != nil {
			return nil, fmt.Errorf("list batches: %w", err)
		}
		if len(batches) > 0 {
			return batches, nil
		}
	}
	return nil, nil
}

// waiting is how many rows of a batch have no entry.
func (l *rowLister) waiting(b *store.Batch) int64 {
	if !l.pending {
		return 0
	}
	return max(b.Rows-l.done[b.No].Rows(), 0)
}

// count is how many rows of a batch are selected.
func (l *rowLister) count(b *store.Batch) int64 {
	t := l.done[b.No]
	n := l.waiting(b)
	for o, ended := range map[catalog.Outcome]int64{catalog.Created: t.Created, catalog.Updated: t.Updated, catalog.Unchanged: t.Unchanged,
		catalog.Deleted: t.Deleted, catalog.Failed: t.Failed, catalog.Skipped: t.Skipped, catalog.Held: t.Held} {
		if l.filter.selects(o) {
			n += ended
		}
	}
	return n
}

// entries lists the selected rows of a batch in order.
func (l *rowLister) entries(ctx context.Context, b *store.Batch) ([]ledger.Entry, error) {
	all, err := l.book.Batch(b.No)
	if err != nil {
		return nil, err
	}
	var missing []ledger.Entry
	if l.waiting(b) > 0 {
		err := l.numbers(ctx, b, func(row int64) {
			if _, ok := entryOf(all, row); !ok {
				missing = append(missing, ledger.Entry{Row: row})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	selected := slices.DeleteFunc(all, func(e ledger.Entry) bool { return !l.filter.selects(e.Outcome) })
	if len(missing) == 0 {
		return selected, nil
	}
	selected = append(selected, missing...)
	slices.SortFunc(selected, func(a, b ledger.Entry) int { return cmp.Compare(a.Row, b.Row) })
	return selected, nil
}

// numbers calls fn with the number of every row of a batch, in order.
func (l *rowLister) numbers(ctx context.Context, b *store.Batch, fn func(row int64)) error {
	if b.Input != store.FileInput || !hasFile(l.imp) {
		for i := range b.Rows {
			fn(b.FirstRow + i)
		}
		return nil
	}
	if l.file == nil {
		var err error
		if l.file, err = l.svc.openRowFile(ctx, l.imp); err != nil {
			return err
		}
	}
	return l.file.numbers(b, fn)
}

// entryOf finds a row among entries in order of rows.
func entryOf(entries []ledger.Entry, row int64) (*ledger.Entry, bool) {
	at, ok := slices.BinarySearchFunc(entries, row, func(e ledger.Entry, row int64) int { return cmp.Compare(e.Row, row) })
	if !ok {
		return nil, false
	}
	return &entries[at], true
}
