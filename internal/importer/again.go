package importer

import (
	"context"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// rowsAgain says which rows of a batch a retry runs again, and what they were.
// nil wants every row.
type rowsAgain struct {
	retry RetryOptions
	last  map[int64]*ledger.Was
	plan  bool
}

// rowsAgain finds the rows of a batch that the round at work runs again; nil for
// the first round, which runs them all.
func (s *Service) rowsAgain(ctx context.Context, st *started) (*rowsAgain, error) {
	pass := st.batch.Pass
	if pass.Round() == 0 {
		return nil, nil
	}
	a := &rowsAgain{plan: pass.Planning(), last: make(map[int64]*ledger.Was)}
	if retry := findingsOf(&st.imp).Retry; retry != nil {
		a.retry = *retry
	}
	book, err := s.book(ctx, &st.imp, "")
	if err != nil {
		return nil, err
	}
	entries, err := book.Batch(st.batch.No)
	if err != nil {
		return nil, fmt.Errorf("read rows of batch %d: %w", st.batch.No, err)
	}
	for i := range entries {
		e := &entries[i]
		a.last[e.Row] = &ledger.Was{Outcome: e.Outcome, Problems: e.Problems}
	}
	return a, nil
}

func (a *rowsAgain) wants(row int64) bool {
	if a == nil {
		return true
	}
	was := a.last[row]
	switch {
	case was == nil:
		return a.retry.Unprocessed
	case was.Outcome == catalog.Failed:
		return a.retry.Failed
	case was.Outcome == catalog.Held:
		return a.retry.Held
	}
	return false
}

// held reports whether a row was held before.
func (a *rowsAgain) held(row int64) bool {
	return a != nil && a.last[row] != nil && a.last[row].Outcome == catalog.Held
}

// was returns the entry that a row's new one takes the place of. A plan takes no
// entry's place.
func (a *rowsAgain) was(row int64) *ledger.Was {
	if a == nil || a.plan {
		return nil
	}
	return a.last[row]
}

// batchOverlay is what is laid over a batch's rows; nil for the first run over a
// file, which comes before anybody could correct it.
func (s *Service) batchOverlay(ctx context.Context, imp *store.Import, in *input, b *store.Batch) (*overlay, error) {
	if imp.Cut <= 1 {
		return nil, nil
	}
	book, err := s.everyPass(ctx, imp)
	if err != nil {
		return nil, err
	}
	return s.overlay(ctx, imp, book, in.layout.Header, b)
}

// keySegmentsOf lists the segments of the keys of an import's file.
func (s *Service) keySegmentsOf(ctx context.Context, imp *store.Import) ([]string, error) {
	steps, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, ledger.PassSlice)
	if err != nil {
		return nil, fmt.Errorf("find slice step: %w", err)
	}
	if len(steps) == 0 {
		return nil, nil
	}
	return s.segments(ctx, imp, keySegments, steps[0].NextSeq)
}
