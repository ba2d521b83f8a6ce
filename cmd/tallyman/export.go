package main

import (
	"context"
	"fmt"
	"io"

	"tallyman/internal/catalog"
	"tallyman/internal/export"
	"tallyman/internal/store"
)

// exportCommand writes the items of a kind to a file.
type exportCommand struct {
	Kind        string `arg:"" help:"Kind of items: product, sku, collection, catalog, inventory, price or listing." enum:"product,sku,collection,catalog,inventory,price,listing"`
	Format      string `help:"Format of the file: csv or json." enum:"csv,json" default:"csv" placeholder:"FORMAT"`
	Out         string `short:"o" help:"File to write; - is standard output." default:"-" placeholder:"FILE"`
	Spreadsheet bool   `help:"Make the CSV safe for spreadsheet programs: a byte-order mark, and a quote before texts that would run as formulas. Texts so changed do not import back unchanged."`
	place
}

// Help is the part of the help text that flags cannot say.
func (exportCommand) Help() string {
	return `The file is of one moment, whatever is imported meanwhile, and a CSV file imports back without a change. Columns are the fields of the catalog: lists are joined by |, amounts stand beside their currency, an empty cell is a value that is not there.`
}

// Run writes the file.
func (c *exportCommand) Run(ctx context.Context, p *program) error {
	kind, ok := catalog.ParseKind(c.Kind)
	if !ok {
		return fmt.Errorf("unknown kind %q", c.Kind)
	}
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		var rep export.Report
		err := p.writeOut(ctx, c.Out, forAll, func(w io.Writer) error {
			var err error
			rep, err = export.Items(ctx, n.store, ws.WS, kind, w,
				export.Options{Format: export.Format(c.Format), Spreadsheet: c.Spreadsheet})
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Exported %s.\n", counted(rep.Items, "item"))
		if rep.Bent > 0 {
			fmt.Fprintf(p.stderr, "%s lists hold a value with a | in it and cannot be read back from CSV as they are (the first: item %s); --format json keeps them.\n",
				number(rep.Bent), rep.FirstBent)
		}
		return nil
	})
}
