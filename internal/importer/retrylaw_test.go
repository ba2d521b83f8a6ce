package importer_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// pauser pauses an import behind its next chunk.
type pauser struct {
	s     *stack
	id    string
	armed atomic.Bool
}

func (p *pauser) probe(step importer.Step) {
	if step == importer.StepChunkAfterCommit && p.armed.CompareAndSwap(true, false) {
		if _, err := p.s.svc.Pause(context.Background(), p.s.ws, p.id); err != nil {
			p.s.t.Error(err)
		}
	}
}

// newPauser makes a stack on which an import with 300 bad prices has run, and a
// pauser for it.
func newPauser(t *testing.T, opt importer.Options) (*pauser, store.Import) {
	t.Helper()
	p := &pauser{}
	p.s = newStack(t, func(c *importer.Config) { c.ChunkRows, c.Probe = 100, p.probe })
	var file strings.Builder
	file.WriteString("sku,title,price\n")
	for i := range 300 {
		fmt.Fprintf(&file, "S%d,t,x\n", i)
	}
	imp := p.s.run("a.csv", file.String(), opt)
	p.id = imp.ID
	return p, imp
}

// wantUncorrectable fails if anything of the rows can be corrected, by a file of
// corrected rows or otherwise.
func wantUncorrectable(t *testing.T, s *stack, id, corrected string) {
	t.Helper()
	ctx := context.Background()
	for _, row := range []int64{2, 301} {
		_, err := s.svc.Correct(ctx, s.ws, id, row, map[string]string{"price": "99999", "title": "never shown"}, "")
		wantFault(t, err, "wrong_state")
	}
	_, _, err := s.svc.Fix(ctx, s.ws, id, store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "x", To: "2"})
	wantFault(t, err, "wrong_state")
	_, err = s.svc.CorrectFile(ctx, s.ws, id, "corrected.csv", "", strings.NewReader(corrected))
	wantFault(t, err, "wrong_state")
}

// While the plan of a retry is being applied its rows stay what the plan showed,
// even while it is paused.
func TestRowsAreNotCorrectedWhileTheirPlanIsApplied(t *testing.T) {
	none := int64(0)
	p, imp := newPauser(t, importer.Options{Rails: source.Rails{ClearedOrDeleted: &none}})
	s, ctx := p.s, context.Background()
	corrected := strings.ReplaceAll(s.failedRows(imp.ID), ",t,x,", ",never shown,99999,")
	if _, _, err := s.svc.Fix(ctx, s.ws, imp.ID, store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "x", To: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Plan: true, Failed: true}); err != nil {
		t.Fatal(err)
	}
	plan := s.await(imp.ID, atRest)
	if plan.State != store.Planned || plan.Plan.Created != 300 {
		t.Fatalf("%s %+v", plan.State, plan.Plan)
	}
	p.armed.Store(true)
	if _, err := s.svc.Apply(ctx, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: plan.Fingerprint}); err != nil {
		t.Fatal(err)
	}
	if paused := s.await(imp.ID, atRest); paused.State != store.Paused || paused.Tally.Failed == 0 || paused.Tally.Created == 0 {
		t.Fatalf("%s %+v", paused.State, paused.Tally)
	}
	wantUncorrectable(t, s, imp.ID, corrected)
	if _, err := s.svc.Resume(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	done := s.await(imp.ID, store.State.Ended)
	if done.Tally != plan.Plan || strings.Contains(s.values(), "never shown") || strings.Count(s.values(), `"1.00 EUR"`) != 300 {
		t.Errorf("planned %+v, done %+v: %s", plan.Plan, done.Tally, s.product("S299").Doc)
	}
	s.checkTally(done)
}

// While a retry is being planned its rows stay what they were when it began, or
// its fingerprint would name a plan of which a part is of before.
func TestRowsAreNotCorrectedWhileTheyArePlanned(t *testing.T) {
	p, imp := newPauser(t, importer.Options{})
	s, ctx := p.s, context.Background()
	corrected := strings.ReplaceAll(s.failedRows(imp.ID), ",t,x,", ",never shown,99999,")
	p.armed.Store(true)
	if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Plan: true, Failed: true}); err != nil {
		t.Fatal(err)
	}
	if paused := s.await(imp.ID, atRest); paused.State != store.Paused || paused.Plan.Rows() == 0 {
		t.Fatalf("%s %+v", paused.State, paused.Plan)
	}
	wantUncorrectable(t, s, imp.ID, corrected)
	if _, err := s.svc.Resume(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	plan := s.await(imp.ID, atRest)
	if plan.State != store.Planned || plan.Plan.Failed != 300 || plan.Fingerprint == "" {
		t.Fatalf("%s %+v %q", plan.State, plan.Plan, plan.Fingerprint)
	}
	// At rest, a correction takes the fingerprint, and the plan is made again.
	s.correct(imp.ID, 301, map[string]string{"price": "1"})
	_, err := s.svc.Apply(ctx, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: plan.Fingerprint})
	wantFault(t, err, "plan_changed")
	if _, err := s.svc.Replan(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	plan = s.await(imp.ID, atRest)
	if done := s.apply(plan); done.Tally != plan.Plan || done.Tally.Created != 1 {
		t.Errorf("planned %+v, done %+v", plan.Plan, done.Tally)
	}
}

// A retry of an undo takes back by force what was kept and shown, and nothing that
// nobody has looked at yet.
func TestARetryOfAnUndoForcesOnlyWhatWasHeld(t *testing.T) {
	var s *stack
	var undo string
	var armed atomic.Bool
	ctx := context.Background()
	stopped := make(chan struct{})
	s = newStack(t, func(c *importer.Config) {
		c.ChunkRows = 100
		c.Probe = func(step importer.Step) {
			if step == importer.StepChunkAfterCommit && armed.CompareAndSwap(true, false) {
				list, _, err := s.svc.Imports(ctx, s.ws, store.ImportFilter{Source: importer.SourceUndo}, store.Range{})
				if err != nil || len(list) != 1 {
					t.Errorf("%d undos: %v", len(list), err)
				}
				undo = list[0].ID
				if _, err := s.svc.Terminate(ctx, s.ws, undo); err != nil {
					t.Error(err)
				}
				close(stopped)
			}
		}
	})
	s.run("a.csv", products(300, "a"), importer.Options{})
	before := s.product("S-000299").Doc
	imp := s.run("b.csv", products(300, "b"), importer.Options{})
	s.run("c.csv", "sku,title\nS-000299,first\n", importer.Options{})
	armed.Store(true)
	if _, err := s.svc.Undo(ctx, s.ws, imp.ID, importer.Options{}); err != nil {
		t.Fatal(err)
	}
	<-stopped
	// The last row comes first in an undo, and was kept; the first row is not
	// reached yet.
	half := s.await(undo, store.State.Ended)
	if half.State != store.Terminated || half.Tally.Held != 1 || half.Tally.Rows() == 300 {
		t.Fatalf("%s %+v", half.State, half.Tally)
	}
	s.run("d.csv", "sku,title\nS-000000,precious\n", importer.Options{})
	done := s.retry(undo)
	if done.Tally != (catalog.Tally{Updated: 299, Held: 1, Warnings: 1, Warned: 1}) {
		t.Errorf("%s %+v", done.State, done.Tally)
	}
	if now := s.product("S-000000").Doc; now.Text("title") != "precious" {
		t.Errorf("a row that was not held was forced: %s", now)
	}
	if now := s.product("S-000299").Doc; now != before {
		t.Errorf("a row that was held is %s, want %s", now, before)
	}
	// Now it was kept and shown, and is taken back by the next retry.
	if done = s.retry(undo); done.Tally != (catalog.Tally{Updated: 300}) || strings.Contains(s.values(), "precious") {
		t.Errorf("%s %+v", done.State, done.Tally)
	}
}
