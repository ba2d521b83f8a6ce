package main

import "context"

// undoCommand takes an import back and follows that to its end.
type undoCommand struct {
	ID      string `arg:"" help:"The import to take back."`
	Plan    bool   `help:"Only show what it would do; exit codes are those of tallyman plan."`
	Force   bool   `help:"Take back what others have changed since, too."`
	Changes int    `help:"How many changes a plan shows; 0 for none." default:"20" placeholder:"N"`
	JSON    bool   `name:"json" help:"Print the undo, which is an import, in the REST API's shape as the last line; words for people go to stderr."`
	Quiet   bool   `short:"q" help:"Print no progress and no tally."`
	deskFlags
}

// Help is the part of the help text that flags cannot say.
func (undoCommand) Help() string {
	return `Every item that the import wrote gets back what it had, property by property; items that it made go. A property that something else has changed since is kept, and told with who changed it. An undo is an import of its own: it can be paused, resumed and undone.

Exit codes: 0 everything is reverted; 2 something was kept or failed; 1 anything else, such as an import whose old values are past their retention.`
}

// Run takes the import back.
func (c *undoCommand) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, "undo", func(d desk) error {
		v, err := d.undo(ctx, c.ID, undoing{Plan: c.Plan, Force: c.Force})
		if err != nil {
			return err
		}
		return p.followToEnd(ctx, d, v, reporting{json: c.JSON, quiet: c.Quiet, plan: c.Plan, changes: c.Changes})
	})
}
