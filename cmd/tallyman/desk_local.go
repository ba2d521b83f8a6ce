package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/server/rest"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// door names the command line in an import's record.
const door = "cli"

// localDesk runs imports in this process.
type localDesk struct {
	node *node
	ws   store.Workspace
	// began is when this process set an import going again that had begun before.
	began time.Time
}

var _ desk = (*localDesk)(nil)

// moment is how long a wait takes at most: how fresh a progress display is.
const moment = 250 * time.Millisecond

func (d *localDesk) start(ctx context.Context, up upload) (view, error) {
	opt, err := up.options()
	if err != nil {
		return view{}, err
	}
	received, err := d.node.imports.Receive(ctx, d.ws, door, door, up.name, up.body)
	if err != nil {
		return d.refusal(err)
	}
	imp, err := d.node.imports.Start(ctx, d.ws, received, opt)
	if err != nil {
		return d.refusal(err)
	}
	return d.view(imp)
}

// refusal returns the refused import with the error that it is for.
func (d *localDesk) refusal(err error) (view, error) {
	var r *importer.Refusal
	if !errors.As(err, &r) {
		return view{}, err
	}
	v, verr := d.view(r.Import)
	return v, errors.Join(err, verr)
}

// options puts the upload's words into the importer's.
func (up *upload) options() (importer.Options, error) {
	opt := importer.Options{
		Source: up.source, MappingOnly: len(up.mapping) > 0,
		Format: up.format, Delimiter: up.delimiter, Encoding: up.encoding,
		Currency: up.currency, Decimal: up.decimal, Blank: up.blank, GTINCheck: up.gtinCheck,
		Door: door, CreatedBy: door,
		Plan: up.plan, Policy: up.policy, StopAfter: up.stopAfter, Feed: up.feed, Missing: up.missing,
		Rails: source.Rails{ChangedPercent: up.rails.changed, PriceMovePercent: up.rails.priceMove,
			ClearedOrDeleted: up.rails.cleared, RowsDownPercent: up.rails.rowsDown},
	}
	for _, m := range up.mapping {
		opt.Mapping = append(opt.Mapping, source.Mapping{Column: m.column, Field: m.field})
	}
	if up.mode != "" {
		mode, ok := catalog.ParseMode(up.mode)
		if !ok {
			return opt, fmt.Errorf("unknown mode %q", up.mode)
		}
		opt.Mode, opt.HasMode = mode, true
	}
	return opt, nil
}

// view shows an import as the REST door would.
func (d *localDesk) view(imp store.Import) (view, error) {
	shown := rest.ImportObject(imp, d.node.now())
	shown.SetUndoable(d.node.imports.UndoableUntil(&imp))
	shown.SetWaiting(d.node.imports.WaitingFor(context.Background(), &imp))
	return viewOfObject(shown, &imp)
}

// viewAt is a view without what only the importer knows.
func viewAt(imp store.Import, now time.Time) (view, error) {
	return viewOfObject(rest.ImportObject(imp, now), &imp)
}

func viewOfObject(shown any, imp *store.Import) (view, error) {
	object, err := json.Marshal(shown)
	if err != nil {
		return view{}, fmt.Errorf("write import: %w", err)
	}
	v, err := viewOf(object)
	v.version = imp.Version
	// The object has whole seconds; a short import wants better ones.
	v.StartedAt, v.CompletedAt = imp.StartedAt, imp.CompletedAt
	return v, err
}

// shown is view for the result of a call.
func (d *localDesk) shown(imp store.Import, err error) (view, error) {
	if err != nil {
		return view{}, err
	}
	return d.view(imp)
}

func (d *localDesk) show(ctx context.Context, id string) (view, error) {
	return d.shown(d.node.imports.Import(ctx, d.ws, id))
}

func (d *localDesk) wait(ctx context.Context, v view) (view, error) {
	last := v
	bounded, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	v, err := d.shown(d.node.imports.Wait(bounded, d.ws, v.ID, v.version))
	if errors.Is(err, store.ErrUnavailable) {
		// The import goes on when the database is back, and so does this.
		last.WaitingFor = cmp.Or(d.node.heldBack(), "The database is not available.")
		return last, pause(ctx, moment)
	}
	if err == nil && !d.began.IsZero() {
		v.StartedAt = &d.began
	}
	return v, err
}

func (d *localDesk) resume(ctx context.Context, id string) (view, error) {
	return d.shown(d.node.imports.Resume(ctx, d.ws, id))
}

func (d *localDesk) replan(ctx context.Context, id string) (view, error) {
	d.began = d.node.now()
	return d.shown(d.node.imports.Replan(ctx, d.ws, id))
}

func (d *localDesk) apply(ctx context.Context, id string, opt importer.ApplyOptions) (view, error) {
	d.began = d.node.now()
	return d.shown(d.node.imports.Apply(ctx, d.ws, id, opt))
}

func (d *localDesk) undo(ctx context.Context, id string, opt undoing) (view, error) {
	return d.shown(d.node.imports.Undo(ctx, d.ws, id, importer.Options{Plan: opt.Plan, Force: opt.Force, Door: door, CreatedBy: door}))
}

func (d *localDesk) retry(ctx context.Context, id string, opt importer.RetryOptions) (view, error) {
	opt.By = door
	d.began = d.node.now()
	return d.shown(d.node.imports.Retry(ctx, d.ws, id, opt))
}

func (d *localDesk) sameContent(ctx context.Context, sha256, source string) (view, bool, error) {
	f := store.ImportFilter{SHA256: sha256, Source: source}
	imps, _, err := d.node.imports.Imports(ctx, d.ws, f, store.Range{})
	if err != nil {
		return view{}, false, err
	}
	for i := range imps {
		v, err := d.view(imps[i])
		if err != nil {
			return view{}, false, err
		}
		if v.wrote() {
			return v, true, nil
		}
	}
	return view{}, false, nil
}

func (d *localDesk) summary(ctx context.Context, id string) (summary, error) {
	found, err := d.node.imports.Summary(ctx, d.ws, id, true)
	out := summary{Cleared: found.Cleared}
	for _, f := range found.Fields {
		out.Fields = append(out.Fields, fieldCount(f))
	}
	return out, err
}

func (d *localDesk) changes(ctx context.Context, id string, f importer.ChangeFilter, limit int) ([]change, int, error) {
	found, total, err := d.node.imports.Changes(ctx, d.ws, id, f, store.Range{Limit: limit})
	return changesOf(found), total, err
}

func (d *localDesk) causes(ctx context.Context, id string, examples int) ([]cause, error) {
	found, err := d.node.imports.Causes(ctx, d.ws, id, true, examples)
	out := make([]cause, 0, len(found))
	for i := range found {
		out = append(out, causeOf(&found[i]))
	}
	return out, err
}

func (d *localDesk) problems(ctx context.Context, id string, f problemFilter, limit int) ([]rowError, error) {
	wanted := importer.ProblemFilter{Code: f.code}
	if f.warnings {
		wanted.Severities = ledger.WarningsOnly
	}
	problems, _, err := d.node.imports.Problems(ctx, d.ws, id, wanted, store.Range{Limit: limit})
	out := make([]rowError, 0, len(problems))
	for _, p := range problems {
		out = append(out, rowError{Row: p.Row, Column: p.Column, Value: p.Value, Message: p.Message})
	}
	return out, err
}

// leave lets the import go on where other nodes share its database, and else
// pauses it and waits until it is: its engine ends with this process, and a pause
// is how an import stands still without looking broken.
func (d *localDesk) leave(ctx context.Context, v view) (string, error) {
	id := v.ID
	others, err := d.node.others(ctx)
	if err != nil {
		return "", err
	}
	if len(others) > 0 {
		return fmt.Sprintf("Import %s goes on at %s.", id, nodeWords(others)), nil
	}
	v, err = d.shown(d.node.imports.Pause(ctx, d.ws, id))
	if f := catalog.AsFault(err); f != nil && f.Kind == catalog.KindConflict {
		// It came to rest by itself, or is being rolled back, which nothing stops.
		v, err = d.show(ctx, id)
		if err == nil && !v.rests() {
			return fmt.Sprintf("Import %s is %s, which goes on with: %s", id, stateWords(v.State), d.see().command("imports resume "+id)), nil
		}
	}
	for err == nil && !v.rests() {
		v, err = d.wait(ctx, v)
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("pause import %s: %w", id, err)
	}
	if !v.paused() {
		return fmt.Sprintf("Import %s stands still: %s.", v.ID, stateWords(v.State)), nil
	}
	return fmt.Sprintf("%s Go on with: %s", v.pausedWords(), d.node.settings.commandLine("imports resume "+v.ID)), nil
}

// nodeWords names nodes for people.
func nodeWords(nodes []store.Node) string {
	if len(nodes) == 1 {
		return "the node " + nodes[0].Name
	}
	return fmt.Sprintf("%d other nodes", len(nodes))
}

func (d *localDesk) see() sights { return d.node.settings.sights() }

func (d *localDesk) close() error { return d.node.close() }
