package importer

import (
	"context"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// finish ends the pass at work, whose rows are all done: a plan is judged, and
// what wrote rows ends the import.
func (s *Service) finish(ctx context.Context, job store.Job, id int64) (err error) {
	st, err := s.start(ctx, job, id)
	if err != nil {
		return err
	}
	ctx, done := s.cfg.Observer.BatchClaimed(ctx, &st.imp, &st.batch)
	defer func() { done(err) }()
	s.probe(StepFinishBefore)
	if st.imp.Pass.Planning() {
		err = s.beating(ctx, &st, func(ctx context.Context) error {
			return s.unlessStopped(ctx, func(ctx context.Context) error { return s.finishPlan(ctx, &st) })
		})
	} else {
		err = s.finishRows(ctx, &st)
	}
	if err != nil {
		return fmt.Errorf("finish %s: %w", st.imp.Pass, err)
	}
	s.probe(StepFinishAfter)
	s.ended.ring()
	s.fresh.forget(st.imp.WS, st.imp.No)
	s.cluster.forget(importKey{st.imp.WS, st.imp.No})
	return nil
}

// finishRows ends an import whose rows all have an outcome. One that is all or
// nothing, and is not all, is taken back instead.
func (s *Service) finishRows(ctx context.Context, st *started) error {
	now, err := s.cfg.Store.Import(ctx, st.imp.WS, st.imp.ID)
	if err != nil {
		return err
	}
	if done := now.Tally.Rows(); done != now.Rows+now.Extra {
		return fmt.Errorf("the import has %d rows and accounts for %d", now.Rows+now.Extra, done)
	}
	return s.endStep(ctx, st, func(tx store.Tx, imp *store.Import) error {
		if undoesMore(imp, &now.Tally) {
			imp.Round++
			return s.startRound(ctx, tx, imp, planReport{Retry: &RetryOptions{Failed: true}, Failed: now.Tally.Failed})
		}
		if OptionsOf(imp).Policy == PolicyAll && now.Tally.Failed+now.Tally.Held > 0 {
			imp.FaultCode, imp.FaultMessage = "rows_failed", fmt.Sprintf(
				"%d of the rows could not be applied as planned, and the import is all or nothing: it was taken back.", now.Tally.Failed+now.Tally.Held)
			return s.rollBack(ctx, tx, imp, &now.Tally)
		}
		return s.end(ctx, tx, imp, store.Done)
	})
}

// undoesMore reports whether an undo runs its failed rows once more: a key that
// the import had handed from one item to another is free only when the other one
// is taken back. It goes on as long as that helps.
func undoesMore(imp *store.Import, t *catalog.Tally) bool {
	before := findingsOf(imp).Failed
	return imp.UndoOf != "" && imp.State == store.Running && t.Failed > 0 && (before == 0 || t.Failed < before)
}

// endStep ends a finish step together with what follows from it. It refuses
// while batches of the pass at work are not finished.
func (s *Service) endStep(ctx context.Context, st *started, then func(store.Tx, *store.Import) error) error {
	return s.transact(ctx, st.imp.WS, true, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, st.batch.BatchRef, st.batch.Epoch); err != nil {
			return err
		}
		imp, err := tx.LockImport(ctx, st.imp.No)
		if err != nil {
			return err
		}
		left, err := tx.UnfinishedBatches(ctx, imp.No, imp.Pass)
		if err != nil {
			return err
		}
		if left > 0 {
			return fmt.Errorf("%d batches are not finished", left)
		}
		b := st.batch
		now := s.now()
		b.State, b.JobID, b.Beat = store.BatchDone, 0, &now
		if err := tx.SaveBatch(ctx, &b); err != nil {
			return err
		}
		return then(tx, &imp)
	})
}

// stopAtLimit ends an import that may have so many failed rows and no more, once
// it has them. Rows applied so far stay.
func (w *chunkWriter) stopAtLimit(ctx context.Context, tx store.Tx, page *ledger.Page) error {
	opt := OptionsOf(&w.st.imp)
	if opt.Policy != PolicyStop || page == nil || page.Tally.Failed <= 0 || w.st.batch.Pass.Planning() {
		return nil
	}
	s := w.svc
	imp, err := tx.LockImport(ctx, w.st.imp.No)
	if err != nil {
		return err
	}
	before, err := s.cfg.Store.Import(ctx, imp.WS, imp.ID)
	if err != nil {
		return fmt.Errorf("count failed rows: %w", err)
	}
	total := before.Tally.Failed + page.Tally.Failed
	if total < opt.StopAfter || imp.State.Ended() {
		return nil
	}
	if _, err := tx.StopBatches(ctx, imp.No, store.BatchTerminated); err != nil {
		return err
	}
	imp.FaultCode, imp.FaultMessage = "too_many_errors", fmt.Sprintf(
		"The import stopped: %d of its rows failed, and it was to stop at %d. What was applied stays: correct the rows and retry, or undo it.", total, opt.StopAfter)
	return s.end(ctx, tx, &imp, store.Stopped)
}
