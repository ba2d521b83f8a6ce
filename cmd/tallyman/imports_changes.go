package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
)

// importsChanges shows a diff.
type importsChanges struct {
	ID         string  `arg:"" help:"The import's id."`
	Plan       bool    `help:"What the newest plan would change, instead of what was changed."`
	Property   string  `help:"Only rows that change this field, such as price or attributes.color." placeholder:"FIELD"`
	Cleared    bool    `help:"Only rows in which a value goes."`
	Outcome    *string `help:"Only rows that end so: created, updated, deleted or held." enum:"created,updated,deleted,held" placeholder:"OUTCOME"`
	MinPercent float64 `help:"Only rows in which a number, or that of --property, moves by at least so much of what it was." placeholder:"N"`
	MaxPercent float64 `help:"Only rows in which it moves by at most so much." placeholder:"N"`
	Limit      int     `help:"How many at most; 0 for all." default:"100" placeholder:"N"`
	CSV        bool    `name:"csv" help:"Print all of them as CSV, a line for each field." xor:"form"`
	JSON       bool    `name:"json" help:"Print one JSON object a line, in the REST API's shape." xor:"form"`
	Out        string  `short:"o" help:"File to write the CSV to; - is standard output." placeholder:"FILE"`
	place
}

// Run shows the changes.
func (c *importsChanges) Run(ctx context.Context, p *program) error {
	f := importer.ChangeFilter{Plan: c.Plan, Property: c.Property, Cleared: c.Cleared, MinPercent: c.MinPercent, MaxPercent: c.MaxPercent}
	f.Outcome, _ = catalog.ParseOutcome(word(c.Outcome))
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		if c.CSV || c.Out != "" {
			if c.JSON {
				return errOutIsCSV
			}
			return p.writeOut(ctx, cmp.Or(c.Out, "-"), forAll, func(w io.Writer) error { return n.imports.WriteChanges(ctx, ws, c.ID, f, w) })
		}
		return c.list(ctx, p, n, ws, f)
	})
}

// errOutIsCSV: JSON goes to standard output alone.
var errOutIsCSV = errors.New("--out writes CSV; leave --json, or leave --out and send standard output to the file")

// errEnough ends a listing that has what it was asked for.
var errEnough = errors.New("enough")

func (c *importsChanges) list(ctx context.Context, p *program, n *node, ws store.Workspace, f importer.ChangeFilter) error {
	out := bufio.NewWriter(p.stdout)
	shown := 0
	err := n.imports.EachChange(ctx, ws, c.ID, f, func(rc importer.RowChange) error {
		if c.Limit > 0 && shown == c.Limit {
			return errEnough
		}
		shown++
		if c.JSON {
			return printJSON(out, rest.ChangeObject(&rc))
		}
		one := changeOf(&rc)
		_, err := fmt.Fprintf(out, "row %d: %s\n", one.Row, one.words())
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
		if !c.JSON {
			fmt.Fprintf(out, "The first %s; see more with --limit\n", number(int64(shown)))
		}
	}
	err = errors.Join(err, out.Flush())
	if err != nil || shown > 0 {
		return err
	}
	return c.tellNone(ctx, p, n, ws)
}

// tellNone says that there is nothing to be seen, and where there may be.
func (c *importsChanges) tellNone(ctx context.Context, p *program, n *node, ws store.Workspace) error {
	imp, err := n.imports.Import(ctx, ws, c.ID)
	if err != nil {
		return err
	}
	if !c.Plan && imp.Tally.Rows() == 0 && imp.Plan.Rows() > 0 {
		p.nothingFound("Nothing of the import is written; see what its plan would change with --plan.")
		return nil
	}
	if c.Property == "" {
		p.nothingFound("There are no such changes.")
		return nil
	}
	sum, err := n.imports.Summary(ctx, ws, c.ID, c.Plan)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range sum.Fields {
		if f.Field == c.Property {
			p.nothingFound("There are no such changes of %s.", plain(c.Property))
			return nil
		}
		names = append(names, plain(f.Field))
	}
	p.nothingFound("No change is of the field %s; changed are: %s.", quotedText(c.Property), cmp.Or(strings.Join(names, ", "), "none"))
	return nil
}

// importsCauses shows what is wrong, grouped.
type importsCauses struct {
	ID       string `arg:"" help:"The import's id."`
	Plan     bool   `help:"Of the newest plan instead of what was done; while nothing was, that is read anyway."`
	Examples int    `help:"How many values of each cause to show." default:"3" placeholder:"N"`
	JSON     bool   `name:"json" help:"Print a JSON array of causes in the REST API's shape."`
	place
}

// Run shows the causes.
func (c *importsCauses) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		plan, err := n.readsPlan(ctx, p, ws, c.ID, c.Plan)
		if err != nil {
			return err
		}
		found, err := n.imports.Causes(ctx, ws, c.ID, plan, c.Examples)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			p.nothingFound("No row has errors or warnings.")
		}
		if c.JSON {
			objects := make([]rest.Cause, 0, len(found))
			for i := range found {
				objects = append(objects, rest.CauseObject(&found[i]))
			}
			return printJSON(p.stdout, objects)
		}
		for i := range found {
			one := causeOf(&found[i])
			fmt.Fprintln(p.stdout, one.words())
		}
		return nil
	})
}
