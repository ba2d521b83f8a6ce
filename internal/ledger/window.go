package ledger

import "fmt"

// window is a stretch of a sequence that is counted off from its beginning.
type window struct {
	from, to int64 // to is -1 for no end
	at       int64 // how much was counted off
}

func newWindow(offset, limit int64) window {
	w := window{from: max(offset, 0), to: -1}
	if limit > 0 {
		w.to = w.from + limit
	}
	return w
}

// touches reports whether any of the next n lies in the window.
func (w *window) touches(n int64) bool {
	return w.at+n > w.from && (w.to < 0 || w.at < w.to)
}

// part returns which of the next n lie in the window: from..to.
func (w *window) part(n int64) (from, to int64) {
	from, to = min(max(w.from-w.at, 0), n), n
	if w.to >= 0 {
		to = min(max(w.to-w.at, from), n)
	}
	return from, to
}

// list returns what lies between two places of all that a book has of something,
// and how much there is in all. count says by the headers how much a unit has,
// pick takes it from the unit's last entries. Units outside are not loaded.
func list[T any](b *Book, offset, limit int64, count func(*unit) int64, pick func([]Entry) []T) (found []T, total int64, err error) {
	w := newWindow(offset, limit)
	for i := range b.units {
		u := &b.units[i]
		n := count(u)
		if n < 0 {
			return nil, 0, miscount(u, n, 0)
		}
		if w.touches(n) {
			entries, err := b.entries(u)
			if err != nil {
				return nil, 0, err
			}
			picked := pick(entries)
			if int64(len(picked)) != n {
				return nil, 0, miscount(u, n, len(picked))
			}
			from, to := w.part(n)
			found = append(found, picked[from:to]...)
		}
		w.at += n
	}
	return found, w.at, nil
}

func miscount(u *unit, said int64, is int) error {
	return wrap(u.pages[0], "outcomes", fmt.Errorf("%w: the rows have %d of what the header counts as %d", ErrCorrupt, is, said))
}
