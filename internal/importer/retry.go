package importer

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Retry implements API.
func (s *Service) Retry(ctx context.Context, ws store.Workspace, id string, opt RetryOptions) (store.Import, error) {
	before, err := s.Import(ctx, ws, id)
	if err != nil {
		return before, err
	}
	if err := s.mayRetry(ctx, &before, opt); err != nil {
		return store.Import{}, err
	}
	err = s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		imp, err := tx.LockImport(ctx, before.No)
		if err != nil {
			return err
		}
		if imp.Version != before.Version {
			return cannot("be retried at this moment", &imp)
		}
		imp.Round++
		d := audit.Detail{"round": imp.Round, "plan": opt.Plan, "failed": opt.Failed, "held": opt.Held, "unprocessed": opt.Unprocessed}
		if err := s.note(ctx, tx, audit.ImportRetry, imp.ID, d); err != nil {
			return err
		}
		before := &ended{State: imp.State, At: imp.CompletedAt, FaultCode: imp.FaultCode, FaultMessage: imp.FaultMessage}
		return s.startRound(ctx, tx, &imp, planReport{Wanted: opt.Plan, Retry: &opt, Before: before})
	})
	if err != nil {
		return store.Import{}, asFault(err, id)
	}
	return s.cfg.Store.Import(ctx, ws.WS, id)
}

// mayRetry says why an import cannot run rows again.
func (s *Service) mayRetry(ctx context.Context, imp *store.Import, opt RetryOptions) error {
	t := &imp.Tally
	var rows int64
	if opt.Failed {
		rows += t.Failed
	}
	if opt.Held {
		rows += t.Held
	}
	if opt.Unprocessed {
		rows += imp.Rows + imp.Extra - t.Rows()
	}
	switch {
	case !imp.State.Ended() || imp.State == store.Refused || !imp.Sliced:
		return cannot("be retried", imp)
	case imp.State == store.RolledBack && t.Rows() > 0:
		return catalog.Faultf(catalog.KindConflict, "wrong_state", "The import was rolled back; import the file again.")
	case imp.OutcomesGone || imp.ImagesGone:
		return catalog.Faultf(catalog.KindConflict, "retry_expired", "The rows of this import are past their retention; import the file again.")
	case imp.FilesGone && imp.UndoOf != "":
		return catalog.Faultf(catalog.KindConflict, "retry_expired", "The list of what this import takes back is past its retention; undo import %s once more, with force.", imp.UndoOf)
	case imp.FilesGone:
		return catalog.Faultf(catalog.KindConflict, "retry_expired", "The file of this import is past its retention; import the file again.")
	case rows == 0:
		return catalog.Faultf(catalog.KindConflict, "nothing_to_retry", "No row of the import is to be run again. Failed: %d, held: %d, not processed: %d.",
			t.Failed, t.Held, imp.Rows+imp.Extra-t.Rows())
	}
	if imp.UndoOf != "" {
		of, err := s.cfg.Store.Import(ctx, imp.WS, imp.UndoOf)
		if err != nil {
			return fmt.Errorf("find import that is undone: %w", err)
		}
		if of.UndoneBy != imp.ID {
			return catalog.Faultf(catalog.KindConflict, "already_undone", "Import %s takes %s back by now; retry that one.", of.UndoneBy, of.ID)
		}
		if of.ImagesGone {
			return catalog.Faultf(catalog.KindConflict, "undo_expired", "What import %s had replaced is past its retention; no more of it can be undone.", of.ID)
		}
	}
	undo, err := s.undoing(ctx, imp)
	if err != nil || undo == nil {
		return err
	}
	return catalog.Faultf(catalog.KindConflict, "already_undone", "The import is taken back by %s; its rows cannot run again.", undo.ID)
}

// cutAgain makes the batches of a further run: the sections of the first run in
// which there are rows to run again.
func (s *Service) cutAgain(ctx context.Context, st *started, in *input) error {
	if in.file != nil {
		if err := s.recheck(ctx, st, in, st.batch.No); err != nil {
			return fmt.Errorf("find duplicates again: %w", err)
		}
	}
	all, err := s.cfg.Store.Batches(ctx, st.imp.WS, st.imp.No, "")
	if err != nil {
		return fmt.Errorf("list batches: %w", err)
	}
	batches := firstCut(all)
	if removesMissing(OptionsOf(&st.imp).Missing) {
		if batches, err = s.missingAgain(ctx, st, in, batches, all); err != nil {
			return err
		}
	}
	if st.imp.Round > 0 {
		batches = withRowsAgain(batches, all, findingsOf(&st.imp).Retry)
	}
	return s.commitCut(ctx, st, batches)
}

// firstCut lists the sections that the import's rows were cut to: those of its
// first plan, or of the pass that wrote without one.
func firstCut(all []store.Batch) []store.Batch {
	pass := ledger.PassPlan
	if !slices.ContainsFunc(all, func(b store.Batch) bool { return b.Pass == pass }) {
		pass = ledger.PassApply
	}
	return slices.DeleteFunc(slices.Clone(all), func(b store.Batch) bool { return b.Pass != pass })
}

// withRowsAgain keeps the sections in which a retry has rows, and says how many.
func withRowsAgain(sections, all []store.Batch, retry *RetryOptions) []store.Batch {
	sums := make(map[int]catalog.Tally)
	for i := range all {
		if p := all[i].Pass; !p.Planning() && p != ledger.PassSlice && p != ledger.PassFinish {
			sums[all[i].No] = sums[all[i].No].Add(all[i].Tally)
		}
	}
	var out []store.Batch
	for _, b := range sections {
		t := sums[b.No]
		left := b.Rows - t.Rows()
		b.Rows = 0
		if retry.Failed {
			b.Rows += t.Failed
		}
		if retry.Held {
			b.Rows += t.Held
		}
		if retry.Unprocessed {
			b.Rows += left
		}
		if b.Rows > 0 {
			out = append(out, b)
		}
	}
	return out
}
