package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/store"
)

const (
	// endedAt is the time from which an import's retention counts.
	endedAt = `coalesce(completed_at, updated_at)`

	// resting are the states in which nothing needs an import's bodies any more
	// but reports and an undo: those that State.Ended names, and planned.
	resting = `state IN ('terminated', 'stopped', 'rolled_back', 'done', 'refused', 'failed', 'planned')`

	// selectExpired reads images, outcomes and files apart, so that the index of
	// each stops at what is due.
	selectExpired = `WITH i AS (SELECT * FROM import WHERE rowid IN (
	SELECT rowid FROM import INDEXED BY import_images   WHERE images_gone = 0   AND ` + endedAt + ` < ?1 AND ` + resting + ` UNION
	SELECT rowid FROM import INDEXED BY import_outcomes WHERE outcomes_gone = 0 AND ` + endedAt + ` < ?2 AND ` + resting + ` UNION
	SELECT rowid FROM import INDEXED BY import_files    WHERE files_gone = 0    AND ` + endedAt + ` < ?3 AND ` + resting + `)
ORDER BY ` + endedAt + `, ws, no LIMIT ?4)` + withTallies + ` ORDER BY coalesce(i.completed_at, i.updated_at), i.ws, i.no`

	selectFileKeys = `SELECT DISTINCT file_key FROM import WHERE ws = ? AND file_key <> '' AND file_key IN ` + listMark
	// fileKeysAtOnce bounds the parameters of one such statement.
	fileKeysAtOnce = 500

	// dropBodiesQuery takes images (?3) and outcomes (?4); a plan's go together.
	dropBodiesQuery = `UPDATE page SET
	images   = iif(?3 OR ` + planning + `, NULL, images),
	outcomes = iif(?4 OR ` + planning + `, NULL, outcomes)
WHERE rowid IN (SELECT rowid FROM page WHERE ws = ?1 AND import_no = ?2 AND (?3 OR ?4)
	AND (images IS NOT NULL AND (?3 OR ` + planning + `) OR outcomes IS NOT NULL AND (?4 OR ` + planning + `)) LIMIT ?5)`

	// selectLedgerSize goes through the headers of all pages: the length of a
	// body stands in them.
	selectLedgerSize = `SELECT (SELECT count(*) FROM import WHERE ws = ?1), count(*), coalesce(sum(rows), 0),
	coalesce(sum(length(outcomes)), 0), coalesce(sum(length(images)), 0), count(length(outcomes)), count(length(images)),
	(SELECT count(*) FROM correction WHERE ws = ?1), (SELECT count(*) FROM request WHERE ws = ?1)
FROM page WHERE ws = ?1`
)

// Expired implements store.Store.
func (r reader) Expired(ctx context.Context, e store.Expiry, limit int) ([]store.Import, error) {
	list, err := collect(ctx, r.q, scanImportTallies, selectExpired, millis(e.Images), millis(e.Outcomes), millis(e.Files), max(0, limit))
	return list, wrap("list expired imports", err)
}

// FileKeys implements store.Store.
func (r reader) FileKeys(ctx context.Context, ws store.WS, keys []string) ([]string, error) {
	var used []string
	for some := range slices.Chunk(keys, fileKeysAtOnce) {
		args := []any{ws}
		for _, k := range some {
			args = append(args, k)
		}
		found, err := collect(ctx, r.q, scanText, strings.Replace(selectFileKeys, listMark, parameters(len(some)), 1), args...)
		if err != nil {
			return nil, fmt.Errorf("find file keys: %w", err)
		}
		used = append(used, found...)
	}
	slices.Sort(used)
	return slices.Compact(used), nil
}

// DropBodies implements store.Tx.
func (t *tx) DropBodies(ctx context.Context, importNo int64, images, outcomes bool, limit int) (int, error) {
	r, err := t.exec(ctx, "drop bodies", nil, dropBodiesQuery, t.ws, importNo, images, outcomes, max(0, limit))
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), wrap("drop bodies", err)
}

// LedgerSize implements store.Store. It takes a while where there are many
// pages.
func (r reader) LedgerSize(ctx context.Context, ws store.WS) (z store.LedgerSize, err error) {
	err = r.q.QueryRowContext(ctx, selectLedgerSize, ws).Scan(&z.Imports, &z.Pages, &z.Rows,
		&z.OutcomeBytes, &z.ImageBytes, &z.WithOutcomes, &z.WithImages, &z.Corrections, &z.Requests)
	return z, wrap("measure ledger", err)
}
