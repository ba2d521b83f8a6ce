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

// run works on batches of rows for one time slice: chunk after chunk, each in
// a transaction of its own, while a second goroutine decodes and decides ahead.
// A job that ends its batch in time goes on with one that waits; when the slice
// is over, the last chunk's transaction enqueues the batch's continuation.
func (s *Service) run(ctx context.Context, job store.Job, id int64) error {
	until := time.Now().Add(s.cfg.SliceTime)
	st, err := s.start(ctx, job, id)
	if err != nil {
		return err
	}
	p := s.newPulse(&st)
	return p.beating(ctx, func(ctx context.Context) error { return s.runBatches(ctx, p, id, until) })
}

// runBatches works on one batch after the other, until there is none or the time
// slice is over.
func (s *Service) runBatches(ctx context.Context, p *pulse, id int64, until time.Time) error {
	st := p.st
	in, err := s.open(ctx, &st.imp)
	if err != nil {
		return err
	}
	defer in.Close()
	w := &chunkWriter{svc: s, st: st, pulse: p, decider: s.newDecider(ctx, &st.imp, in), in: in, jobID: id, until: until}
	for more := true; more; {
		working, done := s.cfg.Observer.BatchClaimed(ctx, &st.imp, &st.batch)
		more, err = s.runBatch(working, w, in)
		done(err)
		if err != nil {
			return err
		}
	}
	return nil
}

// runBatch works on the batch at hand; more says that another is at hand then.
func (s *Service) runBatch(ctx context.Context, w *chunkWriter, in *input) (more bool, err error) {
	reader, err := s.newChunkReader(ctx, w.st, in)
	if err != nil {
		return false, err
	}
	defer reader.rows.Close()
	ahead, stop := s.readAhead(ctx, reader)
	defer stop()
	return w.writeAll(ctx, ahead)
}

// decoded is a chunk on its way from the reader to the writer.
type decoded struct {
	chunk *chunk
	err   error
}

// readAhead decodes and decides in a goroutine of its own, one chunk ahead of
// the one being written. The channel is closed after the last chunk; stop ends
// the goroutine and waits for it.
func (s *Service) readAhead(ctx context.Context, r *chunkReader) (<-chan decoded, func()) {
	out := make(chan decoded)
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(out)
		for {
			c, err := r.guarded(ctx)
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
	svc   *Service
	st    *started
	pulse *pulse
	// decider decides chunks within their transaction.
	decider *decider
	in      *input
	jobID   int64
	// until is when the time slice is over.
	until time.Time
	// before is what the chunk before wrote, while this one was decided ahead.
	before *footprint
}

// writeAll writes chunks until the batch or the time slice ends. more says that
// the job holds another batch now.
func (w *chunkWriter) writeAll(ctx context.Context, chunks <-chan decoded) (more bool, err error) {
	for {
		d, ok := <-chunks
		if !ok {
			// The batch's cursor stood at its end already.
			b := &w.st.batch
			d.chunk = &chunk{next: mark{offset: b.NextOffset, number: b.NextRow, line: b.NextLine}, last: true}
		}
		switch {
		case d.err != nil:
			return false, d.err
		case ctx.Err() != nil:
			return false, ctx.Err()
		case d.chunk.last && w.svc.cluster.givesUp(importKey{w.st.imp.WS, w.st.imp.No}):
			return false, w.write(ctx, d.chunk, endPlace)
		case d.chunk.last && w.sliceOver(ctx):
			return false, w.write(ctx, d.chunk, endBatch)
		case d.chunk.last:
			ended := w.st.batch.No
			err := w.write(ctx, d.chunk, takeNext)
			return err == nil && w.st.batch.No != ended, err
		case w.sliceOver(ctx):
			return false, w.write(ctx, d.chunk, continueLater)
		}
		if err := w.write(ctx, d.chunk, goOn); err != nil {
			return false, err
		}
	}
}

func (w *chunkWriter) sliceOver(ctx context.Context) bool {
	return !time.Now().Before(w.until) || jobs.Stopping(ctx)
}

// after says what a chunk's transaction does with the batch beside the chunk.
type after uint8

const (
	goOn          after = iota // nothing: the next chunk follows
	continueLater              // it enqueues the batch's next job
	endBatch                   // it ends the batch, and gives its place to a new job
	takeNext                   // it ends the batch and takes the next one over
	endPlace                   // it ends the batch, and its place with it
)

// maxDecisions bounds how often one chunk is decided again before the job gives
// up and leaves the next try to the job engine.
const maxDecisions = 10

// chunkTime bounds how long a chunk may take, tries included: by then the batch is
// long in other hands, and a database that does not answer holds up a stop.
const chunkTime = 2 * time.Minute

// write writes one chunk, deciding it again as often as the store asks for it.
func (w *chunkWriter) write(ctx context.Context, c *chunk, then after) error {
	// Once begun, a chunk is finished even when the process is asked to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chunkTime)
	defer cancel()
	for try := 1; ; try++ {
		err := w.transact(ctx, c, then, try)
		switch {
		case err == nil:
			w.svc.probe(StepChunkAfterCommit)
			return nil
		case errors.Is(err, store.ErrTooLarge):
			return w.tooLarge(ctx, err)
		case !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrRetry):
			return err
		case c.verdict != nil:
			// What was decided ahead no longer holds: decide within the transaction.
			c.verdict = nil
			w.svc.fresh.set(w.st.imp.WS, w.st.imp.No, false)
		case try >= maxDecisions:
			return fmt.Errorf("chunk at row %d decided %d times: %w", w.st.batch.NextRow, try, err)
		default:
			time.Sleep(time.Duration(try) * 5 * time.Millisecond)
		}
	}
}

// tooLarge ends the import: no further try makes the value smaller.
func (w *chunkWriter) tooLarge(ctx context.Context, err error) error {
	row := w.st.batch.NextRow
	w.svc.cfg.Log.ErrorContext(ctx, "the database does not take a value", "import", w.st.imp.ID, "from_row", row, "error", err)
	return catalog.Faultf(catalog.KindInternal, "value_too_large",
		"One of the rows from row %d on has a value that is too large for the database; the log says for what. Shorten it and import the file again.", row)
}

// transact is the chunk's one transaction: items, page, cursor, tally.
func (w *chunkWriter) transact(ctx context.Context, c *chunk, then after, try int) error {
	w.pulse.pause()
	defer w.pulse.goOn()
	s, began := w.svc, time.Now()
	var page *ledger.Page
	var wrote *footprint
	// The batch in memory moves only once the transaction has committed.
	b := w.st.batch
	s.probe(StepChunkBegin)
	err := s.observed(ctx, w.st.imp.WS, false, func(tx store.Tx) (err error) {
		if err := tx.CheckBatch(ctx, b.BatchRef, b.Epoch); err != nil {
			return err
		}
		if page, wrote, err = w.items(ctx, tx, c); err != nil {
			return err
		}
		s.probe(StepChunkWrite)
		if err := w.advance(ctx, tx, &b, c, page); err != nil {
			return err
		}
		if err := w.leave(ctx, tx, &b, then); err != nil {
			return err
		}
		if err := w.stopAtLimit(ctx, tx, page); err != nil {
			return err
		}
		s.probe(StepChunkBeforeCommit)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write chunk at row %d: %w", b.NextRow, err)
	}
	w.tellChunk(ctx, c, &w.st.batch, page, began, try)
	w.st.batch, w.before = b, wrote
	w.pulse.beaten()
	return nil
}

// items writes what the chunk decided and returns its page, nil for no rows, and
// what it wrote.
func (w *chunkWriter) items(ctx context.Context, tx store.Tx, c *chunk) (*ledger.Page, *footprint, error) {
	if c.rows == 0 {
		return nil, nil, nil
	}
	v := c.verdict
	if w.st.batch.Pass.Planning() {
		// A plan is what the catalog was when it was read; nothing is written.
		return v.page(), nil, nil
	}
	if v != nil && v.seen.moved(w.before) {
		v = nil
	}
	if v != nil {
		if ok, err := v.holds(ctx, tx); err != nil {
			return nil, nil, err
		} else if !ok {
			v = nil
		}
	}
	if v == nil {
		if c.groups == nil {
			if err := w.svc.reread(ctx, w.st, w.in, c); err != nil {
				return nil, nil, err
			}
		}
		var err error
		if v, err = w.decider.decide(ctx, tx, c); err != nil {
			return nil, nil, err
		}
	}
	if err := v.store(ctx, tx); err != nil {
		// The chunk may be decided again, with the encoder that is at work on it.
		v.page()
		return nil, nil, err
	}
	w.svc.fresh.set(w.st.imp.WS, w.st.imp.No, v.fresh)
	return v.page(), v.wrote, nil
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
	case endBatch, takeNext, endPlace:
		b.State, b.JobID = store.BatchDone, 0
		if err := tx.SaveBatch(ctx, b); err != nil {
			return err
		}
		if then == takeNext {
			if took, err := w.takeBatch(ctx, tx, b); took || err != nil {
				return err
			}
		}
		return w.nextBatch(ctx, tx, then != endPlace)
	}
	return tx.SaveBatch(ctx, b)
}

// takeBatch makes b the next batch that waits for a job, held by this one.
func (w *chunkWriter) takeBatch(ctx context.Context, tx store.Tx, b *store.Batch) (bool, error) {
	waiting, err := tx.NextBatches(ctx, b.ImportNo, b.Pass, 1)
	if err != nil || len(waiting) == 0 {
		return false, err
	}
	next := &waiting[0]
	next.JobID = w.jobID
	if err := tx.SaveBatch(ctx, next); err != nil {
		return false, err
	}
	*b, err = tx.StartBatch(ctx, next.BatchRef, w.jobID, w.svc.cfg.Node, w.svc.now())
	return err == nil, err
}

// nextBatch hands the job's place to a batch that waits for one, unless there are
// too many of them, or, after the last, to the finish step.
func (w *chunkWriter) nextBatch(ctx context.Context, tx store.Tx, handOn bool) error {
	imp, err := tx.LockImport(ctx, w.st.imp.No)
	if err != nil {
		return err
	}
	left, err := tx.UnfinishedBatches(ctx, imp.No, w.st.batch.Pass)
	if err != nil {
		return fmt.Errorf("count batches: %w", err)
	}
	if left == 0 {
		return w.svc.enqueueFinish(ctx, tx, &imp)
	}
	if !handOn {
		// Others may have given places up since this was found to be one too many.
		waiting, err := tx.NextBatches(ctx, imp.No, w.st.batch.Pass, left)
		if err != nil || left-len(waiting) >= w.svc.window() {
			return err
		}
	}
	return w.svc.enqueueNext(ctx, tx, imp.WS, &imp, w.st.batch.Pass, 1)
}

// freshness remembers of which imports the last chunk was all new, so that the
// next ones are guessed to be so too. It is a hint: a wrong one costs time.
type freshness struct {
	mu  sync.Mutex
	all map[importKey]bool
}

// importKey names an import among those of all workspaces.
type importKey struct {
	ws store.WS
	no int64
}

func (f *freshness) get(ws store.WS, no int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[importKey{ws, no}]
}

func (f *freshness) set(ws store.WS, no int64, fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(map[importKey]bool)
	}
	f.all[importKey{ws, no}] = fresh
}

func (f *freshness) forget(ws store.WS, no int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, importKey{ws, no})
}
