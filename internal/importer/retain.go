package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/jobs"
	"tallyman/internal/store"
)

// Retention works in small steps, so that it never holds up a writer: so many
// imports in one go, so many pages in one transaction.
const (
	retainImports = 500
	retainPages   = 32
	retainEntries = 1000
)

// Retain lets age out what has been kept long enough: before-images, outcomes,
// files, answers to requests, and entries of the audit log. Counts are kept for
// good. It may run on every node. What cannot age out keeps nothing else from it.
func (s *Service) Retain(ctx context.Context) error {
	now := s.now()
	// Imports come last: a file store that is away may take all the time there is.
	return errors.Join(s.purgeRequests(ctx, now), s.purgeAudit(ctx, now.Add(-s.cfg.KeepAudit)), s.retainAll(ctx, now))
}

func (s *Service) purgeRequests(ctx context.Context, now time.Time) error {
	if err := s.cfg.Store.PurgeRequests(ctx, now.Add(-s.cfg.KeepRequests)); err != nil {
		return fmt.Errorf("forget requests: %w", err)
	}
	return nil
}

// retainAll lets imports age out, until what they lie in is away.
func (s *Service) retainAll(ctx context.Context, now time.Time) error {
	expired, err := s.cfg.Store.Expired(ctx, s.expiry(now), retainImports)
	if err != nil {
		return fmt.Errorf("find what is past its retention: %w", err)
	}
	var errs []error
	for i := range expired {
		err := s.retain(ctx, &expired[i], now)
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("age import %s out: %w", expired[i].ID, err))
		if ctx.Err() != nil || s.outside(err) {
			break
		}
	}
	return someOf(errs)
}

// mostTold bounds how many of the errors of one turn are told.
const mostTold = 5

// someOf joins the first of several errors, and says how many more there are.
func someOf(errs []error) error {
	if more := len(errs) - mostTold; more > 0 {
		errs = append(errs[:mostTold:mostTold], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// purgeAudit forgets entries of the audit log, some at a time.
func (s *Service) purgeAudit(ctx context.Context, before time.Time) error {
	for more := true; more; {
		n, err := s.cfg.Store.PurgeAudit(ctx, before, retainEntries)
		if err != nil {
			return fmt.Errorf("forget audit entries: %w", err)
		}
		more = n == retainEntries
	}
	return nil
}

// expiry is what is past its retention.
func (s *Service) expiry(now time.Time) store.Expiry {
	return store.Expiry{Images: now.Add(-s.cfg.KeepImages), Outcomes: now.Add(-s.cfg.KeepOutcomes), Files: now.Add(-s.cfg.KeepFiles)}
}

// retain takes from one import what is past its retention.
func (s *Service) retain(ctx context.Context, imp *store.Import, now time.Time) error {
	ended := imp.UpdatedAt
	if imp.CompletedAt != nil {
		ended = *imp.CompletedAt
	}
	limits := s.expiry(now)
	images, outcomes, file := ended.Before(limits.Images), ended.Before(limits.Outcomes), ended.Before(limits.Files)
	if undo, err := s.undoing(ctx, imp); err != nil || undo != nil && !undo.State.Ended() {
		return err // what is being undone is needed
	}
	if err := s.giveUpPlan(ctx, imp); err != nil {
		return err
	}
	if err := s.dropBodies(ctx, imp, images, outcomes); err != nil {
		return err
	}
	if file && !imp.FilesGone {
		if err := s.mayDelete(ctx); err != nil {
			return err
		}
		err := s.leaveGoneMark(ctx, imp)
		switch {
		case noRoom(err):
			// Room is made by what follows. Without the mark the rest stays if it fails.
			s.cfg.Log.WarnContext(ctx, "files age out without a mark, for which there is no room", jobs.LogImport, imp.ID, "error", err)
		case err != nil:
			return err
		}
	}
	// Files go after the mark: who runs the import again has it unmarked, and its
	// files. Pages go before it: after a crash the rest is found again.
	if marked, err := s.markGone(ctx, imp, images, outcomes, file); err != nil || !marked {
		return err
	}
	s.cfg.Log.InfoContext(ctx, "import aged out", jobs.LogImport, imp.ID, "images", images, "outcomes", outcomes, "files", file)
	if file {
		return s.deleteFiles(ctx, imp)
	}
	return nil
}

// markGone notes what is gone, or goes now; it reports false where the import has
// moved on.
func (s *Service) markGone(ctx context.Context, imp *store.Import, images, outcomes, file bool) (marked bool, err error) {
	err = s.transact(ctx, imp.WS, false, func(tx store.Tx) error {
		marked = false
		fresh, err := tx.LockImport(ctx, imp.No)
		if err != nil || fresh.Version != imp.Version {
			return err
		}
		marked = true
		fresh.ImagesGone, fresh.OutcomesGone, fresh.FilesGone = fresh.ImagesGone || images, fresh.OutcomesGone || outcomes, fresh.FilesGone || file
		if err := tx.UpdateImport(ctx, &fresh); err != nil {
			return err
		}
		return s.note(audit.ByItself(ctx), tx, audit.ImportAgeOut, imp.ID, audit.Detail{"images": images, "outcomes": outcomes, "files": file})
	})
	return marked, err
}

// dropBodies takes from an import's pages what is past its time, some at once.
func (s *Service) dropBodies(ctx context.Context, imp *store.Import, images, outcomes bool) error {
	for more := images && !imp.ImagesGone || outcomes && !imp.OutcomesGone; more; {
		err := s.transact(ctx, imp.WS, false, func(tx store.Tx) error {
			if still, err := unmoved(ctx, tx, imp); err != nil || !still {
				more = false
				return err
			}
			n, err := tx.DropBodies(ctx, imp.No, images, outcomes, retainPages)
			more = n == retainPages
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unmoved reports whether the import is as it was found: one that runs again since
// needs what would be dropped.
func unmoved(ctx context.Context, tx store.Tx, imp *store.Import) (bool, error) {
	fresh, err := tx.LockImport(ctx, imp.No)
	return err == nil && fresh.Version == imp.Version, err
}

// giveUpPlan ends an import whose plan nobody applied in time; imp is then as it
// is stored.
func (s *Service) giveUpPlan(ctx context.Context, imp *store.Import) error {
	if imp.State != store.Planned {
		return nil
	}
	return s.transact(ctx, imp.WS, true, func(tx store.Tx) error {
		fresh, err := tx.LockImport(ctx, imp.No)
		if err != nil || fresh.State != store.Planned {
			return err
		}
		if err := s.note(audit.ByItself(ctx), tx, audit.ImportGiveUp, imp.ID, nil); err != nil {
			return err
		}
		defer func() { imp.Version = fresh.Version }()
		if back := findingsOf(&fresh).Before; back != nil {
			return s.endAsBefore(ctx, tx, &fresh, back)
		}
		fresh.FaultCode, fresh.FaultMessage = "plan_expired", "Nobody applied the plan before its retention ended; import the file again."
		return s.end(ctx, tx, &fresh, store.Terminated)
	})
}
