package ledger

import (
	"fmt"
	"slices"

	"tallyman/internal/catalog"
)

// Written is a row with what it wrote, or, where it was held, would have written.
type Written struct {
	Entry
	Images []Image
	// Gone says that the values of the images are past their retention; who
	// wrote what, and who before, still stands there.
	Gone bool
}

// EachWritten calls fn with every row that has images, by its last entry, in
// order of batches and rows. What several passes wrote comes in their order; what
// a row was held for, and what a plan showed, is that of its last entry alone.
// want says of a page header whether the page matters; nil takes all. A page that
// does not matter is not loaded, unless passes of its batch overlap and another
// of its pages matters. It returns fn's error as it is.
func (b *Book) EachWritten(want func(*Page) bool, fn func(Written) error) error {
	for i := range b.units {
		u := &b.units[i]
		if want != nil && !u.any(want) {
			continue
		}
		rows, err := b.written(u)
		if err != nil {
			return fmt.Errorf("read what was written: %w", err)
		}
		for j := range rows {
			if len(rows[j].Images) == 0 {
				continue
			}
			if err := fn(rows[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *unit) any(want func(*Page) bool) bool {
	for i := range u.pages {
		if want(&u.pages[i]) {
			return true
		}
	}
	return false
}

// written returns the rows of a unit in order, those without images too.
func (b *Book) written(u *unit) ([]Written, error) {
	rows := rowsByNumber{at: make(map[int64]int)}
	for i := range u.pages {
		p, err := b.loadPage(&u.pages[i], true)
		if err != nil {
			return nil, err
		}
		c, err := b.decoder.contents(p)
		if err != nil {
			return nil, err
		}
		rows.add(p.Pass, &c)
	}
	sortByRow(rows.list, func(w *Written) int64 { return w.Row })
	return rows.list, nil
}

// rowsByNumber collects rows from pages in order of passes.
type rowsByNumber struct {
	list []Written
	at   map[int64]int
}

func (r *rowsByNumber) row(number int64) *Written {
	at, ok := r.at[number]
	if !ok {
		at = len(r.list)
		r.at[number] = at
		r.list = append(r.list, Written{Entry: Entry{Row: number}})
	}
	return &r.list[at]
}

func (r *rowsByNumber) add(pass Pass, c *contents) {
	for i := range c.entries {
		w := r.row(c.entries[i].Row)
		w.replace(pass, &c.entries[i])
	}
	for images := c.images; len(images) > 0; {
		n := 1
		for n < len(images) && images[n].Row == images[0].Row {
			n++
		}
		w := r.row(images[0].Row)
		if w.Images == nil {
			w.Images = images[:n:n]
		} else {
			w.Images = append(w.Images, images[:n]...)
		}
		w.Gone = w.Gone || c.gone
		images = images[n:]
	}
}

// replace puts a later entry in the place of the row's. What really was written
// stays so.
func (w *Written) replace(pass Pass, later *Entry) {
	w.Entry = *later
	w.Images = slices.DeleteFunc(w.Images, func(x Image) bool { return pass.Planning() || x.Outcome == catalog.Held })
	w.Gone = w.Gone && len(w.Images) > 0
}

// Images returns the images of one page in the order of its rows, without their
// values (gone) once retention took them.
func (b *Book) Images(header Page) (images []Image, gone bool, err error) {
	p, err := b.loadPage(&header, true)
	if err != nil {
		return nil, false, err
	}
	return b.decoder.Images(p)
}
