package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const (
	selectCorrections     = `SELECT row_no, cells::text, made_by, made_at FROM correction WHERE ws = $1 AND import_no = $2 AND row_no BETWEEN $3 AND $4 ORDER BY row_no`
	selectCorrection      = `SELECT row_no, cells::text, made_by, made_at FROM correction WHERE ws = $1 AND import_no = $2 AND row_no = $3 FOR UPDATE`
	countCorrectionsQuery = `SELECT count(*) FROM correction WHERE ws = $1 AND import_no = $2`
	saveCorrectionQuery   = `INSERT INTO correction AS c (ws, import_no, row_no, cells, made_by, made_at) VALUES ($1, $2, $3, $4::text::jsonb, $5, $6)
ON CONFLICT (ws, import_no, row_no) DO UPDATE SET cells = c.cells || excluded.cells, made_by = excluded.made_by, made_at = excluded.made_at`
	deleteCorrectionQuery = `DELETE FROM correction WHERE ws = $1 AND import_no = $2 AND row_no = $3`

	selectFixes    = `SELECT no, code, heading, old, new, since, made_by, made_at FROM fix WHERE ws = $1 AND import_no = $2 ORDER BY no`
	insertFixQuery = `INSERT INTO fix (ws, import_no, no, code, heading, old, new, since, made_by, made_at)
VALUES ($1, $2, (SELECT coalesce(max(no), 0) + 1 FROM fix WHERE ws = $1 AND import_no = $2), $3, $4, $5, $6, $7, $8, $9)
RETURNING no`
	deleteFixQuery = `DELETE FROM fix WHERE ws = $1 AND import_no = $2 AND no = $3`
)

// Corrections implements store.Store.
func (r reader) Corrections(ctx context.Context, ws store.WS, importNo, from, to int64) ([]store.Correction, error) {
	all, err := collect(ctx, r.q, scanCorrection, selectCorrections, ws, importNo, from, cmp.Or(to, math.MaxInt64))
	return all, wrap("list corrections", err)
}

func scanCorrection(s pgx.Row) (store.Correction, error) {
	var c store.Correction
	var cells string
	var at int64
	if err := s.Scan(&c.Row, &cells, (*free)(&c.By), &at); err != nil {
		return c, err
	}
	c.At = fromMillis(at)
	if err := json.Unmarshal([]byte(cells), &c.Cells); err != nil {
		return c, fmt.Errorf("cells of row %d: %w", c.Row, err)
	}
	for i, text := range c.Cells {
		c.Cells[i] = unescape(text)
	}
	return c, nil
}

// CountCorrections implements store.Store.
func (r reader) CountCorrections(ctx context.Context, ws store.WS, importNo int64) (int64, error) {
	n, err := one(ctx, r.q, scanInt64, countCorrectionsQuery, ws, importNo)
	return n, wrap("count corrections", err)
}

// Correction implements store.Tx.
func (t *tx) Correction(ctx context.Context, importNo, row int64) (store.Correction, error) {
	return stepOne(ctx, t, "read correction", scanCorrection, selectCorrection, t.ws, importNo, row)
}

// SaveCorrections implements store.Tx.
func (t *tx) SaveCorrections(ctx context.Context, importNo int64, cs []store.Correction) error {
	var queue pgx.Batch
	for _, c := range slices.SortedStableFunc(slices.Values(cs), func(a, b store.Correction) int { return cmp.Compare(a.Row, b.Row) }) {
		cells := make(map[int]string, len(c.Cells))
		for i, text := range c.Cells {
			cells[i] = escape(text)
		}
		encoded, err := json.Marshal(cells)
		if err != nil {
			return fmt.Errorf("save corrections: cells of row %d: %w", c.Row, err)
		}
		queue.Queue(saveCorrectionQuery, t.ws, importNo, c.Row, string(encoded), free(c.By), millis(c.At))
	}
	return t.sendAll(ctx, "save corrections", &queue, func(int64) {})
}

// DeleteCorrection implements store.Tx.
func (t *tx) DeleteCorrection(ctx context.Context, importNo, row int64) error {
	return t.execOne(ctx, "delete correction", store.ErrNotFound, deleteCorrectionQuery, t.ws, importNo, row)
}

// Fixes implements store.Store.
func (r reader) Fixes(ctx context.Context, ws store.WS, importNo int64) ([]store.Fix, error) {
	all, err := collect(ctx, r.q, scanFix, selectFixes, ws, importNo)
	return all, wrap("list fixes", err)
}

func scanFix(s pgx.Row) (store.Fix, error) {
	var f store.Fix
	var at int64
	err := s.Scan(&f.No, &f.Code, (*free)(&f.Column), (*free)(&f.From), (*free)(&f.To), &f.Since, (*free)(&f.By), &at)
	f.At = fromMillis(at)
	return f, err
}

// InsertFix implements store.Tx. Of two that come at once one must be tried
// again.
func (t *tx) InsertFix(ctx context.Context, importNo int64, f *store.Fix) error {
	return t.do(ctx, "insert fix", store.ErrRetry, func() error {
		return t.pg.QueryRow(ctx, insertFixQuery, t.ws, importNo, f.Code, free(f.Column), free(f.From), free(f.To), f.Since, free(f.By), millis(f.At)).Scan(&f.No)
	})
}

// DeleteFix implements store.Tx.
func (t *tx) DeleteFix(ctx context.Context, importNo int64, no int) error {
	return t.execOne(ctx, "delete fix", store.ErrNotFound, deleteFixQuery, t.ws, importNo, no)
}
