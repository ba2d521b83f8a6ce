package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
)

// importsCorrect takes an edited file of rows back.
type importsCorrect struct {
	ID   string `arg:"" help:"The import's id."`
	File string `arg:"" help:"The edited file of \"tallyman imports failed-rows\" or \"rows --csv\"; - reads standard input."`
	JSON bool   `name:"json" help:"Print what became of the rows in the REST API's shape."`
	place
}

// Help is the part of the help text that flags cannot say.
func (importsCorrect) Help() string {
	return `Rows find their place by the column tallyman_row, however the file was sorted and whatever else was cut. Cells that differ are laid over the import's file, which itself never changes; nothing runs before "tallyman imports retry ID".

Exit codes: 0 every row was taken or is as it was; 2 some were not taken; 3 the file cannot be read or has no row keys; 1 anything else.`
}

// Run lays the file's cells over the import's.
func (c *importsCorrect) Run(ctx context.Context, p *program) error {
	body, err := p.open(c.File)
	if err != nil {
		return err
	}
	defer body.Close()
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		r, err := n.imports.CorrectFile(ctx, ws, c.ID, fileName(c.File), door, contextReader{ctx: ctx, r: body})
		if err != nil {
			return refused(err)
		}
		if err := c.tell(ctx, p, n, ws, &r); err != nil {
			return err
		}
		if lost(&r) > 0 {
			return &exit{code: exitErrors}
		}
		return nil
	})
}

// lost is how many rows of an edited file were not taken.
func lost(r *importer.CorrectionReport) int64 { return r.NoKey + r.Foreign + r.Done + r.Twice }

func (c *importsCorrect) tell(ctx context.Context, p *program, n *node, ws store.Workspace, r *importer.CorrectionReport) error {
	if c.JSON {
		return printJSON(p.stdout, rest.CorrectionsObject(r))
	}
	fmt.Fprintf(p.stdout, "%s: %s in %s corrected, %s as before\n", counted(r.Rows, "row"), counted(r.Cells, "cell"), counted(r.Changed, "row"), number(r.Same))
	for _, part := range []struct {
		n   int64
		why string
	}{
		{r.NoKey, "without a row key"}, {r.Foreign, "of another import"},
		{r.Done, "done already"}, {r.Twice, "twice, with other cells"},
	} {
		if part.n > 0 {
			fmt.Fprintf(p.stdout, "  not taken: %s %s\n", counted(part.n, "row"), part.why)
		}
	}
	for _, e := range r.Examples {
		fmt.Fprintf(p.stdout, "  %s\n", e)
	}
	if len(r.Ignored) > 0 {
		fmt.Fprintf(p.stdout, "Columns that the import has not: %s\n", strings.Join(r.Ignored, ", "))
	}
	if r.Changed == 0 {
		return nil
	}
	return p.tellNext(ctx, n, ws, c.ID)
}

// tellNext says how corrections come into force.
func (p *program) tellNext(ctx context.Context, n *node, ws store.Workspace, id string) error {
	imp, err := n.imports.Import(ctx, ws, id)
	if err != nil {
		return err
	}
	command := "imports retry " + id
	if imp.State == store.Planned {
		command = "imports replan " + id
	}
	_, err = fmt.Fprintf(p.stdout, "Run the rows again: %s\n", n.settings.commandLine(command))
	return err
}

// importsSet corrects one row.
type importsSet struct {
	ID    string   `arg:"" help:"The import's id."`
	Row   int64    `arg:"" help:"The row's number."`
	Cells []string `arg:"" help:"Cells, as COLUMN=VALUE with the heading of the file." placeholder:"COLUMN=VALUE"`
	JSON  bool     `name:"json" help:"Print the check in the REST API's shape."`
	place
}

// Help is the part of the help text that flags cannot say.
func (importsSet) Help() string {
	return `The row is checked at once against the catalog as it is, and what it would do is shown; nothing is written to the catalog before "tallyman imports retry ID". Exit codes: 0 the row would be applied; 2 it would fail; 1 anything else.`
}

// Run corrects the row and shows what it would do.
func (c *importsSet) Run(ctx context.Context, p *program) error {
	cells := make(map[string]string, len(c.Cells))
	for _, cell := range c.Cells {
		column, value, err := assignment(cell, "COLUMN=VALUE", "Price=12.50")
		if err != nil {
			return err
		}
		cells[column] = value
	}
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		check, err := n.imports.Correct(ctx, ws, c.ID, c.Row, cells, door)
		if err != nil {
			return err
		}
		return p.tellCheck(&check, c.JSON)
	})
}

// assignment takes NAME=VALUE apart.
func assignment(arg, form, such string) (name, value string, err error) {
	name, value, ok := strings.Cut(arg, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("%q: write %s, such as %s", arg, form, such)
	}
	return name, value, nil
}

// importsUnset takes the corrections of one row away.
type importsUnset struct {
	ID   string `arg:"" help:"The import's id."`
	Row  int64  `arg:"" help:"The row's number."`
	JSON bool   `name:"json" help:"Print the check in the REST API's shape."`
	place
}

// Run takes the corrections away and shows what the row would do.
func (c *importsUnset) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		check, err := n.imports.Uncorrect(ctx, ws, c.ID, c.Row)
		if err != nil {
			return err
		}
		return p.tellCheck(&check, c.JSON)
	})
}

// tellCheck shows what a corrected row would do.
func (p *program) tellCheck(c *importer.Check, asJSON bool) error {
	if asJSON {
		err := printJSON(p.stdout, rest.CheckObject(c))
		return errors.Join(err, checkExit(c))
	}
	fmt.Fprintf(p.stdout, "row %d would be %s\n", c.Row, outcomeWord(c.Outcome))
	for i := range c.Problems {
		fmt.Fprintf(p.stdout, "  %s\n", problemWords(&c.Problems[i]))
	}
	for i := range c.Changes {
		one := changeOf(&c.Changes[i])
		fmt.Fprintf(p.stdout, "  %s\n", one.words())
	}
	return checkExit(c)
}

func checkExit(c *importer.Check) error {
	if c.Outcome == catalog.Failed {
		return &exit{code: exitErrors}
	}
	return nil
}

// importsFix corrects all rows with one cause.
type importsFix struct {
	ID     string  `arg:"" help:"The import's id."`
	Code   string  `required:"" help:"Code of the cause, as in \"tallyman imports causes\"." placeholder:"CODE"`
	Column string  `required:"" help:"Heading of the column." placeholder:"COLUMN"`
	From   *string `required:"" help:"What the cells hold." placeholder:"VALUE"`
	To     *string `required:"" help:"What they are to hold." placeholder:"VALUE"`
	JSON   bool    `name:"json" help:"Print the fix in the REST API's shape."`
	place
}

// Help is the part of the help text that flags cannot say.
func (importsFix) Help() string {
	return `Every row that failed with this code in this column, and whose cell holds exactly that value, gets the other one. "tallyman imports retry ID --plan" shows what that comes to; "tallyman imports retry ID" runs the rows.`
}

// Run makes the fix.
func (c *importsFix) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		f, rows, err := n.imports.Fix(ctx, ws, c.ID, store.Fix{Code: catalog.Code(c.Code), Column: c.Column, From: *c.From, To: *c.To, By: door})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, rest.MadeFix{Fix: rest.FixObject(&f), Rows: rows})
		}
		fmt.Fprintf(p.stdout, "Fix %d corrects %s: %s %s → %s\n", f.No, counted(rows, "row"), plain(f.Column), quotedText(f.From), quotedText(f.To))
		return p.tellNext(ctx, n, ws, c.ID)
	})
}

// importsFixes lists fixes.
type importsFixes struct {
	ID   string `arg:"" help:"The import's id."`
	JSON bool   `name:"json" help:"Print a JSON array of fixes in the REST API's shape."`
	place
}

// Run lists the fixes.
func (c *importsFixes) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		fixes, err := n.imports.Fixes(ctx, ws, c.ID)
		if err != nil {
			return err
		}
		objects := make([]rest.Fix, 0, len(fixes))
		rows := make([][]string, 0, len(fixes))
		for i := range fixes {
			f := &fixes[i]
			objects = append(objects, rest.FixObject(f))
			rows = append(rows, []string{strconv.Itoa(f.No), string(f.Code), plain(f.Column), quotedText(f.From), quotedText(f.To)})
		}
		if c.JSON {
			return printJSON(p.stdout, objects)
		}
		if len(fixes) == 0 {
			p.nothingFound("The import has no fixes.")
			return nil
		}
		return table(p.stdout, []string{"FIX", "CODE", "COLUMN", "FROM", "TO"}, rows)
	})
}

// importsUnfix takes a fix away.
type importsUnfix struct {
	ID  string `arg:"" help:"The import's id."`
	Fix int    `arg:"" help:"The fix's number."`
	place
}

// Run takes the fix away.
func (c *importsUnfix) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		if err := n.imports.Unfix(ctx, ws, c.ID, c.Fix); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "Fix %d is taken away.\n", c.Fix)
		return err
	})
}
