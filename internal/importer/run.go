package importer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// run works on a batch of rows for one time slice: chunk after chunk, each in a
// transaction of its own, while a second goroutine decodes and maps ahead. The
// last chunk's transaction also ends the batch or enqueues its continuation.
func (s *Service) run(ctx context.Context, job store.Job, id int64) error {
	st, err := s.start(ctx, job, id)
	if err != nil {
		return err
	}
	in, err := s.open(ctx, &st.imp)
	if err != nil {
		return err
	}
	defer in.Close()
	reader, err := s.newChunkReader(ctx, &st, in)
	if err != nil {
		return err
	}
	ahead, stop := s.readAhead(reader)
	defer stop()
	w := &chunkWriter{svc: s, st: &st, facts: s.facts(&st.imp, in), encoder: ledger.NewEncoder()}
	return w.writeAll(ctx, ahead, time.Now().Add(s.cfg.SliceTime))
}

// decoded is a chunk on its way from the reader to the writer.
type decoded struct {
	chunk *chunk
	err   error
}

// readAhead decodes in a goroutine of its own. The channel is closed after the
// last chunk; stop ends the goroutine and waits for it.
func (s *Service) readAhead(r *chunkReader) (<-chan decoded, func()) {
	out := make(chan decoded, 1)
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(out)
		for {
			c, err := r.read(s.fresh.get(r.st.imp.WS, r.st.imp.No))
			if c == nil && err == nil {
				return
			}
			select {
			case out <- decoded{c, err}:
			case <-quit:
				return
			}
			if err != nil {
				return
			}
		}
	})
	return out, func() { close(quit); wg.Wait() }
}

// chunkWriter takes a batch's chunks to the store.
type chunkWriter struct {
	svc     *Service
	st      *started
	facts   *catalog.Facts
	encoder *ledger.Encoder
}

// writeAll writes chunks until the batch or the time slice ends.
func (w *chunkWriter) writeAll(ctx context.Context, chunks <-chan decoded, until time.Time) error {
	next, more := <-chunks
	if !more {
		return w.write(ctx, &chunk{next: mark{w.st.batch.NextOffset, w.st.batch.NextOffset, w.st.batch.NextRow, w.st.batch.NextLine}}, endBatch)
	}
	for {
		d := next
		if d.err != nil {
			return d.err
		}
		if next, more = <-chunks; !more {
			return w.write(ctx, d.chunk, endBatch)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !time.Now().Before(until) || jobs.Stopping(ctx) {
			return w.write(ctx, d.chunk, continueLater)
		}
		if err := w.write(ctx, d.chunk, goOn); err != nil {
			return err
		}
	}
}

// after says what a chunk's transaction does with the batch beside the chunk.
type after uint8

const (
	goOn          after = iota // nothing: the next chunk follows
	continueLater              // it enqueues the batch's next job
	endBatch                   // it ends the batch
)

// maxDecisions bounds how often one chunk is decided again before the job gives
// up and leaves the next try to the job engine.
const maxDecisions = 10

// write writes one chunk, deciding it again as often as the store asks for it.
func (w *chunkWriter) write(ctx context.Context, c *chunk, then after) error {
	// Once begun, a chunk is finished even when the process is asked to stop.
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := w.transact(ctx, c, then)
		switch {
		case err == nil:
			w.svc.probe(StepChunkAfterCommit)
			return nil
		case errors.Is(err, store.ErrConflict) && c.guess != nil:
			// Something exists after all: decide with the items read.
			c.guess = nil
			w.svc.fresh.set(w.st.imp.WS, w.st.imp.No, false)
		case errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrConflict):
			if try >= maxDecisions {
				return fmt.Errorf("chunk at row %d decided %d times: %w", w.st.batch.NextRow, try, err)
			}
			time.Sleep(time.Duration(try) * 5 * time.Millisecond)
		default:
			return err
		}
	}
}

// transact is the chunk's one transaction: items, page, cursor, tally.
func (w *chunkWriter) transact(ctx context.Context, c *chunk, then after) error {
	s := w.svc
	// The batch in memory moves only once the transaction has committed.
	b := w.st.batch
	s.probe(StepChunkBegin)
	err := s.cfg.Store.Write(ctx, w.st.imp.WS, false, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, b.BatchRef, b.Epoch); err != nil {
			return err
		}
		page, err := w.items(ctx, tx, c)
		if err != nil {
			return err
		}
		s.probe(StepChunkWrite)
		if err := w.advance(ctx, tx, &b, c, page); err != nil {
			return err
		}
		if err := w.leave(ctx, tx, &b, then); err != nil {
			return err
		}
		s.probe(StepChunkBeforeCommit)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write chunk at row %d: %w", b.NextRow, err)
	}
	w.st.batch = b
	return nil
}

// items writes what the chunk decided and returns its page; nil for no rows.
func (w *chunkWriter) items(ctx context.Context, tx store.Tx, c *chunk) (*ledger.Page, error) {
	if c.rows == 0 {
		return nil, nil
	}
	if c.guess != nil {
		page, ok, err := w.guessed(ctx, tx, c.guess)
		if ok || err != nil {
			return page, err
		}
	}
	return w.decided(ctx, tx, c)
}

// guessed writes a chunk as it was guessed. ok is false, with nothing written,
// when a row that failed under the guess has an item after all.
func (w *chunkWriter) guessed(ctx context.Context, tx store.Tx, g *guess) (page *ledger.Page, ok bool, err error) {
	exists := false
	if err := g.doubtful.find(ctx, tx, func(lookup, string, store.Found) { exists = true }); err != nil || exists {
		return nil, false, err
	}
	if g.creates > 0 {
		if err := tx.Insert(ctx, g.prepared); err != nil {
			return nil, false, err
		}
	}
	page = &g.page
	return page, true, nil
}

// advance writes the page and moves the batch's cursor and tally.
func (w *chunkWriter) advance(ctx context.Context, tx store.Tx, b *store.Batch, c *chunk, page *ledger.Page) error {
	now := w.svc.now()
	b.Beat, b.State = &now, store.BatchRunning
	b.NextOffset, b.NextRow, b.NextLine = c.next.offset, c.next.number, c.next.line
	if page == nil {
		return nil
	}
	page.ImportNo, page.Pass, page.Batch, page.Seq = b.ImportNo, b.Pass, b.No, b.NextSeq
	b.NextSeq++
	b.Tally = b.Tally.Add(page.Tally)
	if err := tx.InsertPage(ctx, page); err != nil {
		return fmt.Errorf("insert page: %w", err)
	}
	return nil
}

// leave saves the batch, ended or with its continuation where the time slice is
// over.
func (w *chunkWriter) leave(ctx context.Context, tx store.Tx, b *store.Batch, then after) error {
	s, imp := w.svc, &w.st.imp
	switch then {
	case continueLater:
		return s.enqueue(ctx, tx, imp.WS, imp.Small, b)
	case endBatch:
		b.State, b.JobID = store.BatchDone, 0
		if err := tx.SaveBatch(ctx, b); err != nil {
			return err
		}
		return w.nextBatch(ctx, tx)
	}
	return tx.SaveBatch(ctx, b)
}

// nextBatch hands the job's place to a batch that waits for one, or, after the
// last, to the finish step.
func (w *chunkWriter) nextBatch(ctx context.Context, tx store.Tx) error {
	imp, err := tx.LockImport(ctx, w.st.imp.No)
	if err != nil {
		return err
	}
	left, err := tx.UnfinishedBatches(ctx, imp.No, ledger.PassApply)
	if err != nil {
		return fmt.Errorf("count batches: %w", err)
	}
	if left == 0 {
		return w.svc.enqueueFinish(ctx, tx, &imp)
	}
	return w.svc.enqueueNext(ctx, tx, imp.WS, &imp, ledger.PassApply, 1)
}

// freshness remembers of which imports the last chunk was all new, so that the
// next ones are guessed to be so too. It is a hint: a wrong one costs time.
type freshness struct {
	mu  sync.Mutex
	all map[freshKey]bool
}

type freshKey struct {
	ws store.WS
	no int64
}

func (f *freshness) get(ws store.WS, no int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[freshKey{ws, no}]
}

func (f *freshness) set(ws store.WS, no int64, fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(map[freshKey]bool)
	}
	f.all[freshKey{ws, no}] = fresh
}

func (f *freshness) forget(ws store.WS, no int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, freshKey{ws, no})
}
