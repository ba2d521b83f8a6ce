package main

import "context"

// planCommand shows what a file would change.
type planCommand struct {
	fileFlags
	Changes int  `help:"How many changes to show; 0 for none." default:"20" placeholder:"N"`
	JSON    bool `name:"json" help:"Print the plan as one JSON object in the last line: id, fingerprint, counts, and the import in the REST API's shape. Words for people go to stderr."`
	Quiet   bool `short:"q" help:"Print no progress and no tally."`
	deskFlags
}

// Help is the part of the help text that flags cannot say.
func (planCommand) Help() string {
	return `The file is read, checked and decided as an import would, and nothing of it is written. The plan is kept: "tallyman apply" makes exactly these changes, "tallyman imports changes ID --plan" shows all of them, "tallyman imports terminate ID" gives it up.

Exit codes: 0 nothing would change; 2 something would; 3 some rows have errors (whether or not others would change something), or the file is refused; 1 anything else.`
}

// Run plans the import of the file.
func (c *planCommand) Run(ctx context.Context, p *program) error {
	return c.run(ctx, p, c.deskFlags, reporting{json: c.JSON, quiet: c.Quiet, plan: true, changes: c.Changes})
}
