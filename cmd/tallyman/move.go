package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/config"
	"tallyman/internal/move"
	"tallyman/internal/store"
)

// moveCommand moves a data folder to PostgreSQL and to a bucket.
type moveCommand struct {
	Data      string `name:"data" env:"TALLYMAN_DATA" default:"${data}" placeholder:"DIR" help:"Data folder to move (${default})."`
	FromFiles string `name:"from-files" placeholder:"URL" help:"Where its files are, if not in it: s3://… or a folder."`
	Database  string `name:"database" env:"TALLYMAN_DATABASE" secret:"" placeholder:"URL" help:"PostgreSQL database to move to, which must be empty: postgres://… ; without it, the database stays."`
	Files     string `name:"files" env:"TALLYMAN_FILES" placeholder:"URL" help:"Where to move the files: s3://BUCKET/PREFIX?endpoint=URL, or a folder; without it, they stay."`
	Restart   bool   `help:"Begin again after a move that did not end: empty the database that it left half-filled."`
	JSON      bool   `name:"json" help:"Print what was done as a JSON object."`
}

// Help is the part of the help text that flags cannot say.
func (moveCommand) Help() string {
	return `Everything goes along: the catalog, imports with their history, plans and corrections, keys, users and the audit log. Nobody may work on the folder meanwhile, or on the new database. Imports that have not ended go on in the new place by themselves. At the end both places are compared, and then the folder is marked: nothing but the new place can be worked on any more. The folder itself stays as it was.

A move that was interrupted is begun again with the same command, and --restart once the database was being filled; files that are there already stay. Exit codes: 0 moved; 2 moved, but some uploads were damaged before; 1 anything else.`
}

// Run moves the folder.
func (c *moveCommand) Run(ctx context.Context, p *program) error {
	if c.Database == "" && c.Files == "" {
		return errors.New("where to? name a database with --database, a place for the files with --files, or both")
	}
	if c.Files == c.FromFiles && c.Database == "" {
		return errors.New("the files are there already")
	}
	set, err := c.at(p, "", c.FromFiles)
	if err != nil {
		return err
	}
	if err := set.mustExist(); err != nil {
		return err
	}
	target, err := c.at(p, c.Database, cmp.Or(c.Files, c.FromFiles))
	if err != nil {
		return err
	}
	lock, err := set.folder.lock(moving)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w: %s; stop it first", err, set.inUse())
	}
	if err != nil {
		return err
	}
	return errors.Join(c.move(ctx, p, set, target), lock.unlock())
}

// at is the settings of one of the two places.
func (c *moveCommand) at(p *program, database, files string) (*settings, error) {
	pl := place{Storage: config.Storage{Data: c.Data, Database: database, Files: files}, Workspace: store.DefaultWorkspace}
	return pl.settings(p)
}

func (c *moveCommand) move(ctx context.Context, p *program, set, target *settings) error {
	from, err := openGround(ctx, p, set)
	if err != nil {
		return err
	}
	to, err := openGround(ctx, p, target)
	if err != nil {
		return errors.Join(err, from.close())
	}
	return errors.Join(c.moveTo(ctx, p, from, to), to.close(), from.close())
}

// openGround opens what a node stands on, the tables of its jobs too: whoever looks
// in next may not make them. The other parts would make a workspace.
func openGround(ctx context.Context, p *program, set *settings) (*node, error) {
	n := newNode(p, set, moving)
	n.unfinished = true
	for _, step := range []func(context.Context) error{n.movedOn, n.openDatabase, n.openFiles, n.openEngine} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

func (c *moveCommand) moveTo(ctx context.Context, p *program, from, to *node) error {
	target := move.Place{}
	if c.Database != "" {
		target.Store = to.store
	}
	if c.Files != "" && c.Files != c.FromFiles {
		target.Files = to.files
	}
	show := &moveProgress{p: p}
	report, err := move.Run(ctx, move.Place{Store: from.store, Files: from.files}, target, move.Options{Restart: c.Restart, Progress: show.show, Now: p.now})
	show.end()
	if errors.Is(err, store.ErrUnfinished) {
		return errors.New("the new database is half-filled: an earlier move into it did not end, or another is under way; begin again with --restart")
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.stderr, show.wayOn())
	}
	if err != nil {
		return err
	}
	if target.Store != nil {
		// Commands look into the new place before any node has been there.
		if err := to.settings.ofDatabase().migrate(ctx, p); err != nil {
			return fmt.Errorf("make the tables of jobs: %w", err)
		}
	}
	where := moved{At: p.now().UTC().Truncate(time.Second)}
	if target.Store != nil {
		where.Database = to.settings.where()
	}
	if target.Files != nil {
		where.Files = c.Files
	}
	if err := from.settings.folder.writeMoved(where); err != nil {
		return err
	}
	noted := noteMove(ctx, p, c.noteIn(from, to), where, &report)
	return errors.Join(c.print(p, to.settings, where, &report), noted)
}

// noteIn is the store that is worked on from now on.
func (c *moveCommand) noteIn(from, to *node) store.Store {
	if c.Database != "" {
		return to.store
	}
	return from.store
}

// noteMove notes the move in the audit log of every workspace.
func noteMove(ctx context.Context, p *program, s store.Store, where moved, r *move.Report) error {
	workspaces, err := s.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("note the move: %w", err)
	}
	for _, w := range workspaces {
		e, err := audit.Entry(ctx, p.now(), audit.DatabaseMove, "", audit.Detail{"database": where.Database, "files": where.Files, "copied": r.Copied})
		if err == nil {
			err = s.AppendAudit(ctx, w.WS, e)
		}
		if err != nil {
			return fmt.Errorf("note the move: %w", err)
		}
	}
	return nil
}

// movedObject is a move as --json shows it.
type movedObject struct {
	moved
	CopiedFiles int64            `json:"copied_files"`
	AllFiles    int64            `json:"all_files"`
	Bytes       int64            `json:"bytes"`
	Records     map[string]int64 `json:"records,omitempty"`
	Damaged     []string         `json:"damaged,omitempty"`
}

// print says what was moved; damaged uploads are exit code 2.
func (c *moveCommand) print(p *program, to *settings, where moved, r *move.Report) error {
	var err error
	if c.JSON {
		err = printJSON(p.stdout, movedObject{moved: where, CopiedFiles: r.Copied, AllFiles: r.Files, Bytes: r.Bytes, Records: r.Records, Damaged: r.Damaged})
	} else {
		_, err = fmt.Fprint(p.stdout, movedText(to, where, r))
	}
	if err == nil && len(r.Damaged) > 0 {
		err = &exit{code: exitErrors, err: fmt.Errorf("%s no longer what was uploaded, and moved as they are: %s",
			counted(int64(len(r.Damaged)), "file"), strings.Join(r.Damaged, ", "))}
	}
	return err
}

func movedText(to *settings, where moved, r *move.Report) string {
	var b strings.Builder
	if where.Files != "" {
		fmt.Fprintf(&b, "Files: %s in %s, %s of them copied now.\n", counted(r.Files, "file"), byteSize(r.Bytes), number(r.Copied))
	}
	if where.Database != "" {
		n := r.Records
		fmt.Fprintf(&b, "Database: %s, %s, %s, %s; both places are the same.\n",
			counted(n["workspace"], "workspace"), counted(n["import"], "import"), counted(n["page"], "ledger page"), counted(n["item"], "item"))
	}
	fmt.Fprintf(&b, "Work goes on there: %s\n", to.commandLine("serve"))
	return b.String()
}

// moveProgress tells a person at a terminal how far a move is.
type moveProgress struct {
	p    *program
	last time.Time
	said bool
	// filling says that the new database holds a part.
	filling bool
}

// saidEvery is how often progress is shown.
const saidEvery = 200 * time.Millisecond

func (s *moveProgress) show(m move.Progress) {
	s.filling = s.filling || m.Step != move.StepFiles
	if now := s.p.now(); s.p.asks && now.Sub(s.last) >= saidEvery {
		s.last, s.said = now, true
		fmt.Fprintf(s.p.stderr, "\r%-70s", s.words(m))
	}
}

func (s *moveProgress) words(m move.Progress) string {
	switch m.Step {
	case move.StepFiles:
		return fmt.Sprintf("files: %s, %s", number(m.Done), byteSize(m.Bytes))
	case move.StepRecords:
		return fmt.Sprintf("database: %s", counted(m.Done, "record"))
	}
	return fmt.Sprintf("check: %s", counted(m.Done, "record"))
}

// wayOn says how a move that was interrupted goes on.
func (s *moveProgress) wayOn() string {
	if s.filling {
		return "Nothing of the data folder has changed; the new database is half-filled. Begin again with the same command and --restart."
	}
	return "Nothing of the data folder has changed. The same command goes on."
}

func (s *moveProgress) end() {
	if s.said {
		fmt.Fprintf(s.p.stderr, "\r%70s\r", "")
	}
}
