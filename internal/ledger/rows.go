package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
)

// Rows returns the rows that ended with one of the outcomes (none: all) from
// offset on, at most limit (0: no bound), in order of batches and rows, and how
// many there are in all. A row that is pending has not ended.
func (b *Book) Rows(outcomes []catalog.Outcome, offset, limit int64) ([]Entry, int64, error) {
	selects := func(o catalog.Outcome) bool {
		return o != catalog.Pending && (len(outcomes) == 0 || slices.Contains(outcomes, o))
	}
	count := func(u *unit) (n int64) {
		for i := range u.pages {
			for o := range catalog.Outcome(catalog.Outcomes) {
				if selects(o) {
					n += ended(&u.pages[i].Tally, o)
				}
			}
		}
		return n
	}
	found, total, err := list(b, offset, limit, count, func(entries []Entry) []Entry {
		return slices.DeleteFunc(entries, func(x Entry) bool { return !selects(x.Outcome) })
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list rows: %w", err)
	}
	return found, total, nil
}

// ended is how many rows a tally counts with an outcome.
func ended(t *catalog.Tally, o catalog.Outcome) int64 {
	switch o {
	case catalog.Created:
		return t.Created
	case catalog.Updated:
		return t.Updated
	case catalog.Unchanged:
		return t.Unchanged
	case catalog.Deleted:
		return t.Deleted
	case catalog.Failed:
		return t.Failed
	case catalog.Skipped:
		return t.Skipped
	case catalog.Held:
		return t.Held
	}
	return 0
}

// EachRow calls fn with the last entry of every row in order of batches and
// rows. It returns fn's error as it is.
func (b *Book) EachRow(fn func(Entry) error) error {
	for i := range b.units {
		entries, err := b.entries(&b.units[i])
		if err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
		for _, x := range entries {
			if err := fn(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// Row returns a row's last entry and the header of its page; ok is false when
// no page has it.
func (b *Book) Row(number int64) (e Entry, page Page, ok bool, err error) {
	for _, p := range b.around(number) {
		entries, err := b.entriesOf(p)
		if err != nil {
			return Entry{}, Page{}, false, fmt.Errorf("find row %d: %w", number, err)
		}
		if at := slices.IndexFunc(entries, func(x Entry) bool { return x.Row == number }); at >= 0 {
			return entries[at], *p, true, nil
		}
	}
	return Entry{}, Page{}, false, nil
}

// around lists the pages whose rows lie round a row, the last first.
func (b *Book) around(row int64) (pages []*Page) {
	for i := range b.pages {
		if p := &b.pages[i]; p.Rows > 0 && p.FirstRow <= row && row <= p.LastRow {
			pages = append(pages, p)
		}
	}
	slices.SortStableFunc(pages, func(p, q *Page) int {
		return cmp.Or(q.Pass.Compare(p.Pass), cmp.Compare(q.Seq, p.Seq))
	})
	return pages
}

// Batch returns the last entries of a batch's rows in order of rows.
func (b *Book) Batch(no int) ([]Entry, error) {
	var rows []Entry
	for i := range b.units {
		if b.units[i].pages[0].Batch != no {
			continue
		}
		entries, err := b.entries(&b.units[i])
		if err != nil {
			return nil, fmt.Errorf("read rows of batch %d: %w", no, err)
		}
		rows = append(rows, entries...)
	}
	return rows, nil
}

// EachPass calls fn with every entry of a batch, replaced ones too, in order of
// passes and rows; where a pass has several entries of a row, they come in the
// order of their pages. It returns fn's error as it is.
func (b *Book) EachPass(no int, fn func(Pass, Entry) error) error {
	for i := range b.pages {
		p := &b.pages[i]
		if p.Batch != no {
			continue
		}
		entries, err := b.entriesOf(p)
		if err != nil {
			return fmt.Errorf("read rows of batch %d: %w", no, err)
		}
		for _, x := range entries {
			if err := fn(p.Pass, x); err != nil {
				return err
			}
		}
	}
	return nil
}
