package main

import (
	"context"

	"tallyman/internal/importer"
)

// applyCommand applies a plan and follows the import to its end.
type applyCommand struct {
	ID          string `arg:"" help:"The import whose plan it is."`
	Fingerprint string `required:"" help:"The plan's fingerprint, as it was shown: what is applied is what was seen." placeholder:"FINGERPRINT"`
	Confirm     bool   `help:"Go on though the plan ran into guard rails."`
	JSON        bool   `name:"json" help:"Print the import in the REST API's shape as the last line; words for people go to stderr."`
	Quiet       bool   `short:"q" help:"Print no progress and no tally."`
	deskFlags
}

// Help is the part of the help text that flags cannot say.
func (applyCommand) Help() string {
	return `A row that would touch a property which has changed since the plan is held: it is left as it is and told with the others that need a look. "tallyman imports retry ID --held" takes such rows too.

Exit codes: 0 complete; 2 complete, with rows that failed or are held; 1 anything else, such as a plan that is another one by now.`
}

// Run applies the plan.
func (c *applyCommand) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, "apply", func(d desk) error {
		v, err := d.apply(ctx, c.ID, importer.ApplyOptions{Fingerprint: c.Fingerprint, Confirm: c.Confirm})
		if err != nil {
			return err
		}
		return p.followToEnd(ctx, d, v, reporting{json: c.JSON, quiet: c.Quiet})
	})
}

// confirmed applies a plan whose rails a person has seen.
func confirmed(v view) importer.ApplyOptions {
	return importer.ApplyOptions{Fingerprint: v.Fingerprint, Confirm: true}
}
