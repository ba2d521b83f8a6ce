package sqlitejobs_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"tallyman/internal/jobs"
	"tallyman/internal/jobs/jobstest"
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

// database is the database at path, for the suite.
func database(t testing.TB, path string) jobstest.Database[*sql.Tx] {
	db := openDB(t, path)
	return jobstest.Database[*sql.Tx]{
		New:       func(cfg jobs.Config) (*sqlitejobs.Engine, error) { return sqlitejobs.New(db, cfg) },
		Begin:     func(ctx context.Context) (*sql.Tx, error) { return db.BeginTx(ctx, nil) },
		Commit:    func(_ context.Context, tx *sql.Tx) error { return tx.Commit() },
		Rollback:  func(_ context.Context, tx *sql.Tx) error { return tx.Rollback() },
		Query:     func(query string, dest ...any) error { return db.QueryRow(query).Scan(dest...) },
		SoleOwner: true,
		SetArgs: func(id int64, args string) error {
			_, err := db.Exec(`UPDATE river_job SET args = jsonb(?) WHERE id = ?`, args, id)
			return err
		},
	}
}

func TestEngine(t *testing.T) {
	jobstest.Run(t, func(t testing.TB) jobstest.Database[*sql.Tx] { return database(t, newPath(t)) })
}

// Ringing for workers must not leave a row for each job behind.
func TestRingingLeavesNoRows(t *testing.T) {
	const n = 50
	calls := make(chan call, n)
	db, e := newEngine(t, newPath(t), record(calls), nil)
	start(t, e)
	for i := range n {
		enqueue(t, db, e, i, false)
		receive(t, calls, "a job")
	}
	var notes int
	if err := db.QueryRow(`SELECT count(*) FROM river_notification`).Scan(&notes); err != nil || notes > 10 {
		t.Errorf("%d notifications, %v", notes, err)
	}
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
