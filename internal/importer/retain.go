package importer

import (
	"context"
	"fmt"
	"time"

	"tallyman/internal/store"
)

// Retention works in small steps, so that it never holds up a writer: so many
// imports in one go, so many pages in one transaction.
const (
	retainImports = 500
	retainPages   = 32
)

// Retain lets age out what has been kept long enough: before-images, outcomes,
// and answers to requests. Counts are kept for good. It may run on every node.
func (s *Service) Retain(ctx context.Context) error {
	now := s.now()
	expired, err := s.cfg.Store.Expired(ctx, now.Add(-s.cfg.KeepImages), now.Add(-s.cfg.KeepOutcomes), retainImports)
	if err != nil {
		return fmt.Errorf("find what is past its retention: %w", err)
	}
	for i := range expired {
		if err := s.retain(ctx, &expired[i], now); err != nil {
			return fmt.Errorf("age import %s out: %w", expired[i].ID, err)
		}
	}
	if err := s.cfg.Store.PurgeRequests(ctx, now.Add(-s.cfg.KeepRequests)); err != nil {
		return fmt.Errorf("forget requests: %w", err)
	}
	return nil
}

// retain takes from one import what is past its retention.
func (s *Service) retain(ctx context.Context, imp *store.Import, now time.Time) error {
	ended := imp.UpdatedAt
	if imp.CompletedAt != nil {
		ended = *imp.CompletedAt
	}
	if undo, err := s.undoing(ctx, imp); err != nil || undo != nil && !undo.State.Ended() {
		return err // what is being undone is needed
	}
	outcomes := ended.Before(now.Add(-s.cfg.KeepOutcomes))
	if err := s.giveUpPlan(ctx, imp); err != nil {
		return err
	}
	for more := true; more; {
		err := s.transact(ctx, imp.WS, false, func(tx store.Tx) error {
			if still, err := unmoved(ctx, tx, imp); err != nil || !still {
				more = false
				return err
			}
			n, err := tx.DropBodies(ctx, imp.No, true, outcomes, retainPages)
			more = n == retainPages
			return err
		})
		if err != nil {
			return err
		}
	}
	s.cfg.Log.Info("ledger aged out", "import", imp.ID, "outcomes", outcomes)
	// The mark comes last: after a crash the rest is found again.
	return s.transact(ctx, imp.WS, false, func(tx store.Tx) error {
		fresh, err := tx.LockImport(ctx, imp.No)
		if err != nil || fresh.Version != imp.Version {
			return err
		}
		fresh.ImagesGone, fresh.OutcomesGone = true, fresh.OutcomesGone || outcomes
		return tx.UpdateImport(ctx, &fresh)
	})
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
		defer func() { imp.Version = fresh.Version }()
		if back := findingsOf(&fresh).Before; back != nil {
			return s.endAsBefore(ctx, tx, &fresh, back)
		}
		fresh.FaultCode, fresh.FaultMessage = "plan_expired", "Nobody applied the plan before its retention ended; import the file again."
		return s.end(ctx, tx, &fresh, store.Terminated)
	})
}
