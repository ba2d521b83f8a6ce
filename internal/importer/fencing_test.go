package importer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// workOn does the jobs that wait for batches of a pass, the last batch first; ""
// does those of all passes. It returns how many there were, and what went wrong.
func (s *stack) workOn(imp store.Import, pass ledger.Pass) (n int, err error) {
	s.t.Helper()
	ctx := context.Background()
	batches, listed := s.db.Batches(ctx, s.ws.WS, imp.No, pass)
	if listed != nil {
		s.t.Fatal(listed)
	}
	slices.Reverse(batches)
	for _, b := range batches {
		if b.State == store.BatchQueued {
			n++
			err = errors.Join(err, s.svc.Work(ctx, store.Job{Format: store.JobFormat, WS: s.ws.WS, Batch: b.BatchRef}, b.JobID))
		}
	}
	return n, err
}

// drain does an import's jobs until none waits; of the batches that wait beside
// each other the last is worked on first.
func (s *stack) drain(imp store.Import) store.Import {
	s.t.Helper()
	for {
		n, err := s.workOn(imp, "")
		if err != nil {
			s.t.Fatalf("work on import %d: %v", imp.No, err)
		}
		if n == 0 {
			return s.now(imp)
		}
	}
}

// drained drains an import that was begun.
func (s *stack) drained(imp store.Import, err error) store.Import {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.drain(imp)
}

// now is an import as it is now.
func (s *stack) now(imp store.Import) store.Import {
	s.t.Helper()
	now, err := s.svc.Import(context.Background(), s.ws, imp.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return now
}

// takenForDead lets the job at work on an import lose its batches to others.
func (s *stack) takenForDead(imp store.Import) {
	s.t.Helper()
	if _, err := s.svc.Pause(context.Background(), s.ws, imp.ID); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.svc.Resume(context.Background(), s.ws, imp.ID); err != nil {
		s.t.Fatal(err)
	}
}

// checkPlan compares a plan's counts with its pages.
func (s *stack) checkPlan(imp store.Import) {
	s.t.Helper()
	var pages catalog.Tally
	err := s.db.Pages(context.Background(), s.ws.WS, imp.No, store.PageFilter{Pass: ledger.PassPlan}, func(p ledger.Page) error {
		pages = pages.Add(p.Tally)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if pages != imp.Plan {
		s.t.Errorf("plan %+v, its pages %+v", imp.Plan, pages)
	}
}

// A job of a plan that was taken for dead, and wakes up when the plan is made
// again, adds nothing to the new one.
func TestAJobOfThePlanBeforeDoesNotWorkOnTheNewOne(t *testing.T) {
	var s *stack
	var imp store.Import
	ctx := context.Background()
	chunks := 0
	s = newIdleStack(t, func(c *importer.Config) {
		c.ChunkRows, c.SliceTime = 100, time.Hour
		c.Probe = func(step importer.Step) {
			if step != importer.StepChunkBegin || imp.ID == "" || s.now(imp).Pass != ledger.PassPlan {
				return
			}
			// The first job stands before its second chunk.
			if chunks++; chunks != 2 {
				return
			}
			s.takenForDead(imp)
			if now := s.drain(imp); now.State != store.Planned || now.Plan.Created != 300 {
				t.Errorf("its successor: %s %+v", now.State, now.Plan)
			}
			if _, err := s.svc.Replan(ctx, s.ws, imp.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := s.workOn(imp, ledger.PassSlice); err != nil {
				t.Fatal(err)
			}
			// The first job of the new plan dies as soon as it has begun.
			b := s.batch(imp, ledger.PassPlan)
			err := s.db.Write(ctx, s.ws.WS, false, func(tx store.Tx) error {
				_, err := tx.StartBatch(ctx, b.BatchRef, b.JobID, "other", time.Now())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	var err error
	if imp, err = s.begin("a.csv", products(300, "a"), importer.Options{Plan: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.workOn(imp, ledger.PassSlice); err != nil {
		t.Fatal(err)
	}
	if _, err := s.workOn(imp, ledger.PassPlan); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the late job: %v, want fenced", err)
	}
	if now := s.now(imp); now.State != store.Planning || now.Plan.Rows() != 0 {
		t.Errorf("after the late job: %s %+v", now.State, now.Plan)
	}
	if err := s.svc.Sweep(ctx, -patience); err != nil {
		t.Fatal(err)
	}
	plan := s.drain(imp)
	if plan.State != store.Planned || plan.Plan.Created != 300 || plan.Plan.Rows() != 300 {
		t.Fatalf("the new plan: %s %+v", plan.State, plan.Plan)
	}
	s.checkPlan(plan)
	done := s.drained(s.svc.Apply(ctx, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: plan.Fingerprint}))
	if done.State != store.Done || done.Tally != plan.Plan {
		t.Errorf("%s, planned %+v, done %+v", done.State, plan.Plan, done.Tally)
	}
	s.checkTally(done)
}

// A slice step that was taken for dead lists the missing items anew, when the
// batches of its successor's list are cut already: that list stays as it was.
func TestALateJobDoesNotOverwriteTheListOfMissingItems(t *testing.T) {
	var s *stack
	var imp store.Import
	late := false
	s = newIdleStack(t, func(c *importer.Config) {
		c.Probe = func(step importer.Step) {
			if step != importer.StepSlice || imp.ID == "" || late {
				return
			}
			late = true
			s.takenForDead(imp)
			if _, err := s.workOn(imp, ledger.PassSlice); err != nil {
				t.Error(err)
			}
			// An item of the list goes, and so the late job's list is a shorter one.
			if _, err := s.edit(importer.EditRequest{ID: s.product("S-000001").ID, Delete: true}); err != nil {
				t.Error(err)
			}
		}
	})
	s.drained(s.begin("a.csv", products(20, "a"), importer.Options{Feed: "acme"}))
	var err error
	if imp, err = s.begin("b.csv", "sku,title\nS-000000,x\n", importer.Options{Feed: "acme", Missing: "delete"}); err != nil {
		t.Fatal(err)
	}
	job := s.batch(imp, ledger.PassSlice)
	if err := s.svc.Work(context.Background(), s.sliceJob(imp), job.JobID); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the late job: %v, want fenced", err)
	}
	done := s.drain(imp)
	if done.State != store.Done || done.Extra != 19 || done.Tally.Updated != 1 || done.Tally.Deleted != 18 || done.Tally.Rows() != 20 {
		t.Errorf("%s extra %d %+v", done.State, done.Extra, done.Tally)
	}
	if now := s.values(); now != `{"price":"1.50 EUR","sku":"S-000000","stock":0,"title":"x"}` {
		t.Errorf("left are\n%s", now)
	}
}

// amending is a store that dies before it writes a plan's second amendment.
type amending struct {
	store.Store
	n int
}

func (a *amending) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	return a.Store.Write(ctx, ws, durable, func(tx store.Tx) error { return fn(amendingTx{tx, a}) })
}

type amendingTx struct {
	store.Tx
	a *amending
}

func (t amendingTx) InsertPage(ctx context.Context, p *ledger.Page) error {
	if p.Pass == ledger.PassPlan && p.Tally.Updated < 0 {
		if t.a.n++; t.a.n == 2 {
			return errFull
		}
	}
	return t.Tx.InsertPage(ctx, p)
}

// The step that ends a plan breaks off between two of its amendments: what is
// done again adds those that lack, and none twice.
func TestAPlanAmendedHalfwayIsAmendedToTheEnd(t *testing.T) {
	rows := 2100
	pages := &amending{}
	s := newIdleStack(t, func(c *importer.Config) {
		c.ChunkRows = 500
		pages.Store = c.Store
		c.Store = pages
	})
	var base, file strings.Builder
	base.WriteString("ean,sku,title,stock\n")
	file.WriteString("ean,sku,stock\n")
	for i := range rows {
		fmt.Fprintf(&base, "%s,S%d,t,1\n", gtin(i), i)
		fmt.Fprintf(&file, "%s,,2\n", gtin(i))
	}
	for i := range rows { // each reaches an item that a row above reaches by its EAN
		fmt.Fprintf(&file, ",S%d,3\n", i)
	}
	s.drained(s.begin("a.csv", base.String(), importer.Options{}))
	imp, err := s.begin("b.csv", file.String(), importer.Options{Plan: true})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		var n int
		if n, err = s.workOn(imp, ""); n == 0 {
			t.Fatal("the plan was not cut short")
		}
	}
	if !errors.Is(err, errFull) {
		t.Fatalf("plan: %v, want a store that breaks off", err)
	}
	plan := s.drain(imp)
	if plan.State != store.Planned || plan.Plan.Updated != int64(rows) || plan.Plan.Failed != int64(rows) || plan.Plan.Errors != int64(rows) {
		t.Fatalf("%s %+v", plan.State, plan.Plan)
	}
	s.checkPlan(plan)
	done := s.drained(s.svc.Apply(context.Background(), s.ws, imp.ID, importer.ApplyOptions{Fingerprint: plan.Fingerprint}))
	if done.State != store.Done || done.Tally != plan.Plan {
		t.Errorf("%s, planned %+v, done %+v", done.State, plan.Plan, done.Tally)
	}
	s.checkTally(done)
}
