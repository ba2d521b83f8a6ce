package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"tallyman/internal/store"
)

// moving are the states in which an import must not stand still. The index
// import_moving is over exactly this list.
const moving = `i.state IN ('received', 'slicing', 'running', 'pausing', 'terminating')`

const (
	// selectSilent finds the batches whose job has not been heard of since ?1.
	// An import that has just changed its state is given the same time as a
	// batch that has just moved: its batches' beats are of before a pause.
	// CROSS keeps SQLite from going through all batches there ever were.
	selectSilent = `SELECT i.ws, i.state, ` + batchColumns + `
FROM import i INDEXED BY import_moving CROSS JOIN batch b ON b.ws = i.ws AND b.import_no = i.no
WHERE ` + moving + ` AND i.updated_at < ?1 AND b.state IN ('queued', 'running') AND coalesce(b.beat, 0) < ?1`

	// selectIdle finds the imports none of whose batches has a job, or moved
	// since ?1.
	selectIdle = `SELECT i.ws, i.state, i.no FROM import i INDEXED BY import_moving
WHERE ` + moving + ` AND i.updated_at < ?1
	AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.ws = i.ws AND b.import_no = i.no AND (b.state IN ('queued', 'running') OR b.beat >= ?1))`

	selectWaiting = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = ? AND b.import_no = ? AND b.state = 'waiting'`
)

// Stalled implements store.Store. Of a running import that stands still it
// lists the batches that wait; where there are none, and of an import in
// another state, it lists the import alone, with a batch that has no number.
func (r reader) Stalled(ctx context.Context, before time.Time) (all []store.StalledBatch, err error) {
	err = r.atOneMoment(ctx, func(still reader) error {
		if all, err = collect(ctx, still.q, scanSilent, selectSilent, millis(before)); err != nil {
			return err
		}
		idle, err := collect(ctx, still.q, scanIdle, selectIdle, millis(before))
		for i := 0; err == nil && i < len(idle); i++ {
			var waiting []store.StalledBatch
			waiting, err = still.waiting(ctx, idle[i])
			all = append(all, waiting...)
		}
		return err
	})
	slices.SortFunc(all, func(a, b store.StalledBatch) int {
		return cmp.Or(cmp.Compare(a.WS, b.WS), cmp.Compare(a.Batch.ImportNo, b.Batch.ImportNo),
			cmp.Compare(a.Batch.Pass, b.Batch.Pass), cmp.Compare(a.Batch.No, b.Batch.No))
	})
	return all, wrap("find stalled batches", err)
}

// waiting lists what an idle import waits for.
func (r reader) waiting(ctx context.Context, idle store.StalledBatch) ([]store.StalledBatch, error) {
	if idle.State != store.Running {
		return []store.StalledBatch{idle}, nil
	}
	batches, err := collect(ctx, r.q, scanBatch, selectWaiting, idle.WS, idle.Batch.ImportNo)
	if err != nil || len(batches) == 0 {
		return []store.StalledBatch{idle}, err
	}
	list := make([]store.StalledBatch, len(batches))
	for i, b := range batches {
		list[i] = store.StalledBatch{WS: idle.WS, State: idle.State, Batch: b}
	}
	return list, nil
}

func scanSilent(s scanner) (store.StalledBatch, error) {
	var sb store.StalledBatch
	var beat sql.NullInt64
	err := s.Scan(append([]any{&sb.WS, &sb.State}, batchDest(&sb.Batch, &beat)...)...)
	sb.Batch.Beat = fromNull(beat)
	return sb, err
}

func scanIdle(s scanner) (store.StalledBatch, error) {
	var sb store.StalledBatch
	err := s.Scan(&sb.WS, &sb.State, &sb.Batch.ImportNo)
	return sb, err
}
