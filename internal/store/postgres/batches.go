package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

const batchColumns = `b.import_no, b.pass, b.no, b.state, b.input, b.start_at, b.length, b.first_row, b.first_line, b.rows,
	b.job_id, b.epoch, b.next_offset, b.next_row, b.next_line, b.next_seq,
	b.created, b.updated, b.unchanged, b.deleted, b.failed, b.skipped, b.held, b.errors, b.warnings, b.warned,
	b.beat, b.node`

// A transaction locks each batch that it looks at, and those of one import in
// the order of their numbers.
const (
	selectBatches    = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND ($3 = '' OR b.pass = $3) ORDER BY b.pass, b.no`
	selectBatch      = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND b.pass = $3 AND b.no = $4 FOR UPDATE`
	selectJobless    = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND b.pass = $3 AND b.job_id = 0 AND ` + unfinished + ` ORDER BY b.no LIMIT $4 FOR UPDATE`
	selectHeld       = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND b.pass = $3 AND b.job_id = $4 AND ` + unfinished + ` ORDER BY b.no LIMIT 1 FOR UPDATE`
	countUnfinished  = `SELECT count(*) FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND b.pass = $3 AND ` + unfinished
	selectEpoch      = `SELECT b.epoch FROM batch b WHERE b.ws = $1 AND b.import_no = $2 AND b.pass = $3 AND b.no = $4 FOR UPDATE`
	stopBatchesQuery = `UPDATE batch b SET state = $1, epoch = epoch + 1, job_id = 0 FROM (
	SELECT pass, no FROM batch b WHERE b.ws = $2 AND b.import_no = $3 AND ` + unfinished + ` ORDER BY pass, no FOR UPDATE) s
WHERE b.ws = $2 AND b.import_no = $3 AND b.pass = s.pass AND b.no = s.no`
	startBatchQuery = `UPDATE batch SET state = $1, epoch = epoch + 1, node = $2, beat = $3 WHERE ws = $4 AND import_no = $5 AND pass = $6 AND no = $7`
	saveBatchQuery  = `UPDATE batch SET state = $1, rows = $2, job_id = $3, epoch = $4, next_offset = $5, next_row = $6, next_line = $7, next_seq = $8,
	created = $9, updated = $10, unchanged = $11, deleted = $12, failed = $13, skipped = $14, held = $15, errors = $16, warnings = $17, warned = $18, beat = $19
WHERE ws = $20 AND import_no = $21 AND pass = $22 AND no = $23`
	deleteBatchesQuery = `DELETE FROM batch WHERE ws = $1 AND import_no = $2 AND pass = $3`
	insertBatchQuery   = `INSERT INTO batch (ws, import_no, pass, no, state, input, start_at, length, first_row, first_line, rows,
	job_id, epoch, next_offset, next_row, next_line, next_seq,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, beat, node)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)
ON CONFLICT DO NOTHING`
)

// unfinished is the opposite of BatchState.Finished.
const unfinished = `b.state NOT IN ('done', 'terminated', 'failed')`

// batchDest lists where a batch's columns go; beat goes through a value of its own.
func batchDest(b *store.Batch, beat **int64) []any {
	dest := []any{&b.ImportNo, &b.Pass, &b.No, &b.State, &b.Input, &b.Offset, &b.Length, &b.FirstRow, &b.FirstLine, &b.Rows,
		&b.JobID, &b.Epoch, &b.NextOffset, &b.NextRow, &b.NextLine, &b.NextSeq}
	return append(append(dest, tallyDest(&b.Tally)...), beat, (*free)(&b.Node))
}

func scanBatch(s pgx.Row) (store.Batch, error) {
	var b store.Batch
	var beat *int64
	err := s.Scan(batchDest(&b, &beat)...)
	b.Beat = fromNull(beat)
	return b, err
}

// Batches implements store.Store.
func (r reader) Batches(ctx context.Context, ws store.WS, importNo int64, pass ledger.Pass) ([]store.Batch, error) {
	all, err := collect(ctx, r.q, scanBatch, selectBatches, ws, importNo, pass)
	return all, wrap("list batches", err)
}

// InsertBatches implements store.Tx.
func (t *tx) InsertBatches(ctx context.Context, batches []store.Batch) error {
	var queue pgx.Batch
	for i := range batches {
		b := &batches[i]
		args := []any{t.ws, b.ImportNo, b.Pass, b.No, b.State, b.Input, b.Offset, b.Length, b.FirstRow, b.FirstLine, b.Rows,
			b.JobID, b.Epoch, b.NextOffset, b.NextRow, b.NextLine, b.NextSeq}
		queue.Queue(insertBatchQuery, append(append(args, tallyArgs(&b.Tally)...), millisOrNull(b.Beat), free(b.Node))...)
	}
	taken := false
	err := t.sendAll(ctx, "insert batches", &queue, func(rows int64) { taken = taken || rows == 0 })
	if err == nil && taken {
		return fmt.Errorf("insert batches: %w", store.ErrExists)
	}
	return err
}

// sendAll runs queued statements in one go, calling each with the number of
// rows that one changed.
func (t *tx) sendAll(ctx context.Context, op string, queue *pgx.Batch, each func(rows int64)) error {
	return t.do(ctx, op, nil, func() error {
		results := t.pg.SendBatch(ctx, queue)
		for range queue.Len() {
			tag, err := results.Exec()
			if err != nil {
				results.Close() // it returns the same error
				return err
			}
			each(tag.RowsAffected())
		}
		return results.Close()
	})
}

// Batch implements store.Tx.
func (t *tx) Batch(ctx context.Context, ref store.BatchRef) (store.Batch, error) {
	return stepOne(ctx, t, "batch", scanBatch, selectBatch, t.ws, ref.ImportNo, ref.Pass, ref.No)
}

// StartBatch implements store.Tx.
func (t *tx) StartBatch(ctx context.Context, ref store.BatchRef, jobID int64, node string, now time.Time) (store.Batch, error) {
	b, err := t.Batch(ctx, ref)
	if err != nil {
		return b, fmt.Errorf("start %w", err)
	}
	if b.JobID != jobID || b.State.Finished() {
		return b, fmt.Errorf("start batch: %w", store.ErrStale)
	}
	beat := fromMillis(millis(now))
	b.State, b.Epoch, b.Node, b.Beat = store.BatchRunning, b.Epoch+1, node, &beat
	err = t.execOne(ctx, "start batch", store.ErrNotFound, startBatchQuery, b.State, free(node), millis(now), t.ws, ref.ImportNo, ref.Pass, ref.No)
	return b, err
}

// CheckBatch implements store.Tx.
func (t *tx) CheckBatch(ctx context.Context, ref store.BatchRef, epoch int64) error {
	now, err := stepOne(ctx, t, "check batch", scanInt64, selectEpoch, t.ws, ref.ImportNo, ref.Pass, ref.No)
	if err == nil && now != epoch {
		return fmt.Errorf("check batch: %w", store.ErrFenced)
	}
	return err
}

// SaveBatch implements store.Tx.
func (t *tx) SaveBatch(ctx context.Context, b *store.Batch) error {
	args := []any{b.State, b.Rows, b.JobID, b.Epoch, b.NextOffset, b.NextRow, b.NextLine, b.NextSeq}
	args = append(append(args, tallyArgs(&b.Tally)...), millisOrNull(b.Beat), t.ws, b.ImportNo, b.Pass, b.No)
	return t.execOne(ctx, "save batch", store.ErrNotFound, saveBatchQuery, args...)
}

// DeletePass implements store.Tx.
func (t *tx) DeletePass(ctx context.Context, importNo int64, pass ledger.Pass) error {
	if _, err := t.exec(ctx, "delete pages of a pass", deletePagesQuery, t.ws, importNo, pass); err != nil {
		return err
	}
	_, err := t.exec(ctx, "delete batches of a pass", deleteBatchesQuery, t.ws, importNo, pass)
	return err
}

// StopBatches implements store.Tx.
func (t *tx) StopBatches(ctx context.Context, importNo int64, to store.BatchState) (int, error) {
	n, err := t.exec(ctx, "stop batches", stopBatchesQuery, to, t.ws, importNo)
	return int(n), err
}

// UnfinishedBatches implements store.Tx.
func (t *tx) UnfinishedBatches(ctx context.Context, importNo int64, pass ledger.Pass) (int, error) {
	n, err := stepOne(ctx, t, "count unfinished batches", scanInt64, countUnfinished, t.ws, importNo, pass)
	return int(n), err
}

// HeldBatch implements store.Tx.
func (t *tx) HeldBatch(ctx context.Context, importNo int64, pass ledger.Pass, jobID int64) (store.Batch, error) {
	return stepOne(ctx, t, "held batch", scanBatch, selectHeld, t.ws, importNo, pass, jobID)
}

// NextBatches implements store.Tx.
func (t *tx) NextBatches(ctx context.Context, importNo int64, pass ledger.Pass, limit int) (all []store.Batch, err error) {
	err = t.do(ctx, "next batches", nil, func() error {
		all, err = collect(ctx, t.pg, scanBatch, selectJobless, t.ws, importNo, pass, max(0, limit))
		return err
	})
	return all, err
}
