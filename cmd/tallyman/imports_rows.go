package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
)

// importsRows lists or downloads rows.
type importsRows struct {
	ID      string   `arg:"" help:"The import's id."`
	Outcome []string `help:"Only rows that ended so: created, updated, unchanged, deleted, failed, skipped, held or unprocessed; of an undo also reverted and kept. Several go with commas." placeholder:"OUTCOME"`
	Plan    bool     `help:"As the newest plan has them; while nothing was written, that is read anyway."`
	Limit   int      `help:"How many a listing shows at most; 0 for all." default:"100" placeholder:"N"`
	CSV     bool     `name:"csv" help:"Write the rows as CSV: the file's own columns and order, corrections laid over, and behind them the row's key and how it ended." xor:"form"`
	JSON    bool     `name:"json" help:"Print one JSON object a line, in the REST API's shape." xor:"form"`
	Out     string   `short:"o" help:"File to write the CSV to; - is standard output." placeholder:"FILE"`
	place
}

// Run lists the rows.
func (c *importsRows) Run(ctx context.Context, p *program) error {
	outcomes, err := outcomesOf(c.Outcome)
	if err != nil {
		return err
	}
	if c.JSON && c.Out != "" {
		return errOutIsCSV
	}
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		plan := c.Plan
		if !slices.Contains(outcomes, catalog.Pending) { // which rows are not done the plan cannot say
			if plan, err = n.readsPlan(ctx, p, ws, c.ID, c.Plan); err != nil {
				return err
			}
		}
		f := importer.RowFilter{Outcomes: outcomes, Plan: plan}
		if c.CSV || c.Out != "" {
			return p.writeRows(ctx, n, ws, c.ID, f, c.Out)
		}
		return c.list(ctx, p, n, ws, f)
	})
}

// rowsAtOnce is how many rows a listing reads at a time.
const rowsAtOnce = 10_000

func (c *importsRows) list(ctx context.Context, p *program, n *node, ws store.Workspace, f importer.RowFilter) error {
	tongue, err := n.rowTongue(ctx, ws, c.ID)
	if err != nil {
		return err
	}
	shown, total := 0, 1
	for shown < total && (c.Limit == 0 || shown < c.Limit) {
		window := store.Range{Offset: shown, Limit: rowsAtOnce}
		if c.Limit > 0 {
			window.Limit = min(rowsAtOnce, c.Limit-shown)
		}
		entries, all, err := n.imports.Rows(ctx, ws, c.ID, f, window)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := c.print(p.stdout, &entries[i], tongue); err != nil {
				return err
			}
		}
		shown, total = shown+len(entries), all
		if len(entries) == 0 {
			break
		}
	}
	switch {
	case total == 0:
		p.nothingFound("There are no such rows.")
	case shown < total && !c.JSON:
		fmt.Fprintf(p.stdout, "%s of %s; see more with --limit\n", number(int64(shown)), number(int64(total)))
	}
	return nil
}

func (c *importsRows) print(w io.Writer, e *ledger.Entry, tongue rowTongue) error {
	if c.JSON {
		return printJSON(w, rest.RowObject(e))
	}
	_, err := fmt.Fprintf(w, "row %d: %s\n", e.Row, tongue.entry(e))
	return err
}

// rowTongue words how rows of one import ended.
type rowTongue struct {
	// undo says that the import takes another one back.
	undo bool
	// missing is the number of the first row that is no row of the file, but an item
	// that the file does not name; 0 for none.
	missing int64
}

func (n *node) rowTongue(ctx context.Context, ws store.Workspace, id string) (t rowTongue, err error) {
	imp, err := n.imports.Import(ctx, ws, id)
	if err != nil {
		return t, err
	}
	t.undo = imp.UndoOf != ""
	if imp.Extra == 0 {
		return t, nil
	}
	for _, pass := range []ledger.Pass{ledger.PassPlan, ""} {
		batches, err := n.imports.Batches(ctx, ws, id, pass)
		if err != nil {
			return t, err
		}
		for i := range batches {
			if first := batches[i].FirstRow; batches[i].Input == store.MissingInput && (t.missing == 0 || first < t.missing) {
				t.missing = first
			}
		}
	}
	return t, nil
}

// notNamed says what a row is that does not stand in the file.
const notNamed = "not named by the file"

func (t rowTongue) unnamed(row int64) bool { return t.missing > 0 && row >= t.missing }

// outcome is the word for how a row ended: an undo reverts and keeps, whatever that
// does to items.
func (t rowTongue) outcome(o catalog.Outcome) string {
	switch {
	case !t.undo:
	case o == catalog.Created, o == catalog.Updated, o == catalog.Deleted:
		return wordReverted
	case o == catalog.Held:
		return wordKept
	}
	return outcomeWord(o)
}

// entry is how a row ended, on one line.
func (t rowTongue) entry(e *ledger.Entry) string {
	text := t.outcome(e.Outcome)
	if e.ItemID != "" {
		text += " " + e.ItemID
	}
	if t.unnamed(e.Row) {
		text += "; " + notNamed
	}
	for i := range e.Problems {
		text += "; " + problemWords(&e.Problems[i])
	}
	return text
}

func problemWords(p *catalog.Problem) string {
	e := rowError{Column: p.Column, Value: p.Value, Message: p.Message}
	text := fmt.Sprintf("%s (%s)", e.words(), p.Code)
	if p.Severity == catalog.Warning {
		text = "warning: " + text
	}
	return text
}

// Words of the command line for outcomes: of a row without one, and of an undo's
// rows.
const (
	wordUnprocessed = "unprocessed"
	wordReverted    = "reverted"
	wordKept        = "kept"
)

func outcomeWord(o catalog.Outcome) string {
	if o == catalog.Pending {
		return wordUnprocessed
	}
	return o.String()
}

// outcomesOf reads the --outcome flag. The words of undos stand for what an undo
// did to its items.
func outcomesOf(names []string) ([]catalog.Outcome, error) {
	var out []catalog.Outcome
	for _, name := range names {
		o, ok := catalog.ParseOutcome(name)
		switch {
		case name == wordUnprocessed:
			o = catalog.Pending
		case name == wordReverted:
			out = append(out, catalog.Created, catalog.Updated)
			o = catalog.Deleted
		case name == wordKept:
			o = catalog.Held
		case !ok, o == catalog.Pending:
			return nil, fmt.Errorf("--outcome %q: write created, updated, unchanged, deleted, failed, skipped, held, unprocessed, reverted or kept", name)
		}
		out = append(out, o)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// writeRows writes rows as CSV to a file or to standard output.
func (p *program) writeRows(ctx context.Context, n *node, ws store.Workspace, id string, f importer.RowFilter, out string) error {
	if out == "" {
		out = "-"
	}
	return p.writeOut(ctx, out, forAll, func(w io.Writer) error { return n.imports.WriteRows(ctx, ws, id, f, w) })
}

// importsFailedRows downloads the failed rows.
type importsFailedRows struct {
	ID   string `arg:"" help:"The import's id."`
	Plan bool   `help:"Those of the newest plan; while nothing was written, that is read anyway."`
	Out  string `short:"o" help:"File to write; - is standard output." default:"-" placeholder:"FILE"`
	place
}

// Help is the part of the help text that flags cannot say.
func (importsFailedRows) Help() string {
	return `The file has the columns and the order of the one that was imported, with corrections laid over, and behind them each row's key, code and message. Correct the cells in any program, sort and cut it as you like, but leave the column tallyman_row; then "tallyman imports correct ID FILE" takes it back and "tallyman imports retry ID" runs the rows again. Held and unprocessed rows: tallyman imports rows ID --outcome held,unprocessed --csv.`
}

// Run writes the rows.
func (c *importsFailedRows) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		plan, err := n.readsPlan(ctx, p, ws, c.ID, c.Plan)
		if err != nil {
			return err
		}
		f := importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}, Plan: plan}
		if err := p.writeRows(ctx, n, ws, c.ID, f, c.Out); err != nil {
			return err
		}
		imp, err := n.imports.Import(ctx, ws, c.ID)
		if err == nil && (plan && imp.Plan.Failed == 0 || !plan && imp.Tally.Failed == 0) {
			p.nothingFound("No row failed.")
		}
		return err
	})
}

// importsRow shows one row.
type importsRow struct {
	ID   string `arg:"" help:"The import's id."`
	Row  int64  `arg:"" help:"The row's number: what a spreadsheet shows, the header being row 1."`
	JSON bool   `name:"json" help:"Print it in the REST API's shape."`
	place
}

// Run shows the row.
func (c *importsRow) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		r, err := n.imports.Row(ctx, ws, c.ID, c.Row)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, rest.RowDetailObject(&r))
		}
		tongue, err := n.rowTongue(ctx, ws, c.ID)
		if err != nil {
			return err
		}
		return p.tellRow(&r, tongue)
	})
}

// headingOf names a column; one beyond the header by its number.
func headingOf(header []string, i int) string {
	if i < len(header) && header[i] != "" {
		return header[i]
	}
	return "#" + strconv.Itoa(i+1)
}

func (p *program) tellRow(r *importer.RowReport, tongue rowTongue) error {
	place := ""
	if r.Pass != "" {
		place = fmt.Sprintf(" (%s, batch %d)", r.Pass, r.Batch)
	}
	fmt.Fprintf(p.stdout, "row %d: %s%s\n", r.Row, strings.TrimSpace(tongue.outcome(r.Outcome)+" "+r.ItemID), place)
	if tongue.unnamed(r.Row) {
		fmt.Fprintf(p.stdout, "  %s\n", notNamed)
	}
	for i := range r.Problems {
		fmt.Fprintf(p.stdout, "  %s\n", problemWords(&r.Problems[i]))
	}
	for i := range r.Changes {
		c := changeOf(&r.Changes[i])
		fmt.Fprintf(p.stdout, "  %s\n", c.words())
	}
	if len(r.Cells) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(r.Cells))
	for i, cell := range r.Cells {
		was := ""
		if original, ok := r.Original[i]; ok {
			was = "(in the file: " + quotedText(original) + ")"
		}
		rows = append(rows, []string{plain(headingOf(r.Header, i)), quotedText(cell), was})
	}
	return table(p.stdout, []string{"COLUMN", "CELL", ""}, rows)
}
