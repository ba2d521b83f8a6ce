package sqlite

import (
	"context"
	"math"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

const (
	insertPageQuery = `INSERT INTO page (ws, import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, causes, fields, digest, outcomes, images)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	// selectPages reads the pages that come after (?3, ?4, ?5) up to (?6, ?7, ?8).
	// Which passes count is told by the index; the page itself is not read for it.
	// Counts of later passes are signed and may come to nothing where there are
	// problems, so only those of the first passes say that there are none.
	selectPages = `SELECT import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, causes, fields, digest,
	iif(?9, outcomes, NULL), iif(?10, images, NULL)
FROM page
WHERE ws = ?1 AND import_no = ?2 AND (pass, batch, seq) > (?3, ?4, ?5) AND (pass, batch, seq) <= (?6, ?7, ?8)
	AND (?11 OR NOT ` + planning + `)
	AND (?12 = 0 OR batch = ?12)
	AND (NOT ?13 OR seq = ?14)
	AND (?15 = 0 OR first_row <= ?15 AND last_row >= ?15)
	AND (NOT ?16 OR errors <> 0 OR pass NOT IN ('plan', 'apply'))
	AND (NOT ?17 OR errors <> 0 OR warnings <> 0 OR pass NOT IN ('plan', 'apply'))
ORDER BY pass, batch, seq LIMIT ?18`

	deletePagesQuery = `DELETE FROM page WHERE ws = ? AND import_no = ? AND pass = ?`
)

// pagesAtOnce is how many pages are read before they are handed on. A reading
// connection is not held while the caller works, so that it may read as well.
const pagesAtOnce = 32

// Pages implements store.Store. Passes come in the order of their names.
func (r reader) Pages(ctx context.Context, ws store.WS, importNo int64, f store.PageFilter, fn func(ledger.Page) error) error {
	after, last := span(f)
	for {
		pages, err := collect(ctx, r.q, scanPage, selectPages, ws, importNo, after.pass, after.batch, after.seq, last.pass, last.batch, last.seq,
			f.Outcomes, f.Images, f.Pass != "", f.Batch, f.HasSeq, f.Seq, f.Row, f.ErrorsOnly, f.ProblemsOnly, pagesAtOnce)
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
		p := &pages[len(pages)-1]
		after = spot{p.Pass, p.Batch, p.Seq}
	}
}

// spot is a page's place in the order of an import's pages.
type spot struct {
	pass       ledger.Pass
	batch, seq int
}

// span returns the spots after which, and up to which, a filter's pages lie. It
// is what makes one page among thousands quick to find.
func span(f store.PageFilter) (after, last spot) {
	if f.Pass == "" {
		return spot{}, spot{pass: "~"} // behind all names
	}
	after, last = spot{f.Pass, f.Batch, -1}, spot{f.Pass, math.MaxInt, math.MaxInt}
	if f.Batch != 0 {
		last.batch = f.Batch
		if f.HasSeq {
			after.seq, last.seq = f.Seq-1, f.Seq
		}
	}
	return after, last
}

func scanPage(s scanner) (ledger.Page, error) {
	var p ledger.Page
	var causes, fields []byte
	dest := append([]any{&p.ImportNo, &p.Pass, &p.Batch, &p.Seq, &p.FirstRow, &p.LastRow, &p.Rows}, tallyDest(&p.Tally)...)
	err := s.Scan(append(dest, &p.Format, &causes, &fields, &p.Digest, &p.Outcomes, &p.Images)...)
	if err == nil {
		p.Causes, err = ledger.DecodeCauses(causes)
	}
	if err == nil {
		p.Fields, err = ledger.DecodeFields(fields)
	}
	return p, err
}

// InsertPage implements store.Tx.
func (t *tx) InsertPage(ctx context.Context, p *ledger.Page) error {
	args := append([]any{t.ws, p.ImportNo, p.Pass, p.Batch, p.Seq, p.FirstRow, p.LastRow, p.Rows}, tallyArgs(&p.Tally)...)
	args = append(args, p.Format, textOrNull(string(ledger.EncodeCauses(p.Causes))), textOrNull(string(ledger.EncodeFields(p.Fields))))
	_, err := t.exec(ctx, "insert page", store.ErrExists, insertPageQuery, append(args, p.Digest, p.Outcomes, p.Images)...)
	return err
}
