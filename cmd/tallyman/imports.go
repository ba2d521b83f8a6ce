package main

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// importsCommand lists, shows and steers imports.
type importsCommand struct {
	List      importsList      `cmd:"" default:"withargs" help:"List imports, newest first."`
	Show      importsShow      `cmd:"" help:"Show one import with its tally and first errors."`
	Pause     importsPause     `cmd:"" help:"Pause an import: within a chunk nothing moves until it is resumed."`
	Resume    importsResume    `cmd:"" help:"Go on with a paused or interrupted import; without a server, in this process."`
	Terminate importsTerminate `cmd:"" help:"Stop an import for good; what was applied stays."`
	Errors    importsErrors    `cmd:"" help:"Show every error of an import's rows."`
}

type importsList struct {
	Limit int    `help:"How many at most; 0 for all." default:"20" placeholder:"N"`
	State string `help:"Only imports in this state: received, slicing, running, pausing, paused, terminating, terminated, done, refused or failed." enum:"received,slicing,running,pausing,paused,terminating,terminated,done,refused,failed," default:"" placeholder:"STATE"`
	JSON  bool   `name:"json" help:"Print a JSON array of imports in the REST API's shape."`
	place
}

// Run lists the imports.
func (c *importsList) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		imps, total, err := n.imports.Imports(ctx, ws, store.ImportFilter{State: store.State(c.State)}, store.Range{Limit: c.Limit})
		if err != nil {
			return err
		}
		d := localDesk{node: n, ws: ws}
		views := make([]view, 0, len(imps))
		for _, imp := range imps {
			v, err := d.view(imp)
			if err != nil {
				return err
			}
			views = append(views, v)
		}
		if c.JSON {
			return printJSON(p.stdout, objects(views))
		}
		return p.importTable(views, total)
	})
}

func (p *program) importTable(views []view, total int) error {
	rows := make([][]string, 0, len(views))
	for _, v := range views {
		rows = append(rows, []string{v.ID, v.State, number(v.ProcessedRows) + "/" + number(v.TotalRows), number(v.ErrorRows), v.SourceName, maybeClock(v.CreatedAt)})
	}
	if err := table(p.stdout, []string{"ID", "STATE", "ROWS", "FAILED", "FILE", "CREATED"}, rows); err != nil {
		return err
	}
	if total > len(views) {
		fmt.Fprintf(p.stdout, "%d of %d; see more with --limit\n", len(views), total)
	}
	return nil
}

// byID is what the commands about one import share.
type byID struct {
	ID   string `arg:"" help:"The import's id."`
	JSON bool   `name:"json" help:"Print the import in the REST API's shape."`
	place
}

// show prints an import after a call.
func (c *byID) show(ctx context.Context, p *program, d desk, v view) error {
	if c.JSON {
		_, err := fmt.Fprintf(p.stdout, "%s\n", v.object)
		return err
	}
	p.tally(ctx, d, v, p.stdout)
	return nil
}

// at runs a call about the import and shows what it returned.
func (c *byID) at(ctx context.Context, p *program, call func(n *node, ws store.Workspace) (store.Import, error)) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		d := &localDesk{node: n, ws: ws}
		v, err := d.shown(call(n, ws))
		if err != nil {
			return err
		}
		return c.show(ctx, p, d, v)
	})
}

type importsShow struct{ byID }

// Run shows the import.
func (c *importsShow) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, func(n *node, ws store.Workspace) (store.Import, error) { return n.imports.Import(ctx, ws, c.ID) })
}

type importsPause struct{ byID }

// Run pauses the import, whichever process works on it.
func (c *importsPause) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, func(n *node, ws store.Workspace) (store.Import, error) { return n.imports.Pause(ctx, ws, c.ID) })
}

type importsTerminate struct{ byID }

// Run stops the import, whichever process works on it.
func (c *importsTerminate) Run(ctx context.Context, p *program) error {
	return c.at(ctx, p, func(n *node, ws store.Workspace) (store.Import, error) { return n.imports.Terminate(ctx, ws, c.ID) })
}

type importsResume struct {
	byID
	Quiet bool `short:"q" help:"Print no progress and no tally."`
}

// Run goes on with the import: where a server has the folder it is told to,
// otherwise this process does it and follows to the end.
func (c *importsResume) Run(ctx context.Context, p *program) error {
	set, err := c.settings(p)
	if err != nil {
		return err
	}
	if !set.folder.exists() {
		return c.beside(ctx, p, nil)
	}
	d, err := p.deskAt(ctx, set, "imports resume")
	if err != nil {
		return err
	}
	err = c.resume(ctx, p, d)
	return errors.Join(err, d.close())
}

func (c *importsResume) resume(ctx context.Context, p *program, d desk) error {
	v, err := d.show(ctx, c.ID)
	if err != nil {
		return err
	}
	if !v.ended() {
		if v, err = d.resume(ctx, c.ID); err != nil {
			return err
		}
	}
	how := reporting{json: c.JSON, quiet: c.Quiet}
	if _, remote := d.(*remoteDesk); remote && !v.ended() {
		if how.json {
			return c.show(ctx, p, d, v)
		}
		_, err := fmt.Fprintf(p.stdout, "Import %s goes on at the server.\n", v.ID)
		return err
	}
	return p.followToEnd(ctx, d, v, how)
}

type importsErrors struct {
	ID       string `arg:"" help:"The import's id."`
	CSV      bool   `name:"csv" help:"Print the CSV file that the REST API gives." xor:"form"`
	JSON     bool   `name:"json" help:"Print one JSON object a line, in the REST API's shape." xor:"form"`
	Warnings bool   `help:"Print warnings too."`
	place
}

// Run prints the errors as they are read: there may be millions.
func (c *importsErrors) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		out := c.report(p)
		var f importer.ProblemFilter
		if c.Warnings {
			f.Severities = ledger.ErrorsAndWarnings
		}
		if err := n.imports.EachProblem(ctx, ws, c.ID, f, out.Add); err != nil {
			return err
		}
		return out.Close()
	})
}

// objects are the REST door's objects of views.
func objects(views []view) []any {
	out := make([]any, 0, len(views))
	for i := range views {
		out = append(out, views[i].object)
	}
	return out
}
