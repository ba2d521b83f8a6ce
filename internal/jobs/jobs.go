// Package jobs is the job engine: it gives enqueued jobs to a handler, at least
// once each, through any crash. It runs on River, in the same database as the
// store, so that a job is enqueued by the transaction that needs it.
//
// It knows batches (store.Job), not products. What does not belong here: what a
// job does (package importer), and what makes doing it twice harmless, which is
// the batch's job id and epoch (package store). Constructors for a database stand
// in a package each: sqlitejobs.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"

	"tallyman/internal/store"
)

// The queues. Small imports have a queue and workers of their own, so that they
// never wait behind a big one.
const (
	queueBatches = "batches"
	queueSmall   = "small"
)

func queueOf(j store.Job) string {
	if j.Small {
		return queueSmall
	}
	return queueBatches
}

// Handler does the work of jobs. It is called from several goroutines, and may
// be called more than once for a job, even side by side.
type Handler interface {
	// Work does the job with this id. A job should take a few seconds: one that
	// has more to do stops after a chunk and enqueues its continuation in that
	// chunk's transaction. It should also do so, or simply return, soon after
	// Stopping(ctx) becomes true; ctx itself is cancelled only when the job took
	// longer than Config.JobTimeout or a stop longer than Config.StopGrace.
	//
	// After store.ErrStale and store.ErrFenced there is nothing left to do and
	// the job is complete. After ErrGivenBack it is for another node at once, and
	// one that was PutOff is tried again when that is over. After any other error,
	// or a panic, it is tried again, 1, 2, 4 … and at most 30 seconds later.
	Work(ctx context.Context, job store.Job, id int64) error
}

// Config is what an Engine is made of and set to. Zero durations mean defaults.
type Config struct {
	Handler Handler
	Log     *slog.Logger
	// Now is the clock that retries and the ages of jobs are reckoned by; time.Now
	// if nil. Nodes that share a database should all have the same.
	Now func() time.Time
	// Node names this process among those that share the database.
	Node string
	// Workers is how many jobs run at once, and SmallWorkers how many of small
	// imports run beside them (1 if 0).
	Workers      int
	SmallWorkers int
	// SoleOwner says that no other process works on this database. Then every job
	// found running at Start was left by a dead process and is run at once;
	// otherwise it is run when it is older than RescueAfter.
	SoleOwner bool

	// JobTimeout cancels the context of a job that takes longer; 30 s.
	JobTimeout time.Duration
	// RescueAfter is the age at which a running job counts as lost with its
	// process and is run again; more than JobTimeout; 60 s.
	RescueAfter time.Duration
	// BeginWithin is how long a job may have been given to a process and not be
	// begun there before Live takes the process for dead; RescueAfter if 0.
	BeginWithin time.Duration
	// StopGrace is how long Stop waits for jobs before it cancels them; 10 s.
	StopGrace time.Duration
	// PollInterval is how often queues are looked at for jobs that nobody
	// announced: retries, and what another process enqueued; 500 ms. Looking
	// ten times a second would cost two per cent of a core.
	PollInterval time.Duration
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	defaultTo(&c.SmallWorkers, 1)
	defaultTo(&c.JobTimeout, 30*time.Second)
	defaultTo(&c.RescueAfter, 60*time.Second)
	defaultTo(&c.BeginWithin, c.RescueAfter)
	defaultTo(&c.StopGrace, 10*time.Second)
	defaultTo(&c.PollInterval, 500*time.Millisecond)
	return c
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) validate() error {
	switch {
	case c.Handler == nil:
		return errors.New("jobs: Handler is missing")
	case c.Log == nil:
		return errors.New("jobs: Log is missing")
	case c.Workers < 1:
		return fmt.Errorf("jobs: Workers is %d and must be at least 1", c.Workers)
	case c.SmallWorkers < 1:
		return fmt.Errorf("jobs: SmallWorkers is %d and must be at least 1", c.SmallWorkers)
	case c.RescueAfter <= c.JobTimeout:
		return fmt.Errorf("jobs: RescueAfter is %s and must be more than JobTimeout, %s", c.RescueAfter, c.JobTimeout)
	}
	return nil
}

// Database is what an Engine needs to know of the database that it runs on.
type Database[TTx any] struct {
	Driver riverdriver.Driver[TTx]
	// Reclaim makes every running job available, as SoleOwner asks, and returns
	// how many there were. nil for a database that processes share.
	Reclaim func(ctx context.Context) (int64, error)
	// Announce tells workers that a transaction inserted a job, which they are
	// to hear of when it commits. River's own way leaves out what comes soon after
	// another announcement, though that one's transaction may not have committed.
	Announce func(ctx context.Context, tx TTx, queue string) error
}

// Engine gives jobs to a Handler. TTx is a transaction of its database. Every
// method is safe for concurrent use.
type Engine[TTx any] struct {
	db     Database[TTx]
	cfg    Config
	log    *slog.Logger
	client *river.Client[TTx]
	stop   *stopSignal

	mu      sync.Mutex // held while starting and stopping
	running bool
	// ended closes when the workers have ended; nil before a start and from the
	// moment of a stop. It is read without mu, which a stop holds for long.
	ended atomic.Pointer[<-chan struct{}]
}

// New returns an engine that is not started. The constructors of the database
// packages call it.
func New[TTx any](db Database[TTx], cfg Config) (*Engine[TTx], error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.SoleOwner && db.Reclaim == nil {
		return nil, errors.New("jobs: SoleOwner is set, but this database cannot be owned")
	}
	if cfg.Node != "" {
		cfg.Log = cfg.Log.With(LogNode, cfg.Node)
	}
	stop := newStopSignal()
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{handler: cfg.Handler, log: cfg.Log, stop: stop, now: cfg.Now}); err != nil {
		return nil, fmt.Errorf("new job engine: %w", err)
	}
	client, err := river.NewClient(db.Driver, riverConfig(cfg, workers))
	if err != nil {
		return nil, fmt.Errorf("new job engine: %w", err)
	}
	return &Engine[TTx]{db: db, cfg: cfg, log: cfg.Log, client: client, stop: stop}, nil
}

// Migrate brings the engine's own tables up to date. It is called before
// anything else, by one process at a time.
func (e *Engine[TTx]) Migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(e.db.Driver, &rivermigrate.Config{Logger: quiet(e.log)})
	if err != nil {
		return fmt.Errorf("migrate job tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate job tables: %w", err)
	}
	return nil
}

// InsertTx enqueues a job in a transaction and returns its id. The job runs only
// if the transaction commits, and then at once. The engine need not be started.
// A Format of 0 means store.JobFormat.
func (e *Engine[TTx]) InsertTx(ctx context.Context, tx TTx, j store.Job) (int64, error) {
	defaultTo(&j.Format, store.JobFormat)
	res, err := e.client.InsertTx(ctx, tx, args{j}, &river.InsertOpts{Queue: queueOf(j)})
	if err != nil {
		return 0, fmt.Errorf("enqueue job: %w", err)
	}
	if err := e.db.Announce(ctx, tx, queueOf(j)); err != nil {
		return 0, fmt.Errorf("announce job: %w", err)
	}
	return res.Job.ID, nil
}

// Start sets the workers going. ctx is for the start alone: the engine runs
// until Stop. Starting an engine that runs does nothing; a stopped one may be
// started again.
func (e *Engine[TTx]) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return nil
	}
	if e.cfg.SoleOwner {
		n, err := e.db.Reclaim(ctx)
		if err != nil {
			return fmt.Errorf("start jobs: take over what a dead process left: %w", err)
		}
		if n > 0 {
			e.log.Info("jobs of an earlier process go on", "jobs", n)
		}
	}
	e.stop.reset()
	if err := e.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	e.running = true
	ended := e.client.Stopped()
	e.ended.Store(&ended)
	return nil
}

// Stop takes up no more jobs, tells the running ones (see Stopping) and waits
// for them; those that are not done after Config.StopGrace are cancelled, and
// will be run again. If ctx ends first, its error is returned and the stop goes
// on; Stop may then be called again. Stopping an engine that does not run does
// nothing.
func (e *Engine[TTx]) Stop(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.running {
		return nil
	}
	e.ended.Store(nil)
	e.stop.raise()
	if err := e.client.Stop(ctx); err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	e.running = false
	return nil
}
