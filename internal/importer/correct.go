package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// codeNotCorrectable is the code of a row whose cells cannot be corrected here.
const codeNotCorrectable = "row_not_correctable"

// Correct implements API.
func (s *Service) Correct(ctx context.Context, ws store.Workspace, id string, row int64, cells map[string]string, by string) (Check, error) {
	return s.correctRow(ctx, ws, id, row, func(imp *store.Import, f *rowFile) error {
		given, err := cellsByHeading(f.header(), cells, s.cfg.Limits.RecordBytes)
		if err != nil {
			return err
		}
		return s.layCells(ctx, imp, f, row, given, by)
	})
}

// Uncorrect implements API.
func (s *Service) Uncorrect(ctx context.Context, ws store.Workspace, id string, row int64) (Check, error) {
	return s.correctRow(ctx, ws, id, row, func(imp *store.Import, _ *rowFile) error {
		return s.correcting(ctx, imp, func(tx store.Tx) error {
			err := tx.DeleteCorrection(ctx, imp.No, row)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return s.note(ctx, tx, audit.ImportUncorrect, imp.ID, audit.Detail{"row": row})
		})
	})
}

// correctRow changes what is laid over one row and says what the row would do.
func (s *Service) correctRow(ctx context.Context, ws store.Workspace, id string, row int64, change func(*store.Import, *rowFile) error) (Check, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return Check{}, err
	}
	if err := atRest(&imp); err != nil {
		return Check{}, err
	}
	f, err := s.openRowFile(ctx, &imp)
	if err != nil {
		return Check{}, err
	}
	defer f.Close()
	if err := s.mayCorrect(ctx, &imp, f, row); err != nil {
		return Check{}, err
	}
	if err := change(&imp, f); err != nil {
		return Check{}, err
	}
	f.forget()
	check, err := s.check(ctx, &imp, f, row)
	if err != nil {
		return check, fmt.Errorf("check row %d: %w", row, err)
	}
	return check, nil
}

// mayCorrect says why a row cannot be corrected, if so.
func (s *Service) mayCorrect(ctx context.Context, imp *store.Import, f *rowFile, row int64) error {
	st, err := s.standing(ctx, imp)
	if err != nil {
		return err
	}
	rec, there, err := f.record(ctx, row)
	if err != nil {
		return err
	}
	open, last, err := st.row(row)
	switch {
	case err != nil:
		return err
	case !there && last == catalog.Pending:
		return rowNotFound(row)
	case !there:
		return &catalog.Fault{Kind: catalog.KindConflict, Code: codeNotCorrectable,
			Message: fmt.Sprintf("Row %d is an item that the file does not name; it has no cells to correct.", row)}
	case !open && last == catalog.Pending:
		return &catalog.Fault{Kind: catalog.KindConflict, Code: "row_not_failed",
			Message: fmt.Sprintf("Row %d has not failed; only rows that failed or are held can be corrected, and the others once the import has ended.", row)}
	case !open:
		return &catalog.Fault{Kind: catalog.KindConflict, Code: "row_done",
			Message: fmt.Sprintf("Row %d is done (%s); only rows that failed or are held can be corrected.", row, last), Hint: "Edit the item itself."}
	case rec.Problem != nil:
		return &catalog.Fault{Kind: catalog.KindConflict, Code: codeNotCorrectable,
			Message: fmt.Sprintf("Row %d cannot be read as cells: %s", row, rec.Problem.Message), Hint: "Correct it in the file and import that."}
	}
	return nil
}

// laying is a correction on its way to a row.
type laying struct {
	row   int64
	given map[int]string
	// fixes reach the row; they were read after at.
	fixes []*columnFix
	by    string
	at    time.Time
}

// layCells lays cells over a row.
func (s *Service) layCells(ctx context.Context, imp *store.Import, f *rowFile, row int64, given map[int]string, by string) error {
	raw, _, err := f.record(ctx, row)
	if err != nil {
		return err
	}
	was := slices.Clone(raw.Cells)
	l := laying{row: row, given: given, by: by, at: s.now()}
	o, err := f.overlay(ctx, f.batchOf(row))
	if err != nil {
		return err
	}
	l.fixes = o.fixes(row)
	return s.correcting(ctx, imp, func(tx store.Tx) error {
		c, err := l.merged(ctx, tx, imp.No)
		if err != nil {
			return err
		}
		if err := s.note(ctx, tx, audit.ImportCorrect, imp.ID, audit.Detail{"row": row, "cells": len(given)}); err != nil {
			return err
		}
		// A correction cuts off what stands beyond the header, even if it is that alone.
		if len(was) <= len(f.header()) && len(l.fixes) == 0 && isAs(was, c.Cells) {
			return dropCorrection(ctx, tx, imp.No, row)
		}
		return tx.SaveCorrections(ctx, imp.No, []store.Correction{c})
	})
}

// merged adds to the given cells those that the row's correction has already, as
// they stand: the correction is as of now then, and lies over all fixes so far.
// Others may have corrected the row since it was looked at.
func (l *laying) merged(ctx context.Context, tx store.Tx, importNo int64) (store.Correction, error) {
	c := store.Correction{Row: l.row, Cells: maps.Clone(l.given), By: l.by, At: l.at}
	was, err := tx.Correction(ctx, importNo, l.row)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if was.At.After(c.At) {
		c.At = was.At
	}
	for i, text := range was.Cells {
		if _, ok := c.Cells[i]; ok {
			continue
		}
		for _, f := range l.fixes {
			if f.At.After(was.At) && slices.Contains(f.columns, i) && f.replaces(text) {
				text = f.To
			}
		}
		c.Cells[i] = text
	}
	return c, err
}

// isAs reports whether these cells are as the file has them.
func isAs(was []string, cells map[int]string) bool {
	for i, text := range cells {
		if i >= len(was) || text != was[i] {
			return false
		}
	}
	return true
}

// dropCorrection forgets what was laid over a row, if anything.
func dropCorrection(ctx context.Context, tx store.Tx, importNo, row int64) error {
	if err := tx.DeleteCorrection(ctx, importNo, row); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// cellsByHeading finds the columns of corrected cells, and checks that what they
// are to hold can stand in a cell of at most that many bytes (0: the default).
func cellsByHeading(header []string, cells map[string]string, most int) (map[int]string, error) {
	if most <= 0 {
		most = tabular.DefaultRecordBytes
	}
	given := make(map[int]string, len(cells))
	wrong := make(map[string][]string)
	for _, heading := range slices.Sorted(maps.Keys(cells)) {
		text := cells[heading]
		i, why := columnByHeading(header, heading)
		_, taken := given[i]
		switch {
		case why != "":
		case taken:
			why = fmt.Sprintf("The column %q is given twice.", header[i])
		case !utf8.ValidString(text) || strings.Contains(text, "\x00"):
			why = "The value is no text; write it in UTF-8, without NUL."
		case len(text) > most:
			why = fmt.Sprintf("The value has %d bytes; at most %d are allowed.", len(text), most)
		}
		if why != "" {
			wrong[heading] = append(wrong[heading], why)
			continue
		}
		given[i] = text
	}
	if len(wrong) > 0 {
		first := slices.Sorted(maps.Keys(wrong))[0]
		return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error", Message: wrong[first][0], Fields: wrong}
	}
	if len(given) == 0 {
		return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error",
			Message: "No cell is given.", Hint: "Name the cells to correct by the headings of their columns."}
	}
	return given, nil
}

// columnByHeading finds a column by its heading, without regard to case where none
// is exactly so, or by its number, as in "#3"; why says why there is none.
func columnByHeading(header []string, heading string) (i int, why string) {
	exact := func(h string) bool { return h == heading }
	folded := func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), strings.TrimSpace(heading)) }
	for _, is := range []func(string) bool{exact, folded} {
		i := slices.IndexFunc(header, is)
		if i < 0 {
			continue
		}
		if more := slices.IndexFunc(header[i+1:], is); more >= 0 {
			return -1, fmt.Sprintf("The file has several columns %q; name one by its number, as in #%d or #%d.", heading, i+1, i+more+2)
		}
		return i, ""
	}
	if number, ok := strings.CutPrefix(heading, "#"); ok {
		if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= len(header) {
			return n - 1, ""
		}
	}
	return -1, fmt.Sprintf("The file has no column %q; it has %s.", catalog.Shorten(heading), quoted(header))
}

// quoted lists headings for people, cut after twenty.
func quoted(header []string) string {
	const most = 20
	var parts []string
	for _, h := range header[:min(len(header), most)] {
		parts = append(parts, strconv.Quote(catalog.Shorten(h)))
	}
	if more := len(header) - most; more > 0 {
		return strings.Join(parts, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(parts, ", ")
}
