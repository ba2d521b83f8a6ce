package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// planCauses is how many causes of errors a plan shows, planExamples how many
// values of each.
const (
	planCauses   = 5
	planExamples = 3
)

// concludePlan shows a plan that is there: in numbers, its first changes, what is
// wrong and how it is applied. With --json the last line is an object.
func (p *program) concludePlan(ctx context.Context, d desk, v view, how reporting) error {
	sum, err := d.summary(ctx, v.ID)
	if err != nil {
		return fmt.Errorf("summarise plan: %w", err)
	}
	var told error
	if !how.quiet {
		told = p.tellPlan(ctx, d, v, sum, how)
	}
	if how.json {
		if err := printJSON(p.stdout, planObject(v, sum)); err != nil {
			return err
		}
	}
	if told != nil {
		return told
	}
	return v.planExit()
}

// planJSON is a plan as --json prints it.
type planJSON struct {
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
	// Confirm says that apply needs --confirm: guard rails were tripped.
	Confirm bool `json:"needs_confirmation"`
	// TotalRows are the rows that the plan is about. MissingRows of them are items
	// that a full feed no longer names; of a retry they are not told apart.
	TotalRows   int64 `json:"total_rows"`
	MissingRows int64 `json:"missing_rows,omitempty"`
	planCounts
	Cleared int64           `json:"cleared_values"`
	Fields  []fieldCount    `json:"fields"`
	Import  json.RawMessage `json:"import"`
}

func planObject(v view, sum summary) planJSON {
	o := planJSON{ID: v.ID, Fingerprint: v.Fingerprint, Confirm: v.NeedsConfirmation, TotalRows: v.goal(),
		Cleared: sum.Cleared, Fields: sum.Fields, Import: v.object}
	if v.Round == 0 {
		o.MissingRows = v.MissingRows
	}
	if v.Plan != nil {
		o.planCounts = *v.Plan
	}
	if o.Fields == nil {
		o.Fields = []fieldCount{}
	}
	return o
}

// tellPlan shows a plan to people.
func (p *program) tellPlan(ctx context.Context, d desk, v view, sum summary, how reporting) error {
	w := how.people(p)
	fmt.Fprintf(w, "%s (%s): %s\n", v.SourceName, v.ID, v.headline())
	v.printCounts(w, &sum)
	if len(sum.Fields) > 0 {
		fmt.Fprintln(w, "Changed properties:")
		printFields(w, sum.Fields)
	}
	told := p.tellChanges(ctx, d, v, w, shown{"changes", ofPlan}, how.changes)
	wrong := p.tellCauses(ctx, d, v, w)
	v.tellRails(w)
	switch {
	case v.barred():
		fmt.Fprintln(w, allOrNothing)
	case v.Plan != nil && v.Plan.writes() > 0:
		fmt.Fprintf(w, "Apply exactly this: %s\n", v.applyCommand(d.see()))
	}
	printLines(w, v.repairs(d.see()))
	return errors.Join(told, wrong)
}

// planLines are the lines of a plan's tally; sum is nil where it was not asked for.
func (v *view) planLines(sum *summary) []count {
	c := v.Plan
	if c == nil {
		c = &planCounts{}
	}
	rest := count{"not planned", v.goal() - c.rows()}
	if v.undo() {
		return append([]count{{"total", v.goal()}, {"reverted", c.writes()}, {"kept", c.Held}, {"failed", c.Failed}},
			some(count{"as before", c.Unchanged}, rest)...)
	}
	lines := []count{
		{"total", v.goal()}, {"new", c.Created}, {"changed", c.Updated}, {"unchanged", c.Unchanged},
		{"deleted", c.Deleted}, {"failed", c.Failed}, {"warnings", c.Warnings},
	}
	if sum != nil {
		lines = append(lines, count{"cleared", sum.Cleared})
	}
	return append(lines, some(count{"skipped", c.Skipped}, count{"held", c.Held}, rest)...)
}

// printFields shows what happens to each property.
func printFields(w io.Writer, fields []fieldCount) {
	width := 0
	for _, f := range fields {
		width = max(width, len([]rune(f.Field)))
	}
	for _, f := range fields {
		var parts []string
		for _, part := range []struct {
			n    int64
			word string
		}{{f.Changed, "changed"}, {f.Added, "added"}, {f.Cleared, "cleared"}} {
			if part.n > 0 {
				parts = append(parts, number(part.n)+" "+part.word)
			}
		}
		fmt.Fprintf(w, "  %-*s  %s\n", width, f.Field, strings.Join(parts, ", "))
	}
}

// tellChanges shows the first changes of a plan that a filter selects.
func (p *program) tellChanges(ctx context.Context, d desk, v view, w io.Writer, s shown, limit int) error {
	if limit <= 0 || v.Plan == nil || v.Plan.writes()+v.Plan.Held == 0 {
		return nil
	}
	found, total, err := d.changes(ctx, v.ID, s.filter, limit)
	if err != nil {
		return fmt.Errorf("show changes: %w", err)
	}
	if len(found) > 0 {
		fmt.Fprintf(w, "%s:\n", strings.ToUpper(s.what[:1])+s.what[1:])
	}
	for i := range found {
		fmt.Fprintf(w, "  row %d: %s\n", found[i].Row, found[i].words())
	}
	if total > len(found) {
		fmt.Fprintf(w, "  %s of %s; see all: %s\n", number(int64(len(found))), number(int64(total)), d.see().changes(v.ID, s.filter))
	}
	return nil
}

// tellCauses shows what is wrong with rows, the most frequent first.
func (p *program) tellCauses(ctx context.Context, d desk, v view, w io.Writer) error {
	if v.Plan == nil || v.Plan.Failed+v.Plan.Warnings == 0 {
		return nil
	}
	found, err := d.causes(ctx, v.ID, planExamples)
	if err != nil {
		return fmt.Errorf("show causes: %w", err)
	}
	if len(found) > 0 {
		fmt.Fprintln(w, "What is wrong:")
	}
	for i := range found {
		if i == planCauses {
			fmt.Fprintf(w, "  and %s more\n", counted(int64(len(found)-i), "cause"))
			break
		}
		fmt.Fprintf(w, "  %s\n", found[i].words())
	}
	return nil
}

// words is a cause on one line, with examples.
func (c *cause) words() string {
	what := c.Severity
	if what == "" {
		what = "problem"
	}
	line := fmt.Sprintf("%s: %s", counted(c.Count, what), c.Code)
	if c.Column != "" {
		line += " in " + plain(c.Column)
	}
	var examples []string
	for i, e := range c.Examples {
		if i == 0 {
			line += ": " + e.Message
		}
		if e.Value == "" {
			examples = append(examples, fmt.Sprintf("row %d", e.Row))
			continue
		}
		examples = append(examples, fmt.Sprintf("row %d: %s", e.Row, quotedText(e.Value)))
	}
	if len(examples) > 0 {
		line += " (" + strings.Join(examples, ", ") + ")"
	}
	return line
}

// tellRails says which rails a plan ran into.
func (v *view) tellRails(w io.Writer) {
	for _, t := range v.Findings {
		fmt.Fprintf(w, "Guard rail: %s\n", t.Message)
	}
	if v.Stale != "" {
		fmt.Fprintln(w, v.Stale)
	}
}

// applyCommand is the command line that applies the plan.
func (v *view) applyCommand(s sights) string {
	words := fmt.Sprintf("apply %s --fingerprint %s", v.ID, v.Fingerprint)
	if v.NeedsConfirmation {
		words += " --confirm"
	}
	return s.command(words)
}

// allOrNothing says why a plan with errors cannot be applied.
const allOrNothing = "The import is all or nothing, so none of it can be applied."

// railChanges is how many changes are shown where rails were tripped.
const railChanges = 10

// concludeStopped is the end of an import that stopped before its first write:
// people are told why, see the first rows, and on a terminal are asked whether it
// goes on.
func (p *program) concludeStopped(ctx context.Context, d desk, v view, how reporting) error {
	w := how.people(p)
	if how.quiet {
		w = p.stderr // that it stopped is no tally
	}
	fmt.Fprintf(w, "%s (%s): stopped before anything was written\n", v.SourceName, v.ID)
	v.tellRails(w)
	for _, s := range v.trippedBy() {
		if err := p.tellChanges(ctx, d, v, w, s, railChanges); err != nil {
			return err
		}
	}
	if how.ask && !v.barred() {
		yes, err := p.ask(ctx, "Apply anyway?")
		if err != nil {
			return err
		}
		if yes {
			v, err := d.apply(ctx, v.ID, confirmed(v))
			if err != nil {
				return err
			}
			return p.followToEnd(ctx, d, v, how)
		}
	}
	if v.barred() {
		fmt.Fprintln(w, allOrNothing)
	} else {
		fmt.Fprintf(w, "Go on all the same: %s\n", v.applyCommand(d.see()))
	}
	printLines(w, v.repairs(d.see()))
	if how.json {
		fmt.Fprintf(p.stdout, "%s\n", v.object)
	}
	return &exit{code: exitOther}
}
