// Package jobstest is the suite that the job engine passes on every database:
// what package jobs promises, tried through a real engine.
//
// What belongs here: anything that must hold on every database. What does not:
// who owns one and what becomes of its jobs after a crash, which the tests of the
// databases' own packages look after.
package jobstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/jobs"
	"tallyman/internal/store"
)

// Database is an empty database for one test. TTx is its transaction.
type Database[TTx any] struct {
	// New makes an engine on it.
	New func(cfg jobs.Config) (*jobs.Engine[TTx], error)
	// Begin, Commit and Rollback are of transactions that enqueue.
	Begin    func(ctx context.Context) (TTx, error)
	Commit   func(ctx context.Context, tx TTx) error
	Rollback func(ctx context.Context, tx TTx) error
	// Query reads the one row of a query without arguments.
	Query func(query string, dest ...any) error
	// SetArgs gives a job other arguments, as JSON.
	SetArgs func(id int64, args string) error
	// SoleOwner says that engines on it own it.
	SoleOwner bool
}

// Run runs the suite. open returns an empty database; it is called for each
// test.
func Run[TTx any](t *testing.T, open func(t testing.TB) Database[TTx]) {
	s := suite[TTx]{open}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"JobRunsOnce", s.jobRunsOnce},
		{"JobWaitsForStart", s.jobWaitsForStart},
		{"StopBeforeStart", s.stopBeforeStart},
		{"RolledBackJobNeverRuns", s.rolledBackJobNeverRuns},
		{"Continuations", s.continuations},
		{"ManyJobs", s.manyJobs},
		{"FailedJobIsTriedAgain", s.failedJobIsTriedAgain},
		{"StaleJobIsComplete", s.staleJobIsComplete},
		{"NewerJobIsPutOff", s.newerJobIsPutOff},
		{"SmallQueueIsNotBlocked", s.smallQueueIsNotBlocked},
		{"StopWaitsForHandlers", s.stopWaitsForHandlers},
		{"StopCancelsDeafHandlers", s.stopCancelsDeafHandlers},
		{"GivenBackJobIsAnyones", s.givenBackJobIsAnyones},
		{"PutOffJobHasNotFailed", s.putOffJobHasNotFailed},
		{"Live", s.live},
		{"LiveForgetsTheDead", s.liveForgetsTheDead},
		{"Health", s.health},
		{"StopGivesUpWaiting", s.stopGivesUpWaiting},
		{"StartAndStopSideBySide", s.startAndStopSideBySide},
	} {
		t.Run(test.name, test.run)
	}
}

type suite[TTx any] struct {
	open func(t testing.TB) Database[TTx]
}

// patience bounds how long a test waits for what must happen. It is so long
// that only a test that fails ever gets there.
const patience = 2 * time.Minute

// HandlerFunc is a function that handles jobs.
type HandlerFunc func(ctx context.Context, job store.Job, id int64) error

// Work implements jobs.Handler.
func (f HandlerFunc) Work(ctx context.Context, job store.Job, id int64) error {
	return f(ctx, job, id)
}

func (s suite[TTx]) newEngine(t testing.TB, h HandlerFunc, set func(*jobs.Config)) (Database[TTx], *jobs.Engine[TTx]) {
	t.Helper()
	db := s.open(t)
	return db, NewEngine(t, db, h, set)
}

// NewEngine returns an engine that is not started; it is stopped at the test's
// end. Waiting for a poll takes an hour, so that nothing is ever found by one.
func NewEngine[TTx any](t testing.TB, db Database[TTx], h HandlerFunc, set func(*jobs.Config)) *jobs.Engine[TTx] {
	t.Helper()
	cfg := jobs.Config{
		Handler:      h,
		Log:          slog.New(slog.NewTextHandler(t.Output(), nil)),
		Node:         "test",
		Workers:      2,
		SoleOwner:    db.SoleOwner,
		PollInterval: time.Hour,
		RescueAfter:  time.Hour,
	}
	if set != nil {
		set(&cfg)
	}
	e, err := db.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func start[TTx any](t testing.TB, e *jobs.Engine[TTx]) {
	t.Helper()
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop[TTx any](t testing.TB, e *jobs.Engine[TTx]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// enqueue inserts a job for a batch in a transaction of its own.
func enqueue[TTx any](t testing.TB, db Database[TTx], e *jobs.Engine[TTx], batch int, small bool) int64 {
	t.Helper()
	id, err := Enqueue(db, e, testJob(batch, small))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Enqueue inserts a job in a transaction of its own.
func Enqueue[TTx any](db Database[TTx], e *jobs.Engine[TTx], j store.Job) (int64, error) {
	ctx := context.Background()
	tx, err := db.Begin(ctx)
	if err != nil {
		return 0, err
	}
	id, err := e.InsertTx(ctx, tx, j)
	if err != nil {
		return 0, errors.Join(err, db.Rollback(ctx, tx))
	}
	return id, db.Commit(ctx, tx)
}

func testJob(batch int, small bool) store.Job {
	return store.Job{WS: 1, Batch: store.BatchRef{ImportNo: 9, Pass: "apply", No: batch}, Small: small}
}

// sized is a test's size: the full one, or a small one under -short, which goes
// with the race detector.
func sized(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// jobState reads a job's state and number of attempts.
func jobState[TTx any](t testing.TB, db Database[TTx], id int64) (state string, attempt int) {
	t.Helper()
	if err := db.Query(fmt.Sprintf("SELECT state, attempt FROM river_job WHERE id = %d", id), &state, &attempt); err != nil {
		t.Fatal(err)
	}
	return state, attempt
}

type call struct {
	job     store.Job
	id      int64
	attempt int
}

// record is a handler that sends its calls to a channel.
func record(calls chan<- call) HandlerFunc {
	return func(ctx context.Context, job store.Job, id int64) error {
		calls <- call{job, id, jobs.Attempt(ctx)}
		return nil
	}
}

func (s suite[TTx]) jobRunsOnce(t *testing.T) {
	calls := make(chan call, 10)
	db, e := s.newEngine(t, record(calls), nil)
	start(t, e)
	id := enqueue(t, db, e, 3, false)

	want := call{testJob(3, false), id, 1}
	want.job.Format = store.JobFormat
	if got := receive(t, calls, "the job"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	stop(t, e)
	if state, attempt := jobState(t, db, id); state != "completed" || attempt != 1 {
		t.Errorf("the job is %s after %d attempts", state, attempt)
	}
	if len(calls) != 0 {
		t.Errorf("the job ran again: %+v", <-calls)
	}
}

// Jobs can be enqueued before the engine is started and while it is stopped.
// Starting and stopping twice is the same as once.
func (s suite[TTx]) jobWaitsForStart(t *testing.T) {
	calls := make(chan call, 10)
	db, e := s.newEngine(t, record(calls), nil)
	for batch := range 2 {
		id := enqueue(t, db, e, batch, false)
		start(t, e)
		start(t, e)
		if got := receive(t, calls, "the job"); got.id != id {
			t.Errorf("got %+v, want job %d", got, id)
		}
		stop(t, e)
		stop(t, e)
	}
}

func (s suite[TTx]) stopBeforeStart(t *testing.T) {
	_, e := s.newEngine(t, record(nil), nil)
	stop(t, e)
}

// Jobs run in the order they were enqueued, so one that was rolled back would
// have run before the one behind it.
func (s suite[TTx]) rolledBackJobNeverRuns(t *testing.T) {
	calls := make(chan call, 10)
	db, e := s.newEngine(t, record(calls), func(c *jobs.Config) { c.Workers = 1 })
	start(t, e)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.InsertTx(t.Context(), tx, testJob(1, false)); err != nil {
		t.Fatal(err)
	}
	if err := db.Rollback(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	enqueue(t, db, e, 2, false)
	if got := receive(t, calls, "the second job"); got.job.Batch.No != 2 {
		t.Errorf("got %+v", got)
	}
}

// A handler enqueues its continuation in its own transaction, many times over.
func (s suite[TTx]) continuations(t *testing.T) {
	length := sized(100, 30)
	var (
		db    Database[TTx]
		e     *jobs.Engine[TTx]
		calls = make(chan call, 10)
		ready = make(chan struct{})
	)
	db, e = s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		<-ready
		if job.Batch.No == length {
			calls <- call{job: job}
			return nil
		}
		tx, err := db.Begin(ctx)
		if err != nil {
			return err
		}
		defer db.Rollback(context.WithoutCancel(ctx), tx)
		job.Batch.No++
		if _, err := e.InsertTx(ctx, tx, job); err != nil {
			return err
		}
		return db.Commit(ctx, tx)
	}, nil)
	close(ready)
	start(t, e)
	enqueue(t, db, e, 1, false)
	receive(t, calls, "the last continuation")
}

func (s suite[TTx]) manyJobs(t *testing.T) {
	n := sized(500, 100)
	calls := make(chan call, 2*n)
	db, e := s.newEngine(t, record(calls), nil)
	start(t, e)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := e.InsertTx(t.Context(), tx, testJob(i, i%10 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for range n {
		seen[receive(t, calls, "a job").job.Batch.No] = true
	}
	stop(t, e)
	if len(seen) != n || len(calls) != 0 {
		t.Errorf("%d of %d jobs ran, and %d ran again", len(seen), n, len(calls))
	}
	if left := countJobs(t, db, "state <> 'completed'"); left != 0 {
		t.Errorf("%d jobs are not completed", left)
	}
}

func countJobs[TTx any](t testing.TB, db Database[TTx], where string) (n int) {
	t.Helper()
	if err := db.Query(`SELECT count(*) FROM river_job WHERE `+where, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (s suite[TTx]) failedJobIsTriedAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("boom") },
		"panic": func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempts := make(chan int, 10)
			db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
				attempts <- jobs.Attempt(ctx)
				if jobs.Attempt(ctx) == 1 {
					return fail()
				}
				return nil
			}, func(c *jobs.Config) { c.PollInterval = 0 })
			start(t, e)
			id := enqueue(t, db, e, 1, false)
			for want := 1; want <= 2; want++ {
				if got := receive(t, attempts, "an attempt"); got != want {
					t.Errorf("attempt %d, want %d", got, want)
				}
			}
			stop(t, e)
			if state, _ := jobState(t, db, id); state != "completed" {
				t.Errorf("the job is %s", state)
			}
		})
	}
}

// A job that has nothing to do is complete and is not tried again.
func (s suite[TTx]) staleJobIsComplete(t *testing.T) {
	for _, reason := range []error{store.ErrStale, store.ErrFenced} {
		called := make(chan struct{}, 10)
		db, e := s.newEngine(t, func(context.Context, store.Job, int64) error {
			called <- struct{}{}
			return fmt.Errorf("start batch: %w", reason)
		}, nil)
		start(t, e)
		id := enqueue(t, db, e, 1, false)
		receive(t, called, "the job")
		stop(t, e)
		if state, attempt := jobState(t, db, id); state != "completed" || attempt != 1 {
			t.Errorf("%v: the job is %s after %d attempts", reason, state, attempt)
		}
	}
}

func (s suite[TTx]) newerJobIsPutOff(t *testing.T) {
	calls := make(chan call, 10)
	db, e := s.newEngine(t, record(calls), func(c *jobs.Config) { c.Workers = 1 })
	newer := enqueue(t, db, e, 1, false)
	if err := db.SetArgs(newer, `{"format":99,"ws":{}}`); err != nil {
		t.Fatal(err)
	}
	ours := enqueue(t, db, e, 2, false)
	start(t, e)
	if got := receive(t, calls, "our job"); got.id != ours {
		t.Errorf("got %+v", got)
	}
	stop(t, e)
	if state, attempt := jobState(t, db, newer); state != "scheduled" || attempt != 0 {
		t.Errorf("the newer job is %s after %d attempts", state, attempt)
	}
}

// A small import runs while big ones hold every worker of theirs.
func (s suite[TTx]) smallQueueIsNotBlocked(t *testing.T) {
	big, small := make(chan struct{}, 10), make(chan struct{}, 10)
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		if job.Small {
			small <- struct{}{}
			return nil
		}
		big <- struct{}{}
		<-jobs.StopSignal(ctx)
		return nil
	}, nil)
	start(t, e)
	for i := range 3 {
		enqueue(t, db, e, i, false)
	}
	for range 2 {
		receive(t, big, "a big job")
	}
	enqueue(t, db, e, 9, true)
	receive(t, small, "the small job")
	if len(big) != 0 {
		t.Error("more jobs ran at once than there are workers")
	}
}

func (s suite[TTx]) stopWaitsForHandlers(t *testing.T) {
	began := make(chan struct{})
	ended := false
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		close(began)
		<-jobs.StopSignal(ctx)
		if !jobs.Stopping(ctx) || ctx.Err() != nil {
			t.Errorf("stopping %t, context %v", jobs.Stopping(ctx), ctx.Err())
		}
		ended = true
		return nil
	}, nil)
	start(t, e)
	id := enqueue(t, db, e, 1, false)
	receive(t, began, "the job")
	stop(t, e)
	if !ended {
		t.Error("Stop did not wait")
	}
	if state, _ := jobState(t, db, id); state != "completed" {
		t.Errorf("the job is %s", state)
	}
}

// A handler that does not hear the signal is cancelled. That is no failed
// attempt, and the job runs after the next start.
func (s suite[TTx]) stopCancelsDeafHandlers(t *testing.T) {
	began := make(chan int, 10)
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		began <- jobs.Attempt(ctx)
		<-ctx.Done()
		return errors.New("interrupted")
	}, func(c *jobs.Config) { c.StopGrace = time.Millisecond })
	id := enqueue(t, db, e, 1, false)
	for range 2 {
		start(t, e)
		if got := receive(t, began, "the job"); got != 1 {
			t.Errorf("attempt %d", got)
		}
		stop(t, e)
		if state, attempt := jobState(t, db, id); state != "available" || attempt != 0 {
			t.Errorf("the job is %s after %d attempts", state, attempt)
		}
	}
}

// A handler that gives its job back when it is told to stop has lost no attempt,
// and another engine may take the job at once.
func (s suite[TTx]) givenBackJobIsAnyones(t *testing.T) {
	began := make(chan call, 10)
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		began <- call{job, id, jobs.Attempt(ctx)}
		<-jobs.StopSignal(ctx)
		return fmt.Errorf("cut: %w", jobs.ErrGivenBack)
	}, nil)
	start(t, e)
	id := enqueue(t, db, e, 1, false)
	receive(t, began, "the job")
	stop(t, e)
	if state, attempt := jobState(t, db, id); state != "available" || attempt != 0 {
		t.Errorf("the job is %s after %d attempts", state, attempt)
	}
	calls := make(chan call, 10)
	other := NewEngine(t, db, record(calls), nil)
	start(t, other)
	if got := receive(t, calls, "the job at another engine"); got.id != id || got.attempt != 1 {
		t.Errorf("got %+v, want job %d at its first attempt", got, id)
	}
}

// A job that is put off waits, and its next try is its first.
func (s suite[TTx]) putOffJobHasNotFailed(t *testing.T) {
	type try struct{ attempt, failures int }
	tries := make(chan try, 10)
	var first atomic.Bool
	first.Store(true)
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		tries <- try{jobs.Attempt(ctx), jobs.Failures(ctx)}
		switch {
		case job.Batch.No == 1:
			return fmt.Errorf("run: %w", jobs.PutOff(time.Hour, errors.New("the database is full")))
		case first.CompareAndSwap(true, false):
			return jobs.PutOff(0, errors.New("the database is full"))
		}
		return nil
	}, func(c *jobs.Config) { c.Workers, c.PollInterval = 1, 0 })
	waiting := enqueue(t, db, e, 1, false)
	start(t, e)
	receive(t, tries, "the job that is put off for long")
	again := enqueue(t, db, e, 2, false)
	for range 2 {
		if got := <-tries; got != (try{1, 0}) {
			t.Errorf("got attempt %d after %d failures", got.attempt, got.failures)
		}
	}
	stop(t, e)
	if state, attempt := jobState(t, db, waiting); state != "scheduled" || attempt != 0 {
		t.Errorf("the job that waits is %s after %d attempts", state, attempt)
	}
	if state, attempt := jobState(t, db, again); state != "completed" || attempt != 1 {
		t.Errorf("the other is %s after %d attempts", state, attempt)
	}
}

// A job that was given to a process and whose batch is not begun there in time is
// not live: the process has died with it.
func (s suite[TTx]) liveForgetsTheDead(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	var later atomic.Int64
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		close(began)
		<-release
		return nil
	}, func(c *jobs.Config) {
		c.BeginWithin = 10 * time.Minute
		c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	defer close(release)
	id := enqueue(t, db, e, 1, false)
	start(t, e)
	receive(t, began, "the job")
	for _, c := range []struct {
		after time.Duration
		live  bool
	}{{0, true}, {5 * time.Minute, true}, {11 * time.Minute, false}} {
		later.Store(int64(c.after))
		got, err := e.Live(t.Context(), []int64{id})
		if err != nil || got[id] != c.live {
			t.Errorf("after %s: live %t, %v", c.after, got[id], err)
		}
	}
}

// Live knows a job from the moment it is enqueued until it is complete, whatever
// it waits for, and no job that was never there.
func (s suite[TTx]) live(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	db, e := s.newEngine(t, func(ctx context.Context, job store.Job, id int64) error {
		switch job.Batch.No {
		case 1:
			return errors.New("boom")
		case 2:
			began <- struct{}{}
			<-release
		}
		return nil
	}, func(c *jobs.Config) { c.Workers = 1 })
	failing, held, waiting := enqueue(t, db, e, 1, false), enqueue(t, db, e, 2, false), enqueue(t, db, e, 3, false)
	// A retry that is due soon, as the first ones are, would be available at once.
	var id int64
	if err := db.Query(fmt.Sprintf("UPDATE river_job SET attempt = 10 WHERE id = %d RETURNING id", failing), &id); err != nil {
		t.Fatal(err)
	}
	const unknown = 4711
	check := func(states map[int64]string, want map[int64]bool) {
		t.Helper()
		for id, want := range states {
			if got, _ := jobState(t, db, id); got != want {
				t.Errorf("job %d is %s, want %s", id, got, want)
			}
		}
		got, err := e.Live(t.Context(), []int64{failing, held, waiting, unknown})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Errorf("live are %v, want %v; the jobs are %v", got, want, states)
		}
	}
	all := map[int64]bool{failing: true, held: true, waiting: true}
	check(map[int64]string{failing: "available", held: "available", waiting: "available"}, all)
	start(t, e)
	receive(t, began, "the job that is held")
	// What became of the failed one is written behind its back, so its state is
	// looked at after the stop.
	check(map[int64]string{held: "running", waiting: "available"}, all)
	close(release)
	stop(t, e)
	want := map[int64]bool{failing: true}
	if state, _ := jobState(t, db, waiting); state != "completed" {
		want[waiting] = true // the stop came before its turn
	}
	check(map[int64]string{failing: "retryable", held: "completed"}, want)
	if got, err := e.Live(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of no jobs live are %v, %v", got, err)
	}
}

// Health is nil between a start and the stop that follows, and no longer than
// until the stop begins.
func (s suite[TTx]) health(t *testing.T) {
	began, release := make(chan struct{}, 1), make(chan struct{})
	db, e := s.newEngine(t, func(context.Context, store.Job, int64) error {
		began <- struct{}{}
		<-release
		return nil
	}, nil)
	if e.Health() == nil {
		t.Error("an engine that was not started is healthy")
	}
	start(t, e)
	if err := e.Health(); err != nil {
		t.Errorf("started: %v", err)
	}
	enqueue(t, db, e, 1, false)
	receive(t, began, "the job")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	if e.Health() == nil {
		t.Error("an engine that is being stopped is healthy")
	}
	close(release)
	stop(t, e)
	if e.Health() == nil {
		t.Error("a stopped engine is healthy")
	}
	start(t, e)
	if err := e.Health(); err != nil {
		t.Errorf("started again: %v", err)
	}
}

// A stop that is not waited for goes on, and can be waited for again.
func (s suite[TTx]) stopGivesUpWaiting(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	db, e := s.newEngine(t, func(context.Context, store.Job, int64) error {
		close(began)
		<-release
		return nil
	}, nil)
	start(t, e)
	enqueue(t, db, e, 1, false)
	receive(t, began, "the job")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	stop(t, e)
}

// Many goroutines may start and stop an engine.
func (s suite[TTx]) startAndStopSideBySide(t *testing.T) {
	_, e := s.newEngine(t, record(nil), nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { start(t, e) })
		wg.Go(func() { stop(t, e) })
	}
	wg.Wait()
}
