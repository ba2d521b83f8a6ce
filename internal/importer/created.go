package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// createdDocs reads again what rows made. The ledger does not keep it: all of a
// created item stands in its row, which is decided once more as if there were no
// other items. Rows are read forward, batch by batch.
type createdDocs struct {
	svc *Service
	imp *store.Import
	// opened says that the file was tried; in is nil if there is none to read.
	opened  bool
	in      *input
	batches []store.Batch
	facts   *catalog.Facts
	// rows are those of the batch that is read, from the record at hand on.
	batch int
	rows  *fileRows
	// group was read last, and past is its last row, or one that was passed by.
	group catalog.Group
	past  int64
	made  catalog.Decisions
}

// Close closes the file.
func (r *createdDocs) Close() {
	if r.in != nil {
		r.in.Close()
	}
}

// doc returns the document that a row gave the item it made, "" if the file is
// not kept.
func (r *createdDocs) doc(ctx context.Context, c *imageChange) (catalog.Doc, error) {
	if err := r.open(ctx); err != nil || r.in == nil {
		return "", err
	}
	if ok, err := r.find(ctx, c.Row); !ok || err != nil {
		return "", err
	}
	return r.written(c), nil
}

// written is the document, of those that the last group made, that is a
// change's.
func (r *createdDocs) written(c *imageChange) catalog.Doc {
	var of []*catalog.Write
	for i := range r.made.Writes {
		if w := &r.made.Writes[i]; w.Row == c.Row {
			of = append(of, w)
		}
	}
	if len(of) == c.of && of[c.index].After.Kind == c.Kind {
		return of[c.index].After.Doc
	}
	for _, w := range of {
		if w.After.Kind == c.Kind {
			return w.After.Doc
		}
	}
	return ""
}

// open opens the import's file and finds its batches, once.
func (r *createdDocs) open(ctx context.Context) error {
	if r.opened {
		return nil
	}
	r.opened = true
	in, err := r.svc.open(ctx, r.imp)
	if errors.Is(err, files.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.in = in
	r.facts = &catalog.Facts{Schema: r.svc.schema, Currency: in.ws.Currency, ImportNo: r.imp.No, Heading: in.binding.Heading,
		Now: r.imp.CreatedAt, NewID: func(catalog.Kind) string { return "" }}
	r.batches, err = r.svc.fileBatches(ctx, r.imp)
	return err
}

// fileBatches lists the batches of an import's file in order of rows: those of
// its first round, which has all rows.
func (s *Service) fileBatches(ctx context.Context, imp *store.Import) ([]store.Batch, error) {
	for _, pass := range []ledger.Pass{ledger.PassApply, ledger.PassPlan} {
		batches, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, pass)
		if err != nil {
			return nil, fmt.Errorf("list batches: %w", err)
		}
		batches = slices.DeleteFunc(batches, func(b store.Batch) bool { return b.Input != store.FileInput })
		if len(batches) > 0 {
			return batches, nil
		}
	}
	return nil, nil
}

// find decides the group with a row, unless it is the last one already; ok is
// false if the file has no such row.
func (r *createdDocs) find(ctx context.Context, row int64) (ok bool, err error) {
	if r.has(row) {
		return true, nil
	}
	if err := r.seek(ctx, row); err != nil || r.rows == nil {
		return false, err
	}
	for {
		more, err := r.rows.more()
		if err != nil || !more || r.rows.rec.Number > row {
			return false, err
		}
		if r.rows.rec.Number < row && !r.rows.mapper.Groups() {
			// It stands alone, and is not asked for.
			r.rows.ahead, r.past = false, r.rows.rec.Number
			continue
		}
		if err := r.decide(); err != nil {
			return false, err
		}
		if r.has(row) {
			return true, nil
		}
	}
}

func (r *createdDocs) has(row int64) bool {
	return slices.ContainsFunc(r.group.Rows, func(x catalog.Row) bool { return x.Number == row })
}

// seek makes rows those of the batch that has a row, from that row or an earlier
// one on.
func (r *createdDocs) seek(ctx context.Context, row int64) error {
	at, ok := slices.BinarySearchFunc(r.batches, row, func(b store.Batch, row int64) int {
		return int(min(max(b.FirstRow-row, -1), 1))
	})
	if !ok {
		at--
	}
	if at < 0 {
		r.rows = nil
		return nil
	}
	if r.rows != nil && r.batch == at && r.past < row {
		return nil
	}
	r.batch, r.rows = at, &fileRows{mapper: r.in.binding.Mapper(r.imp.Mode), binding: r.in.binding}
	r.group.Rows, r.past = r.group.Rows[:0], 0
	b := r.batches[at]
	b.NextOffset, b.NextRow, b.NextLine = b.Offset, b.FirstRow, b.FirstLine
	var err error
	if r.rows.overlay, err = r.svc.batchOverlay(ctx, r.imp, r.in, &b); err != nil {
		return err
	}
	r.rows.dec, err = tabular.Open(r.in.file, &r.in.layout, section(&b), r.svc.cfg.Limits, nil)
	return err
}

// decide reads the next group and decides it in an empty world.
func (r *createdDocs) decide() error {
	r.group = catalog.Group{Rows: r.group.Rows[:0], Changes: r.group.Changes[:0]}
	if err := r.rows.group(&r.group); err != nil {
		return err
	}
	r.past = r.group.Rows[len(r.group.Rows)-1].Number
	r.made.Reset()
	catalog.Decide(&r.group, newWorld(0), r.facts, &r.made)
	return nil
}
