package main

import (
	"context"
	"fmt"

	"tallyman/internal/store"
)

// importsTerminate stops an import for good.
type importsTerminate struct{ byID }

// Help is the part of the help text that flags cannot say.
func (importsTerminate) Help() string {
	return `What was applied stays, but of an import that is all or nothing: then it is taken back, without a server in this process. A plan is given up; that of a retry leaves the import as it was before.`
}

// Run stops the import, whichever process works on it.
func (c *importsTerminate) Run(ctx context.Context, p *program) error {
	rollsBack := false
	err := c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		d := &localDesk{node: n, ws: ws}
		before, err := d.show(ctx, c.ID)
		if err != nil {
			return err
		}
		v, err := d.shown(n.imports.Terminate(ctx, ws, c.ID))
		if err != nil {
			return err
		}
		if rollsBack = v.State == "rolling_back"; rollsBack {
			return nil
		}
		if words := v.gaveUp(&before); words != "" && !c.JSON {
			_, err := fmt.Fprintf(p.stdout, "%s (%s): %s. %s\n", v.SourceName, v.ID, stateWords(v.State), words)
			return err
		}
		return c.show(ctx, p, d, v)
	})
	if err != nil || !rollsBack {
		return err
	}
	return c.rollBack(ctx, p)
}

// gaveUp says what a termination did that ended a plan; "" where it did not.
func (v *view) gaveUp(before *view) string {
	switch {
	case !before.planning():
	case before.Round > 0 && v.State != "terminated":
		return "The plan of the retry was given up; the import is as it was before."
	case v.ProcessedRows == 0:
		return "The plan was given up; nothing was written."
	}
	return ""
}

// rollBack follows the import until what it had applied is taken back: that was
// asked for, so it is no failure.
func (c *importsTerminate) rollBack(ctx context.Context, p *program) error {
	return c.atWork(ctx, p, "imports terminate", func(d desk) error {
		v, err := d.show(ctx, c.ID)
		if err != nil {
			return err
		}
		how := reporting{json: c.JSON}
		if _, remote := d.(*remoteDesk); !remote {
			if v, err = p.follow(ctx, d, v, p.display(how.people(p), false)); err != nil {
				return err
			}
		}
		if v.State == "rolled_back" {
			return c.show(ctx, p, d, v)
		}
		return c.goOn(ctx, p, d, v, how)
	})
}
