package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// tallyErrors is how many errors a tally shows.
const tallyErrors = 5

// conclude shows how an import ended, as a tally for people and with asJSON the
// REST door's object as the last line, and returns its exit code as an error.
func (p *program) conclude(ctx context.Context, d desk, v view, how reporting) error {
	if !how.quiet {
		p.tally(ctx, d, v, how.people(p))
	}
	if how.json {
		fmt.Fprintf(p.stdout, "%s\n", v.object)
	}
	return v.exitError()
}

// reporting says how much a command that follows an import tells, and to whom.
type reporting struct{ json, quiet bool }

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
	for _, line := range v.counts() {
		fmt.Fprintf(w, "  %-10s %12s\n", line.name, number(line.rows))
	}
	if took := v.took(p.now()); took > 0 && v.ProcessedRows > 0 {
		fmt.Fprintf(w, "  %-10s %12s\n", "time", took.Round(time.Millisecond))
		fmt.Fprintf(w, "  %-10s %12s rows/s\n", "rate", number(int64(float64(v.ProcessedRows)/took.Seconds())))
	}
	if v.ErrorRows > 0 {
		p.firstErrors(ctx, d, v, w)
	}
}

// headline says in a few words how the import stands.
func (v *view) headline() string {
	switch {
	case v.State == "done" && v.ErrorRows == 0:
		return "complete"
	case v.State == "done":
		return "complete, with errors in " + counted(v.ErrorRows, "row")
	case v.Message != "":
		return v.State + ": " + v.Message
	}
	return v.State
}

// count is one line of a tally.
type count struct {
	name string
	rows int64
}

// counts are the lines of a tally: the usual ones always, others only where
// there is something to count.
func (v *view) counts() []count {
	lines := []count{
		{"total", v.TotalRows}, {"created", v.CreatedRows}, {"updated", v.UpdatedRows},
		{"unchanged", v.UnchangedRows}, {"failed", v.ErrorRows}, {"skipped", v.SkippedRows}, {"warnings", v.WarningRows},
	}
	for _, c := range []count{{"deleted", v.DeletedRows}, {"held", v.HeldRows}, {"not done", v.TotalRows - v.ProcessedRows}} {
		if c.rows > 0 {
			lines = append(lines, c)
		}
	}
	return lines
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

func (p *program) firstErrors(ctx context.Context, d desk, v view, w io.Writer) {
	errs, err := d.errors(ctx, v.ID, tallyErrors)
	if err != nil {
		fmt.Fprintf(w, "The errors cannot be shown: %v\n", err)
		return
	}
	for _, e := range errs {
		fmt.Fprintf(w, "  row %d: %s\n", e.Row, e.words())
	}
	fmt.Fprintf(w, "See all errors: %s\n", d.seeErrors(v.ID))
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
