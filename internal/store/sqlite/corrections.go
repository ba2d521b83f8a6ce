package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"

	"tallyman/internal/store"
)

const (
	selectCorrections     = `SELECT row, cells, made_by, made_at FROM correction WHERE ws = ? AND import_no = ? AND row BETWEEN ? AND ? ORDER BY row`
	selectCorrection      = `SELECT row, cells, made_by, made_at FROM correction WHERE ws = ? AND import_no = ? AND row = ?`
	countCorrectionsQuery = `SELECT count(*) FROM correction WHERE ws = ? AND import_no = ?`
	saveCorrectionQuery   = `INSERT INTO correction (ws, import_no, row, cells, made_by, made_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET cells = json_patch(cells, excluded.cells), made_by = excluded.made_by, made_at = excluded.made_at`
	deleteCorrectionQuery = `DELETE FROM correction WHERE ws = ? AND import_no = ? AND row = ?`

	selectFixes    = `SELECT no, code, heading, old, new, since, made_by, made_at FROM fix WHERE ws = ? AND import_no = ? ORDER BY no`
	insertFixQuery = `INSERT INTO fix (ws, import_no, no, code, heading, old, new, since, made_by, made_at)
VALUES (?1, ?2, (SELECT coalesce(max(no), 0) + 1 FROM fix WHERE ws = ?1 AND import_no = ?2), ?, ?, ?, ?, ?, ?, ?)
RETURNING no`
	deleteFixQuery = `DELETE FROM fix WHERE ws = ? AND import_no = ? AND no = ?`
)

// Corrections implements store.Store.
func (r reader) Corrections(ctx context.Context, ws store.WS, importNo, from, to int64) ([]store.Correction, error) {
	all, err := collect(ctx, r.q, scanCorrection, selectCorrections, ws, importNo, from, cmp.Or(to, math.MaxInt64))
	return all, wrap("list corrections", err)
}

func scanCorrection(s scanner) (store.Correction, error) {
	var c store.Correction
	var cells []byte
	var at int64
	if err := s.Scan(&c.Row, &cells, &c.By, &at); err != nil {
		return c, err
	}
	c.At = fromMillis(at)
	return c, wrap("cells", json.Unmarshal(cells, &c.Cells))
}

// CountCorrections implements store.Store.
func (r reader) CountCorrections(ctx context.Context, ws store.WS, importNo int64) (n int64, err error) {
	err = r.q.QueryRowContext(ctx, countCorrectionsQuery, ws, importNo).Scan(&n)
	return n, wrap("count corrections", err)
}

// Correction implements store.Tx.
func (t *tx) Correction(ctx context.Context, importNo, row int64) (store.Correction, error) {
	if err := t.usable(ctx); err != nil {
		return store.Correction{}, fmt.Errorf("read correction: %w", err)
	}
	c, err := scanCorrection(t.sql.QueryRowContext(context.WithoutCancel(ctx), selectCorrection, t.ws, importNo, row))
	return c, t.judge("read correction", interpret(err, nil))
}

// SaveCorrections implements store.Tx.
func (t *tx) SaveCorrections(ctx context.Context, importNo int64, cs []store.Correction) error {
	return t.hot(ctx, "save corrections", func(s *session) error {
		st, err := s.statement(saveCorrectionQuery, 0)
		if err != nil {
			return err
		}
		for i := range cs {
			c := &cs[i]
			cells, err := json.Marshal(c.Cells)
			if err != nil {
				return fmt.Errorf("cells of row %d: %w", c.Row, err)
			}
			if _, err := st.exec(s.bind(int64(t.ws), importNo, c.Row, string(cells), c.By, millis(c.At))); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteCorrection implements store.Tx.
func (t *tx) DeleteCorrection(ctx context.Context, importNo, row int64) error {
	return t.execOne(ctx, "delete correction", deleteCorrectionQuery, t.ws, importNo, row)
}

// Fixes implements store.Store.
func (r reader) Fixes(ctx context.Context, ws store.WS, importNo int64) ([]store.Fix, error) {
	all, err := collect(ctx, r.q, scanFix, selectFixes, ws, importNo)
	return all, wrap("list fixes", err)
}

func scanFix(s scanner) (store.Fix, error) {
	var f store.Fix
	var at int64
	err := s.Scan(&f.No, &f.Code, &f.Column, &f.From, &f.To, &f.Since, &f.By, &at)
	f.At = fromMillis(at)
	return f, err
}

// InsertFix implements store.Tx.
func (t *tx) InsertFix(ctx context.Context, importNo int64, f *store.Fix) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("insert fix: %w", err)
	}
	row := t.sql.QueryRowContext(context.WithoutCancel(ctx), insertFixQuery, t.ws, importNo, f.Code, f.Column, f.From, f.To, f.Since, f.By, millis(f.At))
	var no int
	if err := row.Scan(&no); err != nil {
		return t.judge("insert fix", interpret(err, nil))
	}
	f.No = no
	return nil
}

// DeleteFix implements store.Tx.
func (t *tx) DeleteFix(ctx context.Context, importNo int64, no int) error {
	return t.execOne(ctx, "delete fix", deleteFixQuery, t.ws, importNo, no)
}
