package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/store"
)

// doctorCommand checks a data folder.
type doctorCommand struct {
	JSON bool `name:"json" help:"Print the findings as JSON."`
	place
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
}

// Run examines the folder and prints what was found.
func (c *doctorCommand) Run(ctx context.Context, p *program) error {
	set, err := c.settings(p)
	if err != nil {
		return err
	}
	d := &doctor{ctx: ctx, now: p.now}
	d.well("version", "tallyman %s, %s, %s", version(), runtime.Version(), platform())
	d.describe(set)
	if !set.exists() {
		d.ill("database", "there is none in %s", set.folder)
		return d.print(p, c.JSON)
	}
	n, err := openNode(ctx, p, set)
	if err != nil {
		d.ill("database", "%v", err)
		return d.print(p, c.JSON)
	}
	d.examine(n)
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

func (d *doctor) describe(set *settings) {
	for _, s := range set.config.Describe() {
		d.well("setting "+s.Name, "%s", s.Value)
	}
}

// examine looks at everything behind an open node.
func (d *doctor) examine(n *node) {
	owned := d.atWork(n)
	d.database(n)
	workspaces, err := n.store.Workspaces(d.ctx)
	if err != nil {
		d.ill("workspaces", "%v", err)
		return
	}
	d.well("workspaces", "%d", len(workspaces))
	for _, ws := range workspaces {
		d.items(n, ws)
		d.imports(n, ws, owned)
		d.ledger(n, ws)
		d.uploads(n, ws)
	}
	d.stalled(n, owned)
	d.fileStore(n)
	d.disk(n)
}

// atWork finds out who works on imports: whoever has the folder, or where the
// database is shared, its nodes.
func (d *doctor) atWork(n *node) bool {
	if n.settings.config.Shared() {
		return d.nodes(n)
	}
	return d.owner(n.settings.folder)
}

// nodes lists the nodes that share the database. One that says nothing any more is
// no fault as long as others do its work.
func (d *doctor) nodes(n *node) bool {
	now := n.now()
	nodes, err := n.store.Nodes(d.ctx, now.Add(-nodeMemory))
	if err != nil {
		d.ill("at work", "%v", err)
		return false
	}
	working := 0
	for i := range nodes {
		o := nodeObjectOf(&nodes[i], now)
		detail := fmt.Sprintf("%s is %s: version %s, %s, last heard of %s ago", o.Name, o.State, o.Version,
			counted(int64(o.Workers), "worker"), max(now.Sub(nodes[i].Beat), 0).Round(time.Second))
		if o.State == "holding" {
			d.ill("node", "%s. %s", detail, o.Held)
			continue
		}
		if o.State == "working" {
			working++
		}
		d.well("node", "%s", detail)
	}
	if working == 0 {
		d.well("at work", "no node: imports that have not ended stand still")
		return false
	}
	d.well("at work", "%s", counted(int64(working), "node"))
	d.well("settings", "those above are of this command; nodes go by their own flags and environment")
	return true
}

// owner finds out who works on the folder: whether the lock is held is told by
// trying to take it.
func (d *doctor) owner(f folder) bool {
	lock, err := f.peek()
	if err == nil {
		lock.unlock()
		d.well("at work", "nobody: imports that have not ended stand still")
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

// imports lists those that have not ended.
func (d *doctor) imports(n *node, ws store.Workspace, owned bool) {
	imps, total, err := n.store.Imports(d.ctx, ws.WS, store.ImportFilter{}, store.Range{})
	if err != nil {
		d.ill(ws.Name+" imports", "%v", err)
		return
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
		v, err := (&localDesk{node: n, ws: ws}).view(imp)
		if err != nil {
			d.ill(ws.Name+" not ended", "%v", err)
			continue
		}
		detail := fmt.Sprintf("%s (%s) is %s: %s", imp.ID, imp.SourceName, stateWords(v.State), v.progress())
		if !owned && imp.State != store.Paused {
			detail += "; nobody works on it: " + n.settings.inWorkspace(ws.Name).commandLine("imports resume "+imp.ID)
		}
		d.well(ws.Name+" not ended", "%s", detail)
	}
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
	stalled, err := n.store.Stalled(d.ctx, n.now().Add(-stallTime))
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
		if !f.OK {
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
