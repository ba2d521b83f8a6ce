package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Pause implements API. The import shows pausing, then paused once no chunk
// can commit any more: raising the epochs waits for the chunks under way.
func (s *Service) Pause(ctx context.Context, ws store.Workspace, id string) (store.Import, error) {
	imp, done, err := s.move(ctx, ws, id, "be paused", store.Pausing, store.Paused)
	if err != nil || done {
		return imp, err
	}
	return s.settleFor(ctx, ws.WS, imp.No)
}

// Terminate implements API. Rows already applied stay; nothing more runs.
func (s *Service) Terminate(ctx context.Context, ws store.Workspace, id string) (store.Import, error) {
	imp, done, err := s.move(ctx, ws, id, "be terminated", store.Terminating, store.Terminated)
	if err != nil || done {
		return imp, err
	}
	return s.settleFor(ctx, ws.WS, imp.No)
}

// move takes an import that is under way (or, to terminate, paused) to a
// passing state. done says that it already is where it was asked to go.
func (s *Service) move(ctx context.Context, ws store.Workspace, id, verb string, passing, target store.State) (imp store.Import, done bool, err error) {
	err = s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		imp, err = tx.LockImportID(ctx, id)
		if err != nil {
			return err
		}
		stopping := target == store.Terminated
		switch {
		case imp.State == target:
			done = true
			return nil
		case imp.State.Working(), imp.State == store.Pausing:
		case stopping && (imp.State == store.Paused || imp.State == store.Planned || imp.State == store.Terminating):
		default:
			return cannot(verb, &imp)
		}
		if err := rollsBack(ctx, tx, &imp); err != nil {
			return err
		}
		was := imp.State
		imp.State, imp.UpdatedAt = passing, s.now()
		if err := tx.UpdateImport(ctx, &imp); err != nil || was == passing {
			return err
		}
		return s.note(ctx, tx, movement[target], imp.ID, audit.Detail{"was": string(was)})
	})
	if err != nil {
		return imp, false, asFault(err, id)
	}
	if done {
		imp, err = s.cfg.Store.Import(ctx, ws.WS, id)
		return imp, done, err
	}
	s.cfg.Log.InfoContext(ctx, "import is to "+verb, jobs.LogImport, id)
	return imp, false, nil
}

// applying reports whether the pass writes rows.
func applying(pass ledger.Pass) bool {
	return pass != "" && pass != ledger.PassSlice && !pass.Planning()
}

// endAsBefore gives a further run up that has written nothing yet: the import is
// again what it was.
func (s *Service) endAsBefore(ctx context.Context, tx store.Tx, imp *store.Import, back *ended) error {
	imp.State, imp.CompletedAt, imp.UpdatedAt = back.State, back.At, s.now()
	imp.FaultCode, imp.FaultMessage = back.FaultCode, back.FaultMessage
	imp.Fingerprint, imp.Findings = "", nil
	return tx.UpdateImport(ctx, imp)
}

// rollsBack refuses to hold or stop an import that takes back what another one, all or
// nothing, had applied.
func rollsBack(ctx context.Context, tx store.Tx, imp *store.Import) error {
	if imp.UndoOf == "" {
		return nil
	}
	of, err := tx.LockImportID(ctx, imp.UndoOf)
	if err != nil || of.State != store.RollingBack {
		return err
	}
	return catalog.Faultf(catalog.KindConflict, "wrong_state", "The import rolls %s back, which is all or nothing; it cannot be stopped.", of.ID)
}

// passing reports whether a state is on the way to one that was asked for.
func passing(s store.State) bool { return s == store.Pausing || s == store.Terminating }

// settleFor settles for somebody who asks. What has been begun is not left half
// done because the one who asked has gone.
func (s *Service) settleFor(ctx context.Context, ws store.WS, importNo int64) (store.Import, error) {
	return s.settle(context.WithoutCancel(ctx), ws, importNo, s.transact)
}

// settle completes a pause or a termination: it raises every epoch of the
// import, so that no job of before can commit another chunk. Its transaction is
// run by transact.
func (s *Service) settle(ctx context.Context, ws store.WS, importNo int64, transact transactFunc) (store.Import, error) {
	var imp store.Import
	err := transact(ctx, ws, true, func(tx store.Tx) error {
		var err error
		if imp, err = tx.LockImport(ctx, importNo); err != nil {
			return err
		}
		switch imp.State {
		case store.Pausing:
			if _, err := tx.StopBatches(ctx, importNo, store.BatchPaused); err != nil {
				return err
			}
			imp.State, imp.UpdatedAt = store.Paused, s.now()
			return tx.UpdateImport(ctx, &imp)
		case store.Terminating:
			if _, err := tx.StopBatches(ctx, importNo, store.BatchTerminated); err != nil {
				return err
			}
			if back := findingsOf(&imp).Before; back != nil && !applying(imp.Pass) {
				return s.endAsBefore(ctx, tx, &imp, back)
			}
			if OptionsOf(&imp).Policy == PolicyAll {
				applied, err := s.applied(ctx, &imp)
				if err != nil {
					return err
				}
				imp.FaultCode, imp.FaultMessage = "terminated", "The import was terminated before anything was applied."
				if wrote(&applied) {
					imp.FaultMessage = "The import was terminated, and is all or nothing: what was applied was taken back."
				}
				return s.rollBack(ctx, tx, &imp, &applied)
			}
			return s.end(ctx, tx, &imp, store.Terminated)
		}
		return nil
	})
	if err != nil {
		return imp, fmt.Errorf("settle import: %w", err)
	}
	return s.cfg.Store.Import(ctx, ws, imp.ID)
}

// Resume implements API. The import goes on at its cursors.
func (s *Service) Resume(ctx context.Context, ws store.Workspace, id string) (store.Import, error) {
	var resumed bool
	err := s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		resumed = false
		imp, err := tx.LockImportID(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case imp.State.Working():
			return nil
		case imp.State != store.Paused:
			return cannot("be resumed", &imp)
		}
		if _, err := tx.StopBatches(ctx, imp.No, store.BatchWaiting); err != nil {
			return err
		}
		imp.State, imp.UpdatedAt = stateIn(imp.Pass), s.now()
		if err := tx.UpdateImport(ctx, &imp); err != nil {
			return err
		}
		if err := s.note(ctx, tx, audit.ImportResume, imp.ID, nil); err != nil {
			return err
		}
		resumed = true
		return s.kick(ctx, tx, &imp)
	})
	if err != nil {
		return store.Import{}, asFault(err, id)
	}
	if resumed {
		s.cfg.Log.InfoContext(ctx, "import resumed", jobs.LogImport, id)
	}
	return s.cfg.Store.Import(ctx, ws.WS, id)
}

func cannot(verb string, imp *store.Import) error {
	return &catalog.Fault{Kind: catalog.KindConflict, Code: "wrong_state",
		Message: fmt.Sprintf("The import is %s; it cannot %s.", imp.State, verb), Hint: wayOn(imp)}
}

// wayOn says what to do with an import in whose state something cannot be done.
func wayOn(imp *store.Import) string {
	switch {
	case imp.State == store.Planned:
		return "Apply its plan or terminate it first."
	case imp.State == store.Paused:
		return "Resume it and wait for its end, or terminate it first."
	case imp.State.Working():
		return "Wait for its end, or terminate it first."
	case imp.State.Ended() && !imp.Sliced:
		return "Import the file again."
	}
	return ""
}

// asFault words a missing import as the request error that it is.
func asFault(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return &catalog.Fault{Kind: catalog.KindNotFound, Code: "not_found", Message: fmt.Sprintf("There is no import %q.", catalog.Shorten(id))}
	}
	return err
}

// Sweep keeps every import moving, with as many jobs as it may have: it completes pauses and terminations that a
// crash cut short, and gives a new job to each batch whose beat stopped before
// the given age and whose job nobody works on. It is run every few seconds on
// every node; each thing it does is guarded by what the store says then.
func (s *Service) Sweep(ctx context.Context, age time.Duration) error {
	before := s.now().Add(-age)
	shared := s.share(ctx)
	if errors.Is(shared, errMoved) {
		shared = nil
	}
	stalled, err := s.cfg.Store.Stalled(ctx, before, s.aheadOfClock())
	if err != nil {
		return fmt.Errorf("find stalled batches: %w", err)
	}
	live, err := s.liveJobs(ctx, stalled)
	if err != nil {
		return err
	}
	kicked := make(map[importKey]bool)
	for i := range stalled {
		st := &stalled[i]
		if st.Batch.No == 0 || st.Batch.State == store.BatchWaiting {
			// One kick gives jobs to as many waiting batches as may have one.
			key := importKey{st.WS, st.Batch.ImportNo}
			if kicked[key] {
				continue
			}
			kicked[key] = true
		}
		// A queued job may wait long behind others, but a pause does not wait for
		// it; a running one that does not beat is dead, whatever the engine thinks.
		if !passing(st.State) && st.Batch.State == store.BatchQueued && live[st.Batch.JobID] {
			continue
		}
		if err := s.revive(ctx, st, before); err != nil && !s.unrevived.AgainOf(st.WS, st.Batch.ImportNo, err, s.now()) {
			s.cfg.Log.WarnContext(ctx, "revive import", batchAttrs(st.WS, st.Batch.BatchRef), "error", err)
		}
	}
	if shared != nil {
		return fmt.Errorf("share imports out: %w", shared)
	}
	return nil
}

func (s *Service) liveJobs(ctx context.Context, stalled []store.StalledBatch) (map[int64]bool, error) {
	var ids []int64
	for i := range stalled {
		if stalled[i].Batch.JobID != 0 {
			ids = append(ids, stalled[i].Batch.JobID)
		}
	}
	if len(ids) == 0 || s.cfg.JobsLive == nil {
		return nil, nil
	}
	live, err := s.cfg.JobsLive(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("ask for live jobs: %w", err)
	}
	return live, nil
}

// clocksApart is how far ahead a beat may lie of the clock that the nodes share. A
// node whose clock was wrong, or another clock of before, wrote what lies further.
const clocksApart = 10 * time.Second

// aheadOfClock is the latest time at which a batch can have beaten. It is asked
// for anew with every batch, for a sweep may wait long for one before.
func (s *Service) aheadOfClock() time.Time { return s.now().Add(clocksApart) }

// reviveWait is how long a dead job's batch is waited for, which a node that stands
// still may have locked: the next sweep tries again.
const reviveWait = 2 * time.Second

// revive puts one stalled batch, or an import without any, back to work.
func (s *Service) revive(ctx context.Context, st *store.StalledBatch, before time.Time) error {
	if passing(st.State) {
		_, err := s.settle(store.WithLockWait(ctx, reviveWait), st.WS, st.Batch.ImportNo, s.observed)
		return err
	}
	return s.observed(store.WithLockWait(ctx, reviveWait), st.WS, false, func(tx store.Tx) error {
		imp, err := tx.LockImport(ctx, st.Batch.ImportNo)
		if err != nil || !imp.State.Working() {
			return err
		}
		if st.Batch.State == store.BatchWaiting {
			if still, err := isNext(ctx, tx, &imp, st.Batch.No); err != nil || !still {
				return err
			}
		}
		if st.Batch.No == 0 || st.Batch.State == store.BatchWaiting {
			return s.kick(ctx, tx, &imp)
		}
		b, err := tx.Batch(ctx, st.Batch.BatchRef)
		if err != nil || b.State.Finished() || b.Epoch != st.Batch.Epoch || b.JobID != st.Batch.JobID || b.Beat != nil && !b.Beat.Before(before) && !b.Beat.After(s.aheadOfClock()) {
			return err
		}
		s.cfg.Log.WarnContext(ctx, "batch stopped beating; starting it again",
			jobs.LogImport, imp.ID, jobs.LogPass, b.Pass, jobs.LogBatch, b.No, "held_by", b.Node)
		if b.State == store.BatchRunning {
			if err := s.note(audit.ByItself(ctx), tx, audit.ImportRevive, imp.ID, audit.Detail{"pass": string(b.Pass), "batch": b.No, "held_by": b.Node}); err != nil {
				return err
			}
		}
		b.Epoch++
		return s.enqueue(ctx, tx, st.WS, imp.Small, &b)
	})
}
