package importer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// imageRows are the rows of another import that wrote, each asking for what it
// wrote to be taken back. A place in them is a page of that import (offset) and
// a row on it (line), both from 0 and counted from the last one.
type imageRows struct {
	ctx     context.Context
	of      store.Import
	load    ledger.Load
	decoder *ledger.Decoder
	pages   []writtenPage
	end     int64
	force   bool
	again   *rowsAgain
	at_     mark
	// rows are the groups of images of the page at hand, the last row first.
	rows   [][]ledger.Image
	open   bool
	weighs int64
}

func (s *Service) openImages(ctx context.Context, st *started, again *rowsAgain) (rowSource, error) {
	of, err := s.cfg.Store.Import(ctx, st.imp.WS, st.imp.UndoOf)
	if err != nil {
		return nil, fmt.Errorf("find import to undo: %w", err)
	}
	b := &st.batch
	r := &imageRows{ctx: ctx, of: of, load: s.loadPage(ctx, &of), decoder: ledger.NewDecoder(), end: b.Offset + b.Length,
		force: OptionsOf(&st.imp).Force, again: again, at_: mark{offset: b.NextOffset, number: b.NextRow, line: b.NextLine}}
	if err := s.loadJSON(ctx, writtenKey(&st.imp), &r.pages); err != nil {
		return nil, fmt.Errorf("read list of pages: %w", err)
	}
	return r, nil
}

// Close implements rowSource.
func (r *imageRows) Close() error { return nil }

func (r *imageRows) was(row int64) *ledger.Was { return r.again.was(row) }

func (r *imageRows) at() mark { return r.at_ }

// sketch implements rowSource: what is taken back is decided on what is there.
func (r *imageRows) sketch(bool) *sketches { return nil }

func (r *imageRows) weight() int64 { return r.weighs }

func (r *imageRows) more() (bool, error) {
	for r.at_.offset < r.end {
		if !r.open {
			if err := r.read(); err != nil {
				return false, err
			}
		}
		for ; r.at_.line < int64(len(r.rows)); r.at_.line++ {
			if r.at_.number = r.rows[r.at_.line][0].Row; r.again.wants(r.at_.number) {
				return true, nil
			}
		}
		r.at_ = mark{offset: r.at_.offset + 1}
		r.open, r.rows = false, nil
	}
	return false, nil
}

// read loads the page at hand.
func (r *imageRows) read() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	p := r.pages[r.at_.offset]
	page, err := r.load(ledger.Page{ImportNo: r.of.No, Pass: p.Pass, Batch: p.Batch, Seq: p.Seq}, true)
	if err != nil {
		return fmt.Errorf("read page to undo: %w", err)
	}
	images, gone, err := r.decoder.Images(page)
	switch {
	case err != nil:
		return fmt.Errorf("read page to undo: %w", err)
	case gone:
		return catalog.Faultf(catalog.KindConflict, "undo_expired", "What import %s had replaced is past its retention; it cannot be undone any more.", r.of.ID)
	}
	images = slices.DeleteFunc(slices.Clone(images), func(im ledger.Image) bool { return im.Outcome == catalog.Held })
	r.rows = nil
	for i := 0; i < len(images); {
		n := i + 1
		for n < len(images) && images[n].Row == images[i].Row {
			n++
		}
		r.rows = append(r.rows, images[i:n])
		i = n
	}
	slices.Reverse(r.rows)
	r.open = true
	return nil
}

// group asks for the row's writes to be taken back, the last one first.
func (r *imageRows) group(g *catalog.Group) error {
	images := compose(r.rows[r.at_.line])
	// A row that was kept, run again, is taken back whatever others have done.
	force := r.force || r.again.held(r.at_.number)
	g.Rows = append(g.Rows, catalog.Row{Number: r.at_.number})
	for i := len(images) - 1; i >= 0; i-- {
		im := &images[i]
		r.weighs += int64(len(im.Doc))
		for j := range im.Changes {
			r.weighs += int64(len(im.Changes[j].Old) + len(im.Changes[j].New))
		}
		g.Changes = append(g.Changes, catalog.Change{Kind: im.Kind, Row: len(g.Rows) - 1,
			Keys: []catalog.Key{{Field: catalog.KeyID, Value: im.ItemID}}, Undo: r.undo(im, force)})
	}
	r.at_.line++
	return nil
}

func (r *imageRows) undo(im *ledger.Image, force bool) *catalog.Undo {
	u := &catalog.Undo{ImportNo: r.of.No, Row: im.Row, Outcome: im.Outcome, Changes: im.Changes, Version: im.Version, Hash: im.Hash,
		Doc: im.Doc, Live: im.Live, LiveChanged: im.LiveChanged, GTINShared: im.GTINShared, CreatedNo: im.CreatedNo, Force: force}
	if im.Outcome == catalog.Deleted {
		u.CreatedAt = time.UnixMilli(im.CreatedAt).UTC()
	}
	return u
}

// compose joins several writes of one item by one row into one: what the first
// found, and what the last left.
func compose(images []ledger.Image) []ledger.Image {
	out := images[:0:0]
	for _, im := range images {
		i := slices.IndexFunc(out, func(o ledger.Image) bool { return o.Kind == im.Kind && o.ItemID == im.ItemID })
		if i < 0 {
			out = append(out, im)
			continue
		}
		first := &out[i]
		switch {
		case first.Outcome == catalog.Created && im.Outcome == catalog.Deleted:
			out = slices.Delete(out, i, i+1)
		case im.Outcome == catalog.Deleted:
			// Taking the deletion back gives what the earlier writes left; they are
			// taken back from there.
			im.Doc = im.Doc.Revert(first.Changes)
			im.Version, im.Hash, im.ImportNo, im.LastRow = first.Version, first.Hash, first.ImportNo, first.LastRow
			out[i] = im
		case first.Outcome == catalog.Updated:
			first.Changes = joinChanges(first.Changes, im.Changes)
			first.LiveChanged = first.LiveChanged || im.LiveChanged
		}
	}
	return out
}

// joinChanges joins two sorted lists of changes, the second made after the first.
func joinChanges(a, b []catalog.FieldChange) []catalog.FieldChange {
	out := make([]catalog.FieldChange, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Field < b[0].Field:
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || b[0].Field < a[0].Field:
			out, b = append(out, b[0]), b[1:]
		default:
			if a[0].Old != b[0].New {
				out = append(out, catalog.FieldChange{Field: a[0].Field, Old: a[0].Old, New: b[0].New})
			}
			a, b = a[1:], b[1:]
		}
	}
	return out
}
