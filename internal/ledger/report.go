package ledger

import (
	"errors"
	"fmt"
	"maps"

	"tallyman/internal/catalog"
)

// EachPage calls fn with pages in order until fn returns an error, which it
// returns. A store's Pages, its first arguments given, is one; whether the
// pages carry their bodies is the caller's choice.
type EachPage func(fn func(Page) error) error

// LoadPage returns the page with its outcomes body, given the page without.
type LoadPage func(Page) (Page, error)

// Total is what several pages come to.
type Total struct {
	Pages int64
	Tally catalog.Tally
	// Codes counts problems by code; never nil once a page was added.
	Codes map[catalog.Code]int64
}

// Add adds a page.
func (t *Total) Add(p *Page) {
	t.Pages++
	t.Tally = t.Tally.Add(p.Tally)
	if t.Codes == nil {
		t.Codes = make(map[catalog.Code]int64)
	}
	for code, n := range p.Codes {
		t.Codes[code] += n
	}
}

// Sum adds pages up. It reads no bodies.
func Sum(pages EachPage) (Total, error) {
	var t Total
	err := pages(func(p Page) error {
		t.Add(&p)
		return nil
	})
	return t, err
}

// Severities says how grave the problems are that a ProblemFilter selects.
type Severities uint8

const (
	ErrorsOnly Severities = iota
	WarningsOnly
	ErrorsAndWarnings
)

// ProblemFilter selects problems; the zero value selects all errors.
type ProblemFilter struct {
	Severities Severities
	// Code selects problems of one code; "" selects all.
	Code catalog.Code
}

// RowProblem is a problem with the row it belongs to.
type RowProblem struct {
	Row     int64
	Line    int64
	Outcome catalog.Outcome
	ItemID  string
	// Ident quotes the row's identifying cells. Problems of one row share it.
	Ident []catalog.Key
	catalog.Problem
}

func (f ProblemFilter) selects(p *catalog.Problem) bool {
	grave := f.Severities == ErrorsAndWarnings || (f.Severities == WarningsOnly) == (p.Severity == catalog.Warning)
	return grave && (f.Code == "" || f.Code == p.Code)
}

// count returns how many problems of a page the filter selects. ok is false
// when the page's counts cannot say: they hold problems by code and by
// severity, not by both.
func (f ProblemFilter) count(p *Page) (n int64, ok bool) {
	n, others := p.Tally.Errors, p.Tally.Warnings
	switch f.Severities {
	case WarningsOnly:
		n, others = others, n
	case ErrorsAndWarnings:
		n, others = n+others, 0
	}
	ofCode := p.Codes[f.Code]
	switch {
	case f.Code == "":
		return n, true
	case n == 0 || ofCode == 0:
		return 0, true
	case others == 0:
		return ofCode, true
	}
	return 0, false
}

// Problems returns the selected problems from offset on, at most limit (0: no
// bound), in order of pages and rows, and how many the filter selects in all.
//
// The total is summed over the pages' counts, and only pages that the window
// touches are loaded, so a window deep in millions of problems costs no more
// than the first. Where a filter asks for the errors or the warnings of one
// code, pages that hold both, and that code, have to be loaded to be counted.
// load is never called while pages runs.
func Problems(pages EachPage, load LoadPage, f ProblemFilter, offset, limit int64) ([]RowProblem, int64, error) {
	w := window{filter: f, load: load, decoder: NewDecoder(), from: max(offset, 0), to: -1}
	if limit > 0 {
		w.to = w.from + limit
	}
	if err := w.choose(pages); err != nil {
		return nil, 0, fmt.Errorf("count problems: %w", err)
	}
	for i := range w.chosen {
		if err := w.read(&w.chosen[i]); err != nil {
			return nil, 0, fmt.Errorf("list problems: %w", err)
		}
	}
	return w.found, w.passed + w.rest, nil
}

// window collects the problems between two places in the sequence of all that
// the filter selects.
type window struct {
	filter   ProblemFilter
	load     LoadPage
	decoder  *Decoder
	from, to int64 // to is -1 for no end
	chosen   []chosenPage
	rest     int64 // problems on pages behind the last chosen one
	passed   int64 // problems before the one at hand
	found    []RowProblem
}

// chosenPage is a page to look at.
type chosenPage struct {
	page Page
	// count is how many problems are selected on it, when counted says that the
	// page's counts tell.
	count   int64
	counted bool
	// before is how many are on the pages between it and the one chosen before.
	before int64
}

// choose lists the pages that may lie in the window and counts the others.
func (w *window) choose(pages EachPage) error {
	var at int64
	exact := true // at is a true place: every page so far told its count
	return pages(func(p Page) error {
		n, counted := w.filter.count(&p)
		exact = exact && counted
		switch {
		case counted && n == 0:
		case exact && !w.touches(at, n):
			w.rest += n
		default:
			p.Outcomes, p.Images = nil, nil
			w.chosen = append(w.chosen, chosenPage{page: p, count: n, counted: counted, before: w.rest})
			w.rest = 0
		}
		at += n
		return nil
	})
}

func (w *window) touches(at, n int64) bool {
	return at+n > w.from && (w.to < 0 || at < w.to)
}

func (w *window) read(c *chosenPage) error {
	w.passed += c.before
	if c.counted && !w.touches(w.passed, c.count) {
		w.passed += c.count
		return nil
	}
	p, err := w.load(c.page)
	if err != nil {
		return err
	}
	first := w.passed
	if err := eachProblem(w.decoder, p, w.filter, w.take); err != nil {
		return err
	}
	if got := w.passed - first; c.counted && got != c.count {
		return wrap(p, "outcomes", fmt.Errorf("%w: it holds %d problems and the page counts %d", ErrCorrupt, got, c.count))
	}
	return nil
}

func (w *window) take(p RowProblem) error {
	if w.touches(w.passed, 1) {
		w.found = append(w.found, p)
	}
	w.passed++
	return nil
}

// EachProblem calls fn with every selected problem, in order of pages and
// rows, until fn returns an error, which it returns. The pages must carry their
// outcomes; those on which nothing is selected may come without.
func EachProblem(pages EachPage, f ProblemFilter, fn func(RowProblem) error) error {
	d := NewDecoder()
	return pages(func(p Page) error {
		if n, ok := f.count(&p); ok && n == 0 {
			return nil
		}
		return eachProblem(d, p, f, fn)
	})
}

func eachProblem(d *Decoder, p Page, f ProblemFilter, fn func(RowProblem) error) error {
	entries, err := d.Entries(p)
	if err != nil {
		return err
	}
	for i := range entries {
		x := &entries[i]
		for j := range x.Problems {
			if !f.selects(&x.Problems[j]) {
				continue
			}
			if err := fn(RowProblem{Row: x.Row, Line: x.Line, Outcome: x.Outcome, ItemID: x.ItemID, Ident: x.Ident, Problem: x.Problems[j]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// EachRow calls fn with every row of the pages, which must carry their
// outcomes, until fn returns an error, which it returns.
func EachRow(pages EachPage, fn func(Entry) error) error {
	d := NewDecoder()
	return pages(func(p Page) error {
		entries, err := d.Entries(p)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := fn(entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachImage calls fn with every image of the pages, which must carry them,
// until fn returns an error, which it returns.
func EachImage(pages EachPage, fn func(Image) error) error {
	d := NewDecoder()
	return pages(func(p Page) error {
		images, err := d.Images(p)
		if err != nil {
			return err
		}
		for i := range images {
			if err := fn(images[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Check compares a page's counts with its outcomes body: the tally and the
// codes must be those of the rows it holds.
func Check(p Page) error {
	entries, err := DecodeEntries(p)
	if err != nil {
		return err
	}
	tally, codes := count(entries)
	if tally != p.Tally || !maps.Equal(codes, p.Codes) {
		return wrap(p, "outcomes", errors.Join(ErrCorrupt, fmt.Errorf("its rows count to %+v and the page says %+v", tally, p.Tally)))
	}
	return nil
}
