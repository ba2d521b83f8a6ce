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
	Plan    bool     `help:"As the newest plan has them."`
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
	f := importer.RowFilter{Outcomes: outcomes, Plan: c.Plan}
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		if c.CSV || c.Out != "" {
			return p.writeRows(ctx, n, ws, c.ID, f, c.Out)
		}
		return c.list(ctx, p, n, ws, f)
	})
}

// rowsAtOnce is how many rows a listing reads at a time.
const rowsAtOnce = 10_000

func (c *importsRows) list(ctx context.Context, p *program, n *node, ws store.Workspace, f importer.RowFilter) error {
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
			if err := c.print(p.stdout, &entries[i]); err != nil {
				return err
			}
		}
		shown, total = shown+len(entries), all
		if len(entries) == 0 {
			break
		}
	}
	if shown < total && !c.JSON {
		fmt.Fprintf(p.stdout, "%s of %s; see more with --limit\n", number(int64(shown)), number(int64(total)))
	}
	return nil
}

func (c *importsRows) print(w io.Writer, e *ledger.Entry) error {
	if c.JSON {
		return printJSON(w, rest.RowObject(e))
	}
	_, err := fmt.Fprintf(w, "row %d: %s\n", e.Row, entryWords(e))
	return err
}

// entryWords is how a row ended, on one line.
func entryWords(e *ledger.Entry) string {
	text := outcomeWord(e.Outcome)
	if e.ItemID != "" {
		text += " " + e.ItemID
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

// wordUnprocessed is the command line's word for a row without an outcome.
const wordUnprocessed = "unprocessed"

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
		case name == "reverted":
			out = append(out, catalog.Created, catalog.Updated)
			o = catalog.Deleted
		case name == "kept":
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
	return p.writeTo(out, func(w io.Writer) error { return n.imports.WriteRows(ctx, ws, id, f, w) })
}

// importsFailedRows downloads the failed rows.
type importsFailedRows struct {
	ID  string `arg:"" help:"The import's id."`
	Out string `short:"o" help:"File to write; - is standard output." default:"-" placeholder:"FILE"`
	place
}

// Help is the part of the help text that flags cannot say.
func (importsFailedRows) Help() string {
	return `The file has the columns and the order of the one that was imported, with corrections laid over, and behind them each row's key, code and message. Correct the cells in any program, sort and cut it as you like, but leave the column tallyman_row; then "tallyman imports correct ID FILE" takes it back and "tallyman imports retry ID" runs the rows again. Held and unprocessed rows: tallyman imports rows ID --outcome held,unprocessed --csv.`
}

// Run writes the rows.
func (c *importsFailedRows) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		return p.writeRows(ctx, n, ws, c.ID, importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}}, c.Out)
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
		return p.tellRow(&r)
	})
}

// headingOf names a column; one beyond the header by its number.
func headingOf(header []string, i int) string {
	if i < len(header) && header[i] != "" {
		return header[i]
	}
	return "#" + strconv.Itoa(i+1)
}

func (p *program) tellRow(r *importer.RowReport) error {
	place := ""
	if r.Pass != "" {
		place = fmt.Sprintf(" (%s, batch %d)", r.Pass, r.Batch)
	}
	fmt.Fprintf(p.stdout, "row %d: %s%s\n", r.Row, strings.TrimSpace(outcomeWord(r.Outcome)+" "+r.ItemID), place)
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
		rows = append(rows, []string{plain(headingOf(r.Header, i)), plain(cell), was})
	}
	return table(p.stdout, []string{"COLUMN", "CELL", ""}, rows)
}
