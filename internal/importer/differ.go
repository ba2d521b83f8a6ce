package importer

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// imageChange is a change as its image tells it. What an image does not hold is
// filled in for those changes only that are shown.
type imageChange struct {
	RowChange
	// whole says that the item comes or goes as a whole; creates that it comes.
	whole, creates bool
	// index says which of the row's images it is, of how many.
	index, of int
}

// changesOf lists what one row did.
func changesOf(w *ledger.Written) []imageChange {
	changes := make([]imageChange, len(w.Images))
	for i := range w.Images {
		im, c := &w.Images[i], &changes[i]
		c.index, c.of = i, len(w.Images)
		c.Row, c.Outcome, c.Kind, c.ItemID = im.Row, im.Outcome, im.Kind, im.ItemID
		switch {
		case im.Outcome == catalog.Created, im.Outcome == catalog.Held && im.Version == 0:
			c.whole, c.creates = true, true
		case im.Outcome == catalog.Deleted, im.Doc != "":
			c.whole, c.Gone = true, w.Gone
			c.Fields = fieldsOf(im.Doc, false)
			c.takeKeys(im.Doc)
		default:
			c.Gone, c.Fields = w.Gone, im.Changes
		}
	}
	return changes
}

// fieldsOf lists a whole document as changes: all of it new, or all of it gone.
func fieldsOf(doc catalog.Doc, comes bool) []catalog.FieldChange {
	var fields []catalog.FieldChange
	doc.Each(func(name, token string) bool {
		fc := catalog.FieldChange{Field: name, Old: token}
		if comes {
			fc.Old, fc.New = "", token
		}
		fields = append(fields, fc)
		return true
	})
	return fields
}

func (c *RowChange) takeKeys(doc catalog.Doc) {
	c.SKU, c.GTIN = doc.Text(catalog.PropSKU), doc.Text(catalog.PropGTIN)
}

// differ completes the changes of one import. It is not safe for concurrent use.
type differ struct {
	svc *Service
	imp *store.Import
	// planning says that nothing is done yet; then ids of new items are chance.
	planning bool
	// made finds what created items hold.
	made interface {
		// doc returns the document of a created item, "" where it is not to be had.
		doc(ctx context.Context, c *imageChange) (catalog.Doc, error)
		Close()
	}
}

func (s *Service) newDiffer(imp *store.Import, planning bool) *differ {
	d := &differ{svc: s, imp: imp, planning: planning}
	if imp.UndoOf != "" {
		d.made = &deletedDocs{svc: s, undo: imp}
	} else {
		d.made = &createdDocs{svc: s, imp: imp}
	}
	return d
}

// Close lets go of what the differ opened.
func (d *differ) Close() { d.made.Close() }

// fill completes changes in order of rows: created items get their fields, and
// all get the keys that people know their items by.
func (d *differ) fill(ctx context.Context, changes []imageChange) ([]RowChange, error) {
	for i := range changes {
		if !changes[i].creates {
			continue
		}
		if err := d.create(ctx, &changes[i]); err != nil {
			return nil, err
		}
	}
	out := make([]RowChange, len(changes))
	for i := range changes {
		out[i] = changes[i].RowChange
	}
	for part := range slices.Chunk(out, fillAtOnce) {
		if err := d.fillKeys(ctx, part); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// create gives a created item its fields.
func (d *differ) create(ctx context.Context, c *imageChange) error {
	if (d.planning || c.Outcome == catalog.Held) && d.imp.UndoOf == "" {
		c.ItemID = ""
	}
	doc, err := d.made.doc(ctx, c)
	if err != nil {
		return fmt.Errorf("find what row %d creates: %w", c.Row, err)
	}
	if doc == "" {
		c.Gone = true
		return nil
	}
	c.Fields = fieldsOf(doc, true)
	c.takeKeys(doc)
	return nil
}

// fillKeys looks the items up whose changes do not say their keys.
func (d *differ) fillKeys(ctx context.Context, changes []RowChange) error {
	ids := make(map[catalog.Kind][]string)
	for i := range changes {
		if c := &changes[i]; c.ItemID != "" && c.SKU == "" && c.GTIN == "" {
			ids[c.Kind] = append(ids[c.Kind], c.ItemID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	docs := make(map[string]catalog.Doc)
	err := d.svc.cfg.Store.ReadItems(ctx, d.imp.WS, func(items store.ItemReader) error {
		for _, kind := range catalog.Kinds() {
			if err := readDocs(ctx, items, kind, ids[kind], docs); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read items: %w", err)
	}
	for i := range changes {
		if c := &changes[i]; c.SKU == "" && c.GTIN == "" {
			c.takeKeys(docs[c.ItemID])
		}
	}
	return nil
}

// readDocs reads the documents of the items with these ids, by id.
func readDocs(ctx context.Context, items store.ItemReader, kind catalog.Kind, ids []string, docs map[string]catalog.Doc) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	found, err := items.Find(ctx, kind, catalog.KeyID, slices.Compact(ids))
	if err != nil {
		return err
	}
	handles := make([]int64, len(found))
	for i := range found {
		handles[i] = found[i].Handle
	}
	slices.Sort(handles)
	read, err := items.Read(ctx, kind, handles)
	if err != nil {
		return err
	}
	for i := range read {
		docs[read[i].ID] = read[i].Doc
	}
	return nil
}
