package sqlitejobs_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"tallyman/internal/jobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/store"
)

// patience bounds how long a test waits for what must happen. It is so long
// that only a test that fails ever gets there.
const patience = 2 * time.Minute

type handlerFunc func(ctx context.Context, job store.Job, id int64) error

func (f handlerFunc) Work(ctx context.Context, job store.Job, id int64) error {
	return f(ctx, job, id)
}

func openDB(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// newEngine returns an engine that is not started, on a new database unless
// there is one at path. Waiting for a poll takes an hour, so that nothing is
// ever found by one.
func newEngine(t testing.TB, path string, h handlerFunc, set func(*jobs.Config)) (*sql.DB, *sqlitejobs.Engine) {
	t.Helper()
	cfg := jobs.Config{
		Handler:      h,
		Log:          slog.New(slog.NewTextHandler(t.Output(), nil)),
		Node:         "test",
		Workers:      2,
		SoleOwner:    true,
		PollInterval: time.Hour,
		RescueAfter:  time.Hour,
	}
	if set != nil {
		set(&cfg)
	}
	db := openDB(t, path)
	e, err := sqlitejobs.New(db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	return db, e
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "jobs.db") }

func start(t testing.TB, e *sqlitejobs.Engine) {
	t.Helper()
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t testing.TB, e *sqlitejobs.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// enqueue inserts a job for a batch in a transaction of its own.
func enqueue(t testing.TB, db *sql.DB, e *sqlitejobs.Engine, batch int, small bool) int64 {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	id, err := e.InsertTx(context.Background(), tx, testJob(batch, small))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return id
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
func jobState(t testing.TB, db *sql.DB, id int64) (state string, attempt int) {
	t.Helper()
	err := db.QueryRow(`SELECT state, attempt FROM river_job WHERE id = ?`, id).Scan(&state, &attempt)
	if err != nil {
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
func record(calls chan<- call) handlerFunc {
	return func(ctx context.Context, job store.Job, id int64) error {
		calls <- call{job, id, jobs.Attempt(ctx)}
		return nil
	}
}

func TestJobRunsOnce(t *testing.T) {
	calls := make(chan call, 10)
	db, e := newEngine(t, newPath(t), record(calls), nil)
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
func TestJobWaitsForStart(t *testing.T) {
	calls := make(chan call, 10)
	db, e := newEngine(t, newPath(t), record(calls), nil)
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

func TestStopBeforeStart(t *testing.T) {
	_, e := newEngine(t, newPath(t), record(nil), nil)
	stop(t, e)
}

// Jobs run in the order they were enqueued, so one that was rolled back would
// have run before the one behind it.
func TestRolledBackJobNeverRuns(t *testing.T) {
	calls := make(chan call, 10)
	db, e := newEngine(t, newPath(t), record(calls), func(c *jobs.Config) { c.Workers = 1 })
	start(t, e)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.InsertTx(t.Context(), tx, testJob(1, false)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	enqueue(t, db, e, 2, false)
	if got := receive(t, calls, "the second job"); got.job.Batch.No != 2 {
		t.Errorf("got %+v", got)
	}
}

// A handler enqueues its continuation in its own transaction, many times over.
func TestContinuations(t *testing.T) {
	length := sized(100, 30)
	var (
		db    *sql.DB
		e     *sqlitejobs.Engine
		calls = make(chan call, 10)
		ready = make(chan struct{})
	)
	db, e = newEngine(t, newPath(t), func(ctx context.Context, job store.Job, id int64) error {
		<-ready
		if job.Batch.No == length {
			calls <- call{job: job}
			return nil
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		job.Batch.No++
		if _, err := e.InsertTx(ctx, tx, job); err != nil {
			return err
		}
		return tx.Commit()
	}, nil)
	close(ready)
	start(t, e)
	enqueue(t, db, e, 1, false)
	receive(t, calls, "the last continuation")
}

func TestManyJobs(t *testing.T) {
	n := sized(500, 100)
	calls := make(chan call, 2*n)
	db, e := newEngine(t, newPath(t), record(calls), nil)
	start(t, e)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := e.InsertTx(t.Context(), tx, testJob(i, i%10 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
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
	// Ringing for workers must not leave a row for each job behind.
	var notes int
	if err := db.QueryRow(`SELECT count(*) FROM river_notification`).Scan(&notes); err != nil || notes > 10 {
		t.Errorf("%d notifications, %v", notes, err)
	}
}

func countJobs(t testing.TB, db *sql.DB, where string) (n int) {
	t.Helper()
	if err := db.QueryRow(`SELECT count(*) FROM river_job WHERE ` + where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFailedJobIsTriedAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("boom") },
		"panic": func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempts := make(chan int, 10)
			db, e := newEngine(t, newPath(t), func(ctx context.Context, job store.Job, id int64) error {
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
func TestStaleJobIsComplete(t *testing.T) {
	for _, reason := range []error{store.ErrStale, store.ErrFenced} {
		called := make(chan struct{}, 10)
		db, e := newEngine(t, newPath(t), func(context.Context, store.Job, int64) error {
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

func TestNewerJobIsPutOff(t *testing.T) {
	calls := make(chan call, 10)
	db, e := newEngine(t, newPath(t), record(calls), func(c *jobs.Config) { c.Workers = 1 })
	newer := enqueue(t, db, e, 1, false)
	if _, err := db.Exec(`UPDATE river_job SET args = jsonb('{"format":99,"ws":{}}') WHERE id = ?`, newer); err != nil {
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
func TestSmallQueueIsNotBlocked(t *testing.T) {
	big, small := make(chan struct{}, 10), make(chan struct{}, 10)
	db, e := newEngine(t, newPath(t), func(ctx context.Context, job store.Job, id int64) error {
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

func TestStopWaitsForHandlers(t *testing.T) {
	began := make(chan struct{})
	ended := false
	db, e := newEngine(t, newPath(t), func(ctx context.Context, job store.Job, id int64) error {
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
func TestStopCancelsDeafHandlers(t *testing.T) {
	began := make(chan int, 10)
	db, e := newEngine(t, newPath(t), func(ctx context.Context, job store.Job, id int64) error {
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

// Live knows a job from the moment it is enqueued until it is complete, whatever
// it waits for, and no job that was never there.
func TestLive(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	db, e := newEngine(t, newPath(t), func(ctx context.Context, job store.Job, id int64) error {
		switch job.Batch.No {
		case 1:
			return errors.New("boom")
		case 2:
			began <- struct{}{}
			<-release
		}
		return nil
	}, func(c *jobs.Config) {
		c.Workers = 1
		// A retry that is due soon would be available at once.
		c.Now = func() time.Time { return time.Now().Add(time.Hour) }
	})
	failing, held, waiting := enqueue(t, db, e, 1, false), enqueue(t, db, e, 2, false), enqueue(t, db, e, 3, false)
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
func TestHealth(t *testing.T) {
	began, release := make(chan struct{}, 1), make(chan struct{})
	db, e := newEngine(t, newPath(t), func(context.Context, store.Job, int64) error {
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
func TestStopGivesUpWaiting(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	db, e := newEngine(t, newPath(t), func(context.Context, store.Job, int64) error {
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
func TestStartAndStopSideBySide(t *testing.T) {
	_, e := newEngine(t, newPath(t), record(nil), nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { start(t, e) })
		wg.Go(func() { stop(t, e) })
	}
	wg.Wait()
}

func TestNewWantsOneConnection(t *testing.T) {
	db := openDB(t, newPath(t))
	db.SetMaxOpenConns(2)
	_, err := sqlitejobs.New(db, jobs.Config{Handler: record(nil), Log: slog.New(slog.DiscardHandler), Workers: 1})
	if err == nil {
		t.Error("two connections were taken")
	}
}

// childDB, when set, makes the test binary a process that takes up one job and
// never ends.
const childDB = "TALLYMAN_TEST_JOBS_DB"

func TestMain(m *testing.M) {
	if path := os.Getenv(childDB); path != "" {
		if err := hang(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func hang(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	e, err := sqlitejobs.New(db, jobs.Config{
		Handler: handlerFunc(func(ctx context.Context, job store.Job, id int64) error {
			fmt.Println("working")
			select {}
		}),
		Log:     slog.New(slog.DiscardHandler),
		Workers: 1,
	})
	if err != nil {
		return err
	}
	if err := e.Start(context.Background()); err != nil {
		return err
	}
	select {}
}

// killInJob enqueues a job, has another process take it up, and kills that
// process while it works. It returns the job's id.
func killInJob(t *testing.T, path string) int64 {
	t.Helper()
	db, e := newEngine(t, path, record(nil), nil)
	id := enqueue(t, db, e, 1, false)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDB+"="+path)
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "working\n" {
		t.Errorf("the other process said %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	return id
}

// After a kill the job runs as soon as the next process starts: neither a poll
// nor a rescue is due for an hour.
func TestKilledJobRunsAtNextStart(t *testing.T) {
	path := newPath(t)
	id := killInJob(t, path)
	calls := make(chan call, 10)
	db, e := newEngine(t, path, record(calls), nil)
	if state, _ := jobState(t, db, id); state != "running" {
		t.Errorf("the killed job is %s", state)
	}
	start(t, e)
	if got := receive(t, calls, "the killed job"); got.id != id || got.attempt != 2 {
		t.Errorf("got %+v, want job %d at its second attempt", got, id)
	}
}

// A process that shares the database leaves what is running to its owner: jobs
// come in their order, and the one behind runs first.
func TestSharedDatabaseIsNotReclaimed(t *testing.T) {
	path := newPath(t)
	killed := killInJob(t, path)
	calls := make(chan call, 10)
	db, e := newEngine(t, path, record(calls), func(c *jobs.Config) { c.SoleOwner, c.Workers = false, 1 })
	id := enqueue(t, db, e, 2, false)
	start(t, e)
	if got := receive(t, calls, "the other job"); got.id != id {
		t.Errorf("got %+v, want job %d", got, id)
	}
	if state, _ := jobState(t, db, killed); state != "running" {
		t.Errorf("the killed job is %s", state)
	}
}
