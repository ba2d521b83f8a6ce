package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Fix implements API.
func (s *Service) Fix(ctx context.Context, ws store.Workspace, id string, fix store.Fix) (store.Fix, int64, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return fix, 0, err
	}
	if err := atRest(&imp); err != nil {
		return fix, 0, err
	}
	f, err := s.openRowFile(ctx, &imp)
	if err != nil {
		return fix, 0, err
	}
	defer f.Close()
	if fix, err = checkedFix(fix, f.header(), s.cfg.Limits.RecordBytes); err != nil {
		return fix, 0, err
	}
	fix.Since = nextRound(&imp)
	n, err := s.countFixed(ctx, &imp, f, &fix)
	if err != nil {
		return fix, 0, fmt.Errorf("count rows to fix: %w", err)
	}
	if n == 0 {
		return fix, 0, catalog.Faultf(catalog.KindConflict, "nothing_to_fix",
			"No row that failed or is held has the problem %s in %q for the whole value %q.", fix.Code, fix.Column, fix.From)
	}
	err = s.correcting(ctx, &imp, func(tx store.Tx) error {
		// Corrections that are made beside it are saved before or after it.
		fix.At = s.now()
		if err := tx.InsertFix(ctx, imp.No, &fix); err != nil {
			return err
		}
		return s.note(ctx, tx, audit.ImportFix, imp.ID, audit.Detail{"fix": fix.No, "code": string(fix.Code), "column": fix.Column, "rows": n})
	})
	return fix, n, err
}

// nextRound is the first round that will run with what is said of rows now.
func nextRound(imp *store.Import) int {
	if imp.State == store.Planned {
		return imp.Round
	}
	return imp.Round + 1
}

// checkedFix brings a fix into the form in which it is kept: with the heading as
// the file has it, and the whole value without the blanks round it.
func checkedFix(fix store.Fix, header []string, most int) (store.Fix, error) {
	wrong := make(map[string][]string)
	if fix.Code == "" {
		wrong["code"] = append(wrong["code"], "Name the code of the problem to fix.")
	}
	// Several columns of one heading are all meant.
	if i, why := columnByHeading(header, fix.Column); i >= 0 {
		fix.Column = header[i]
	} else if len(columnFixes([]store.Fix{fix}, header)) == 0 {
		wrong["column"] = append(wrong["column"], why)
	}
	if _, err := cellsByHeading([]string{"to"}, map[string]string{"to": fix.To}, most); err != nil {
		wrong["to"] = append(wrong["to"], err.Error())
	}
	fix.From = strings.TrimSpace(fix.From)
	if fix.From == strings.TrimSpace(fix.To) {
		wrong["to"] = append(wrong["to"], "The new value is the old one.")
	}
	for _, field := range []string{"code", "column", "to"} {
		if why := wrong[field]; len(why) > 0 {
			return fix, &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error", Message: why[0], Fields: wrong}
		}
	}
	return fix, nil
}

// countFixed counts the rows that a new fix would change.
func (s *Service) countFixed(ctx context.Context, imp *store.Import, f *rowFile, fix *store.Fix) (n int64, err error) {
	fixes := columnFixes([]store.Fix{*fix}, f.header())
	st, err := s.standing(ctx, imp)
	if err != nil {
		return 0, err
	}
	book, err := f.account(ctx)
	if err != nil {
		return 0, err
	}
	for i := range f.batches {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := f.countFixedIn(ctx, st, book, fixes, i)
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// countFixedIn counts the rows of a batch that are not done and in which a cell is
// what the fix replaces.
func (f *rowFile) countFixedIn(ctx context.Context, st *standing, book *ledger.Book, fixes []*columnFix, i int) (n int64, err error) {
	had, err := f.svc.reached(ctx, f.imp, book, sectionOf(f.batches, i), fixes, asItStands)
	if err != nil || len(had[0]) == 0 {
		return 0, err
	}
	rows, err := st.batch(f.batches[i].No)
	if err != nil {
		return 0, err
	}
	for _, row := range sortedKeys(had[0]) {
		if !rows.open(row) {
			continue
		}
		rec, ok, err := f.laid(ctx, row)
		if err != nil {
			return n, err
		}
		if ok && rec.Problem == nil && fixes[0].changes(rec.Cells) {
			n++
		}
	}
	return n, nil
}

// changes reports whether one of the cells is what the fix replaces.
func (f *columnFix) changes(cells []string) bool {
	for _, i := range f.columns {
		if f.replaces(cellAt(cells, i)) {
			return true
		}
	}
	return false
}

// Fixes implements API.
func (s *Service) Fixes(ctx context.Context, ws store.Workspace, id string) ([]store.Fix, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.Fixes(ctx, ws.WS, imp.No)
}

// Unfix implements API. A fix with which rows were run stays: what they did is told
// by what was laid over them.
func (s *Service) Unfix(ctx context.Context, ws store.Workspace, id string, no int) error {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return err
	}
	if err := atRest(&imp); err != nil {
		return err
	}
	fix, err := s.fix(ctx, &imp, no)
	if err != nil {
		return err
	}
	row, used, err := s.ranWith(ctx, &imp, fix)
	if err != nil {
		return fmt.Errorf("find rows that were run with fix %d: %w", no, err)
	}
	if used {
		return &catalog.Fault{Kind: catalog.KindConflict, Code: "fix_used",
			Message: fmt.Sprintf("Fix %d cannot be taken away: rows were run with it and are done, row %d first.", no, row),
			Hint:    "Correct rows that are not done one by one, or make another fix."}
	}
	gone := false
	err = s.correcting(ctx, &imp, func(tx store.Tx) error {
		err := tx.DeleteFix(ctx, imp.No, no)
		gone = errors.Is(err, store.ErrNotFound)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, audit.ImportUnfix, imp.ID, audit.Detail{"fix": no, "code": string(fix.Code), "column": fix.Column})
	})
	if gone {
		return fixNotFound(no)
	}
	return err
}

// fix reads one fix of an import.
func (s *Service) fix(ctx context.Context, imp *store.Import, no int) (*store.Fix, error) {
	all, err := s.cfg.Store.Fixes(ctx, imp.WS, imp.No)
	if err != nil {
		return nil, fmt.Errorf("read fixes: %w", err)
	}
	i := slices.IndexFunc(all, func(f store.Fix) bool { return f.No == no })
	if i < 0 {
		return nil, fixNotFound(no)
	}
	return &all[i], nil
}

func fixNotFound(no int) error {
	return catalog.Faultf(catalog.KindNotFound, "fix_not_found", "The import has no fix %d.", no)
}

// ranWith finds the first row that is done and was run with a fix.
func (s *Service) ranWith(ctx context.Context, imp *store.Import, fix *store.Fix) (row int64, ok bool, err error) {
	if fix.Since > imp.Round {
		return 0, false, nil
	}
	batches, err := s.fileBatches(ctx, imp)
	if err != nil {
		return 0, false, err
	}
	book, err := s.everyPass(ctx, imp)
	if err != nil {
		return 0, false, err
	}
	for i := range batches {
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		had, err := s.reached(ctx, imp, book, sectionOf(batches, i), []*columnFix{{Fix: fix}}, asItStands)
		if err != nil {
			return 0, false, err
		}
		for _, row := range sortedKeys(had[0]) {
			if had[0][row] {
				return row, true, nil
			}
		}
	}
	return 0, false, nil
}
