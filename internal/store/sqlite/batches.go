package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

const batchColumns = `b.import_no, b.pass, b.no, b.state, b.input, b.offset, b.length, b.first_row, b.first_line, b.rows,
	b.job_id, b.epoch, b.next_offset, b.next_row, b.next_line, b.next_seq,
	b.created, b.updated, b.unchanged, b.deleted, b.failed, b.skipped, b.held, b.errors, b.warnings, b.warned,
	b.beat, b.node`

const (
	selectBatches    = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = ?1 AND b.import_no = ?2 AND (?3 = '' OR b.pass = ?3) ORDER BY b.pass, b.no`
	selectBatch      = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = ? AND b.import_no = ? AND b.pass = ? AND b.no = ?`
	selectJobless    = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = ? AND b.import_no = ? AND b.pass = ? AND b.job_id = 0 AND ` + unfinished + ` ORDER BY b.no LIMIT ?`
	selectHeld       = `SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = ? AND b.import_no = ? AND b.pass = ? AND b.job_id = ? AND ` + unfinished + ` ORDER BY b.no LIMIT 1`
	countUnfinished  = `SELECT count(*) FROM batch b WHERE b.ws = ? AND b.import_no = ? AND b.pass = ? AND ` + unfinished
	selectEpoch      = `SELECT b.epoch FROM batch b WHERE b.ws = ? AND b.import_no = ? AND b.pass = ? AND b.no = ?`
	stopBatchesQuery = `UPDATE batch AS b SET state = ?, epoch = epoch + 1, job_id = 0 WHERE b.ws = ? AND b.import_no = ? AND ` + unfinished
	startBatchQuery  = `UPDATE batch SET state = ?, epoch = epoch + 1, node = ?, beat = ? WHERE ws = ? AND import_no = ? AND pass = ? AND no = ?`
	saveBatchQuery   = `UPDATE batch SET state = ?, rows = ?, job_id = ?, epoch = ?, next_offset = ?, next_row = ?, next_line = ?, next_seq = ?,
	created = ?, updated = ?, unchanged = ?, deleted = ?, failed = ?, skipped = ?, held = ?, errors = ?, warnings = ?, warned = ?, beat = ?
WHERE ws = ? AND import_no = ? AND pass = ? AND no = ?`
	deleteBatchesQuery = `DELETE FROM batch WHERE ws = ? AND import_no = ? AND pass = ?`
	insertBatchQuery   = `INSERT INTO batch (ws, import_no, pass, no, state, input, offset, length, first_row, first_line, rows,
	job_id, epoch, next_offset, next_row, next_line, next_seq,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, beat, node)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// unfinished is the opposite of BatchState.Finished.
const unfinished = `b.state NOT IN ('done', 'terminated', 'failed')`

// batchDest lists where a batch's columns go; beat goes through a value of its own.
func batchDest(b *store.Batch, beat *sql.NullInt64) []any {
	dest := []any{&b.ImportNo, &b.Pass, &b.No, &b.State, &b.Input, &b.Offset, &b.Length, &b.FirstRow, &b.FirstLine, &b.Rows,
		&b.JobID, &b.Epoch, &b.NextOffset, &b.NextRow, &b.NextLine, &b.NextSeq}
	return append(append(dest, tallyDest(&b.Tally)...), beat, &b.Node)
}

func scanBatch(s scanner) (store.Batch, error) {
	var b store.Batch
	var beat sql.NullInt64
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
	for i := range batches {
		b := &batches[i]
		args := []any{t.ws, b.ImportNo, b.Pass, b.No, b.State, b.Input, b.Offset, b.Length, b.FirstRow, b.FirstLine, b.Rows,
			b.JobID, b.Epoch, b.NextOffset, b.NextRow, b.NextLine, b.NextSeq}
		args = append(append(args, tallyArgs(&b.Tally)...), millisOrNull(b.Beat), b.Node)
		if _, err := t.exec(ctx, "insert batch", store.ErrExists, insertBatchQuery, args...); err != nil {
			return err
		}
	}
	return nil
}

// Batch implements store.Tx.
func (t *tx) Batch(ctx context.Context, ref store.BatchRef) (store.Batch, error) {
	if err := t.usable(ctx); err != nil {
		return store.Batch{}, fmt.Errorf("batch: %w", err)
	}
	b, err := scanBatch(t.sql.QueryRowContext(context.WithoutCancel(ctx), selectBatch, t.ws, ref.ImportNo, ref.Pass, ref.No))
	return b, t.judge("batch", interpret(err, nil))
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
	err = t.execOne(ctx, "start batch", startBatchQuery, b.State, node, millis(now), t.ws, ref.ImportNo, ref.Pass, ref.No)
	return b, err
}

// CheckBatch implements store.Tx.
func (t *tx) CheckBatch(ctx context.Context, ref store.BatchRef, epoch int64) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("check batch: %w", err)
	}
	var now int64
	err := t.sql.QueryRowContext(context.WithoutCancel(ctx), selectEpoch, t.ws, ref.ImportNo, ref.Pass, ref.No).Scan(&now)
	if err == nil && now != epoch {
		err = store.ErrFenced
	}
	return t.judge("check batch", interpret(err, nil))
}

// SaveBatch implements store.Tx.
func (t *tx) SaveBatch(ctx context.Context, b *store.Batch) error {
	args := []any{b.State, b.Rows, b.JobID, b.Epoch, b.NextOffset, b.NextRow, b.NextLine, b.NextSeq}
	args = append(append(args, tallyArgs(&b.Tally)...), millisOrNull(b.Beat), t.ws, b.ImportNo, b.Pass, b.No)
	return t.execOne(ctx, "save batch", saveBatchQuery, args...)
}

// DeletePass implements store.Tx.
func (t *tx) DeletePass(ctx context.Context, importNo int64, pass ledger.Pass) error {
	if _, err := t.exec(ctx, "delete pages of a pass", nil, deletePagesQuery, t.ws, importNo, pass); err != nil {
		return err
	}
	_, err := t.exec(ctx, "delete batches of a pass", nil, deleteBatchesQuery, t.ws, importNo, pass)
	return err
}

// StopBatches implements store.Tx.
func (t *tx) StopBatches(ctx context.Context, importNo int64, to store.BatchState) (int, error) {
	r, err := t.exec(ctx, "stop batches", nil, stopBatchesQuery, to, t.ws, importNo)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), wrap("stop batches", err)
}

// UnfinishedBatches implements store.Tx.
func (t *tx) UnfinishedBatches(ctx context.Context, importNo int64, pass ledger.Pass) (n int, err error) {
	if err := t.usable(ctx); err != nil {
		return 0, fmt.Errorf("count unfinished batches: %w", err)
	}
	err = t.sql.QueryRowContext(context.WithoutCancel(ctx), countUnfinished, t.ws, importNo, pass).Scan(&n)
	return n, t.judge("count unfinished batches", interpret(err, nil))
}

// HeldBatch implements store.Tx.
func (t *tx) HeldBatch(ctx context.Context, importNo int64, pass ledger.Pass, jobID int64) (store.Batch, error) {
	if err := t.usable(ctx); err != nil {
		return store.Batch{}, fmt.Errorf("held batch: %w", err)
	}
	b, err := scanBatch(t.sql.QueryRowContext(context.WithoutCancel(ctx), selectHeld, t.ws, importNo, pass, jobID))
	return b, t.judge("held batch", interpret(err, nil))
}

// NextBatches implements store.Tx.
func (t *tx) NextBatches(ctx context.Context, importNo int64, pass ledger.Pass, limit int) ([]store.Batch, error) {
	if err := t.usable(ctx); err != nil {
		return nil, fmt.Errorf("next batches: %w", err)
	}
	all, err := collect(context.WithoutCancel(ctx), t.sql, scanBatch, selectJobless, t.ws, importNo, pass, max(0, limit))
	return all, t.judge("next batches", interpret(err, nil))
}
