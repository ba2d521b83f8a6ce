package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

const (
	insertPageQuery = `INSERT INTO page (ws, import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, causes, fields, digest, outcomes, images)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, nullif($20, ''), nullif($21, ''), $22, $23, $24)
ON CONFLICT DO NOTHING`

	// selectPages reads the pages that come after ($3, $4, $5) up to ($6, $7, $8).
	// Counts of later passes are signed and may come to nothing where there are
	// problems, so only those of the first passes say that there are none.
	selectPages = `SELECT import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, coalesce(causes, ''), coalesce(fields, ''), digest,
	CASE WHEN $9 THEN outcomes END, CASE WHEN $10 THEN images END
FROM page
WHERE ws = $1 AND import_no = $2 AND (pass, batch, seq) > ($3, $4, $5) AND (pass, batch, seq) <= ($6, $7, $8)
	AND ($11 OR NOT ` + planning + `)
	AND ($12::bigint = 0 OR batch = $12)
	AND (NOT $13 OR seq = $14)
	AND ($15::bigint = 0 OR first_row <= $15 AND last_row >= $15)
	AND (NOT $16 OR errors <> 0 OR pass NOT IN ('plan', 'apply'))
	AND (NOT $17 OR errors <> 0 OR warnings <> 0 OR pass NOT IN ('plan', 'apply'))
ORDER BY pass, batch, seq LIMIT $18`

	deletePagesQuery = `DELETE FROM page WHERE ws = $1 AND import_no = $2 AND pass = $3`
)

// pagesAtOnce is how many pages are read before they are handed on. No
// connection is held while the caller works, so that it may read as well.
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

func scanPage(s pgx.Row) (ledger.Page, error) {
	var p ledger.Page
	var causes, fields free
	dest := append([]any{&p.ImportNo, &p.Pass, &p.Batch, &p.Seq, &p.FirstRow, &p.LastRow, &p.Rows}, tallyDest(&p.Tally)...)
	err := s.Scan(append(dest, &p.Format, &causes, &fields, &p.Digest, &p.Outcomes, &p.Images)...)
	if err == nil {
		p.Causes, err = ledger.DecodeCauses([]byte(causes))
	}
	if err == nil {
		p.Fields, err = ledger.DecodeFields([]byte(fields))
	}
	return p, err
}

// InsertPage implements store.Tx.
func (t *tx) InsertPage(ctx context.Context, p *ledger.Page) error {
	args := append([]any{t.ws, p.ImportNo, p.Pass, p.Batch, p.Seq, p.FirstRow, p.LastRow, p.Rows}, tallyArgs(&p.Tally)...)
	args = append(args, p.Format, free(ledger.EncodeCauses(p.Causes)), free(ledger.EncodeFields(p.Fields)), p.Digest, p.Outcomes, p.Images)
	return t.execOne(ctx, "insert page", store.ErrExists, insertPageQuery, args...)
}
