package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/health"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/store"
)

// node is the program put together: its store, files, job engine, accounts and
// importer. serve, work and import run on one that owns its data folder;
// administration commands open one beside it.
type node struct {
	settings *settings
	// name is this node's among those that share its database.
	name string
	// now is the clock that those nodes share, clock what is known of it.
	now   func() time.Time
	clock sharedClock
	// free is the room on the disk of a folder.
	free func(folder string) (int64, error)

	// beside says that nothing will run in it.
	beside bool

	footing
	instruments
	engine   engine
	accounts *account.Accounts
	imports  *importer.Service
	// guard watches what the node works on; nil where nothing runs. stopping says
	// that the node was told to end, began when it was set going.
	guard    *health.Guard
	stopping atomic.Bool
	began    time.Time
	// lookEvery is how often the guard looks; 0 leaves that to it.
	lookEvery time.Duration

	// closers undo what was opened and started, the last one first.
	closers []closer
}

type closer struct {
	what string
	do   func() error
}

// openNode opens the parts of a node on a folder. Nothing runs in it yet, so
// any number of processes may have one open.
func openNode(ctx context.Context, p *program, set *settings, migrate store.Migrate) (*node, error) {
	n := newNode(p, set, "")
	n.migrate = migrate
	n.beside = true
	if err := n.open(ctx, p.probe); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func newNode(p *program, set *settings, command string) *node {
	n := &node{settings: set, name: nodeName(set, command), free: p.free}
	n.clock.local = p.now
	n.now = n.clock.now
	if n.free == nil {
		n.free = freeSpace
	}
	return n
}

// openOwner takes the folder and opens a node that may run the job engine;
// errLocked if another process has the folder.
func openOwner(ctx context.Context, p *program, set *settings, command string) (*node, error) {
	lock, err := set.folder.lock(command)
	if err != nil {
		return nil, err
	}
	n := newNode(p, set, command)
	n.onClose("unlock data folder", lock.unlock)
	if err := n.own(ctx, p.probe); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *node) own(ctx context.Context, probe func(string)) error {
	if err := n.settings.folder.sweepScratch(); err != nil {
		return err
	}
	return n.open(ctx, probe)
}

// open opens the parts. On a folder's database only one process at a time does so,
// because the first one to come makes the tables; a shared one looks after that
// itself, and whoever only looks into it needs no folder.
func (n *node) open(ctx context.Context, probe func(string)) error {
	parts := func() error { return n.openParts(ctx, probe) }
	if n.folderless() {
		return parts()
	}
	return n.settings.folder.alone(parts)
}

// openParts opens the parts one after the other.
func (n *node) openParts(ctx context.Context, probe func(string)) error {
	steps := []func(context.Context) error{
		n.movedOn, n.openDatabase, n.keepTime, n.openFiles, n.belong,
		n.openTelemetry,
		func(context.Context) error { return n.makeImporter(probe) },
		n.openEngine, n.openAccounts,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// folderless reports whether the node keeps nothing in its folder.
func (n *node) folderless() bool { return n.beside && n.settings.config.Shared() }

// scratch is where temporary files go.
func (n *node) scratch() string {
	if n.folderless() {
		return os.TempDir()
	}
	return n.settings.folder.scratch()
}

func (n *node) makeImporter(probe func(string)) error {
	cfg := importer.Config{
		Store: n.store, Files: n.files, Log: n.settings.log, Now: n.now,
		Node: n.name, Workers: n.batchJobs(), WorkersPerImport: n.settings.config.WorkersPerImport, Held: n.heldBack,
		ScratchDir:     n.scratch(),
		ChunkRows:      n.chunkRows,
		MaxUploadBytes: int64(n.settings.config.MaxUpload),
		KeepImages:     time.Duration(n.settings.config.KeepImages),
		KeepOutcomes:   time.Duration(n.settings.config.KeepOutcomes),
		KeepRequests:   time.Duration(n.settings.config.KeepRequests),
		KeepAudit:      time.Duration(n.settings.config.KeepAudit),
		KeepFiles:      time.Duration(n.settings.config.KeepFiles),
		// The engine is made after the importer, whose jobs it runs.
		JobsLive: func(ctx context.Context, ids []int64) (map[int64]bool, error) { return n.engine.Live(ctx, ids) },
	}
	cfg.MayDelete = n.mayDelete
	cfg.Observer = n.observer()
	if probe != nil {
		cfg.Probe = func(s importer.Step) { probe(string(s)) }
	}
	var err error
	n.imports, err = importer.New(cfg)
	return err
}

// batchJobs is how many batches are worked on at once.
func (n *node) batchJobs() int { return n.settings.config.WorkerCount() + n.spareJobs }

// The end of slicing a very large file is one long step of a single job, which
// the engine must not cut short or give to somebody else. Nothing waits for the
// engine to find a dead job: the sweep finds a batch that stopped beating within
// seconds, and the owner of an embedded database takes over every job at its
// start.
const (
	jobTimeout     = time.Hour
	jobRescueAfter = 75 * time.Minute
)

// openEngine prepares the job engine, so that jobs can be enqueued; it does
// not run before start.
func (n *node) openEngine(ctx context.Context) error {
	engine, err := n.makeEngine(ctx, jobs.Config{
		Handler: n.imports, Log: n.settings.engineLog, Workers: n.batchJobs(),
		Now: n.now, Node: n.name,
		JobTimeout: jobTimeout, RescueAfter: jobRescueAfter, BeginWithin: n.settings.config.RescueAfter,
	})
	if err != nil {
		return n.settings.oldTables(fmt.Errorf("open job engine: %w", err))
	}
	n.engine = engine
	return nil
}

func (n *node) openAccounts(ctx context.Context) error {
	n.accounts = account.New(account.Config{Store: n.store, Now: n.now, Log: n.settings.log})
	if _, err := n.accounts.EnsureDefault(ctx); err != nil {
		return fmt.Errorf("make default workspace: %w", err)
	}
	return nil
}

// start runs the job engine, the sweep, retention and the guard over them. Only
// the folder's owner may. A node that holds is started too: it goes on by itself.
func (n *node) start(ctx context.Context) error {
	n.noteLife()
	n.boundMemory()
	n.watch()
	held := n.guard.Begin(ctx)
	n.startBeats(ctx)
	if !held {
		if err := n.engine.Start(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("start job engine: %w", err)
		}
	}
	n.onClose("stop job engine", func() error {
		n.stopping.Store(true)
		return n.stopEngine(context.Background())
	})
	n.startSweep()
	n.startFilesSweep()
	n.startRetention()
	n.alongside("guard", n.guard.Run)
	return nil
}

// What an import holds is bounded by its chunks, so the collector may run rarely
// below a limit that follows from the number of jobs. GOGC and GOMEMLIMIT, where
// an operator sets them, have the last word.
const (
	gcPercent    = 400
	memoryBase   = 44 << 20
	memoryPerJob = 22 << 20
)

// boundMemory tells the collector how much memory an import may use.
func (n *node) boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memoryBase + memoryPerJob*n.batchJobs()))
	}
}

// sweepEvery is how often imports are looked for that should move and do not.
const sweepEvery = 2 * time.Second

// startSweep looks now and then for batches whose job is gone.
func (n *node) startSweep() {
	n.background("sweep", sweepEvery, sweepEvery, within(sweepTime, n.sweep))
}

// sweep frees what nodes hold that stand still, and takes their batches over.
func (n *node) sweep(ctx context.Context) error {
	var stuck error
	if n.endStuck != nil {
		_, stuck = n.endStuck(ctx)
	}
	return errors.Join(stuck, n.imports.Sweep(ctx, n.settings.config.RescueAfter))
}

// startFilesSweep removes, once, what crashes left in the file store.
func (n *node) startFilesSweep() {
	if n.sweepFiles == nil {
		return
	}
	n.alongside("sweep of files", func(ctx context.Context) {
		if err := n.sweepFiles(ctx); err != nil && ctx.Err() == nil {
			n.settings.log.Warn("unfinished files were not looked for; a lifecycle rule can remove them as well", slog.Any("error", err))
		}
	})
}

// retainEvery is how often the ledger is looked through for what is past its
// time. The first look is soon after the start, so that a node that never runs
// for an hour looks too, and not at once, so that a short import is not slowed.
const (
	retainFirst = 5 * time.Second
	retainEvery = time.Hour
	tidyFirst   = 5 * time.Minute
	tidyEvery   = 24 * time.Hour
)

// startRetention lets go of what the ledger need not keep any longer.
func (n *node) startRetention() {
	n.background("retention", retainFirst, retainEvery, within(retainTime, n.imports.Retain))
	n.background("tidy uploads", tidyFirst, tidyEvery, within(tidyTime, n.imports.Tidy))
}

// How long one turn of what runs in the background may take: what waits for
// something that never answers must not be the last turn.
const (
	sweepTime  = 30 * time.Second
	retainTime = 30 * time.Minute
	tidyTime   = 3 * time.Hour
)

// within gives do so much time.
func within(most time.Duration, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		return do(ctx)
	}
}

// background does something again and again until the node is closed.
func (n *node) background(what string, first, every time.Duration, do func(context.Context) error) {
	heard := complaint{log: n.settings.engineLog, what: what, now: time.Now}
	n.alongside(what, func(ctx context.Context) {
		for next := first; ; next = every {
			if pause(ctx, next) != nil {
				return
			}
			if err := do(ctx); ctx.Err() == nil {
				heard.hear(err)
			}
		}
	})
}

// alongside runs do until the node is closed, which waits for it.
func (n *node) alongside(what string, do func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	n.onClose("stop "+what, func() error {
		cancel()
		<-done
		return nil
	})
}

func (n *node) onClose(what string, do func() error) {
	n.closers = append(n.closers, closer{what: what, do: do})
}

// close stops and closes everything, the last opened first, and returns what
// went wrong on the way. A second call does nothing.
func (n *node) close() error {
	var errs []error
	for len(n.closers) > 0 {
		c := n.closers[len(n.closers)-1]
		n.closers = n.closers[:len(n.closers)-1]
		if err := c.do(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.what, err))
		}
	}
	return errors.Join(errs...)
}

// workspace finds the workspace that the command works in.
func (n *node) workspace(ctx context.Context) (store.Workspace, error) {
	ws, err := n.store.Workspace(ctx, n.settings.workspace)
	if errors.Is(err, store.ErrNotFound) {
		return ws, fmt.Errorf("there is no workspace %q; see: %s", n.settings.workspace,
			n.settings.ofDatabase().commandLine("workspaces list"))
	}
	if err != nil {
		return ws, fmt.Errorf("find workspace: %w", err)
	}
	return ws, nil
}
