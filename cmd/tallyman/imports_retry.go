package main

import (
	"context"

	"tallyman/internal/importer"
)

// importsRetry runs rows of an import again and follows it to its end.
type importsRetry struct {
	ID          string `arg:"" help:"The import's id."`
	Plan        bool   `help:"Only plan: show what the rows would do; exit codes are those of tallyman plan."`
	Held        bool   `help:"Take held rows too: they are decided on the catalog as it is now."`
	Failed      bool   `help:"Take the failed rows." default:"true" negatable:""`
	Unprocessed bool   `help:"Take the rows that have no outcome, as after terminate." default:"true" negatable:""`
	Changes     int    `help:"How many changes a plan shows; 0 for none." default:"20" placeholder:"N"`
	JSON        bool   `name:"json" help:"Print the import in the REST API's shape as the last line; words for people go to stderr."`
	Quiet       bool   `short:"q" help:"Print no progress and no tally."`
	deskFlags
}

// Help is the part of the help text that flags cannot say.
func (importsRetry) Help() string {
	return `The rows run under the same import, with whatever was laid over them: "tallyman imports correct", "set" and "fix". The tally then counts each row as it ended last.

Exit codes are those of tallyman import: 0 complete; 2 complete, with rows that failed or are held; 1 anything else.`
}

// Run runs the rows again.
func (c *importsRetry) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, "imports retry", func(d desk) error {
		v, err := d.retry(ctx, c.ID, importer.RetryOptions{Plan: c.Plan, Held: c.Held, Failed: c.Failed, Unprocessed: c.Unprocessed})
		if err != nil {
			return err
		}
		return p.followToEnd(ctx, d, v, reporting{json: c.JSON, quiet: c.Quiet, plan: c.Plan, changes: c.Changes})
	})
}

// importsReplan makes a plan again.
type importsReplan struct {
	ID      string `arg:"" help:"The import's id."`
	Changes int    `help:"How many changes to show; 0 for none." default:"20" placeholder:"N"`
	JSON    bool   `name:"json" help:"Print the plan as tallyman plan does."`
	Quiet   bool   `short:"q" help:"Print no progress and no tally."`
	deskFlags
}

// Run makes the plan again; exit codes are those of tallyman plan.
func (c *importsReplan) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, "imports replan", func(d desk) error {
		v, err := d.replan(ctx, c.ID)
		if err != nil {
			return err
		}
		return p.followToEnd(ctx, d, v, reporting{json: c.JSON, quiet: c.Quiet, plan: true, changes: c.Changes})
	})
}
