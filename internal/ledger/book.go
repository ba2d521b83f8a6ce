package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
)

// Book reads the pages of one import, or of one of its plans, as one account:
// where a row came up in several passes, its last entry is what counts.
//
// It holds the pages' headers, some hundred bytes each, and loads bodies page by
// page; where passes overlap, a batch (at most 25,000 rows) at a time. It is not
// safe for concurrent use.
type Book struct {
	pages   []Page // in order of batch, pass and sequence
	units   []unit
	load    Load
	decoder *Decoder
	// old lists, by index, pages that count problems by code alone.
	old []int
}

// unit is pages that are read together: one whose rows stand nowhere else, or
// all those of a batch.
type unit struct{ pages []Page }

// Load returns a page with its bodies, given its header: with its outcomes, and
// with its images where they are asked for. A body that retention took is nil,
// and no error.
type Load func(header Page, images bool) (Page, error)

// NewBook returns the book of these pages; they may come in any order and need
// no bodies. load is called page by page.
func NewBook(headers []Page, load Load) *Book {
	b := &Book{pages: slices.Clone(headers), load: load, decoder: NewDecoder()}
	slices.SortStableFunc(b.pages, func(p, q Page) int {
		return cmp.Or(cmp.Compare(p.Batch, q.Batch), p.Pass.Compare(q.Pass), cmp.Compare(p.Seq, q.Seq))
	})
	for i := range b.pages {
		p := &b.pages[i]
		p.Outcomes, p.Images = nil, nil
		if p.Format < 2 && len(p.Causes) > 0 {
			b.old = append(b.old, i)
		}
	}
	for rest := b.pages; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Batch == rest[0].Batch {
			n++
		}
		b.units = appendUnits(b.units, rest[:n])
		rest = rest[n:]
	}
	return b
}

// appendUnits appends the units of one batch.
func appendUnits(units []unit, batch []Page) []unit {
	if overlap(batch) {
		return append(units, unit{batch})
	}
	for i := range batch {
		units = append(units, unit{batch[i : i+1 : i+1]})
	}
	return units
}

// overlap reports whether a row may stand on several of a batch's pages, as it
// does after a retry: then a page goes back behind the ones before.
func overlap(batch []Page) bool {
	last := batch[0].LastRow
	for i := range batch[1:] {
		p := &batch[i+1]
		if p.Rows > 0 && p.FirstRow <= last {
			return true
		}
		last = max(last, p.LastRow)
	}
	return false
}

// Pages lists the headers in order of batch, pass and sequence.
func (b *Book) Pages() []Page { return b.pages }

// Tally is the sum of the pages.
func (b *Book) Tally() (t catalog.Tally) {
	for i := range b.pages {
		t = t.Add(b.pages[i].Tally)
	}
	return t
}

// Fields are the pages' field counts, summed, in order of names.
func (b *Book) Fields() []FieldCount {
	sum := make(fieldCounts)
	for i := range b.pages {
		for _, f := range b.pages[i].Fields {
			s := sum.field(f.Field)
			s.Added, s.Changed, s.Cleared = s.Added+f.Added, s.Changed+f.Changed, s.Cleared+f.Cleared
		}
	}
	return sum.list()
}

func (b *Book) loadPage(header *Page, images bool) (Page, error) {
	p, err := b.load(*header, images)
	if err != nil {
		return Page{}, fmt.Errorf("load page %d of batch %d, pass %s: %w", header.Seq, header.Batch, header.Pass, err)
	}
	return p, nil
}

// entriesOf returns the entries of one page.
func (b *Book) entriesOf(header *Page) ([]Entry, error) {
	p, err := b.loadPage(header, false)
	if err != nil {
		return nil, err
	}
	return b.decoder.Entries(p)
}

// entries returns the last entries of a unit's rows, in order of rows.
func (b *Book) entries(u *unit) ([]Entry, error) {
	if len(u.pages) == 1 {
		return b.entriesOf(&u.pages[0])
	}
	var merged []Entry
	last := make(map[int64]int)
	for i := range u.pages {
		entries, err := b.entriesOf(&u.pages[i])
		if err != nil {
			return nil, err
		}
		for _, x := range entries {
			if at, ok := last[x.Row]; ok {
				merged[at] = x
				continue
			}
			last[x.Row] = len(merged)
			merged = append(merged, x)
		}
	}
	sortByRow(merged, func(x *Entry) int64 { return x.Row })
	return merged, nil
}

// recount gives pages of format 1 on which code stands ("" for any) the causes
// that their rows have. A page whose rows are not kept any more stays as it is.
func (b *Book) recount(code catalog.Code) error {
	var rest []int
	for _, i := range b.old {
		p := &b.pages[i]
		if code != "" && !slices.ContainsFunc(p.Causes, func(c Cause) bool { return c.Code == code }) {
			rest = append(rest, i)
			continue
		}
		full, err := b.loadPage(p, false)
		if err != nil {
			return err
		}
		if full.Outcomes == nil {
			continue
		}
		entries, err := b.decoder.Entries(full)
		if err != nil {
			return err
		}
		n := counter{causes: make(causeCounts)}
		n.add(entries)
		p.Causes = n.causes.list()
	}
	b.old = rest
	return nil
}
