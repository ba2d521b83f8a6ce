package importer

import (
	"context"
	"fmt"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// finish ends an import whose rows are all done.
func (s *Service) finish(ctx context.Context, job store.Job, id int64) error {
	st, err := s.start(ctx, job, id)
	if err != nil {
		return err
	}
	s.probe(StepFinishBefore)
	err = s.cfg.Store.Write(ctx, job.WS, true, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, st.batch.BatchRef, st.batch.Epoch); err != nil {
			return err
		}
		imp, err := tx.LockImport(ctx, st.imp.No)
		if err != nil {
			return err
		}
		left, err := tx.UnfinishedBatches(ctx, imp.No, ledger.PassApply)
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
		return s.end(ctx, tx, &imp, store.Done)
	})
	if err != nil {
		return fmt.Errorf("finish import: %w", err)
	}
	s.probe(StepFinishAfter)
	s.fresh.forget(st.imp.WS, st.imp.No)
	s.cfg.Log.Info("import done", "import", st.imp.ID)
	return nil
}
