package main

import (
	"context"
	"strings"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/health"
)

// How long a look at a part may take. The embedded database has one writer, which
// a large chunk may keep for a while without being ill.
const (
	lookTime       = 5 * time.Second
	lookTimeSQLite = 30 * time.Second
)

// watch makes the guard of what the node works on.
func (n *node) watch() {
	n.guard = health.New(health.Config{Conditions: n.conditions(), Log: n.settings.log, Every: n.lookEvery, Hold: n.hold, Go: n.goOn})
}

// conditions are what must be well for the node to work.
func (n *node) conditions() []health.Condition {
	cfg := &n.settings.config
	all := []health.Condition{
		{Name: "database", Check: n.store.Writable, Timeout: lookTimeSQLite, Sentence: "The database does not answer, or takes no writes."},
		{Name: "files", Check: n.checkFiles, Timeout: lookTime, Sentence: "The file store does not answer."},
	}
	if cfg.Shared() {
		all[0].Timeout = lookTime
	}
	if cfg.MinFree == 0 {
		return all
	}
	room := func(where, folder string) health.Condition {
		return health.Condition{Name: "room", Timeout: lookTime, Sentence: "The disk of " + where + " does not answer.",
			Check: health.Room(where, int64(cfg.MinFree), func() (int64, error) { return n.free(folder) })}
	}
	all = append(all, room("the data folder", string(n.settings.folder)))
	if cfg.Files != "" && !strings.HasPrefix(cfg.Files, "s3://") {
		all = append(all, room("the file store", cfg.Files))
	}
	return all
}

// hold gives the batches at hand back and takes up no more.
func (n *node) hold(ctx context.Context, _ string) error { return n.stopEngine(ctx) }

// goOn takes batches up again. A stop that had not come to its end does so first.
func (n *node) goOn(ctx context.Context) error {
	if err := n.stopEngine(ctx); err != nil || n.stopping.Load() {
		return err
	}
	return n.engine.Start(context.WithoutCancel(ctx))
}

// stopEngine lets chunks under way end, as long as that may take.
func (n *node) stopEngine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.settings.config.ShutdownTimeout)
	defer cancel()
	return n.engine.Stop(ctx)
}

// stopSoon begins to stop the engine when ctx ends, while those who serve still
// end what they are at: the batches are somebody else's at once.
func (n *node) stopSoon(ctx context.Context) {
	context.AfterFunc(ctx, func() {
		n.stopping.Store(true)
		if err := n.stopEngine(context.WithoutCancel(ctx)); err != nil {
			n.settings.log.Warn("stop job engine", "error", err)
		}
	})
}

// heldBack says in a sentence why the node takes nothing on; "" for nothing. It
// may be asked before anybody watches.
func (n *node) heldBack() string {
	if n.guard == nil {
		return ""
	}
	return n.guard.Held()
}

// held is heldBack as other nodes see it: one that stops takes nothing on either.
func (n *node) held() string {
	if n.stopping.Load() {
		return "It is being stopped."
	}
	return n.heldBack()
}

// ready says why the program cannot serve just now, or nil: requests need the
// database, and the imports that they start need the job engine and room.
func (n *node) ready(ctx context.Context) error {
	if reason := n.heldBack(); reason != "" {
		return &catalog.Fault{Kind: catalog.KindUnavailable, Code: "held", Message: reason}
	}
	if err := n.store.Health(ctx); err != nil {
		return err
	}
	return n.engine.Health()
}
