package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// Batch sizes (L6): ceil(rows/80), but never fewer than 2,000 rows or more than
// 25,000.
const (
	minBatchRows = 2000
	maxBatchRows = 25000
)

func batchRows(rows int64) int64 {
	return min(max((rows+maxParallel-1)/maxParallel, minBatchRows), maxBatchRows)
}

// slice counts the records, cuts them into batches and finds the keys that
// stand twice. The scan works in time slices: each seals what it found (a
// segment of keys and the marks of record boundaries) in the file store and
// commits its cursor with its continuation. The last one cuts.
//
// An import that takes another back has no file: its batches are cut from that
// one's pages. A further run over an import cuts again what its rows were cut to.
func (s *Service) slice(ctx context.Context, job store.Job, id int64) (err error) {
	st, err := s.start(ctx, job, id)
	if err != nil {
		return err
	}
	ctx, done := s.cfg.Observer.BatchClaimed(ctx, &st.imp, &st.batch)
	defer func() { done(err) }()
	return s.beating(ctx, &st, func(ctx context.Context) error {
		in, err := s.open(ctx, &st.imp)
		if err != nil {
			return err
		}
		defer in.Close()
		s.probe(StepSlice)
		switch {
		case st.imp.Sliced:
			return s.unlessStopped(ctx, func(ctx context.Context) error { return s.cutAgain(ctx, &st, in) })
		case st.imp.UndoOf != "":
			return s.unlessStopped(ctx, func(ctx context.Context) error { return s.cutUndo(ctx, &st) })
		}
		done, err := s.scan(ctx, &st, in)
		if err != nil {
			return err
		}
		if !done {
			return s.commitScan(ctx, &st)
		}
		return s.unlessStopped(ctx, func(ctx context.Context) error { return s.cut(ctx, &st, in) })
	})
}

// scan reads records from the slice batch's cursor until its time is over or
// the file ends, and moves the cursor.
func (s *Service) scan(ctx context.Context, st *started, in *input) (done bool, err error) {
	b := &st.batch
	mapper := in.binding.Mapper(st.imp.Mode)
	dec, err := tabular.Open(in.file, &in.layout, section(b), s.cfg.Limits, mapper.KeyColumns())
	if err != nil {
		return false, err
	}
	keys, err := keyset.NewWriter(ctx, s.cfg.Files, segmentKey(&st.imp, keySegments, b))
	if err != nil {
		return false, fmt.Errorf("begin key segment: %w", err)
	}
	defer keys.Abort()
	marks := &markWriter{}
	ahead, stop := s.scanAhead(ctx, dec)
	defer stop()
	for block := range ahead.blocks {
		for i := range block {
			if err := s.scanRecord(&block[i], mapper, keys, marks, b); err != nil {
				return false, err
			}
		}
		ahead.free <- block
	}
	if done = errors.Is(ahead.err, io.EOF); !done {
		err = ahead.err
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return false, err
	}
	if max := in.def.MaxRows; max > 0 && b.Rows > max {
		return false, catalog.Faultf(catalog.KindRefused, "too_many_rows", "The file has more than the %d rows that %s takes; split it.", max, in.def.Name)
	}
	b.NextOffset, b.NextRow, b.NextLine = dec.Position()
	if err := keys.Seal(ctx); err != nil {
		return false, fmt.Errorf("seal key segment: %w", err)
	}
	if err := marks.save(ctx, s.cfg.Files, segmentKey(&st.imp, markSegments, b)); err != nil {
		return false, err
	}
	b.NextSeq++
	return done, nil
}

// scanRecord counts one record, and notes its keys and now and then where it is.
func (s *Service) scanRecord(rec *tabular.Record, mapper source.Mapper, keys *keyset.Writer, marks *markWriter, b *store.Batch) error {
	if b.Rows%markEvery == 0 {
		marks.add(mark{index: b.Rows, offset: rec.Offset, number: rec.Number, line: rec.Line})
	}
	b.Rows++
	marks.keys = mapper.Keys(rec, marks.keys[:0])
	for _, k := range marks.keys {
		if err := keys.Add(byte(k.Field), keyset.Hash(byte(k.Field), k.Value), rec.Number, rec.Offset); err != nil {
			return fmt.Errorf("note key: %w", err)
		}
	}
	return nil
}

// commitScan saves the cursor together with the job that goes on from it.
func (s *Service) commitScan(ctx context.Context, st *started) error {
	err := s.transact(ctx, st.imp.WS, false, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, st.batch.BatchRef, st.batch.Epoch); err != nil {
			return err
		}
		imp, err := tx.LockImport(ctx, st.imp.No)
		if err != nil {
			return err
		}
		imp.Rows, imp.UpdatedAt = st.batch.Rows, s.now()
		if err := tx.UpdateImport(ctx, &imp); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, imp.WS, imp.Small, &st.batch)
	})
	if err != nil {
		return fmt.Errorf("save slicing: %w", err)
	}
	return nil
}

// cut makes the batches and the list of duplicates, and sets the import going.
func (s *Service) cut(ctx context.Context, st *started, in *input) error {
	batches, err := s.cutBatches(ctx, st, in)
	if err != nil {
		return err
	}
	if err := s.findDuplicates(ctx, st, in); err != nil {
		return err
	}
	missing, err := s.cutMissing(ctx, st, in, &st.batch, len(batches))
	if err != nil {
		return err
	}
	st.imp.Rows, st.imp.Extra = st.batch.Rows, rowsOf(missing)
	return s.commitCut(ctx, st, append(batches, missing...))
}

func rowsOf(batches []store.Batch) (n int64) {
	for i := range batches {
		n += batches[i].Rows
	}
	return n
}

// commitCut ends the slice step: the batches are those of the round's plan,
// where it has one, or else of the pass that writes. What st.imp says of rows is
// stored with them.
func (s *Service) commitCut(ctx context.Context, st *started, batches []store.Batch) error {
	s.probe(StepSliceCommit)
	epoch, err := s.lastEpoch(ctx, &st.imp)
	if err != nil {
		return err
	}
	err = s.transact(ctx, st.imp.WS, true, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, st.batch.BatchRef, st.batch.Epoch); err != nil {
			return err
		}
		imp, err := tx.LockImport(ctx, st.imp.No)
		if err != nil {
			return err
		}
		now := s.now()
		imp.Rows, imp.Extra, imp.Sliced, imp.Cut, imp.UpdatedAt = st.imp.Rows, st.imp.Extra, true, st.batch.No, now
		imp.Pass = ledger.ApplyOf(imp.Round)
		if plansFirst(&imp) {
			imp.Pass = ledger.PlanOf(imp.Round)
		}
		if imp.State == store.Slicing {
			// A pause or a termination that has been asked for stays.
			imp.State = stateIn(imp.Pass)
		}
		imp.Small = rowsOf(batches) < SmallRows
		if err := tx.UpdateImport(ctx, &imp); err != nil {
			return err
		}
		b := st.batch
		b.State, b.JobID, b.Beat = store.BatchDone, 0, &now
		if err := tx.SaveBatch(ctx, &b); err != nil {
			return err
		}
		// A plan takes the place of the one before.
		if err := tx.DeletePass(ctx, imp.No, ledger.PlanOf(imp.Round)); err != nil {
			return fmt.Errorf("remove old plan: %w", err)
		}
		if err := tx.InsertBatches(ctx, waiting(batches, imp.No, imp.Pass, epoch+1, now)); err != nil {
			return fmt.Errorf("add batches: %w", err)
		}
		return s.kick(ctx, tx, &imp)
	})
	if err != nil {
		return fmt.Errorf("save batches: %w", err)
	}
	return nil
}

// lastEpoch is the highest epoch of the round's plan that is there: what takes its
// place must not be taken for it by a job of before.
func (s *Service) lastEpoch(ctx context.Context, imp *store.Import) (epoch int64, err error) {
	old, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, ledger.PlanOf(imp.Round))
	if err != nil {
		return 0, fmt.Errorf("find old plan: %w", err)
	}
	for i := range old {
		epoch = max(epoch, old[i].Epoch)
	}
	return epoch, nil
}

// waiting returns the sections of batches as fresh batches of a pass.
func waiting(batches []store.Batch, importNo int64, pass ledger.Pass, epoch int64, now time.Time) []store.Batch {
	out := make([]store.Batch, len(batches))
	for i := range batches {
		b := &batches[i]
		out[i] = store.Batch{BatchRef: store.BatchRef{ImportNo: importNo, Pass: pass, No: b.No}, State: store.BatchWaiting,
			Epoch: epoch, Input: b.Input, Offset: b.Offset, Length: b.Length, FirstRow: b.FirstRow, FirstLine: b.FirstLine, Rows: b.Rows,
			NextOffset: b.Offset, NextRow: b.FirstRow, NextLine: b.FirstLine, Beat: &now}
	}
	return out
}

// stateIn is the state of an import while a pass is at work.
func stateIn(pass ledger.Pass) store.State {
	switch {
	case pass == "":
		return store.Received
	case pass == ledger.PassSlice:
		return store.Slicing
	case pass.Planning():
		return store.Planning
	}
	return store.Running
}

// cutBatches finds where each batch begins: at the wanted row, or at the first
// row behind it that does not belong to the group of the row before.
func (s *Service) cutBatches(ctx context.Context, st *started, in *input) ([]store.Batch, error) {
	rows, end := st.batch.Rows, st.batch.NextOffset
	if rows == 0 {
		return nil, nil
	}
	size := batchRows(rows)
	segments, err := s.segments(ctx, &st.imp, markSegments, st.batch.NextSeq)
	if err != nil {
		return nil, err
	}
	finder := &markReader{svc: s, segments: segments}
	var starts []mark
	for want := int64(0); want < rows; {
		m, err := finder.before(ctx, want)
		if err != nil {
			return nil, err
		}
		at, ok, err := s.seek(in, st.imp.Mode, m, want)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		starts = append(starts, at)
		want = max(want, at.index) + size
	}
	batches := make([]store.Batch, len(starts))
	for i, at := range starts {
		next := mark{index: rows, offset: end}
		if i+1 < len(starts) {
			next = starts[i+1]
		}
		batches[i] = store.Batch{BatchRef: store.BatchRef{No: i + 1}, Offset: at.offset, Length: next.offset - at.offset,
			FirstRow: at.number, FirstLine: at.line, Rows: next.index - at.index}
	}
	return batches, nil
}

// seek reads on from a mark to the record with the wanted index, and past
// those that belong to the group of the record before it. ok is false when the
// file ends first.
func (s *Service) seek(in *input, mode catalog.Mode, from mark, want int64) (at mark, ok bool, err error) {
	mapper := in.binding.Mapper(mode)
	sec := tabular.Section{Offset: from.offset, Length: -1, FirstRow: from.number, FirstLine: from.line}
	dec, err := tabular.Open(in.file, &in.layout, sec, s.cfg.Limits, mapper.KeyColumns())
	if err != nil {
		return mark{}, false, err
	}
	var rec tabular.Record
	for i := from.index; ; i++ {
		if err := dec.Next(&rec); errors.Is(err, io.EOF) {
			return mark{}, false, nil
		} else if err != nil {
			return mark{}, false, fmt.Errorf("read record: %w", err)
		}
		together := mapper.Together(&rec)
		if i >= want && (i == 0 || !together) {
			return mark{index: i, offset: rec.Offset, number: rec.Number, line: rec.Line}, true, nil
		}
	}
}
