package ledger

import (
	"fmt"

	"tallyman/internal/catalog"
)

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
	// Column selects problems of one column where HasColumn is set; "" is then
	// those of rows as a whole.
	Column    string
	HasColumn bool
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

func (f ProblemFilter) selects(code catalog.Code, severity catalog.Severity, column string) bool {
	grave := f.Severities == ErrorsAndWarnings || (f.Severities == WarningsOnly) == (severity == catalog.Warning)
	return grave && (f.Code == "" || f.Code == code) && (!f.HasColumn || f.Column == column)
}

// byCause reports whether counts by severity do not say what the filter selects.
func (f ProblemFilter) byCause() bool { return f.Code != "" || f.HasColumn }

// count returns how many problems of a unit the filter selects.
func (f ProblemFilter) count(u *unit) (n int64) {
	for i := range u.pages {
		p := &u.pages[i]
		switch {
		case f.byCause():
			for _, c := range p.Causes {
				if f.selects(c.Code, c.Severity, c.Column) {
					n += c.Count
				}
			}
		case f.Severities == ErrorsOnly:
			n += p.Tally.Errors
		case f.Severities == WarningsOnly:
			n += p.Tally.Warnings
		default:
			n += p.Tally.Errors + p.Tally.Warnings
		}
	}
	return n
}

// each calls fn with the problems of entries that the filter selects.
func (f ProblemFilter) each(entries []Entry, fn func(RowProblem) error) error {
	for i := range entries {
		x := &entries[i]
		for _, p := range x.Problems {
			if !f.selects(p.Code, p.Severity, p.Column) {
				continue
			}
			if err := fn(RowProblem{Row: x.Row, Line: x.Line, Outcome: x.Outcome, ItemID: x.ItemID, Ident: x.Ident, Problem: p}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Problems returns the selected problems from offset on, at most limit (0: no
// bound), in order of batches and rows, and how many the filter selects in all.
// Pages (or batches of several passes) that lie outside are not loaded, but for
// pages of format 1 where the filter asks for a code or a column.
func (b *Book) Problems(f ProblemFilter, offset, limit int64) ([]RowProblem, int64, error) {
	if err := b.settle(f); err != nil {
		return nil, 0, fmt.Errorf("count problems: %w", err)
	}
	found, total, err := list(b, offset, limit, f.count, func(entries []Entry) (ps []RowProblem) {
		_ = f.each(entries, func(p RowProblem) error { ps = append(ps, p); return nil }) // it has no error of its own
		return ps
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list problems: %w", err)
	}
	return found, total, nil
}

// EachProblem calls fn with every selected problem in order of batches and rows.
// It returns fn's error as it is.
func (b *Book) EachProblem(f ProblemFilter, fn func(RowProblem) error) error {
	if err := b.settle(f); err != nil {
		return fmt.Errorf("count problems: %w", err)
	}
	for i := range b.units {
		u := &b.units[i]
		if f.count(u) == 0 {
			continue
		}
		entries, err := b.entries(u)
		if err != nil {
			return fmt.Errorf("list problems: %w", err)
		}
		if err := f.each(entries, fn); err != nil {
			return err
		}
	}
	return nil
}

// settle makes the pages' counts such that the filter can be counted by them.
func (b *Book) settle(f ProblemFilter) error {
	if !f.byCause() {
		return nil
	}
	return b.recount(f.Code)
}
