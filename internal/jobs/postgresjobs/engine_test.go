package postgresjobs_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/internal/jobs"
	"tallyman/internal/jobs/jobstest"
	"tallyman/internal/jobs/postgresjobs"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// database is a database with a pool of its own.
func database(t testing.TB, url string) jobstest.Database[pgx.Tx] {
	t.Helper()
	pool := newPool(t, url)
	return jobstest.Database[pgx.Tx]{
		New:      func(cfg jobs.Config) (*postgresjobs.Engine, error) { return postgresjobs.New(pool, cfg) },
		Begin:    func(ctx context.Context) (pgx.Tx, error) { return pool.Begin(ctx) },
		Commit:   func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
		Rollback: func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
		Query: func(query string, dest ...any) error {
			return pool.QueryRow(context.Background(), query).Scan(dest...)
		},
		SetArgs: func(id int64, args string) error {
			_, err := pool.Exec(context.Background(), `UPDATE river_job SET args = $1::text::jsonb WHERE id = $2`, args, id)
			return err
		},
	}
}

func TestEngine(t *testing.T) {
	jobstest.Run(t, func(t testing.TB) jobstest.Database[pgx.Tx] { return database(t, pgtest.New(t)) })
}

// A job that one process enqueues is heard of by another at once: no poll is due
// for an hour.
func TestJobIsAnnouncedToOtherProcesses(t *testing.T) {
	url := pgtest.New(t)
	worked := make(chan int64, 1)
	here, there := database(t, url), database(t, url)
	worker := jobstest.NewEngine(t, there, func(_ context.Context, _ store.Job, id int64) error {
		worked <- id
		return nil
	}, nil)
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := jobstest.NewEngine(t, here, func(context.Context, store.Job, int64) error { return nil }, nil)
	id, err := jobstest.Enqueue(here, e, store.Job{WS: 1, Batch: store.BatchRef{ImportNo: 1, Pass: "apply", No: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-worked; got != id {
		t.Errorf("got job %d, want %d", got, id)
	}
}

func TestSharedDatabaseCannotBeOwned(t *testing.T) {
	_, err := postgresjobs.New(newPool(t, pgtest.New(t)), jobs.Config{
		Handler: jobstest.HandlerFunc(nil), Log: slog.New(slog.DiscardHandler), Workers: 1, SoleOwner: true})
	if err == nil {
		t.Error("a shared database was owned")
	}
}
