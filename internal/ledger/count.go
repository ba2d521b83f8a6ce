package ledger

import (
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/catalog"
)

// counter counts what entries say.
type counter struct {
	is, was catalog.Tally
	causes  causeCounts
}

// add counts entries up, and what they take the place of down.
func (c *counter) add(entries []Entry) {
	for i := range entries {
		x := &entries[i]
		c.is.Count(x.Outcome, x.Problems)
		if len(x.Problems) > 0 {
			c.causes.add(x.Problems, 1)
		}
		if x.Was != nil {
			c.was.Count(x.Was.Outcome, x.Was.Problems)
			c.causes.add(x.Was.Problems, -1)
		}
	}
}

func (c *counter) tally() catalog.Tally { return c.is.Add(negative(c.was)) }

// wrote reports whether rows wrote items.
func (c *counter) wrote() bool { return c.is.Created+c.is.Updated+c.is.Deleted > 0 }

func negative(t catalog.Tally) catalog.Tally {
	return catalog.Tally{Created: -t.Created, Updated: -t.Updated, Unchanged: -t.Unchanged, Deleted: -t.Deleted,
		Failed: -t.Failed, Skipped: -t.Skipped, Held: -t.Held, Errors: -t.Errors, Warnings: -t.Warnings, Warned: -t.Warned}
}

// causeCounts counts problems by cause. Its keys have no count.
type causeCounts map[Cause]int64

func (c causeCounts) add(ps []catalog.Problem, n int64) {
	for i := range ps {
		c[Cause{Code: ps[i].Code, Severity: ps[i].Severity, Column: ps[i].Column}] += n
	}
}

// list returns the causes in order, without those that come to nothing, and
// empties the counts.
func (c causeCounts) list() []Cause {
	var causes []Cause
	for cause, n := range c {
		if cause.Count = n; n != 0 {
			causes = append(causes, cause)
		}
	}
	clear(c)
	slices.SortFunc(causes, compareCauses)
	return causes
}

// fieldCounts counts what happened to fields, by their names.
type fieldCounts map[string]*FieldCount

func (c fieldCounts) field(name string) *FieldCount {
	f := c[name]
	if f == nil {
		f = &FieldCount{Field: name}
		c[name] = f
	}
	return f
}

// list returns the counts in order of names and empties them.
func (c fieldCounts) list() []FieldCount {
	var fields []FieldCount
	for _, f := range c {
		fields = append(fields, *f)
	}
	clear(c)
	slices.SortFunc(fields, func(a, b FieldCount) int { return strings.Compare(a.Field, b.Field) })
	return fields
}

// of counts what updates did. Rows that were held did nothing.
func (c fieldCounts) of(images []Image) []FieldCount {
	for i := range images {
		if images[i].Outcome != catalog.Updated {
			continue
		}
		for j := range images[i].Changes {
			change := &images[i].Changes[j]
			f := c.field(change.Field)
			switch {
			case change.Old == "":
				f.Added++
			case change.New == "":
				f.Cleared++
			default:
				f.Changed++
			}
		}
	}
	return c.list()
}

// Check compares a page's counts with its bodies: the tally and the causes must
// be those of the rows it holds, and, where its images are there, the field
// counts theirs. The page must have its outcomes. Its errors are those of
// Decoder.Entries, with ErrCorrupt for counts that differ.
func Check(p Page) error {
	c, err := NewDecoder().contents(p)
	if err != nil {
		return err
	}
	n := counter{causes: make(causeCounts)}
	n.add(c.entries)
	if tally := n.tally(); tally != p.Tally {
		return miscounted(p, "outcomes", tally, p.Tally)
	}
	causes, said := n.causes.list(), p.Causes
	if p.Format < 2 {
		causes, said = byCode(causes), byCode(said)
	}
	if !slices.Equal(causes, said) {
		return miscounted(p, "outcomes", causes, said)
	}
	if p.Format < 2 || c.gone {
		return nil
	}
	if fields := make(fieldCounts).of(c.images); !slices.Equal(fields, p.Fields) {
		return miscounted(p, "images", fields, p.Fields)
	}
	return nil
}

func miscounted(p Page, what string, is, said any) error {
	return wrap(p, what, fmt.Errorf("%w: they count to %+v and the page says %+v", ErrCorrupt, is, said))
}

// byCode adds causes up to what pages of format 1 count.
func byCode(causes []Cause) []Cause {
	counts := make(causeCounts)
	for _, c := range causes {
		counts[Cause{Code: c.Code, Severity: catalog.Error}] += c.Count
	}
	return counts.list()
}
