package sqlitejobs_test

import (
	"context"
	"testing"
	"time"

	"tallyman/internal/jobs"
	"tallyman/internal/store"
)

// BenchmarkBegin is the time from before the enqueuing transaction to the
// handler's first line, on an idle engine.
func BenchmarkBegin(b *testing.B) {
	began := make(chan struct{})
	db, e := newEngine(b, newPath(b), func(context.Context, store.Job, int64) error {
		began <- struct{}{}
		return nil
	}, nil)
	start(b, e)
	for b.Loop() {
		enqueue(b, db, e, 1, false)
		<-began
		b.StopTimer()
		time.Sleep(30 * time.Millisecond) // out of the fetch cooldown
		b.StartTimer()
	}
}

// BenchmarkThroughput is a job that does nothing, with 500 enqueued at a time.
func BenchmarkThroughput(b *testing.B) {
	done := make(chan struct{}, 500)
	db, e := newEngine(b, newPath(b), func(context.Context, store.Job, int64) error {
		done <- struct{}{}
		return nil
	}, func(c *jobs.Config) { c.Workers = 16 })
	start(b, e)
	for b.Loop() {
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for i := range 500 {
			if _, err := e.InsertTx(b.Context(), tx, testJob(i, false)); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		for range 500 {
			<-done
		}
	}
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkStartStop is a start and a stop of an engine without jobs.
func BenchmarkStartStop(b *testing.B) {
	_, e := newEngine(b, newPath(b), record(nil), nil)
	for b.Loop() {
		start(b, e)
		stop(b, e)
	}
}
