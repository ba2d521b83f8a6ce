package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// SourceUndo is the source of imports that take others back: their rows are the
// rows that wrote, the last one first.
const SourceUndo = "undo"

// Undo implements API.
func (s *Service) Undo(ctx context.Context, ws store.Workspace, id string, opt Options) (store.Import, error) {
	before, err := s.Import(ctx, ws, id)
	if err != nil {
		return before, err
	}
	if err := s.mayUndo(ctx, &before, opt.Force); err != nil {
		return store.Import{}, err
	}
	undo, err := s.newUndo(&before, opt)
	if err != nil {
		return store.Import{}, err
	}
	err = s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		of, err := tx.LockImport(ctx, before.No)
		if err != nil {
			return err
		}
		if of.Version != before.Version {
			return cannot("be undone at this moment", &of)
		}
		if err := s.insertUndo(ctx, tx, &of, &undo); err != nil {
			return err
		}
		return s.note(ctx, tx, audit.ImportUndo, of.ID, audit.Detail{"undo": undo.ID, "plan": opt.Plan, "force": opt.Force})
	})
	if errors.Is(err, store.ErrExists) && opt.RequestKey != "" {
		return store.Import{}, catalog.Faultf(catalog.KindConflict, "request_in_flight", "The same request has made an import already.")
	}
	if err != nil {
		return store.Import{}, asFault(err, id)
	}
	return s.cfg.Store.Import(ctx, ws.WS, undo.ID)
}

// mayUndo says why an import cannot be taken back. With force it can be once more:
// for what was kept the first time.
func (s *Service) mayUndo(ctx context.Context, imp *store.Import, force bool) error {
	t := &imp.Tally
	switch {
	case imp.State == store.RolledBack:
		return catalog.Faultf(catalog.KindConflict, "already_undone", "The import was rolled back; there is nothing left of it.")
	case !imp.State.Ended():
		return cannot("be undone", imp)
	case t.Created+t.Updated+t.Deleted == 0:
		return catalog.Faultf(catalog.KindConflict, "nothing_to_undo", "The import changed nothing.")
	case imp.ImagesGone || imp.CompletedAt == nil || !imp.CompletedAt.Add(s.cfg.KeepImages).After(s.now()):
		return catalog.Faultf(catalog.KindConflict, "undo_expired", "What the import had replaced is past its retention; it cannot be undone any more.")
	}
	if err := s.rolledBack(ctx, imp); err != nil {
		return err
	}
	undo, err := s.undoing(ctx, imp)
	if err != nil || undo == nil || force && undo.State.Ended() && undo.UndoneBy == "" {
		return err
	}
	f := catalog.Faultf(catalog.KindConflict, "already_undone", "The import is taken back by %s already.", undo.ID)
	if undo.State == store.Planned {
		f.Message = fmt.Sprintf("Import %s is a plan to take this one back; apply that or terminate it first.", undo.ID)
	}
	if undo.UndoneBy != "" {
		f.Message += fmt.Sprintf(" That one was undone by %s: undo that to take this import back again.", undo.UndoneBy)
	}
	return f
}

// rolledBack refuses to undo an import that rolled another one back: all or
// nothing, that one would come back in part.
func (s *Service) rolledBack(ctx context.Context, imp *store.Import) error {
	if imp.UndoOf == "" {
		return nil
	}
	of, err := s.cfg.Store.Import(ctx, imp.WS, imp.UndoOf)
	if err != nil || of.State != store.RolledBack {
		return err
	}
	return catalog.Faultf(catalog.KindConflict, "wrong_state", "The import rolled %s back, which is all or nothing; import that file again instead.", of.ID)
}

// undoing returns the import that takes this one back, or did; nil where there
// is none, or it broke off and another may try.
func (s *Service) undoing(ctx context.Context, imp *store.Import) (*store.Import, error) {
	if imp.UndoneBy == "" {
		return nil, nil
	}
	undo, err := s.cfg.Store.Import(ctx, imp.WS, imp.UndoneBy)
	if err != nil {
		return nil, fmt.Errorf("find undo: %w", err)
	}
	if undo.State.Ended() && undo.State != store.Done {
		return nil, nil
	}
	return &undo, nil
}

// newUndo returns the import that takes another one back.
func (s *Service) newUndo(of *store.Import, opt Options) (store.Import, error) {
	now := s.now()
	undo := store.Import{ID: newImportID(now), State: store.Received, Door: opt.Door, Source: SourceUndo, Feed: SourceUndo,
		SourceName: "undo of " + of.SourceName, UndoOf: of.ID, RequestKey: opt.RequestKey,
		CreatedBy: opt.CreatedBy, CreatedAt: now, UpdatedAt: now}
	var err error
	if undo.Options, err = json.Marshal(Options{Plan: opt.Plan, Force: opt.Force}); err != nil {
		return undo, fmt.Errorf("encode options: %w", err)
	}
	return undo, planReport{Wanted: opt.Plan}.save(&undo)
}

func (s *Service) insertUndo(ctx context.Context, tx store.Tx, of, undo *store.Import) error {
	if err := tx.InsertImport(ctx, undo); err != nil {
		return err
	}
	of.UndoneBy = undo.ID
	if err := tx.UpdateImport(ctx, of); err != nil {
		return err
	}
	return s.addStep(ctx, tx, undo, ledger.PassSlice, store.Batch{Input: store.ImageInput})
}

// rollBack takes back what an import, all or nothing, had applied before it
// stopped: by an undo of its own. tally is what was applied.
func (s *Service) rollBack(ctx context.Context, tx store.Tx, imp *store.Import, tally *catalog.Tally) error {
	if !wrote(tally) {
		return s.end(ctx, tx, imp, store.RolledBack)
	}
	now := s.now()
	imp.State, imp.UpdatedAt = store.RollingBack, now
	undo, err := s.newUndo(imp, Options{Door: imp.Door, CreatedBy: imp.CreatedBy})
	if err != nil {
		return err
	}
	if err := s.insertUndo(ctx, tx, imp, &undo); err != nil {
		return err
	}
	return s.note(audit.ByItself(ctx), tx, audit.ImportRollBack, imp.ID, audit.Detail{"undo": undo.ID, "code": imp.FaultCode, "rows": tallyDetail(tally)})
}

// applied is what an import has written. Within a transaction that has stopped its
// batches no more can come: what they committed is seen here.
func (s *Service) applied(ctx context.Context, imp *store.Import) (catalog.Tally, error) {
	now, err := s.cfg.Store.ImportNo(ctx, imp.WS, imp.No)
	if err != nil {
		return catalog.Tally{}, fmt.Errorf("count applied rows: %w", err)
	}
	return now.Tally, nil
}

func wrote(t *catalog.Tally) bool { return t.Created+t.Updated+t.Deleted > 0 }

// endRollBack ends the import that waits for this one to roll it back.
func (s *Service) endRollBack(ctx context.Context, tx store.Tx, undo *store.Import) error {
	if undo.UndoOf == "" {
		return nil
	}
	of, err := tx.LockImportID(ctx, undo.UndoOf)
	if err != nil || of.State != store.RollingBack {
		return err
	}
	tally, err := s.applied(ctx, undo)
	if err != nil {
		return err
	}
	if undo.State == store.Done && tally.Failed == 0 {
		if tally.Held+tally.Warned > 0 {
			of.FaultMessage += fmt.Sprintf(" What others have changed since was kept; import %s says what.", undo.ID)
		}
		return s.end(ctx, tx, &of, store.RolledBack)
	}
	of.FaultCode, of.FaultMessage = "rollback_failed", fmt.Sprintf("Import %s was to take this one back and is %s, with %d rows failed; retry that one, or undo this one again with force.", undo.ID, undo.State, tally.Failed)
	return s.end(ctx, tx, &of, store.FailedState)
}

// writtenPage names a page of the import that is taken back.
type writtenPage struct {
	Pass  ledger.Pass `json:"pass"`
	Batch int         `json:"batch"`
	Seq   int         `json:"seq"`
	Rows  int64       `json:"rows"`
}

// writtenKey names the list of the pages whose writes an undo takes back.
func writtenKey(imp *store.Import) string {
	return fmt.Sprintf("w%d/imports/%d/written", imp.WS, imp.No)
}

// cutUndo cuts the pages of the import that is taken back into batches, the last
// page first: what was written last is the first to be taken back.
func (s *Service) cutUndo(ctx context.Context, st *started) error {
	of, err := s.cfg.Store.Import(ctx, st.imp.WS, st.imp.UndoOf)
	if err != nil {
		return fmt.Errorf("find import to undo: %w", err)
	}
	headers, err := s.headers(ctx, &of, "")
	if err != nil {
		return err
	}
	slices.SortFunc(headers, func(a, b ledger.Page) int { return -comparePages(&a, &b) })
	var pages []writtenPage
	for i := range headers {
		h := &headers[i]
		if rows := h.Tally.Created + h.Tally.Updated + h.Tally.Deleted; rows > 0 {
			pages = append(pages, writtenPage{Pass: h.Pass, Batch: h.Batch, Seq: h.Seq, Rows: rows})
			st.imp.Rows += rows
		}
	}
	if err := s.saveJSON(ctx, writtenKey(&st.imp), pages); err != nil {
		return fmt.Errorf("store list of pages: %w", err)
	}
	size := undoBatchRows(st.imp.Rows)
	var batches []store.Batch
	for i := range pages {
		if n := len(batches); n == 0 || batches[n-1].Rows+pages[i].Rows > size && batches[n-1].Rows >= size/2 {
			batches = append(batches, store.Batch{BatchRef: store.BatchRef{No: n + 1}, Input: store.ImageInput, Offset: int64(i)})
		}
		b := &batches[len(batches)-1]
		b.Length++
		b.Rows += pages[i].Rows
	}
	return s.commitCut(ctx, st, batches)
}

// undoBatchRows is the size of an undo's batches: few large ones, for a chunk takes
// several small pages together, and the next is read while one is written.
func undoBatchRows(rows int64) int64 { return min(max(rows/8, minBatchRows), maxBatchRows) }

// comparePages orders pages by when they were written, batch by batch.
func comparePages(a, b *ledger.Page) int {
	if c := a.Pass.Compare(b.Pass); c != 0 {
		return c
	}
	if a.Batch != b.Batch {
		return a.Batch - b.Batch
	}
	return a.Seq - b.Seq
}

// saveJSON stores a small file.
func (s *Service) saveJSON(ctx context.Context, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w, err := s.cfg.Files.Create(ctx, key)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// loadJSON reads what saveJSON stored.
func (s *Service) loadJSON(ctx context.Context, key string, v any) error {
	f, err := s.cfg.Files.Open(ctx, key)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
