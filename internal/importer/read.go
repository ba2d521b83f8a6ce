package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tallyman/internal/catalog"
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

// ImportByRequest implements API.
func (s *Service) ImportByRequest(ctx context.Context, ws store.Workspace, requestKey string) (store.Import, error) {
	return s.cfg.Store.ImportByRequest(ctx, ws.WS, requestKey)
}

// Imports implements API.
func (s *Service) Imports(ctx context.Context, ws store.Workspace, f store.ImportFilter, r store.Range) ([]store.Import, int, error) {
	return s.cfg.Store.Imports(ctx, ws.WS, f, r)
}

// Batches implements API.
func (s *Service) Batches(ctx context.Context, ws store.Workspace, id string, pass ledger.Pass) ([]store.Batch, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Store.Batches(ctx, ws.WS, imp.No, pass)
	if err != nil || pass != "" {
		return all, err
	}
	all = slices.DeleteFunc(all, func(b store.Batch) bool {
		return b.Pass.Planning() || b.Pass == ledger.PassSlice || b.Pass == ledger.PassFinish
	})
	slices.SortStableFunc(all, func(a, b store.Batch) int { return a.Pass.Compare(b.Pass) })
	return all, nil
}

// waitStep is how often Wait looks again.
const waitStep = 100 * time.Millisecond

// Wait implements API.
func (s *Service) Wait(ctx context.Context, ws store.Workspace, id string, version int64) (store.Import, error) {
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for {
		ended := s.ended.heard()
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
		case <-ended:
		}
	}
}

// UndoableUntil implements API.
func (s *Service) UndoableUntil(imp *store.Import) time.Time {
	t := &imp.Tally
	if !imp.State.Ended() || imp.UndoneBy != "" || imp.ImagesGone || imp.CompletedAt == nil || imp.State == store.RolledBack || t.Created+t.Updated+t.Deleted == 0 {
		return time.Time{}
	}
	if until := imp.CompletedAt.Add(s.cfg.KeepImages); until.After(s.now()) {
		return until
	}
	return time.Time{}
}

// EachRow implements API.
func (s *Service) EachRow(ctx context.Context, ws store.Workspace, id string, fn func(ledger.Entry) error) error {
	book, err := s.bookOf(ctx, ws, id, false)
	if err != nil {
		return err
	}
	return book.EachRow(fn)
}

// EachProblem implements API.
func (s *Service) EachProblem(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, fn func(RowProblem) error) error {
	book, err := s.bookOf(ctx, ws, id, f.Plan)
	if err != nil {
		return err
	}
	return book.EachProblem(f.ledger(), fn)
}

// Problems implements API.
func (s *Service) Problems(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, r store.Range) ([]RowProblem, int, error) {
	book, err := s.bookOf(ctx, ws, id, f.Plan)
	if err != nil {
		return nil, 0, err
	}
	found, total, err := book.Problems(f.ledger(), int64(r.Offset), int64(r.Limit))
	return found, int(total), err
}

func (f ProblemFilter) ledger() ledger.ProblemFilter {
	return ledger.ProblemFilter{Severities: f.Severities, Code: f.Code, Column: f.Column, HasColumn: f.HasColumn}
}

// errGone: a page's outcomes are past their retention.
var errGone = errors.New("past its retention")

// bookOf opens the account of an import named by its id.
func (s *Service) bookOf(ctx context.Context, ws store.Workspace, id string, plan bool) (*ledger.Book, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	return s.book(ctx, &imp, planOr(&imp, plan))
}

// planOr is the pass of the newest plan, or "" for all that write.
func planOr(imp *store.Import, plan bool) ledger.Pass {
	if plan {
		return ledger.PlanOf(imp.Round)
	}
	return ""
}

// book opens the account of one pass, or with "" of all passes but plans.
func (s *Service) book(ctx context.Context, imp *store.Import, pass ledger.Pass) (*ledger.Book, error) {
	headers, err := s.headers(ctx, imp, pass)
	if err != nil {
		return nil, err
	}
	return ledger.NewBook(headers, s.loadPage(ctx, imp)), nil
}

// headers lists the pages of a pass, or with "" of all but plans, without bodies.
func (s *Service) headers(ctx context.Context, imp *store.Import, pass ledger.Pass) ([]ledger.Page, error) {
	var headers []ledger.Page
	err := s.cfg.Store.Pages(ctx, imp.WS, imp.No, store.PageFilter{Pass: pass}, func(p ledger.Page) error {
		headers = append(headers, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	return headers, nil
}

// loadPage reads pages with their bodies. One whose rows are past their retention
// is a *catalog.Fault round errGone.
func (s *Service) loadPage(ctx context.Context, imp *store.Import) ledger.Load {
	load := s.loadKept(ctx, imp)
	return func(header ledger.Page, images bool) (ledger.Page, error) {
		page, err := load(header, images)
		if err == nil && page.Outcomes == nil && page.Rows > 0 {
			err = &catalog.Fault{Kind: catalog.KindConflict, Code: "rows_expired", Err: errGone,
				Message: fmt.Sprintf("The rows of import %s are past their retention; its counts are kept.", imp.ID)}
		}
		return page, err
	}
}

// loadKept reads pages with what is kept of their bodies.
func (s *Service) loadKept(ctx context.Context, imp *store.Import) ledger.Load {
	return func(header ledger.Page, images bool) (page ledger.Page, err error) {
		f := store.PageFilter{Pass: header.Pass, Batch: header.Batch, Seq: header.Seq, HasSeq: true, Outcomes: true, Images: images}
		err = s.cfg.Store.Pages(ctx, imp.WS, imp.No, f, func(p ledger.Page) error {
			page = p
			return nil
		})
		return page, err
	}
}
