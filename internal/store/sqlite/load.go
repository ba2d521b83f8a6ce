package sqlite

import (
	"context"
	"time"

	"tallyman/internal/store"
)

const (
	// countOpen counts the imports that have not ended: those that must not stand
	// still and those that may, each by the index that is over exactly them.
	countOpen = `SELECT i.state, count(*) FROM import i INDEXED BY import_moving WHERE ` + moving + ` GROUP BY i.state UNION ALL
SELECT i.state, count(*) FROM import i INDEXED BY import_standing WHERE ` + standing + ` GROUP BY i.state`

	// standing are the states of imports that have not ended and need not move.
	standing = `i.state IN ('planned', 'paused', 'rolling_back')`

	countBatches = `SELECT b.state, count(*), min(coalesce(b.beat, i.started_at, i.created_at))
FROM import i INDEXED BY import_moving CROSS JOIN batch b ON b.ws = i.ws AND b.import_no = i.no
WHERE ` + moving + ` AND ` + unfinished + ` GROUP BY b.state`
)

// Load implements store.Operation.
func (r reader) Load(ctx context.Context) (store.Load, error) {
	load := store.Load{Imports: map[store.State]int64{}, Batches: map[store.BatchState]int64{}}
	err := r.atOneMoment(ctx, func(still reader) error {
		imports, err := collect(ctx, still.q, scanStateCount, countOpen)
		if err != nil {
			return err
		}
		for _, c := range imports {
			load.Imports[c.state] = c.n
		}
		batches, err := collect(ctx, still.q, scanBatchCount, countBatches)
		for _, c := range batches {
			load.Batches[c.state] = c.n
			waits := c.state == store.BatchWaiting || c.state == store.BatchQueued
			if waits && (load.Oldest == nil || c.oldest.Before(*load.Oldest)) {
				load.Oldest = &c.oldest
			}
		}
		return err
	})
	return load, wrap("measure load", err)
}

type stateCount struct {
	state store.State
	n     int64
}

func scanStateCount(s scanner) (c stateCount, err error) {
	err = s.Scan(&c.state, &c.n)
	return c, err
}

// batchCount counts batches in one state; oldest is when the first of them last
// moved.
type batchCount struct {
	state  store.BatchState
	n      int64
	oldest time.Time
}

func scanBatchCount(s scanner) (c batchCount, err error) {
	var oldest int64 // every import has its creation
	err = s.Scan(&c.state, &c.n, &oldest)
	c.oldest = fromMillis(oldest)
	return c, err
}
