package importer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/files"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// gated is a store that calls before ahead of each transaction.
type gated struct {
	store.Store
	before func(context.Context)
}

func (g gated) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	g.before(ctx)
	return g.Store.Write(ctx, ws, durable, fn)
}

// asked marks the context of the one who asks for a change of state.
type asked struct{}

// A termination that has been asked for, but not settled yet, outlives the
// transaction that ends the slicing.
func TestTheEndOfSlicingDoesNotUndoATermination(t *testing.T) {
	atSettle, release, ended := make(chan struct{}), make(chan struct{}), make(chan store.Import, 1)
	var writes atomic.Int64
	var s *stack
	var imp store.Import
	ctx := context.Background()
	s = newIdleStack(t, func(c *importer.Config) {
		c.Store = gated{c.Store, func(ctx context.Context) {
			if ctx.Value(asked{}) != nil && writes.Add(1) == 2 {
				close(atSettle)
				<-release
			}
		}}
		c.Probe = func(step importer.Step) {
			if step != importer.StepSliceCommit {
				return
			}
			go func() {
				end, err := s.svc.Terminate(context.WithValue(ctx, asked{}, true), s.ws, imp.ID)
				if err != nil {
					t.Error(err)
				}
				ended <- end
			}()
			<-atSettle
		}
	})
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.svc.Work(ctx, s.sliceJob(imp), s.batch(imp, ledger.PassSlice).JobID)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	if end := <-ended; end.State != store.Terminated {
		t.Errorf("state %s, want terminated", end.State)
	}
}

func (s *stack) sliceJob(imp store.Import) store.Job {
	return store.Job{Format: store.JobFormat, WS: s.ws.WS, Batch: store.BatchRef{ImportNo: imp.No, Pass: ledger.PassSlice, No: 1}}
}

// batch is the first batch of a pass.
func (s *stack) batch(imp store.Import, pass ledger.Pass) store.Batch {
	s.t.Helper()
	all, err := s.db.Batches(context.Background(), s.ws.WS, imp.No, pass)
	if err != nil || len(all) == 0 {
		s.t.Fatalf("batches: %v %v", all, err)
	}
	return all[0]
}

// tired starts the engine with jobs that have failed n times already.
func (s *stack) tired(n int) {
	s.t.Helper()
	failures := strings.Repeat(`,{"at":"2026-01-01T00:00:00Z","attempt":1,"error":"broken","trace":""}`, n)[1:]
	if err := s.db.setErrors(context.Background(), "["+failures+"]"); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// A step that fails whatever is tried, by an error or a panic, ends the import as
// failed: nobody waits for it for ever.
func TestAStepThatAlwaysFailsEndsTheImport(t *testing.T) {
	broken := errors.New("broken")
	cases := map[string]func(*importer.Config){
		"panic": func(c *importer.Config) {
			c.Probe = func(step importer.Step) {
				if step == importer.StepChunkWrite {
					panic("broken")
				}
			}
		},
		"error": func(c *importer.Config) { c.Store = unreadable{c.Store, func() error { return broken }} },
		"panic of the reader": func(c *importer.Config) {
			c.Store = unreadable{c.Store, func() error { panic("broken") }}
		},
	}
	for name, mod := range cases {
		t.Run(name, func(t *testing.T) {
			s := newIdleStack(t, mod)
			imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.svc.Work(context.Background(), s.sliceJob(imp), s.batch(imp, ledger.PassSlice).JobID); err != nil {
				t.Fatal(err)
			}
			s.tired(19)
			end := s.await(imp.ID, store.State.Ended)
			if end.State != store.FailedState || end.FaultCode != "internal_error" || strings.Contains(end.FaultMessage, "broken") {
				t.Errorf("%s, %s: %s", end.State, end.FaultCode, end.FaultMessage)
			}
			s.checkTally(end)
		})
	}
}

// An import that is all or nothing, and of which a step fails whatever is tried,
// does not say that what it did stays.
func TestAStepThatAlwaysFailsOfAllOrNothing(t *testing.T) {
	var imp store.Import
	var s *stack
	chunks := 0
	s = newIdleStack(t, func(c *importer.Config) {
		c.ChunkRows, c.SliceTime = 100, time.Hour
		c.Probe = func(step importer.Step) {
			if step != importer.StepChunkBegin || imp.ID == "" || s.now(imp).Pass != ledger.PassApply {
				return
			}
			if chunks++; chunks > 1 && s.now(imp).UndoneBy == "" {
				panic("broken")
			}
		}
	})
	imp = s.drained(s.begin("a.csv", products(300, "a"), importer.Options{Plan: true, Policy: importer.PolicyAll}))
	if _, err := s.svc.Apply(context.Background(), s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint}); err != nil {
		t.Fatal(err)
	}
	s.tired(19)
	end := s.await(imp.ID, store.State.Ended)
	if end.State != store.RolledBack || end.FaultCode != "internal_error" || !strings.HasSuffix(end.FaultMessage, "what was applied was taken back.") || strings.Contains(end.FaultMessage, "stay") {
		t.Errorf("%s, %s: %s", end.State, end.FaultCode, end.FaultMessage)
	}
	if left := s.values(); left != "" {
		t.Errorf("left are\n%s", left)
	}
}

// A value that the database does not take ends the import at the first try.
func TestAValueTooLargeForTheDatabaseEndsTheImport(t *testing.T) {
	var tries atomic.Int64
	s := newStack(t, func(c *importer.Config) { c.Store = tight{c.Store, &tries} })
	imp, err := s.begin("a.csv", products(300, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	end := s.await(imp.ID, store.State.Ended)
	if end.State != store.FailedState || end.FaultCode != "value_too_large" || !strings.Contains(end.FaultMessage, "from row ") || tries.Load() != 1 {
		t.Errorf("%s, %s: %s, after %d tries", end.State, end.FaultCode, end.FaultMessage, tries.Load())
	}
	s.checkTally(end)
}

// tight is a store whose indexes take no item.
type tight struct {
	store.Store
	tries *atomic.Int64
}

func (t tight) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	return t.Store.Write(ctx, ws, durable, func(tx store.Tx) error { return fn(tightTx{tx, t.tries}) })
}

type tightTx struct {
	store.Tx
	tries *atomic.Int64
}

func (t tightTx) Insert(context.Context, store.Prepared) error {
	t.tries.Add(1)
	return fmt.Errorf("insert items: %w", store.ErrTooLarge)
}

// unreadable is a store whose items cannot be read ahead.
type unreadable struct {
	store.Store
	fault func() error
}

// A step that takes longer than a job may, whatever is tried, ends the import, too.
func TestAStepThatNeverEndsEndsTheImport(t *testing.T) {
	s := newIdleStack(t, func(c *importer.Config) { c.Store = endless{c.Store} })
	imp, err := s.begin("a.csv", products(300, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.svc.Work(context.Background(), s.sliceJob(imp), s.batch(imp, ledger.PassSlice).JobID); err != nil {
		t.Fatal(err)
	}
	if s.engine, err = s.db.makeEngine(jobs.Config{Handler: s.svc, Log: slog.New(slog.DiscardHandler), Node: "test", Workers: 2, JobTimeout: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	s.tired(19)
	if end := s.await(imp.ID, store.State.Ended); end.State != store.FailedState || end.FaultCode != "internal_error" {
		t.Errorf("%s, %s: %s", end.State, end.FaultCode, end.FaultMessage)
	}
}

// endless is a store that does not come to the end of reading items.
type endless struct{ store.Store }

func (endless) ReadItems(ctx context.Context, _ store.WS, _ func(store.ItemReader) error) error {
	<-ctx.Done()
	return fmt.Errorf("read items: %w: %w", store.ErrUnavailable, ctx.Err())
}

func (u unreadable) ReadItems(context.Context, store.WS, func(store.ItemReader) error) error {
	return u.fault()
}

// A batch whose job failed waits for the job's next try: a sweep in between does
// not take it for dead, or its failures would count from none again and again.
func TestAFailedJobKeepsItsBatch(t *testing.T) {
	s := newIdleStack(t, func(c *importer.Config) {
		c.Probe = func(step importer.Step) {
			if step == importer.StepSliceCommit {
				panic("broken")
			}
		}
	})
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := s.batch(imp, ledger.PassSlice)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the job engine")
			}
		}()
		_ = s.svc.Work(context.Background(), s.sliceJob(imp), before.JobID)
	}()
	if err := s.svc.Sweep(context.Background(), -patience); err != nil {
		t.Fatal(err)
	}
	if after := s.batch(imp, ledger.PassSlice); after.JobID != before.JobID || after.State != store.BatchQueued {
		t.Errorf("batch %s of job %d, want queued of job %d", after.State, after.JobID, before.JobID)
	}
}

// A pause that was cut short is completed by the sweep though the job of a batch
// still waits in the queue.
func TestSweepCompletesAPauseWhileJobsWait(t *testing.T) {
	s := newIdleStack(t, func(c *importer.Config) {
		c.Store = &refusing{Store: c.Store, from: 3}
	})
	ctx := context.Background()
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.svc.Pause(ctx, s.ws, imp.ID); !errors.Is(err, errFull) {
		t.Fatalf("pause: %v, want a store that refuses to settle it", err)
	}
	if err := s.svc.Sweep(ctx, -patience); err != nil {
		t.Fatal(err)
	}
	if now, _ := s.svc.Import(ctx, s.ws, imp.ID); now.State != store.Paused {
		t.Errorf("state %s, want paused", now.State)
	}
}

// refusing is a store that refuses one transaction: the one numbered from, counted from 1.
type refusing struct {
	store.Store
	from, n int
}

func (r *refusing) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	if r.n++; r.n == r.from {
		return errFull
	}
	return r.Store.Write(ctx, ws, durable, fn)
}

// An import paused before its first job shows when it was started all the same.
func TestAnImportPausedBeforeItBeganHasAStart(t *testing.T) {
	s := newIdleStack(t, nil)
	ctx := context.Background()
	imp, err := s.begin("a.csv", products(10, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.svc.Pause(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.svc.Resume(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	s.start()
	if end := s.await(imp.ID, store.State.Ended); end.StartedAt == nil || end.Tally.Created != 10 {
		t.Errorf("started %v, tally %+v", end.StartedAt, end.Tally)
	}
}

// lossy is a file store that has lost what was uploaded, from the moment it is told.
type lossy struct {
	files.Store
	lost atomic.Bool
}

func (l *lossy) Open(ctx context.Context, key string) (files.Reader, error) {
	if l.lost.Load() && strings.Contains(key, "/uploads/") {
		return nil, files.ErrNotFound
	}
	return l.Store.Open(ctx, key)
}

// A fault that a job finds after its batch was taken back is not its to tell.
func TestAFencedJobDoesNotFailTheImport(t *testing.T) {
	var s *stack
	var imp store.Import
	var disk *lossy
	paused := false
	s = newIdleStack(t, func(c *importer.Config) {
		disk = &lossy{Store: c.Files}
		c.Files = disk
		c.Store = gated{c.Store, func(ctx context.Context) {
			// The transaction after the start is the one that would fail the import.
			if disk.lost.Load() && !paused && ctx.Value(asked{}) == nil {
				paused = true
				return
			}
			if paused && ctx.Value(asked{}) == nil {
				paused = false
				disk.lost.Store(false)
				if _, err := s.svc.Pause(context.WithValue(ctx, asked{}, true), s.ws, imp.ID); err != nil {
					t.Error(err)
				}
			}
		}}
	})
	imp, err := s.begin("a.csv", products(10, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	disk.lost.Store(true)
	if err := s.svc.Work(context.Background(), s.sliceJob(imp), s.batch(imp, ledger.PassSlice).JobID); !errors.Is(err, store.ErrStale) {
		t.Errorf("work: %v, want stale", err)
	}
	if now, _ := s.svc.Import(context.Background(), s.ws, imp.ID); now.State != store.Paused {
		t.Errorf("state %s, want paused", now.State)
	}
}

// A job that was taken for dead and goes on in the file store does no harm to
// what its successor has committed: every duplicate is still found.
func TestALateJobDoesNotOverwriteASegment(t *testing.T) {
	var s *stack
	var imp store.Import
	late := false
	s = newIdleStack(t, func(c *importer.Config) {
		c.Probe = func(step importer.Step) {
			if step != importer.StepSlice || late {
				return
			}
			// While the first job stands here it is taken for dead, and its successor
			// slices the whole file.
			late = true
			ctx := context.Background()
			if _, err := s.svc.Pause(ctx, s.ws, imp.ID); err != nil {
				t.Error(err)
			}
			if _, err := s.svc.Resume(ctx, s.ws, imp.ID); err != nil {
				t.Error(err)
			}
			if err := s.svc.Work(ctx, s.sliceJob(imp), s.batch(imp, ledger.PassSlice).JobID); err != nil {
				t.Error(err)
			}
		}
	})
	imp, err := s.begin("a.csv", products(3000, "a")+"S-000003,again,1.00,1\n", importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	segments := func() (list []string) {
		if err := s.files.List(context.Background(), "", func(f files.Info) error {
			if strings.Contains(f.Key, "/keys/") {
				list = append(list, f.Key)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return list
	}
	if err := s.svc.Work(context.Background(), s.sliceJob(imp), s.batch(imp, ledger.PassSlice).JobID); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the late job: %v, want fenced", err)
	}
	if got := segments(); len(got) != 2 {
		t.Errorf("key segments %v, want one of each job", got)
	}
	s.start()
	if end := s.await(imp.ID, store.State.Ended); end.Tally.Created != 3000 || end.Tally.Failed != 1 {
		t.Errorf("tally %+v", end.Tally)
	}
}
