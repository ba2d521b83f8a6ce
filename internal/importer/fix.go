package importer

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	fix.At = s.now()
	n, err := s.countFixed(ctx, &imp, f, &fix)
	if err != nil {
		return fix, 0, fmt.Errorf("count rows to fix: %w", err)
	}
	if n == 0 {
		return fix, 0, catalog.Faultf(catalog.KindConflict, "nothing_to_fix",
			"No row that failed or is held has the problem %s in %q for the whole value %q.", fix.Code, fix.Column, fix.From)
	}
	err = s.correcting(ctx, &imp, func(tx store.Tx) error { return tx.InsertFix(ctx, imp.No, &fix) })
	return fix, n, err
}

// checkedFix brings a fix into the form in which it is kept: with the heading as
// the file has it, and the value as problems quote it.
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
	fix.From = problemValue(fix.From)
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
	had, err := f.svc.reached(ctx, f.imp, book, sectionOf(f.batches, i), fixes)
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
		if f.holds(cells, i) {
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

// Unfix implements API.
func (s *Service) Unfix(ctx context.Context, ws store.Workspace, id string, no int) error {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return err
	}
	if err := atRest(&imp); err != nil {
		return err
	}
	gone := false
	err = s.correcting(ctx, &imp, func(tx store.Tx) error {
		err := tx.DeleteFix(ctx, imp.No, no)
		gone = errors.Is(err, store.ErrNotFound)
		return err
	})
	if gone {
		return catalog.Faultf(catalog.KindNotFound, "fix_not_found", "The import has no fix %d.", no)
	}
	return err
}
