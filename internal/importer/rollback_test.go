package importer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// whileApplying calls then once, when the import that it is armed with comes to a
// step of its first pass that writes.
type whileApplying struct {
	s     *stack
	imp   store.Import
	armed atomic.Bool
	step  importer.Step
	then  func()
}

func (w *whileApplying) probe(step importer.Step) {
	if step == w.step && w.armed.Load() && w.s.now(w.imp).Pass == ledger.PassApply && w.armed.CompareAndSwap(true, false) {
		w.then()
	}
}

func (w *whileApplying) arm(imp store.Import) {
	w.imp = imp
	w.armed.Store(true)
}

// The chunk under way when an import is terminated commits before the termination
// is settled: all or nothing, it is taken back with the rest.
func TestAChunkThatCommitsWhileItIsTerminatedIsTakenBack(t *testing.T) {
	ctx := context.Background()
	atSettle, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var writes atomic.Int64
	var committing atomic.Bool
	w := &whileApplying{step: importer.StepChunkBegin}
	s := newStack(t, func(c *importer.Config) {
		c.ChunkRows = 100
		c.Store = gated{c.Store, func(ctx context.Context) {
			if ctx.Value(asked{}) != nil && writes.Add(1) == 2 {
				close(atSettle)
				<-release
			}
		}}
		c.Probe = func(step importer.Step) {
			w.probe(step)
			if step == importer.StepChunkAfterCommit && committing.CompareAndSwap(true, false) {
				close(release)
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		}
	})
	w.s = s
	imp := s.plan("a.csv", products(300, "a"), importer.Options{Policy: importer.PolicyAll})
	w.then = func() {
		go func() {
			_, err := s.svc.Terminate(context.WithValue(ctx, asked{}, true), s.ws, imp.ID)
			ended <- err
		}()
		<-atSettle
		committing.Store(true)
	}
	w.arm(imp)
	imp = s.apply(imp)
	if imp.State != store.RolledBack || imp.FaultCode != "terminated" || imp.Tally.Created == 0 || imp.UndoneBy == "" || s.values() != "" {
		t.Errorf("%s %s %+v, undone by %q, left are\n%s", imp.State, imp.FaultCode, imp.Tally, imp.UndoneBy, s.values())
	}
	_, err := s.svc.Undo(ctx, s.ws, imp.ID, importer.Options{})
	wantFault(t, err, "already_undone")
}

// A fault of the system ends an import that is all or nothing with nothing, too.
func TestAllOrNothingWithAFaultInTheMiddle(t *testing.T) {
	ctx := context.Background()
	var disk *lossy
	w := &whileApplying{step: importer.StepChunkAfterCommit}
	s := newStack(t, func(c *importer.Config) {
		disk = &lossy{Store: c.Files}
		c.ChunkRows, c.SliceTime, c.Files, c.Probe = 100, time.Nanosecond, disk, w.probe
	})
	w.s, w.then = s, func() { disk.lost.Store(true) }
	s.run("before.csv", "sku,title,price,stock\nS-000299,mine,1.00,1\n", importer.Options{})
	before := s.values()
	imp := s.plan("a.csv", products(300, "a"), importer.Options{Policy: importer.PolicyAll})
	w.arm(imp)
	imp = s.apply(imp)
	disk.lost.Store(false)
	if !strings.Contains(imp.FaultMessage, "upload it again") || !strings.HasSuffix(imp.FaultMessage, "what was applied was taken back.") {
		t.Errorf("it says %q", imp.FaultMessage)
	}
	if imp.State != store.RolledBack || imp.FaultCode == "" || imp.Tally.Rows() == 0 || imp.Tally.Rows() == 300 || s.values() != before {
		t.Errorf("%s %s %+v, left are\n%.300s", imp.State, imp.FaultCode, imp.Tally, s.values())
	}
	_, err := s.svc.Undo(ctx, s.ws, imp.ID, importer.Options{})
	wantFault(t, err, "already_undone")
	_, err = s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true, Unprocessed: true})
	wantFault(t, err, "wrong_state")
}

// An import that is all or nothing and came to its end before it wrote anything
// runs again as a whole; what its plan says then decides.
func TestAllOrNothingRunsAgainAsAWhole(t *testing.T) {
	ctx := context.Background()
	s := newStack(t, nil)
	imp := s.plan("a.csv", "sku,title,price\nA,a,1\nB,b,oops\n", importer.Options{Policy: importer.PolicyAll})
	if _, err := s.svc.Terminate(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	if imp = s.retry(imp.ID); imp.State != store.RolledBack || imp.FaultCode != "rows_failed" || imp.Tally.Rows() != 0 || s.values() != "" {
		t.Fatalf("with a row that fails: %s %s %+v, left are\n%s", imp.State, imp.FaultCode, imp.Tally, s.values())
	}
	s.correct(imp.ID, 3, map[string]string{"price": "2"})
	if imp = s.retry(imp.ID); imp.State != store.Done || imp.Tally.Created != 2 {
		t.Errorf("once it is corrected: %s %s %+v", imp.State, imp.FaultCode, imp.Tally)
	}
}

// rolledBack applies a plan, all or nothing, of which a row is held by then, so that
// it is rolled back; first calls then.
func (s *stack) rolledBack(w *whileApplying, file string, then func()) (imp, undo store.Import) {
	s.t.Helper()
	imp = s.plan("b.csv", file, importer.Options{Policy: importer.PolicyAll})
	s.run("c.csv", "sku,price\nB,3\n", importer.Options{})
	w.s, w.then = s, then
	w.arm(imp)
	imp = s.apply(imp)
	return imp, s.now(store.Import{ID: imp.UndoneBy})
}

// What others changed while an import was on its way back stays, and the import
// says that not all of it is gone.
func TestWhatARollBackKeepsIsTold(t *testing.T) {
	w := &whileApplying{step: importer.StepFinishBefore}
	s := newStack(t, func(c *importer.Config) { c.Probe = w.probe })
	s.run("a.csv", "sku,title,price\nB,b,1\n", importer.Options{})
	imp, undo := s.rolledBack(w, "sku,title,price\nA,a,1\nB,b,2\n", func() {
		if _, err := s.edit(importer.EditRequest{ID: s.product("A").ID, Set: map[string]string{"title": `"mine"`}}); err != nil {
			t.Error(err)
		}
	})
	if imp.State != store.RolledBack || undo.Tally != (catalog.Tally{Held: 1, Warnings: 1, Warned: 1}) ||
		!strings.Contains(imp.FaultMessage, "was kept") || !strings.Contains(imp.FaultMessage, undo.ID) {
		t.Errorf("%s %q, undo %+v", imp.State, imp.FaultMessage, undo.Tally)
	}
	want := `{"price":"1.00 EUR","sku":"A","title":"mine"}` + "\n" + `{"price":"3.00 EUR","sku":"B","title":"b"}`
	if now := s.values(); now != want {
		t.Errorf("left are\n%s", now)
	}
}

// Where a row cannot be taken back the import does not say that it was; once it
// can, the undo's retry does so.
func TestARollBackThatFailsIsNoRollBack(t *testing.T) {
	w := &whileApplying{step: importer.StepFinishBefore}
	s := newStack(t, func(c *importer.Config) { c.Probe = w.probe })
	s.run("a.csv", "ean,sku,title,price\n"+gtin(1)+",X,a,1\n,B,b,1\n,C,c,1\n", importer.Options{})
	rename := func(sku, token string) {
		if _, err := s.edit(importer.EditRequest{ID: s.product(sku).ID, Set: map[string]string{"sku": token}}); err != nil {
			t.Error(err)
		}
	}
	imp, undo := s.rolledBack(w, "ean,sku,price\n"+gtin(1)+",Y,1\n,B,2\n", func() { rename("C", `"X"`) })
	if imp.State != store.FailedState || imp.FaultCode != "rollback_failed" || !strings.Contains(imp.FaultMessage, undo.ID) || undo.Tally.Failed != 1 {
		t.Fatalf("%s %s %q, undo %s %+v", imp.State, imp.FaultCode, imp.FaultMessage, undo.State, undo.Tally)
	}
	rename("X", `"C"`)
	undo = s.retry(undo.ID)
	if undo.State != store.Done || undo.Tally.Failed != 0 || s.product("X").Doc.Text("title") != "a" {
		t.Errorf("undo %s %+v, left are\n%s", undo.State, undo.Tally, s.values())
	}
}

// To undo the undo that rolled an import back would bring a part of it back.
func TestARollBackIsNotUndone(t *testing.T) {
	w := &whileApplying{step: importer.StepFinishBefore}
	s := newStack(t, func(c *importer.Config) { c.Probe = w.probe })
	ctx := context.Background()
	s.run("a.csv", "sku,title,price\nB,b,1\n", importer.Options{})
	imp, undo := s.rolledBack(w, "sku,title,price\nA,a,1\nB,b,2\n", func() {})
	if imp.State != store.RolledBack || undo.Tally.Deleted != 1 {
		t.Fatalf("%s, undo %+v", imp.State, undo.Tally)
	}
	for _, force := range []bool{false, true} {
		_, err := s.svc.Undo(ctx, s.ws, undo.ID, importer.Options{Force: force})
		wantFault(t, err, "wrong_state")
		_, err = s.svc.Undo(ctx, s.ws, imp.ID, importer.Options{Force: force})
		wantFault(t, err, "already_undone")
	}
	if now := s.values(); now != `{"price":"3.00 EUR","sku":"B","title":"b"}` {
		t.Errorf("left are\n%s", now)
	}
}
