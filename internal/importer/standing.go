package importer

import (
	"context"
	"errors"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// standing tells which rows of an import may be corrected: those that are not done
// and do not run at the moment.
type standing struct {
	state store.State
	// done is the account of what was done, plan that of a plan which waits to be
	// applied, nil without one.
	done, plan *ledger.Book
}

// atRest says why rows of an import cannot be corrected at the moment, if so.
func atRest(imp *store.Import) error {
	// While the first run is paused, a row that failed does not run again in it. In a
	// further run, or a plan, it might: then what was planned is not what is done.
	paused := imp.State == store.Paused && imp.Round == 0 && applying(imp.Pass)
	if !imp.State.Ended() && imp.State != store.Planned && !paused {
		return cannot("be corrected until it rests; wait for its end", imp)
	}
	if !hasFile(imp) {
		return &catalog.Fault{Kind: catalog.KindConflict, Code: codeNotCorrectable,
			Message: "The rows of this import are items, not records of a file; there are no cells to correct."}
	}
	return nil
}

func (s *Service) standing(ctx context.Context, imp *store.Import) (*standing, error) {
	st := &standing{state: imp.State}
	var err error
	if st.done, err = s.book(ctx, imp, ""); err != nil {
		return nil, err
	}
	if imp.State == store.Planned {
		st.plan, err = s.book(ctx, imp, imp.Pass)
	}
	return st, err
}

// correctable reports whether a row may be corrected that ended as last, and in the
// plan that waits as planned; Pending stands for no entry.
func (st *standing) correctable(last, planned catalog.Outcome) bool {
	switch last {
	case catalog.Failed, catalog.Held:
		return true
	case catalog.Pending:
		return st.state.Ended() || st.state == store.Planned && planned == catalog.Failed
	}
	return false
}

// row looks at a single row.
func (st *standing) row(number int64) (correctable bool, last catalog.Outcome, err error) {
	e, _, ok, err := st.done.Row(number)
	if err != nil {
		return false, catalog.Pending, err
	}
	if ok {
		last = e.Outcome
	}
	planned := catalog.Pending
	if st.plan != nil {
		if e, _, ok, err = st.plan.Row(number); err != nil {
			return false, catalog.Pending, err
		}
		if ok {
			planned = e.Outcome
		}
	}
	return st.correctable(last, planned), last, nil
}

// standingRows are the rows of one batch.
type standingRows struct {
	*standing
	done, plan []ledger.Entry
}

// batch looks at all rows of a batch.
func (st *standing) batch(no int) (*standingRows, error) {
	rows := &standingRows{standing: st}
	var err error
	if rows.done, err = st.done.Batch(no); err != nil {
		return nil, err
	}
	if st.plan != nil {
		rows.plan, err = st.plan.Batch(no)
	}
	return rows, err
}

// last is how a row ended; Pending if it has not.
func (r *standingRows) last(row int64) catalog.Outcome { return outcomeOf(r.done, row) }

// open reports whether a row may be corrected.
func (r *standingRows) open(row int64) bool {
	return r.correctable(r.last(row), outcomeOf(r.plan, row))
}

// trouble is the worst that is wrong with a row in one column.
type trouble uint8

const (
	noTrouble trouble = iota
	warned
	wrong   // an error
	damaged // an error: a spreadsheet has lost digits
)

// trouble says what is wrong with a row in a column.
func (r *standingRows) trouble(row int64, column string) trouble {
	worst := noTrouble
	for _, entries := range [][]ledger.Entry{r.done, r.plan} {
		e, ok := entryOf(entries, row)
		if !ok {
			continue
		}
		for i := range e.Problems {
			if p := &e.Problems[i]; p.Column == column {
				worst = max(worst, troubleOf(p))
			}
		}
	}
	return worst
}

func troubleOf(p *catalog.Problem) trouble {
	switch {
	case p.Severity == catalog.Warning:
		return warned
	case p.Code == catalog.CodeExcelDamagedNumber:
		return damaged
	}
	return wrong
}

func outcomeOf(entries []ledger.Entry, row int64) catalog.Outcome {
	if e, ok := entryOf(entries, row); ok {
		return e.Outcome
	}
	return catalog.Pending
}

// staleByCorrection is why a plan does not hold once rows were corrected.
const staleByCorrection = "Rows were corrected after this plan; plan again."

// correcting changes what is laid over an import's rows, provided that the import still
// stands as it was seen. A plan that was made without the change holds no more.
func (s *Service) correcting(ctx context.Context, seen *store.Import, change func(store.Tx) error) error {
	err := s.transact(ctx, seen.WS, true, func(tx store.Tx) error {
		imp, err := tx.LockImport(ctx, seen.No)
		if err != nil {
			return err
		}
		if imp.State != seen.State || imp.Round != seen.Round {
			return cannot("be corrected at this moment", &imp)
		}
		if err := change(tx); err != nil {
			return err
		}
		report := findingsOf(&imp)
		if imp.State != store.Planned || imp.Fingerprint == "" && report.Stale != "" {
			return nil
		}
		report.Stale = staleByCorrection
		if err := report.save(&imp); err != nil {
			return err
		}
		imp.Fingerprint, imp.UpdatedAt = "", s.now()
		return tx.UpdateImport(ctx, &imp)
	})
	if errors.Is(err, store.ErrNotFound) {
		return asFault(err, seen.ID)
	}
	return err
}
