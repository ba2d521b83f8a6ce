package main

import (
	"strings"

	"github.com/alecthomas/kong"

	"tallyman/internal/config"
	"tallyman/internal/store"
)

// commands is the grammar of the command line: one field a subcommand.
type commands struct {
	Serve      serveCommand      `cmd:"" help:"Run the server: every API, and the imports that come in."`
	Work       workCommand       `cmd:"" help:"Run a node that only works on imports, beside those that serve."`
	Import     importCommand     `cmd:"" help:"Import a product file and follow it to its end."`
	Plan       planCommand       `cmd:"" help:"Show what a file would change, field by field; nothing is written."`
	Apply      applyCommand      `cmd:"" help:"Apply a plan, exactly as it was shown."`
	Undo       undoCommand       `cmd:"" help:"Take an import back, property by property."`
	Imports    importsCommand    `cmd:"" help:"List, show, steer and correct imports."`
	Products   productsCommand   `cmd:"" help:"Show a product with its history; change one by hand."`
	Export     exportCommand     `cmd:"" help:"Write the items of the catalog to a file that imports back."`
	Workspaces workspacesCommand `cmd:"" help:"List and create workspaces."`
	Keys       keysCommand       `cmd:"" help:"Create, list and revoke API keys."`
	Users      usersCommand      `cmd:"" help:"Create, list and change the people who may sign in."`
	Audit      auditCommand      `cmd:"" help:"Show who did what."`
	Nodes      nodesCommand      `cmd:"" help:"List the nodes that share the work, and those that hold."`
	Move       moveCommand       `cmd:"" help:"Move a data folder to PostgreSQL and to a bucket, with everything in it."`
	Dump       dumpCommand       `cmd:"" help:"Write everything in the database as lines of JSON, to compare it with another."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the tables of the database up to date."`
	Doctor     doctorCommand     `cmd:"" help:"Check the data folder and say what is wrong with it."`
	Version    versionCommand    `cmd:"" help:"Say which version this is."`
}

const description = `Tallyman imports product files into a catalog and accounts for every row.

Everything is kept in one data folder, on which one process works: "tallyman serve", or a single "tallyman import". With --database and --files it is kept in PostgreSQL and in S3 or a shared folder, on which any number of nodes work: "tallyman serve" and "tallyman work". The other commands may be used beside them at any time, and an import beside a server of its data folder is handed over to it.

Exit codes: 0 complete; 2 complete, with errors in some rows; 3 refused: the file or its header cannot be imported; 1 anything else. A plan: 0 nothing would change; 2 something would; 3 rows with errors, or refused. Of move: 2 moved, but some uploads were damaged before. Of migrate --check: 2 there is something to do. Of doctor: 1 something is wrong.`

// grammar are the parser's options. A parser that has printed help stores the
// exit code instead of ending the process, so that deferred calls still run.
func (p *program) grammar(exited *int) []kong.Option {
	return []kong.Option{
		kong.Name("tallyman"),
		kong.Description(description),
		kong.Vars{"data": usualData, "workspace": store.DefaultWorkspace},
		kong.Writers(p.stdout, p.stderr),
		kong.Resolvers(config.SecretFiles()),
		kong.Exit(func(code int) { *exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// commandWords is the command without its arguments: "imports show <id>" is
// "imports show".
func commandWords(command string) string {
	if i := strings.Index(command, " <"); i >= 0 {
		return command[:i]
	}
	return command
}
