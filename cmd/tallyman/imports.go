package main

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// importsCommand lists, shows, steers and corrects imports.
type importsCommand struct {
	List      importsList      `cmd:"" default:"withargs" help:"List imports, newest first."`
	Show      importsShow      `cmd:"" help:"Show one import with its tally and first errors."`
	Pause     importsPause     `cmd:"" help:"Pause an import: within a chunk nothing moves until it is resumed."`
	Resume    importsResume    `cmd:"" help:"Go on with a paused or interrupted import; without a server, in this process."`
	Terminate importsTerminate `cmd:"" help:"Stop an import for good; what was applied stays. A plan is given up."`

	Errors     importsErrors     `cmd:"" help:"Show every error of an import's rows."`
	Causes     importsCauses     `cmd:"" help:"Show what is wrong with an import's rows, grouped by cause with exact counts."`
	Changes    importsChanges    `cmd:"" help:"Show what an import changed, or would change, field by field."`
	Rows       importsRows       `cmd:"" help:"List rows with how they ended, or download them as CSV."`
	FailedRows importsFailedRows `cmd:"" help:"Download the failed rows as CSV, to be corrected and sent back."`
	Row        importsRow        `cmd:"" help:"Show everything about one row."`

	Correct importsCorrect `cmd:"" help:"Take an edited file of failed rows back; rows find their place by their key."`
	Set     importsSet     `cmd:"" help:"Correct cells of one row, and check it at once."`
	Unset   importsUnset   `cmd:"" help:"Take the corrections of one row away."`
	Fix     importsFix     `cmd:"" help:"Correct every row with one cause: a value in a column becomes another one."`
	Fixes   importsFixes   `cmd:"" help:"List an import's fixes."`
	Unfix   importsUnfix   `cmd:"" help:"Take a fix away."`
	Retry   importsRetry   `cmd:"" help:"Run the failed rows of an import again, with their corrections."`
	Replan  importsReplan  `cmd:"" help:"Make the plan of an import again, with corrections and the catalog as it is now."`
}

type importsList struct {
	Limit int     `help:"How many at most; 0 for all." default:"20" placeholder:"N"`
	State *string `help:"Only imports in this state: received, slicing, planning, planned, running, pausing, paused, terminating, terminated, stopped, rolling_back, rolled_back, done, refused or failed." enum:"received,slicing,planning,planned,running,pausing,paused,terminating,terminated,stopped,rolling_back,rolled_back,done,refused,failed" placeholder:"STATE"`
	JSON  bool    `name:"json" help:"Print a JSON array of imports in the REST API's shape."`
	place
}

// Run lists the imports.
func (c *importsList) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		imps, total, err := n.imports.Imports(ctx, ws, store.ImportFilter{State: store.State(word(c.State))}, store.Range{Limit: c.Limit})
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
		if len(views) == 0 {
			p.nothingFound("The workspace %s has no such import.", ws.Name)
			return nil
		}
		return p.importTable(views, total)
	})
}

func (p *program) importTable(views []view, total int) error {
	rows := make([][]string, 0, len(views))
	for _, v := range views {
		failed := v.ErrorRows
		if v.planned() {
			failed = v.Plan.failed()
		}
		rows = append(rows, []string{v.ID, stateWords(v.State), v.soFar(), number(failed), v.SourceName, maybeClock(v.CreatedAt), v.relations()})
	}
	if err := table(p.stdout, []string{"ID", "STATE", "ROWS", "FAILED", "FILE", "CREATED", "NOTE"}, rows); err != nil {
		return err
	}
	if total > len(views) {
		fmt.Fprintf(p.stdout, "%d of %d; see more with --limit\n", len(views), total)
	}
	return nil
}

// relations says in few words what an import has to do with others.
func (v *view) relations() string {
	switch {
	case v.UndoneBy != "":
		return "its undo: " + v.UndoneBy
	case v.undo():
		return "takes back " + v.UndoOf
	case v.NeedsConfirmation && v.planned():
		return "waits to be confirmed"
	case v.DuplicateOf != "":
		return "same content as " + v.DuplicateOf
	}
	return ""
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
	printLines(p.stdout, v.nextSteps(d.see(), p.now()))
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

type importsResume struct {
	byID
	Quiet bool `short:"q" help:"Print no progress and no tally."`
}

// Run goes on with the import: where a server has the folder it is told to,
// otherwise this process does it and follows to the end.
func (c *importsResume) Run(ctx context.Context, p *program) error {
	return c.atWork(ctx, p, "imports resume", func(d desk) error {
		v, err := d.show(ctx, c.ID)
		if err != nil {
			return err
		}
		// What is being taken back goes on by itself where somebody works.
		if v.resumes() && v.State != "rolling_back" {
			if v, err = d.resume(ctx, c.ID); err != nil {
				return err
			}
		}
		return c.goOn(ctx, p, d, v, reporting{json: c.JSON, quiet: c.Quiet, changes: shownChanges})
	})
}

// atWork runs do where imports of the folder are worked on: at the server that has
// it, otherwise in this process.
func (c *byID) atWork(ctx context.Context, p *program, command string, do func(d desk) error) error {
	set, err := c.settings(p)
	if err != nil {
		return err
	}
	if err := set.mustExist(); err != nil {
		return err
	}
	d, err := p.deskAt(ctx, set, command)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.close())
}

// goOn follows an import that goes on in this process to its end; one that goes on
// at a server is left to it.
func (c *byID) goOn(ctx context.Context, p *program, d desk, v view, how reporting) error {
	if _, remote := d.(*remoteDesk); remote && !v.rests() {
		if how.json {
			return c.show(ctx, p, d, v)
		}
		_, err := fmt.Fprintf(p.stdout, "Import %s goes on at the server.\n", v.ID)
		return err
	}
	return p.followToEnd(ctx, d, v, how)
}

// shownChanges is how many changes a plan shows where nobody said how many.
const shownChanges = 20

// resumes reports whether there is something to go on with: what has ended is over,
// and a plan waits to be applied.
func (v *view) resumes() bool { return !v.ended() && !v.planned() }

type importsErrors struct {
	ID       string `arg:"" help:"The import's id."`
	CSV      bool   `name:"csv" help:"Print the CSV file that the REST API gives." xor:"form"`
	JSON     bool   `name:"json" help:"Print one JSON object a line, in the REST API's shape." xor:"form"`
	Warnings bool   `help:"Print warnings too."`
	Plan     bool   `help:"Of the newest plan instead of what was done; while nothing was, that is read anyway."`
	place
}

// Run prints the errors as they are read: there may be millions.
func (c *importsErrors) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		plan, err := n.readsPlan(ctx, p, ws, c.ID, c.Plan)
		if err != nil {
			return err
		}
		f, what := importer.ProblemFilter{Plan: plan}, "errors"
		if c.Warnings {
			f.Severities, what = ledger.ErrorsAndWarnings, "errors or warnings"
		}
		out, found := c.report(p), false
		err = n.imports.EachProblem(ctx, ws, c.ID, f, func(rp importer.RowProblem) error {
			found = true
			return out.Add(rp)
		})
		if err == nil && !found {
			p.nothingFound("No row has %s.", what)
		}
		return errors.Join(err, out.Close())
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
