package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

const (
	insertPageQuery = `INSERT INTO page (ws, import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, codes, outcomes, images)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	// selectPages reads the pages that come after (?3, ?4, ?5).
	selectPages = `SELECT import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, codes,
	iif(?10, outcomes, NULL), iif(?11, images, NULL)
FROM page
WHERE ws = ?1 AND import_no = ?2 AND (pass, batch, seq) > (?3, ?4, ?5)
	AND (pass = ?6 OR ?6 = '' AND pass <> 'plan')
	AND (?7 = 0 OR batch = ?7)
	AND (NOT ?8 OR errors <> 0)
	AND (NOT ?9 OR errors <> 0 OR warnings <> 0)
ORDER BY pass, batch, seq LIMIT ?12`
)

// pagesAtOnce is how many pages are read before they are handed on. A reading
// connection is not held while the caller works, so that it may read as well.
const pagesAtOnce = 32

// Pages implements store.Store. Passes come in the order of their names.
func (r reader) Pages(ctx context.Context, ws store.WS, importNo int64, f store.PageFilter, fn func(ledger.Page) error) error {
	var last ledger.Page
	last.Seq = -1
	for {
		pages, err := collect(ctx, r.q, scanPage, selectPages, ws, importNo, last.Pass, last.Batch, last.Seq,
			f.Pass, f.Batch, f.ErrorsOnly, f.ProblemsOnly, f.Outcomes, f.Images, pagesAtOnce)
		if err != nil {
			return wrap("list pages", err)
		}
		for _, p := range pages {
			if err := fn(p); err != nil {
				return err
			}
		}
		if len(pages) < pagesAtOnce {
			return nil
		}
		last = pages[len(pages)-1]
	}
}

func scanPage(s scanner) (ledger.Page, error) {
	var p ledger.Page
	var codes sql.NullString
	dest := append([]any{&p.ImportNo, &p.Pass, &p.Batch, &p.Seq, &p.FirstRow, &p.LastRow, &p.Rows}, tallyDest(&p.Tally)...)
	if err := s.Scan(append(dest, &p.Format, &codes, &p.Outcomes, &p.Images)...); err != nil {
		return p, err
	}
	if codes.Valid {
		if err := json.Unmarshal([]byte(codes.String), &p.Codes); err != nil {
			return p, wrap("codes", err)
		}
	}
	return p, nil
}

// InsertPage implements store.Tx.
func (t *tx) InsertPage(ctx context.Context, p *ledger.Page) error {
	var codes sql.NullString
	if len(p.Codes) > 0 {
		b, err := json.Marshal(p.Codes)
		if err != nil {
			return wrap("insert page", err)
		}
		codes = sql.NullString{String: string(b), Valid: true}
	}
	args := append([]any{t.ws, p.ImportNo, p.Pass, p.Batch, p.Seq, p.FirstRow, p.LastRow, p.Rows}, tallyArgs(&p.Tally)...)
	_, err := t.exec(ctx, "insert page", store.ErrExists, insertPageQuery, append(args, p.Format, codes, p.Outcomes, p.Images)...)
	return err
}
