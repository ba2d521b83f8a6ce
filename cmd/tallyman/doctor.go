package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/config"
	"tallyman/internal/files"
	"tallyman/internal/files/marker"
	"tallyman/internal/store"
)

// doctorCommand checks a data folder.
type doctorCommand struct {
	JSON bool `name:"json" help:"Print the findings as JSON."`
	config.Storage
}

// Help is the part of the help text that flags cannot say.
func (doctorCommand) Help() string {
	return `Looks at the settings, the database, what is in it, the nodes at work, imports that have not ended, files that should be there, the file store, and the room on the disk. It changes nothing: a file that it writes to try the file store is removed again. Exit code 1 if anything is wrong.`
}

// finding is one thing that the doctor looked at.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// Note is set for what is not as it was and may be as it should be.
	Note bool `json:"note,omitempty"`
}

// at is the place with every workspace in it.
func (c *doctorCommand) at() *place {
	return &place{Storage: c.Storage, Workspace: store.DefaultWorkspace}
}

// Run examines the folder and prints what was found.
func (c *doctorCommand) Run(ctx context.Context, p *program) error {
	set, err := c.at().settings(p)
	if err != nil {
		return err
	}
	d := &doctor{ctx: ctx, now: p.now}
	d.well("version", "tallyman %s, %s, %s", version(), runtime.Version(), platform())
	d.describe(set, c.JSON)
	d.strangers(p)
	n, err := d.open(p, set)
	d.examine(n, err)
	return errors.Join(d.print(p, c.JSON), n.close())
}

// doctor collects findings.
type doctor struct {
	ctx      context.Context
	now      func() time.Time
	findings []finding
}

func (d *doctor) well(name, detail string, args ...any) {
	d.findings = append(d.findings, finding{Name: name, OK: true, Detail: fmt.Sprintf(detail, args...)})
}

func (d *doctor) ill(name, detail string, args ...any) {
	d.findings = append(d.findings, finding{Name: name, Detail: fmt.Sprintf(detail, args...)})
}

// note tells of what is neither wrong nor as usual.
func (d *doctor) note(name, detail string, args ...any) {
	d.findings = append(d.findings, finding{Name: name, Note: true, Detail: fmt.Sprintf(detail, args...)})
}

// describe lists the settings; people see those that are set to something.
func (d *doctor) describe(set *settings, all bool) {
	for _, s := range set.config.Describe() {
		if all || s.Value != "" {
			d.well("setting "+s.Name, "%s", s.Value)
		}
	}
}

// strangers tells of variables that set nothing.
func (d *doctor) strangers(p *program) {
	all, err := p.strangers()
	if err != nil {
		d.ill("environment", "%v", err)
	}
	for _, sentence := range all {
		d.note("environment", "%s", sentence)
	}
}

// tryFor is how long a part is tried.
const tryFor = 5 * time.Second

// open opens the parts one by one, so that one which is ill hides no other. What
// does not open is a finding, and missing in the node.
func (d *doctor) open(p *program, set *settings) (*node, error) {
	quiet := *set
	quiet.log, quiet.engineLog = slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)
	n := newNode(p, &quiet, "")
	n.beside, n.migrate, n.filesPatience = true, store.MigrateNever, tryFor
	if err := n.movedOn(d.ctx); err != nil {
		d.ill("data folder", "%v", err)
		return n, err
	}
	if tables := d.tables(set); tables != "" {
		if err := d.openDatabase(n); err != nil {
			d.ill("database", "%v", err)
		} else {
			d.database(n)
		}
		d.well("tables", "%s", tables)
	}
	if where := set.folder.files(); set.config.Files == "" && !isFolder(where) {
		if set.config.Shared() {
			d.note("file store", "not looked at: there is no folder %s; say with --files where files are kept", where)
		}
		return n, nil
	}
	err := n.openFiles(d.ctx)
	if err != nil {
		n.files = nil
	}
	return n, err
}

// tables finds out whether the database answers and says how its tables stand; ""
// where the program cannot work on them.
func (d *doctor) tables(set *settings) string {
	if !set.exists() {
		d.ill("database", "there is none in %s; import a file or start the server", set.folder)
		return ""
	}
	ctx, cancel := context.WithTimeout(d.ctx, 2*tryFor)
	defer cancel()
	all, err := set.tables(ctx)
	if err != nil {
		d.ill("database", "%v", err)
		return ""
	}
	if i := slices.IndexFunc(all, func(t tables) bool { return t.Have < t.Know }); i >= 0 {
		d.well("database", "answers")
		d.ill("tables", "%v", set.oldTables(&store.OldTablesError{Have: all[i].Have, Newest: all[i].Know}))
		return ""
	}
	var words []string
	for _, t := range all {
		words = append(words, fmt.Sprintf("%s %s (%d)", t.Name, t.words(), t.Have))
	}
	return strings.Join(words, ", ")
}

func (d *doctor) openDatabase(n *node) error {
	ctx, cancel := context.WithTimeout(d.ctx, 2*tryFor)
	defer cancel()
	err := n.openDatabase(ctx)
	if err == nil {
		err = n.keepTime(ctx)
	}
	if err != nil {
		n.store = nil
	}
	return err
}

// examine looks at everything behind the parts that are open; filesErr is why the
// file store is not.
func (d *doctor) examine(n *node, filesErr error) {
	if n.store != nil {
		d.contents(n)
	}
	switch {
	case n.files != nil:
		d.fileStore(n)
	case filesErr != nil && !d.told("data folder"):
		d.ill("file store", "%v", filesErr)
	}
	d.disk(n)
}

// told reports whether there is a finding of that name.
func (d *doctor) told(name string) bool {
	return slices.ContainsFunc(d.findings, func(f finding) bool { return f.Name == name })
}

// contents looks at what is in the database.
func (d *doctor) contents(n *node) {
	shared := n.settings.config.Shared()
	owned := shared || d.owner(n.settings.folder)
	working := d.nodes(n, owned)
	if shared {
		owned = working > 0
	}
	workspaces, err := n.store.Workspaces(d.ctx)
	if err != nil {
		d.ill("workspaces", "%v", err)
		return
	}
	d.well("workspaces", "%d", len(workspaces))
	var waiting int64
	for _, ws := range workspaces {
		d.items(n, ws)
		waiting += d.imports(n, ws, owned)
		d.ledger(n, ws)
		if n.files != nil {
			d.uploads(n, ws)
		}
	}
	d.atWork(n, working, owned, waiting)
	d.stalled(n, owned)
}

// atWork says whether anybody works on the imports that wait for it. Who has an
// embedded database was told.
func (d *doctor) atWork(n *node, working int, owned bool, waiting int64) {
	switch {
	case !owned && waiting > 0:
		d.note("at work", "no node, and imports that wait for one: %s; start the server, or resume them", number(waiting))
	case !owned:
		d.well("at work", "nobody; nothing waits")
	case n.settings.config.Shared():
		d.well("at work", "%s", counted(int64(working), "node"))
		d.well("settings", "those above are of this command; nodes go by their own flags and environment")
	}
}

// nodes lists the nodes of the last day, and returns how many of them work or hold.
// One that says nothing any more may have died or been taken away; so has every one
// of an embedded database that nobody has.
func (d *doctor) nodes(n *node, alive bool) (working int) {
	now := n.now()
	nodes, err := n.store.Nodes(d.ctx, now.Add(-nodeMemory))
	if err != nil {
		d.ill("node", "%v", err)
		return 0
	}
	for i := range nodes {
		o := nodeObjectOf(&nodes[i], now)
		if !alive {
			o.State = "silent"
		}
		detail := fmt.Sprintf("%s is %s: version %s, %s, last heard of %s ago", o.Name, o.State, o.Version,
			counted(int64(o.Workers), "worker"), max(now.Sub(nodes[i].Beat), 0).Round(time.Second))
		switch o.State {
		case "silent":
			d.note("node", "%s; it died or was cut off, and is forgotten after a day", detail)
		case "holding":
			working++
			d.ill("node", "%s. %s", detail, o.Held)
		default:
			working++
			d.well("node", "%s", detail)
		}
	}
	return working
}

// owner finds out who works on the folder: whether the lock is held is told by
// trying to take it.
func (d *doctor) owner(f folder) bool {
	lock, err := f.peek()
	if err == nil {
		lock.unlock()
		return false
	}
	if !errors.Is(err, errLocked) {
		d.ill("at work", "%v", err)
		return false
	}
	o, _ := f.owner()
	d.well("at work", "tallyman %s, process %d", o.Command, o.PID)
	if o.Command == "serve" {
		d.well("settings", "those above are of this command; the server goes by its own flags and environment")
	}
	return true
}

// farOff is how far a node's clock may be from the database's before the doctor
// says so. Nodes reckon with the difference; people who read logs do not.
const farOff = 5 * time.Second

func (d *doctor) database(n *node) {
	if err := n.store.Health(d.ctx); err != nil {
		d.ill("database", "%v", err)
		return
	}
	about, err := n.aboutDatabase(d.ctx)
	if err == nil {
		err = n.store.Writable(d.ctx)
	}
	if err != nil {
		d.ill("database", "%v", err)
		return
	}
	d.well("database", "answers; %s", about)
	if !n.settings.config.Shared() {
		return
	}
	offset := time.Duration(n.clock.offset.Load()).Round(time.Millisecond)
	if offset.Abs() > farOff {
		d.ill("clock", "this machine's is %s off the database's; set it right", offset.Abs())
		return
	}
	d.well("clock", "within %s of the database's", farOff)
}

// fileStore writes a file, reads it back and removes it.
func (d *doctor) fileStore(n *node) {
	if err := n.checkFiles(d.ctx); err != nil {
		d.ill("file store", "%v", err)
		return
	}
	if err := n.tryFiles(d.ctx); err != nil {
		d.ill("file store", "%v", err)
		return
	}
	d.well("file store", "takes a file, gives it back and forgets it")
	if n.store != nil {
		d.whoseFiles(n)
	}
}

// whoseFiles says to which database the file store belongs.
func (d *doctor) whoseFiles(n *node) {
	if n.store == nil {
		return
	}
	if err := n.belong(d.ctx); err != nil {
		d.ill("files of", "%v", err)
		return
	}
	if n.ours == nil {
		return
	}
	owner, err := marker.Owner(d.ctx, n.files)
	if err == nil {
		err = n.strayFiles(d.ctx)
	}
	switch {
	case err != nil:
		d.ill("files of", "%v", err)
	case owner == "":
		d.well("files of", "nobody yet: the first node that works marks them")
	default:
		d.well("files of", "this database (installation %s)", owner)
	}
}

func (d *doctor) items(n *node, ws store.Workspace) {
	for _, k := range catalog.Kinds() {
		count, err := n.store.CountItems(d.ctx, ws.WS, store.ItemFilter{Kind: k})
		if err != nil {
			d.ill(ws.Name+" items", "%v", err)
			return
		}
		if count > 0 {
			d.well(ws.Name+" items", "%s %s", number(int64(count)), k)
		}
	}
}

// imports lists those that have not ended, and returns how many of them wait for
// somebody to work.
func (d *doctor) imports(n *node, ws store.Workspace, owned bool) (waiting int64) {
	imps, total, err := n.store.Imports(d.ctx, ws.WS, store.ImportFilter{}, store.Range{})
	if err != nil {
		d.ill(ws.Name+" imports", "%v", err)
		return 0
	}
	d.well(ws.Name+" imports", "%s", number(int64(total)))
	for _, imp := range imps {
		if imp.State.Ended() {
			continue
		}
		if imp.State == store.Planned {
			d.well(ws.Name+" not ended", "%s (%s) is planned: it waits to be applied or terminated", imp.ID, imp.SourceName)
			continue
		}
		v, err := viewAt(imp, n.now())
		if err != nil {
			d.ill(ws.Name+" not ended", "%v", err)
			continue
		}
		detail := fmt.Sprintf("%s (%s) is %s: %s", imp.ID, imp.SourceName, stateWords(v.State), v.progress())
		if imp.State != store.Paused {
			waiting++
		}
		if !owned && imp.State != store.Paused {
			detail += "; nobody works on it: " + n.settings.inWorkspace(ws.Name).commandLine("imports resume "+imp.ID)
		}
		d.well(ws.Name+" not ended", "%s", detail)
	}
	return waiting
}

// ledger tells what the account of every row costs. Old values and outcomes go
// with time, counts never.
func (d *doctor) ledger(n *node, ws store.Workspace) {
	size, err := n.store.LedgerSize(d.ctx, ws.WS)
	if err != nil {
		d.ill(ws.Name+" ledger", "%v", err)
		return
	}
	d.well(ws.Name+" ledger", "%s in %s, %s", counted(size.Rows, "row"), counted(size.Imports, "import"), counted(size.Pages, "page"))
	d.well(ws.Name+" ledger", "outcomes %s (%s), old values %s (%s)",
		byteSize(size.OutcomeBytes), counted(size.WithOutcomes, "page"), byteSize(size.ImageBytes), counted(size.WithImages, "page"))
	if size.Corrections+size.Requests > 0 {
		d.well(ws.Name+" ledger", "%s, %s", counted(size.Corrections, "corrected row"), counted(size.Requests, "request key"))
	}
}

// uploads checks that the file of every import that may still need it is there
// and whole.
func (d *doctor) uploads(n *node, ws store.Workspace) {
	imps, _, err := n.store.Imports(d.ctx, ws.WS, store.ImportFilter{}, store.Range{})
	if err != nil {
		return // told by imports
	}
	var count, size int64
	for _, imp := range imps {
		if imp.State == store.Refused || imp.FileKey == "" {
			continue
		}
		info, err := n.files.Stat(d.ctx, imp.FileKey)
		switch {
		case errors.Is(err, files.ErrNotFound):
			d.ill(ws.Name+" files", "the file of import %s (%s) is gone", imp.ID, imp.SourceName)
		case err != nil:
			d.ill(ws.Name+" files", "%v", err)
		case info.Size != imp.FileSize:
			d.ill(ws.Name+" files", "the file of import %s has %d bytes, not %d", imp.ID, info.Size, imp.FileSize)
		default:
			count++
			size += info.Size
		}
	}
	d.well(ws.Name+" files", "%s, %s", counted(count, "upload"), byteSize(size))
}

// stallTime is how long a batch may stand still under a process that should
// work on it before the doctor calls it ill: several times what the sweep takes.
const stallTime = time.Minute

func (d *doctor) stalled(n *node, owned bool) {
	if !owned {
		return
	}
	stalled, err := n.store.Stalled(d.ctx, n.now().Add(-stallTime), n.now().Add(stallTime))
	if err != nil {
		d.ill("batches", "%v", err)
		return
	}
	if len(stalled) > 0 {
		d.ill("batches", "%d of them: not moved for %s though somebody should be at work; see the log there", len(stalled), stallTime)
		return
	}
	d.well("batches", "none stands still")
}

// disk looks at the room that imports need for the database or for scratch.
func (d *doctor) disk(n *node) {
	if !isFolder(string(n.settings.folder)) {
		d.well("disk", "nothing is kept on this machine")
		return
	}
	free, err := n.free(string(n.settings.folder))
	least := int64(n.settings.config.MinFree)
	switch {
	case err != nil:
		d.ill("disk", "%v", err)
	case free < least:
		d.ill("disk", "%s free; imports wait until it is %s", byteSize(free), byteSize(least))
	default:
		d.well("disk", "%s free", byteSize(free))
	}
}

// print prints the findings; anything ill is exit code 1.
func (d *doctor) print(p *program, asJSON bool) error {
	ill := 0
	rows := make([][]string, 0, len(d.findings))
	for _, f := range d.findings {
		word := "ok"
		switch {
		case f.Note:
			word = "NOTE"
		case !f.OK:
			word = "WRONG"
			ill++
		}
		rows = append(rows, []string{word, f.Name, f.Detail})
	}
	var err error
	if asJSON {
		err = printJSON(p.stdout, map[string]any{"ok": ill == 0, "findings": d.findings})
	} else {
		err = table(p.stdout, []string{"", "WHAT", "FOUND"}, rows)
	}
	if err == nil && ill > 0 {
		err = &exit{code: exitOther, err: errors.New(counted(int64(ill), "thing") + " wrong")}
	}
	return err
}
