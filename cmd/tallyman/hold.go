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

// Names of conditions, as probes and metrics say them.
const (
	heldByDatabase = "database"
	heldByFiles    = "files"
	heldByDisk     = "disk"
)

// conditions are what must be well for the node to work.
func (n *node) conditions() []health.Condition {
	cfg := &n.settings.config
	all := []health.Condition{
		{Name: heldByDatabase, Check: n.store.Writable, Timeout: lookTimeSQLite, Sentence: "The database does not answer, or takes no writes."},
		{Name: heldByFiles, Check: n.filesWell, Timeout: lookTime, Sentence: "The file store does not answer."},
	}
	if cfg.Shared() {
		all[0].Timeout = lookTime
	}
	if cfg.MinFree == 0 {
		return all
	}
	room := func(where, folder string) health.Condition {
		return health.Condition{Name: heldByDisk, Timeout: lookTime, Sentence: "The disk of " + where + " does not answer.",
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

// heldBy names what holds the node, one word each; nil for nothing.
func (n *node) heldBy() []string {
	if n.guard == nil {
		return nil
	}
	return n.guard.Names()
}

// ready says why requests should go to another node, or nil: they need the
// database. A node that holds answers them, and refuses uploads by itself; what it
// waits for is mostly away for the others too.
func (n *node) ready(ctx context.Context) error {
	if n.stopping.Load() {
		return &catalog.Fault{Kind: catalog.KindUnavailable, Code: "stopping", Message: "it is being stopped"}
	}
	return n.store.Health(ctx)
}
