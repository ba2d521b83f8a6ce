package importer

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// deletedDocs finds what an undo makes again: the items that the import it takes
// back deleted, on its rows of the same numbers.
type deletedDocs struct {
	svc  *Service
	undo *store.Import
	// opened says that headers, the pages with deletions, were listed.
	opened  bool
	headers []ledger.Page
	book    *ledger.Book
	// docs are what some of the pages deleted, by the page's index.
	docs map[int]map[deletion]catalog.Doc
}

// deletion is a row that deleted an item.
type deletion struct {
	row  int64
	kind catalog.Kind
	id   string
}

// pagesOfDocs is how many pages' documents are held at once.
const pagesOfDocs = 4

// Close does nothing: no file is open.
func (r *deletedDocs) Close() {}

// doc returns the document that the item had, "" where retention took it.
func (r *deletedDocs) doc(ctx context.Context, c *imageChange) (catalog.Doc, error) {
	if err := r.open(ctx); err != nil {
		return "", err
	}
	for i := range r.headers {
		if h := &r.headers[i]; c.Row < h.FirstRow || c.Row > h.LastRow {
			continue
		}
		if err := r.load(i); err != nil {
			return "", err
		}
		if doc := r.docs[i][deletion{c.Row, c.Kind, c.ItemID}]; doc != "" {
			return doc, nil
		}
	}
	return "", nil
}

// open lists the pages, once.
func (r *deletedDocs) open(ctx context.Context) error {
	if r.opened {
		return nil
	}
	r.opened = true
	of, err := r.svc.cfg.Store.Import(ctx, r.undo.WS, r.undo.UndoOf)
	if err != nil {
		return fmt.Errorf("find undone import: %w", err)
	}
	if r.book, err = r.svc.book(ctx, &of, ""); err != nil {
		return err
	}
	for _, h := range r.book.Pages() {
		if h.Tally.Deleted > 0 {
			r.headers = append(r.headers, h)
		}
	}
	return nil
}

// load reads what a page deleted, unless it is known.
func (r *deletedDocs) load(i int) error {
	if _, ok := r.docs[i]; ok {
		return nil
	}
	images, _, err := r.book.Images(r.headers[i])
	if err != nil && !errors.Is(err, errGone) && !errors.Is(err, ledger.ErrNoBody) {
		return err
	}
	if r.docs == nil || len(r.docs) == pagesOfDocs {
		r.docs = make(map[int]map[deletion]catalog.Doc)
	}
	docs := make(map[deletion]catalog.Doc)
	for j := range images {
		if im := &images[j]; im.Outcome == catalog.Deleted {
			docs[deletion{im.Row, im.Kind, im.ItemID}] = im.Doc
		}
	}
	r.docs[i] = docs
	return nil
}
