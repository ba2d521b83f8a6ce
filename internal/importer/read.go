package importer

import (
	"context"
	"fmt"
	"time"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Import implements API.
func (s *Service) Import(ctx context.Context, ws store.Workspace, id string) (store.Import, error) {
	imp, err := s.cfg.Store.Import(ctx, ws.WS, id)
	if err != nil {
		return imp, asFault(err, id)
	}
	return imp, nil
}

// Imports implements API.
func (s *Service) Imports(ctx context.Context, ws store.Workspace, f store.ImportFilter, r store.Range) ([]store.Import, int, error) {
	return s.cfg.Store.Imports(ctx, ws.WS, f, r)
}

// Batches implements API.
func (s *Service) Batches(ctx context.Context, ws store.Workspace, id string) ([]store.Batch, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.Batches(ctx, ws.WS, imp.No, ledger.PassApply)
}

// waitStep is how often Wait looks again.
const waitStep = 100 * time.Millisecond

// Wait implements API.
func (s *Service) Wait(ctx context.Context, ws store.Workspace, id string, version int64) (store.Import, error) {
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for {
		imp, err := s.cfg.Store.Import(context.WithoutCancel(ctx), ws.WS, id)
		if err != nil {
			return imp, asFault(err, id)
		}
		if imp.Version > version || imp.State.Ended() || ctx.Err() != nil {
			return imp, nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// EachRow implements API.
func (s *Service) EachRow(ctx context.Context, ws store.Workspace, id string, fn func(ledger.Entry) error) error {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return err
	}
	return ledger.EachRow(s.pages(ctx, &imp, store.PageFilter{Outcomes: true}), fn)
}

// EachProblem implements API.
func (s *Service) EachProblem(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, fn func(RowProblem) error) error {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return err
	}
	filter := withProblems(f)
	filter.Outcomes = true
	return ledger.EachProblem(s.pages(ctx, &imp, filter), f, fn)
}

// Problems implements API. Pages are counted by their headers; the bodies of
// those outside the range are never read.
func (s *Service) Problems(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, r store.Range) ([]RowProblem, int, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, 0, err
	}
	found, total, err := ledger.Problems(s.pages(ctx, &imp, withProblems(f)), s.loadPage(ctx, &imp), f, int64(r.Offset), int64(r.Limit))
	return found, int(total), err
}

// withProblems leaves out pages on which the filter can select nothing.
func withProblems(f ProblemFilter) store.PageFilter {
	errorsOnly := f.Severities == ledger.ErrorsOnly
	return store.PageFilter{ErrorsOnly: errorsOnly, ProblemsOnly: !errorsOnly}
}

func (s *Service) pages(ctx context.Context, imp *store.Import, f store.PageFilter) ledger.EachPage {
	return func(fn func(ledger.Page) error) error { return s.cfg.Store.Pages(ctx, imp.WS, imp.No, f, fn) }
}

// loadPage reads one page with its outcomes.
func (s *Service) loadPage(ctx context.Context, imp *store.Import) ledger.LoadPage {
	return func(header ledger.Page) (page ledger.Page, err error) {
		f := store.PageFilter{Pass: header.Pass, Batch: header.Batch, Seq: header.Seq, HasSeq: true, Outcomes: true}
		err = s.cfg.Store.Pages(ctx, imp.WS, imp.No, f, func(p ledger.Page) error {
			page = p
			return nil
		})
		if err == nil && page.Outcomes == nil {
			err = fmt.Errorf("page %d of batch %d has no outcomes any more", header.Seq, header.Batch)
		}
		return page, err
	}
}
