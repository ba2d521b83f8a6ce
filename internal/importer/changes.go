package importer

import (
	"context"
	"errors"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Changes implements API.
func (s *Service) Changes(ctx context.Context, ws store.Workspace, id string, f ChangeFilter, r store.Range) ([]RowChange, int, error) {
	d, book, err := s.differOf(ctx, ws, id, f.Plan)
	if err != nil {
		return nil, 0, err
	}
	defer d.Close()
	w := diffWindow{filter: f, from: int64(max(r.Offset, 0)), to: -1}
	if r.Limit > 0 {
		w.to = w.from + int64(r.Limit)
	}
	err = w.read(diffUnits(book.Pages()), s.loadPage(ctx, d.imp), true)
	if errors.Is(err, errMiscounted) {
		err = w.read(diffUnits(book.Pages()), s.loadPage(ctx, d.imp), false)
	}
	if err != nil {
		return nil, 0, err
	}
	changes, err := d.fill(ctx, w.found)
	return changes, int(w.at), err
}

// fillAtOnce is how many changes of a stream are completed together: as many
// items are looked up in one go.
const fillAtOnce = 1000

// EachChange implements API.
func (s *Service) EachChange(ctx context.Context, ws store.Workspace, id string, f ChangeFilter, fn func(RowChange) error) error {
	d, book, err := s.differOf(ctx, ws, id, f.Plan)
	if err != nil {
		return err
	}
	defer d.Close()
	var waiting []imageChange
	flush := func() error {
		changes, err := d.fill(ctx, waiting)
		waiting = waiting[:0]
		for i := range changes {
			if err == nil {
				err = fn(changes[i])
			}
		}
		return err
	}
	for _, u := range diffUnits(book.Pages()) {
		if n, known := f.count(u); known && n == 0 {
			continue
		}
		err := u.each(s.loadPage(ctx, d.imp), f, func(c imageChange) error {
			waiting = append(waiting, c)
			if len(waiting) < fillAtOnce {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
	}
	return flush()
}

// differOf opens the diff of an import's newest plan, or of what was done.
func (s *Service) differOf(ctx context.Context, ws store.Workspace, id string, plan bool) (*differ, *ledger.Book, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, nil, err
	}
	book, err := s.book(ctx, &imp, planOr(&imp, plan))
	if err != nil {
		return nil, nil, err
	}
	return s.newDiffer(&imp, plan), book, nil
}

// rowChanges is the diff of one row: what it did to items, or, while the import
// has nothing but a plan, would do.
func (s *Service) rowChanges(ctx context.Context, imp *store.Import, e ledger.Entry, images []ledger.Image, gone bool) ([]RowChange, error) {
	d := s.newDiffer(imp, imp.Pass == ledger.PassPlan)
	defer d.Close()
	return d.fill(ctx, changesOf(&ledger.Written{Entry: e, Images: images, Gone: gone}))
}
