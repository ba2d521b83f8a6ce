// Package move brings everything that the program keeps from one place to
// another, between any two stores and any two file stores: files first, then the
// database, and at the end it makes sure that both places hold the same.
//
// What does not belong here: who may work on either place meanwhile (package main
// locks the folder), what is in a record (package store), and what is done to the
// place that was left.
package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tallyman/internal/files"
	"tallyman/internal/store"
)

// Place is where things are kept. What the new place has not stays where it is;
// the old one has both.
type Place struct {
	Store store.Store
	Files files.Store
}

// Options set a move. The zero value is good.
type Options struct {
	// Restart empties a database that an earlier move left half-filled, and lets
	// files be that only the new place has.
	Restart bool
	// Progress is called now and then, by one goroutine at a time; nil for nobody.
	Progress func(Progress)
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Step is a part of a move.
type Step string

const (
	StepFiles   Step = "files"   // files are copied
	StepRecords Step = "records" // the database is filled
	StepCheck   Step = "check"   // both databases are compared
)

// Progress is how far a move is.
type Progress struct {
	Step Step
	// Done counts files or records, Bytes those of files.
	Done, Bytes int64
}

// Report is what a move did.
type Report struct {
	// Files counts the files that are in the new place, Copied those of them that
	// this move brought there; Bytes is the size of all.
	Files, Copied, Bytes int64
	// Damaged are the keys of uploads that no longer hash to what their imports
	// say. They were copied as they are.
	Damaged []string
	// Records counts what the new database holds by what it is (store.Record.What);
	// nil where it was not moved.
	Records map[string]int64
	// There says that the database held all of it already: an earlier move had
	// come to its end but for saying so.
	There bool
}

// Errors that a caller handles.
var (
	// ErrInUse: the new place holds something else.
	ErrInUse = errors.New("the new place is in use")
	// ErrDiffers: what arrived is not what was sent.
	ErrDiffers = errors.New("the two places differ")
)

// Run moves everything. Nobody may work on either place until it has returned.
// What it did up to an error may stay: another Run skips files that are there, and
// a database that was left half-filled is store.ErrUnfinished until Restart is set.
func Run(ctx context.Context, from, to Place, opt Options) (Report, error) {
	m := &mover{from: from, to: to, opt: opt.withDefaults()}
	steps := []func(context.Context) error{}
	if to.Store != nil {
		steps = append(steps, m.clear, m.look)
	}
	if to.Files != nil {
		steps = append(steps, m.whoseFiles, m.refuseStrangers, m.markFiles, m.copyFiles)
	}
	if to.Store != nil {
		steps = append(steps, m.copyRecords, m.compare)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return m.report, err
		}
	}
	return m.report, nil
}

func (o Options) withDefaults() Options {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// mover is one move.
type mover struct {
	from, to Place
	// installation is the old database's, which the new one takes over; replaced is
	// what the new one has until then, "" where it is not moved.
	installation, replaced string
	opt                    Options
	report                 Report
	sent                   digest
}

// clear empties a half-filled database where that is asked for.
func (m *mover) clear(ctx context.Context) error {
	if !m.opt.Restart {
		return nil
	}
	if err := m.to.Store.Abandon(ctx); err != nil {
		return fmt.Errorf("empty the new database: %w", err)
	}
	return nil
}

// nodeBeats is within what time a node that is at work has said so.
const nodeBeats = time.Minute

// look finds out what is in the new database, before anything is copied: nothing,
// or all of it.
func (m *mover) look(ctx context.Context) error {
	nodes, err := m.to.Store.Nodes(ctx, m.opt.Now().Add(-nodeBeats))
	if err != nil {
		return fmt.Errorf("look for nodes: %w", err)
	}
	if len(nodes) > 0 {
		return fmt.Errorf("%w: the node %s works on the new database; stop it, and try again a minute later", ErrInUse, nodes[0].Name)
	}
	err = m.to.Store.Dump(ctx, func(r store.Record) error {
		if fresh(&r) {
			return nil
		}
		return errEnough
	})
	if err == nil || !errors.Is(err, errEnough) {
		return wrap("look into the new database", err)
	}
	// A whole one refuses to be filled because it is in use.
	err = m.to.Store.Restore(ctx, func() (store.Record, error) { return store.Record{}, io.EOF })
	if !errors.Is(err, store.ErrExists) {
		return wrap("look into the new database", err)
	}
	return m.recognise(ctx)
}

// wrap names the operation an error came from; nil stays nil.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}

// errEnough ends a dump that has told what was to be known.
var errEnough = errors.New("enough")

// fresh reports whether the record may be in a database on which a node was
// started and nothing else was done.
func fresh(r *store.Record) bool {
	return r.Installation != nil || r.Workspace != nil && r.Workspace.Name == store.DefaultWorkspace || r.Audit != nil
}
