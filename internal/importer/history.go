package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// History implements API. It follows a chain: an item names the row that last
// wrote it, and the image of each write the row that wrote before. That outlives
// the values, which are past their retention sooner. Only an item that is there
// begins a chain: of a deleted one there is nothing to begin at.
func (s *Service) History(ctx context.Context, ws store.Workspace, kind catalog.Kind, id string, limit int) ([]HistoryStep, bool, error) {
	item, err := s.cfg.Store.Item(ctx, ws.WS, kind, catalog.Key{Field: catalog.KeyID, Value: id})
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, catalog.Faultf(catalog.KindNotFound, "not_found", "There is no %s %q.", kind, catalog.Shorten(id))
	}
	if err != nil {
		return nil, false, fmt.Errorf("read item: %w", err)
	}
	t := &trail{svc: s, ws: ws.WS, kind: kind, id: id, imports: make(map[int64]store.Import), decoder: ledger.NewDecoder()}
	truncated, err := t.follow(ctx, &item, limit)
	if err != nil {
		return nil, false, fmt.Errorf("follow the writes of %s: %w", id, err)
	}
	t.fillCreated(item.Doc)
	return t.steps, truncated, nil
}

// trail is an item's chain of writes, as far as it was followed.
type trail struct {
	svc     *Service
	ws      store.WS
	kind    catalog.Kind
	id      string
	imports map[int64]store.Import
	decoder *ledger.Decoder
	steps   []HistoryStep
	// docs are the documents that steps deleted, "" for other steps.
	docs []catalog.Doc
}

// writePlace says which row made a write, and the item's version after it.
type writePlace struct{ importNo, row, version int64 }

// before reports whether the write came before another one of the same item.
// Rows of one chunk may write an item several times in one version.
func (p writePlace) before(q writePlace) bool {
	return p.version < q.version || p.version == q.version && p.importNo == q.importNo && p.row < q.row
}

// follow goes back from the item's last write, for at most limit steps (0: no
// bound), and reports whether there were more that nothing is known of.
func (t *trail) follow(ctx context.Context, item *catalog.Item, limit int) (truncated bool, err error) {
	at := writePlace{item.ImportNo, item.Row, item.Version}
	for when := item.UpdatedAt; limit <= 0 || len(t.steps) < limit; when = (time.Time{}) {
		imp, ok, err := t.importNo(ctx, at.importNo)
		if !ok || err != nil {
			return true, err
		}
		im, gone, ok, err := t.image(ctx, at)
		if !ok || err != nil {
			return true, err
		}
		t.add(imp, at, &im, gone, when)
		older, ok, err := t.older(ctx, &imp, at, &im)
		if !ok || err != nil {
			return false, err
		}
		if !older.before(at) {
			return true, nil
		}
		at = older
	}
	return false, nil
}

// older returns the write before one that is known by its image; ok is false
// where that one was the item's first. An item that an undo made again goes on
// with its deletion, on the row of the same number.
func (t *trail) older(ctx context.Context, imp *store.Import, at writePlace, im *ledger.Image) (p writePlace, ok bool, err error) {
	switch {
	case im.Outcome != catalog.Created:
		return writePlace{im.ImportNo, im.LastRow, im.Version}, true, nil
	case imp.UndoOf == "":
		return p, false, nil
	}
	undone, err := t.svc.cfg.Store.Import(ctx, t.ws, imp.UndoOf)
	if err != nil {
		return p, false, fmt.Errorf("read import %s: %w", imp.UndoOf, err)
	}
	return writePlace{undone.No, im.Row, at.version - 1}, true, nil
}

// importNo reads an import; ok is false if there is none of this number.
func (t *trail) importNo(ctx context.Context, no int64) (imp store.Import, ok bool, err error) {
	if imp, ok := t.imports[no]; ok {
		return imp, true, nil
	}
	imp, err = t.svc.cfg.Store.ImportNo(ctx, t.ws, no)
	if errors.Is(err, store.ErrNotFound) {
		return imp, false, nil
	}
	if err != nil {
		return imp, false, fmt.Errorf("read import %d: %w", no, err)
	}
	t.imports[no] = imp
	return imp, true, nil
}

// image finds the image of a write; ok is false where its page is past its
// retention.
func (t *trail) image(ctx context.Context, at writePlace) (found ledger.Image, gone, ok bool, err error) {
	f := store.PageFilter{Row: at.row, Outcomes: true, Images: true}
	err = t.svc.cfg.Store.Pages(ctx, t.ws, at.importNo, f, func(p ledger.Page) error {
		if p.Outcomes == nil {
			return nil
		}
		images, pageGone, err := t.decoder.Images(p)
		if err != nil {
			return err
		}
		for i := range images {
			if im := &images[i]; t.made(im, at) && (!ok || im.Version > found.Version) {
				found, gone, ok = *im, pageGone, true
			}
		}
		return nil
	})
	if err != nil {
		return found, false, false, fmt.Errorf("read pages of import %d: %w", at.importNo, err)
	}
	return found, gone, ok, nil
}

// made reports whether an image may be that of a write.
func (t *trail) made(im *ledger.Image, at writePlace) bool {
	return im.Row == at.row && im.ItemID == t.id && im.Kind == t.kind && im.Outcome != catalog.Held && im.Version <= at.version
}

// add adds a step. when is its time where the item tells it; else it is the time
// of the import's end.
func (t *trail) add(imp store.Import, at writePlace, im *ledger.Image, gone bool, when time.Time) {
	switch {
	case !when.IsZero():
	case imp.CompletedAt != nil:
		when = *imp.CompletedAt
	default:
		when = imp.UpdatedAt
	}
	step := HistoryStep{Import: imp, Row: at.row, Outcome: im.Outcome, Version: at.version, At: when}
	switch im.Outcome {
	case catalog.Updated:
		step.Fields, step.Gone = im.Changes, gone
	case catalog.Deleted:
		step.Fields, step.Gone = fieldsOf(im.Doc, false), gone
	}
	t.steps = append(t.steps, step)
	t.docs = append(t.docs, im.Doc)
}

// fillCreated gives the steps that made the item their fields: what is left of
// the document once every later step is taken back.
func (t *trail) fillCreated(doc catalog.Doc) {
	known := true
	for i := range t.steps {
		step := &t.steps[i]
		switch {
		case step.Outcome == catalog.Created && known:
			step.Fields = fieldsOf(doc, true)
		case step.Outcome == catalog.Created:
			step.Gone = true
		case step.Outcome == catalog.Deleted:
			doc, known = t.docs[i], !step.Gone
		case step.Gone:
			known = false
		default:
			doc = doc.Revert(step.Fields)
		}
	}
}
