package importer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// nodesStack is an idle stack whose configuration is known, so that other services
// can be made on its store, as other nodes would be.
func nodesStack(t *testing.T, mod func(*importer.Config)) (*stack, importer.Config) {
	t.Helper()
	var cfg importer.Config
	s := newIdleStack(t, func(c *importer.Config) {
		c.Workers = 1
		if mod != nil {
			mod(c)
		}
		cfg = *c
	})
	return s, cfg
}

// another is a service of another node on the stack's store. It has seen nothing
// of the others yet.
func (s *stack) another(cfg importer.Config, name string) *importer.Service {
	s.t.Helper()
	cfg.Node = name
	svc, err := importer.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return svc
}

func (s *stack) beat(n store.Node) {
	s.t.Helper()
	if n.Beat.IsZero() {
		n.Beat = time.Now()
	}
	if err := s.db.BeatNode(context.Background(), n); err != nil {
		s.t.Fatal(err)
	}
}

func sweep(t *testing.T, svc *importer.Service) {
	t.Helper()
	if err := svc.Sweep(context.Background(), time.Hour); err != nil {
		t.Fatal(err)
	}
}

// sliced begins an import of so many batches and makes them.
func (s *stack) sliced(batches int) store.Import {
	s.t.Helper()
	imp, err := s.begin("a.csv", products(batches*2000, "a"), importer.Options{})
	if err == nil {
		_, err = s.workOn(imp, ledger.PassSlice)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.now(imp)
}

// enqueued counts the import's batches that have a job.
func (s *stack) enqueued(imp store.Import) (n int) {
	s.t.Helper()
	batches, err := s.db.Batches(context.Background(), s.ws.WS, imp.No, ledger.PassApply)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range batches {
		if b.State == store.BatchQueued || b.State == store.BatchRunning {
			n++
		}
	}
	return n
}

// An import has twice as many jobs as there are workers that live and do not hold,
// on all nodes: nodes that come give it more, and nodes that have gone take theirs
// with them.
func TestAnImportHasTheJobsOfLiveNodes(t *testing.T) {
	s, cfg := nodesStack(t, nil)
	imp := s.sliced(12)
	if n := s.enqueued(imp); n != 2 {
		t.Errorf("alone: %d jobs, want 2", n)
	}
	s.beat(store.Node{Name: "one", Workers: 3})
	s.beat(store.Node{Name: "holds", Workers: 9, Held: "The database takes no writes."})
	s.beat(store.Node{Name: "dead", Workers: 9, Beat: time.Now().Add(-time.Minute)})
	sweep(t, s.svc)
	if n := s.enqueued(imp); n != 8 {
		t.Errorf("with three workers more: %d jobs, want 8", n)
	}
	sweep(t, s.another(cfg, "one"))
	if n := s.enqueued(imp); n != 8 {
		t.Errorf("looked at by another node: %d jobs, want 8", n)
	}

	s.beat(store.Node{Name: "one", Workers: 3, Beat: time.Now().Add(-time.Minute)})
	alone := s.another(cfg, "two")
	sweep(t, alone)
	jobs := s.jobsOf(imp, 6)
	for _, j := range jobs {
		// What the job has in time is its own batch: it takes no other.
		if err := alone.Work(context.Background(), j.Job, j.id); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.enqueued(imp); n != 2 {
		t.Errorf("alone again, after six batches: %d jobs, want 2", n)
	}
	if done := s.drain(imp); done.State != store.Done || done.Tally.Created != 24000 {
		t.Errorf("%s %+v", done.State, done.Tally)
	}
}

type queuedJob struct {
	store.Job
	id int64
}

// jobsOf lists the jobs of the first n batches that have one.
func (s *stack) jobsOf(imp store.Import, n int) (all []queuedJob) {
	s.t.Helper()
	batches, err := s.db.Batches(context.Background(), s.ws.WS, imp.No, ledger.PassApply)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range batches {
		if b.State == store.BatchQueued && len(all) < n {
			all = append(all, queuedJob{store.Job{Format: store.JobFormat, WS: s.ws.WS, Batch: b.BatchRef}, b.JobID})
		}
	}
	return all
}

func TestAnImportHasNoMoreJobsThanAllowed(t *testing.T) {
	s, _ := nodesStack(t, func(c *importer.Config) { c.WorkersPerImport = 3 })
	imp := s.sliced(6)
	s.beat(store.Node{Name: "one", Workers: 5})
	sweep(t, s.svc)
	if n := s.enqueued(imp); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
}

// Nodes that find at once that an import stands still give it its jobs once.
func TestJobsAreGivenOutOnce(t *testing.T) {
	s, cfg := nodesStack(t, nil)
	imp := s.sliced(8)
	ctx := context.Background()
	err := s.db.Write(ctx, s.ws.WS, false, func(tx store.Tx) error {
		_, err := tx.StopBatches(ctx, imp.No, store.BatchWaiting)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Every node lists what is stalled before any of them acts.
	held := make(chan struct{})
	ended := make(chan error)
	for i := range 3 {
		cfg.Store = &listsFirst{Store: s.db, listed: make(chan struct{}), held: held}
		svc := s.another(cfg, fmt.Sprint("node", i))
		go func() { ended <- svc.Sweep(ctx, -patience) }()
		<-cfg.Store.(*listsFirst).listed
	}
	close(held)
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := s.enqueued(imp); n != 2 {
		t.Errorf("%d jobs, want 2", n)
	}
}

// listsFirst is a store that holds a sweep between looking and acting.
type listsFirst struct {
	store.Store
	listed, held chan struct{}
}

func (l *listsFirst) Load(ctx context.Context) (store.Load, error) { return store.Load{}, nil }

func (l *listsFirst) Stalled(ctx context.Context, before, until time.Time) ([]store.StalledBatch, error) {
	all, err := l.Store.Stalled(ctx, before, until)
	close(l.listed)
	<-l.held
	return all, err
}

func TestWaitingFor(t *testing.T) {
	full := "The disk of the data folder has no room."
	for _, c := range []struct {
		name  string
		nodes []store.Node
		own   string // why the node asked holds
		state store.State
		want  string
	}{
		{"nobody", nil, "", store.Running, "No node is at work; the import goes on when one is."},
		{"one dead", []store.Node{{Name: "a", Beat: time.Now().Add(-time.Minute)}}, "", store.Slicing, "No node is at work"},
		{"one works", []store.Node{{Name: "a"}, {Name: "b", Held: full}}, "", store.Running, ""},
		{"one holds", []store.Node{{Name: "a", Held: full}}, "", store.Running, "The node at work holds: " + full},
		{"both hold", []store.Node{{Name: "a", Held: full}, {Name: "b", Held: full}}, "", store.RollingBack, "All nodes hold: " + full},
		{"asked holds and cannot say so", []store.Node{{Name: "asked"}}, full, store.Running, "The node at work holds: " + full},
		{"another works", []store.Node{{Name: "a"}, {Name: "asked"}}, full, store.Running, ""},
		{"paused", nil, "", store.Paused, ""},
		{"planned", nil, "", store.Planned, ""},
		{"ended", nil, "", store.Done, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, cfg := nodesStack(t, nil)
			for _, n := range c.nodes {
				s.beat(n)
			}
			cfg.Held = func() string { return c.own }
			got := s.another(cfg, "asked").WaitingFor(context.Background(), &store.Import{State: c.state})
			if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A node that holds takes no file, and takes it when it goes on.
func TestANodeThatHoldsTakesNoFile(t *testing.T) {
	reason := "The file store does not answer."
	s, _ := nodesStack(t, func(c *importer.Config) { c.Held = func() string { return reason } })
	_, err := s.begin("a.csv", products(1, "a"), importer.Options{})
	f := catalog.AsFault(err)
	if f == nil || f.Kind != catalog.KindUnavailable || !strings.Contains(f.Message, reason) {
		t.Errorf("got %v", err)
	}
	reason = ""
	if done := s.drained(s.begin("a.csv", products(1, "a"), importer.Options{})); done.State != store.Done {
		t.Errorf("%s", done.State)
	}
}

// away is a store that answers nobody for a while.
type away struct {
	store.Store
	gone  atomic.Bool
	asked chan struct{}
}

func (a *away) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	if a.gone.Load() {
		select {
		case a.asked <- struct{}{}:
		default:
		}
		return fmt.Errorf("write: %w", store.ErrUnavailable)
	}
	return a.Store.Write(ctx, ws, durable, fn)
}

// An outage never ends an import, however often its jobs are tried meanwhile, and
// however often they had failed before.
func TestAnOutageEndsNoImport(t *testing.T) {
	outage := &away{asked: make(chan struct{}, 100)}
	s, _ := nodesStack(t, func(c *importer.Config) {
		outage.Store = c.Store
		c.Store = outage
	})
	imp := s.sliced(3)
	errs := strings.TrimSuffix(strings.Repeat(`{"at":"2026-01-01T00:00:00Z","attempt":1,"error":"x","trace":""},`, 19), ",")
	if err := s.db.setErrors(context.Background(), "["+errs+"]"); err != nil {
		t.Fatal(err)
	}
	outage.gone.Store(true)
	s.start()
	for range 4 {
		<-outage.asked
	}
	outage.gone.Store(false)
	done := s.await(imp.ID, store.State.Ended)
	if done.State != store.Done || done.Tally.Created != 6000 {
		t.Errorf("%s (%s) %+v", done.State, done.FaultMessage, done.Tally)
	}
	s.checkTally(done)
}

// A job that was fetched as its node was stopped leaves its batch as it was.
func TestAJobThatComesTooLateIsGivenBack(t *testing.T) {
	s, _ := nodesStack(t, nil)
	imp := s.sliced(1)
	before := s.batch(imp, ledger.PassApply)
	stopped := make(chan struct{})
	close(stopped)
	err := s.svc.Work(jobs.WithStop(context.Background(), stopped), s.jobsOf(imp, 1)[0].Job, before.JobID)
	if !errors.Is(err, jobs.ErrGivenBack) {
		t.Errorf("got %v", err)
	}
	if after := s.batch(imp, ledger.PassApply); after.Epoch != before.Epoch || after.State != before.State || after.JobID != before.JobID {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if done := s.drain(imp); done.State != store.Done || done.Tally.Created != 2000 {
		t.Errorf("%s %+v", done.State, done.Tally)
	}
}

// The long end of a slice step, and that of a plan, are given up when their node
// is stopped: the job is another node's, which begins them anew.
func TestALongStepIsGivenUpAtAStop(t *testing.T) {
	for pass, at := range map[ledger.Pass]importer.Step{ledger.PassSlice: importer.StepSlice, ledger.PassFinish: importer.StepFinishBefore} {
		t.Run(string(pass), func(t *testing.T) {
			stop := make(chan struct{})
			armed := false
			s, _ := nodesStack(t, func(c *importer.Config) {
				c.Probe = func(step importer.Step) {
					if armed && step == at {
						armed = false
						close(stop)
					}
				}
			})
			imp, err := s.begin("a.csv", products(500, "a"), importer.Options{Plan: true})
			for err == nil && s.batchOf(imp, pass) == nil {
				_, err = s.workOn(imp, "")
			}
			if err != nil {
				t.Fatal(err)
			}
			armed = true
			before := s.batchOf(imp, pass)
			job := store.Job{Format: store.JobFormat, WS: s.ws.WS, Batch: before.BatchRef}
			err = s.svc.Work(jobs.WithStop(context.Background(), stop), job, before.JobID)
			if !errors.Is(err, jobs.ErrGivenBack) {
				t.Fatalf("got %v", err)
			}
			if b := s.batchOf(imp, pass); b.State != store.BatchQueued || b.JobID != before.JobID {
				t.Errorf("given back as %+v", b)
			}
			plan := s.drain(imp)
			if plan.State != store.Planned || plan.Plan.Created != 500 {
				t.Errorf("%s %+v", plan.State, plan.Plan)
			}
		})
	}
}

// batchOf is the batch of a step that is not done, nil for none.
func (s *stack) batchOf(imp store.Import, pass ledger.Pass) *store.Batch {
	s.t.Helper()
	batches, err := s.db.Batches(context.Background(), s.ws.WS, imp.No, pass)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range batches {
		if !batches[i].State.Finished() {
			return &batches[i]
		}
	}
	return nil
}

// Nodes that each find an import to have too many jobs leave it, together, as many
// as it may have.
func TestNodesGiveUpNoMoreJobsThanAreTooMany(t *testing.T) {
	for _, c := range []struct{ before, after, nodes int }{{3, 1, 3}, {4, 1, 2}, {3, 2, 4}, {6, 2, 3}} {
		t.Run(fmt.Sprintf("%d to %d on %d", c.before, c.after, c.nodes), func(t *testing.T) {
			s, cfg := nodesStack(t, func(c *importer.Config) { c.Workers = 8 })
			cfg.WorkersPerImport = c.before
			s.svc = s.another(cfg, "before")
			imp := s.sliced(2*c.before + c.nodes)
			// Each job works on one batch, and hands its place on or gives it up.
			cfg.WorkersPerImport, cfg.SliceTime = c.after, time.Nanosecond
			nodes := make([]*importer.Service, c.nodes)
			for i := range nodes {
				s.beat(store.Node{Name: fmt.Sprint("node", i), Workers: 8})
				nodes[i] = s.another(cfg, fmt.Sprint("node", i))
			}
			for _, n := range nodes {
				sweep(t, n)
			}
			if n := s.enqueued(imp); n != c.before {
				t.Fatalf("%d jobs, want %d", n, c.before)
			}
			for i, j := range s.jobsOf(imp, c.before) {
				if err := nodes[i%c.nodes].Work(context.Background(), j.Job, j.id); err != nil {
					t.Fatal(err)
				}
				if n := s.enqueued(imp); n < c.after {
					t.Fatalf("%d jobs are left, want %d", n, c.after)
				}
			}
			if n := s.enqueued(imp); n != c.after {
				t.Errorf("%d jobs, want %d", n, c.after)
			}
		})
	}
}
