package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// moving are the states in which an import must not stand still. The index
// import_moving is over exactly this list.
const moving = `i.state IN ('received', 'slicing', 'planning', 'running', 'pausing', 'terminating')`

const (
	// selectSilent finds the batches whose job has not been heard of since $1, or
	// says to have been heard of after $2.
	// An import that has just changed its state is given the same time as a
	// batch that has just moved: its batches' beats are of before a pause.
	selectSilent = `SELECT i.ws, i.state, ` + batchColumns + `
FROM import i CROSS JOIN LATERAL (SELECT * FROM batch WHERE ws = i.ws AND import_no = i.no OFFSET 0) b
WHERE ` + moving + ` AND (i.updated_at < $1 OR i.updated_at > $2) AND b.state IN ('queued', 'running') AND (coalesce(b.beat, 0) < $1 OR b.beat > $2)`

	// selectIdle finds the imports none of whose batches has a job, or moved
	// since $1.
	selectIdle = `SELECT i.ws, i.state, i.no, i.pass FROM import i
WHERE ` + moving + ` AND (i.updated_at < $1 OR i.updated_at > $2)
	AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.ws = i.ws AND b.import_no = i.no AND (b.state IN ('queued', 'running') OR b.beat BETWEEN $1 AND $2))`

	selectWaiting = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND b.pass = $3 AND b.state = 'waiting'`
)

// Stalled implements store.Store. Of an import that plans or runs and
// stands still it lists the batches of its pass that wait; where there are
// none, and of an import in another state, it lists the import alone, with a
// batch that has no number.
func (r reader) Stalled(ctx context.Context, before, until time.Time) (all []store.StalledBatch, err error) {
	err = r.atOneMoment(ctx, beginStill, func(still reader) error {
		if all, err = collect(ctx, still.q, scanSilent, selectSilent, millis(before), millis(until)); err != nil {
			return err
		}
		idle, err := collect(ctx, still.q, scanIdle, selectIdle, millis(before), millis(until))
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

// idleImport is an import that stands still.
type idleImport struct {
	ws    store.WS
	state store.State
	no    int64
	pass  ledger.Pass
}

// waiting lists what an idle import waits for.
func (r reader) waiting(ctx context.Context, idle idleImport) ([]store.StalledBatch, error) {
	alone := store.StalledBatch{WS: idle.ws, State: idle.state, Batch: store.Batch{BatchRef: store.BatchRef{ImportNo: idle.no}}}
	if idle.state != store.Planning && idle.state != store.Running {
		return []store.StalledBatch{alone}, nil
	}
	batches, err := collect(ctx, r.q, scanBatch, selectWaiting, idle.ws, idle.no, idle.pass)
	if err != nil || len(batches) == 0 {
		return []store.StalledBatch{alone}, err
	}
	list := make([]store.StalledBatch, len(batches))
	for i, b := range batches {
		list[i] = store.StalledBatch{WS: idle.ws, State: idle.state, Batch: b}
	}
	return list, nil
}

func scanSilent(s pgx.Row) (store.StalledBatch, error) {
	var sb store.StalledBatch
	var beat *int64
	err := s.Scan(append([]any{&sb.WS, &sb.State}, batchDest(&sb.Batch, &beat)...)...)
	sb.Batch.Beat = fromNull(beat)
	return sb, err
}

func scanIdle(s pgx.Row) (i idleImport, err error) {
	err = s.Scan(&i.ws, &i.state, &i.no, &i.pass)
	return i, err
}
