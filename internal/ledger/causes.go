package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// CauseReport is a cause with examples.
type CauseReport struct {
	Cause
	Examples []Example
}

// Example is one problem of a cause.
type Example struct {
	Row     int64
	Value   string
	Message string
}

// exampleLoads is how many pages (or batches of several passes) are looked
// through for the examples of one cause.
const exampleLoads = 3

// Causes lists the causes with exact counts, the most frequent first, with up to
// examples problems of distinct values each, in order of rows. It loads few
// pages, whatever the counts are, but for pages of format 1, which are counted by
// their rows. Causes whose rows are past their retention have no examples.
func (b *Book) Causes(examples int) ([]CauseReport, error) {
	if err := b.recount(""); err != nil {
		return nil, fmt.Errorf("count causes: %w", err)
	}
	reports := b.sumCauses()
	if examples <= 0 {
		return reports, nil
	}
	s := exampleSearch{book: b, most: examples, reports: reports, at: make(map[Cause]int), seen: make([]bool, len(b.units))}
	for i := range reports {
		s.at[reports[i].key()] = i
	}
	for i := range reports {
		if err := s.search(&reports[i]); err != nil {
			return nil, fmt.Errorf("find examples of causes: %w", err)
		}
	}
	for i := range reports {
		slices.SortStableFunc(reports[i].Examples, func(a, b Example) int { return cmp.Compare(a.Row, b.Row) })
	}
	return reports, nil
}

func (b *Book) sumCauses() []CauseReport {
	sum := make(causeCounts)
	for i := range b.pages {
		for _, c := range b.pages[i].Causes {
			sum[c.key()] += c.Count
		}
	}
	var reports []CauseReport
	for _, c := range sum.list() {
		reports = append(reports, CauseReport{Cause: c})
	}
	slices.SortStableFunc(reports, func(x, y CauseReport) int { return cmp.Compare(y.Count, x.Count) })
	return reports
}

// key is the cause without its count.
func (c Cause) key() Cause {
	c.Count = 0
	return c
}

// exampleSearch looks for examples of all causes at once: what is loaded for one
// is used for the others.
type exampleSearch struct {
	book    *Book
	most    int
	reports []CauseReport
	at      map[Cause]int // index in reports by key
	seen    []bool        // which units were looked through
}

func (s *exampleSearch) search(r *CauseReport) error {
	cause, loads := r.key(), 0
	for i := range s.book.units {
		u := &s.book.units[i]
		if len(r.Examples) >= s.most || loads == exampleLoads {
			return nil
		}
		if s.seen[i] || u.count(cause) <= 0 {
			continue
		}
		s.seen[i] = true
		loads++
		entries, err := s.book.entries(u)
		if errors.Is(err, ErrNoBody) {
			continue
		}
		if err != nil {
			return err
		}
		s.take(entries)
	}
	return nil
}

// count is how many problems of a cause a unit has.
func (u *unit) count(cause Cause) (n int64) {
	for i := range u.pages {
		for _, c := range u.pages[i].Causes {
			if c.key() == cause {
				n += c.Count
			}
		}
	}
	return n
}

func (s *exampleSearch) take(entries []Entry) {
	for i := range entries {
		for _, p := range entries[i].Problems {
			at, ok := s.at[Cause{Code: p.Code, Severity: p.Severity, Column: p.Column}]
			if !ok || len(s.reports[at].Examples) >= s.most {
				continue
			}
			r := &s.reports[at]
			if !slices.ContainsFunc(r.Examples, func(e Example) bool { return e.Value == p.Value }) {
				r.Examples = append(r.Examples, Example{Row: entries[i].Row, Value: p.Value, Message: p.Message})
			}
		}
	}
}
