package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/catalog"
)

// tallyErrors is how many errors, or reasons to hold a row, a tally shows.
const tallyErrors = 5

// conclude shows how an import ended, as a tally for people and with asJSON the
// REST door's object as the last line, and returns its exit code as an error. An
// import that rests with a plan is shown as that.
func (p *program) conclude(ctx context.Context, d desk, v view, how reporting) error {
	switch {
	case v.planned() && v.NeedsConfirmation && !how.plan:
		return p.concludeStopped(ctx, d, v, how)
	case v.planned():
		return p.concludePlan(ctx, d, v, how)
	}
	if w := how.people(p); !how.quiet {
		p.tally(ctx, d, v, w)
		printLines(w, v.repairs(d.see()))
	}
	if how.json {
		fmt.Fprintf(p.stdout, "%s\n", v.object)
	}
	if how.plan {
		return v.planExit()
	}
	return v.exitError()
}

// reporting says how much a command that follows an import tells, and to whom.
type reporting struct {
	json, quiet bool
	// plan says that a plan was asked for, and changes how many of its changes are
	// shown.
	plan    bool
	changes int
	// ask says that a person is there to be asked.
	ask bool
}

// people is the stream for words for people: with --json stdout is for the
// program that reads it.
func (r reporting) people(p *program) io.Writer {
	if r.json {
		return p.stderr
	}
	return p.stdout
}

func (p *program) tally(ctx context.Context, d desk, v view, w io.Writer) {
	fmt.Fprintf(w, "%s (%s): %s\n", v.SourceName, v.ID, v.headline())
	v.printCounts(w, nil)
	if took := v.took(p.now()); took > 0 && v.ProcessedRows > 0 && v.timed() {
		fmt.Fprintf(w, "  %-10s %12s\n", "time", took.Round(time.Millisecond))
		if rows := v.followedRows(); rows > 0 {
			fmt.Fprintf(w, "  %-10s %12s rows/s\n", "rate", number(int64(float64(rows)/took.Seconds())))
		}
	}
	for _, line := range v.notes() {
		fmt.Fprintln(w, line)
	}
	p.firstProblems(ctx, d, v, w)
	if v.State == "rolled_back" {
		// What went wrong before anything was written stands in the plan alone.
		if err := p.tellCauses(ctx, d, v, w); err != nil {
			fmt.Fprintf(w, "The errors cannot be shown: %v\n", err)
		}
	}
}

// headline says in a few words how the import stands.
func (v *view) headline() string {
	switch {
	case v.State == "done":
		return v.ending()
	case v.planned(), v.paused() && v.planning():
		return v.planHeadline()
	case v.Message != "":
		return stateWords(v.State) + ": " + v.Message
	case v.WaitingFor != "":
		return v.waits()
	}
	return stateWords(v.State)
}

// waits says how an import stands that should move and cannot.
func (v *view) waits() string {
	return stateWords(v.State) + ", but it stands still. " + v.WaitingFor
}

// ending says how an import came out whose rows all have their outcomes.
func (v *view) ending() string {
	var but []string
	if v.ErrorRows > 0 {
		but = append(but, "errors in "+counted(v.ErrorRows, "row"))
	}
	if v.HeldRows > 0 && !v.undo() {
		but = append(but, counted(v.HeldRows, "row")+" held")
	}
	text := "complete"
	if v.undo() {
		text = counted(v.RevertedRows, "row") + " reverted"
		if v.HeldRows > 0 {
			text += ", " + number(v.HeldRows) + " kept"
		}
	}
	if len(but) > 0 {
		text += ", with " + strings.Join(but, " and ")
	}
	return text
}

// stateWords is a state's name for people.
func stateWords(state string) string { return strings.ReplaceAll(state, "_", " ") }

// count is one line of a tally.
type count struct {
	name string
	rows int64
}

// some are those of the counts that count anything.
func some(counts ...count) []count {
	return slices.DeleteFunc(counts, func(c count) bool { return c.rows <= 0 })
}

func printCounts(w io.Writer, counts []count) {
	for _, c := range counts {
		fmt.Fprintf(w, "  %-10s %12s\n", c.name, number(c.rows))
	}
}

// printCounts prints the tally of what was done, or would be by the plan, or both
// where a retry is planned. sum is the plan's, nil where it was not asked for.
func (v *view) printCounts(w io.Writer, sum *summary) {
	switch {
	case !v.planning():
		printCounts(w, v.counts())
	case v.Round == 0:
		printCounts(w, v.planLines(sum))
	default:
		printCounts(w, v.counts())
		fmt.Fprintln(w, "The plan of the retry:")
		printCounts(w, v.planLines(sum))
	}
}

// counts are the lines of a tally: the usual ones always, others only where
// there is something to count, and all of them in one order.
func (v *view) counts() []count {
	rest := count{"not done", v.total() - v.ProcessedRows}
	if v.undo() {
		lines := []count{{"total", v.total()}, {"reverted", v.RevertedRows}, {"kept", v.HeldRows}, {"failed", v.ErrorRows}}
		return append(lines, some(count{"as before", v.UnchangedRows}, rest)...)
	}
	lines := []count{{"total", v.total()}, {"created", v.CreatedRows}, {"updated", v.UpdatedRows}, {"unchanged", v.UnchangedRows}}
	lines = append(lines, some(count{"deleted", v.DeletedRows})...)
	lines = append(lines, count{"failed", v.ErrorRows}, count{"skipped", v.SkippedRows}, count{"warnings", v.WarningRows})
	return append(lines, some(count{"held", v.HeldRows}, rest)...)
}

// notes are what else is to be known of an import: what it has to do with others,
// and what its plan ran into.
func (v *view) notes() []string {
	var lines []string
	add := func(when bool, format string, args ...any) {
		if when {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	add(v.undo(), "Takes back: %s", v.UndoOf)
	add(v.UndoneBy != "" && !v.rolledBack(), "Its undo: %s", v.UndoneBy)
	add(v.rolledBack(), "What was applied was taken back again: %s", v.UndoneBy)
	add(v.DuplicateOf != "", "The same content was imported before: %s", v.DuplicateOf)
	if v.planned() {
		for _, t := range v.Findings {
			add(true, "Guard rail: %s", t.Message)
		}
		add(v.Stale != "", "%s", v.Stale)
	}
	return lines
}

// timed reports whether how long the import took says anything: one that waited
// with its plan, or ran again later, did so for reasons of its own.
func (v *view) timed() bool { return v.followed || v.Plan == nil && v.Round == 0 }

// followedRows is how many rows were done in the time that was followed; 0 where
// that cannot be told, as of an undo that ran some of its rows again by itself.
func (v *view) followedRows() int64 {
	switch {
	case v.Round == 0:
		return v.ProcessedRows
	case v.undo():
		return 0
	}
	return v.RoundDone
}

// took is how long the import has been at work.
func (v *view) took(now time.Time) time.Duration {
	begin := v.StartedAt
	if begin == nil {
		begin = v.CreatedAt
	}
	if begin == nil {
		return 0
	}
	if v.CompletedAt != nil {
		now = *v.CompletedAt
	}
	return now.Sub(*begin)
}

// firstProblems shows the first rows that failed, and the first that were held or
// kept: why a row is left as it is stands in a warning.
func (p *program) firstProblems(ctx context.Context, d desk, v view, w io.Writer) {
	if v.ErrorRows > 0 && p.showProblems(ctx, d, v, problemFilter{}, w) {
		fmt.Fprintf(w, "See all errors: %s\n", d.see().errors(v.ID))
	}
	if v.HeldRows == 0 {
		return
	}
	held := problemFilter{warnings: true, code: catalog.CodeMovedSincePlan}
	if v.undo() {
		held.code = "" // it has no others
	}
	p.showProblems(ctx, d, v, held, w)
}

// showProblems reports whether there was any.
func (p *program) showProblems(ctx context.Context, d desk, v view, f problemFilter, w io.Writer) bool {
	found, err := d.problems(ctx, v.ID, f, tallyErrors)
	if err != nil {
		fmt.Fprintf(w, "The errors cannot be shown: %v\n", err)
		return false
	}
	for i := range found {
		fmt.Fprintf(w, "  row %d: %s\n", found[i].Row, found[i].words())
	}
	return len(found) > 0
}

// words says what is wrong, where, and with what value.
func (e *rowError) words() string {
	var sb strings.Builder
	if e.Column != "" {
		sb.WriteString(e.Column)
		if e.Value != "" {
			sb.WriteString(" " + strconv.Quote(e.Value))
		}
		sb.WriteString(": ")
	}
	sb.WriteString(e.Message)
	return sb.String()
}

// number writes a count for people: 1,234,567.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// counted writes a count of things: 1 row, 1,234 rows.
func counted(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(n) + " " + thing
}

// byteSize writes a size for people: 1.5 GiB.
func byteSize(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), -1
	for size >= 1<<10 && unit < 4 {
		size /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTP"[unit])
}
