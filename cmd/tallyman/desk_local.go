package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
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
	object, err := json.Marshal(rest.ImportObject(imp, d.node.now()))
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
	ctx, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	return d.shown(d.node.imports.Wait(ctx, d.ws, v.ID, v.version))
}

func (d *localDesk) resume(ctx context.Context, id string) (view, error) {
	return d.shown(d.node.imports.Resume(ctx, d.ws, id))
}

func (d *localDesk) errors(ctx context.Context, id string, limit int) ([]rowError, error) {
	problems, _, err := d.node.imports.Problems(ctx, d.ws, id, importer.ProblemFilter{}, store.Range{Limit: limit})
	out := make([]rowError, 0, len(problems))
	for _, p := range problems {
		out = append(out, rowError{Row: p.Row, Column: p.Column, Value: p.Value, Message: p.Message})
	}
	return out, err
}

// leave pauses the import and waits until it is: its engine ends with this
// process, and a pause is how an import stands still without looking broken.
func (d *localDesk) leave(ctx context.Context, v view) (string, error) {
	v, err := d.shown(d.node.imports.Pause(ctx, d.ws, v.ID))
	for err == nil && !v.paused() && !v.ended() {
		v, err = d.wait(ctx, v)
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("pause import %s: %w", v.ID, err)
	}
	if v.ended() {
		return fmt.Sprintf("Import %s has ended: %s.", v.ID, v.State), nil
	}
	return fmt.Sprintf("Import %s is paused after %s of %s rows. Go on with: %s",
		v.ID, number(v.ProcessedRows), number(v.TotalRows), d.node.settings.commandLine("imports resume "+v.ID)), nil
}

func (d *localDesk) seeImport(id string) string { return d.node.settings.sights().imp(id) }
func (d *localDesk) seeErrors(id string) string { return d.node.settings.sights().errors(id) }

func (d *localDesk) close() error { return d.node.close() }
