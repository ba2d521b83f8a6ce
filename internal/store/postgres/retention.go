package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const (
	// endedAt is the time from which an import's retention counts.
	endedAt = `coalesce(completed_at, updated_at)`

	// resting are the states in which nothing needs an import's bodies any more
	// but reports and an undo: those that State.Ended names, and planned.
	resting = `state IN ('terminated', 'stopped', 'rolled_back', 'done', 'refused', 'failed', 'planned')`

	// selectFileKeys looks each key of a list up.
	selectFileKeys = `SELECT DISTINCT k FROM unnest($2::text[]) k
	CROSS JOIN LATERAL (SELECT 1 FROM import WHERE ws = $1 AND file_key = k AND file_key <> '' LIMIT 1) i`

	// dropBodiesQuery takes images ($3) and outcomes ($4); a plan's go together.
	dropBodiesQuery = `WITH due AS MATERIALIZED (SELECT ctid AS place FROM page WHERE ws = $1 AND import_no = $2 AND ($3 OR $4)
	AND (images IS NOT NULL AND ($3 OR ` + planning + `) OR outcomes IS NOT NULL AND ($4 OR ` + planning + `)) LIMIT $5 FOR UPDATE)
UPDATE page p SET
	images   = CASE WHEN $3 OR ` + planning + ` THEN NULL ELSE images   END,
	outcomes = CASE WHEN $4 OR ` + planning + ` THEN NULL ELSE outcomes END
FROM due WHERE p.ctid = due.place AND p.ws = $1`

	// selectLedgerSize goes through the headers of all pages: the length of a
	// body stands in them.
	selectLedgerSize = `SELECT (SELECT count(*) FROM import WHERE ws = $1), count(*), coalesce(sum(rows), 0)::bigint,
	coalesce(sum(octet_length(outcomes)), 0)::bigint, coalesce(sum(octet_length(images)), 0)::bigint, count(outcomes), count(images),
	(SELECT count(*) FROM correction WHERE ws = $1), (SELECT count(*) FROM request WHERE ws = $1)
FROM page WHERE ws = $1`
)

// selectExpired reads images, outcomes and files apart, so that the index of each
// stops at what is due.
var selectExpired = `WITH due AS (
	SELECT ws, no FROM import WHERE NOT images_gone   AND ` + endedAt + ` < $1 AND ` + resting + ` UNION
	SELECT ws, no FROM import WHERE NOT outcomes_gone AND ` + endedAt + ` < $2 AND ` + resting + ` UNION
	SELECT ws, no FROM import WHERE NOT files_gone    AND ` + endedAt + ` < $3 AND ` + resting + `),
i AS (SELECT m.* FROM due CROSS JOIN LATERAL (SELECT * FROM import WHERE ws = due.ws AND no = due.no OFFSET 0) m
	ORDER BY ` + endedAt + `, ws, no LIMIT $4)` + withTallies + ` ORDER BY coalesce(i.completed_at, i.updated_at), i.ws, i.no`

// Expired implements store.Store.
func (r reader) Expired(ctx context.Context, e store.Expiry, limit int) ([]store.Import, error) {
	list, err := collect(ctx, r.q, scanImportTallies, selectExpired, millis(e.Images), millis(e.Outcomes), millis(e.Files), max(0, limit))
	return list, wrap("list expired imports", err)
}

// FileKeys implements store.Store.
func (r reader) FileKeys(ctx context.Context, ws store.WS, keys []string) ([]string, error) {
	escaped := make([]string, len(keys))
	for i, k := range keys {
		escaped[i] = escape(k)
	}
	used, err := collect(ctx, r.q, scanText, selectFileKeys, ws, escaped)
	slices.Sort(used)
	return used, wrap("find file keys", err)
}

func scanText(s pgx.Row) (string, error) {
	var text free
	err := s.Scan(&text)
	return string(text), err
}

// DropBodies implements store.Tx.
func (t *tx) DropBodies(ctx context.Context, importNo int64, images, outcomes bool, limit int) (int, error) {
	n, err := t.exec(ctx, "drop bodies", dropBodiesQuery, t.ws, importNo, images, outcomes, max(0, limit))
	return int(n), err
}

// LedgerSize implements store.Store. It takes a while where there are many
// pages.
func (r reader) LedgerSize(ctx context.Context, ws store.WS) (z store.LedgerSize, err error) {
	err = r.browse(ctx, beginStill, func(r reader) error {
		z, err = one(ctx, r.q, scanLedgerSize, selectLedgerSize, ws)
		return err
	})
	return z, wrap("measure ledger", err)
}

func scanLedgerSize(s pgx.Row) (z store.LedgerSize, err error) {
	err = s.Scan(&z.Imports, &z.Pages, &z.Rows, &z.OutcomeBytes, &z.ImageBytes, &z.WithOutcomes, &z.WithImages, &z.Corrections, &z.Requests)
	return z, err
}
