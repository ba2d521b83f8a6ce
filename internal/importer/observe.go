package importer

import (
	"context"
	"log/slog"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Observer is told what an importer does. Its methods are called from many
// goroutines, on the path of the rows: they must not block. What they are given is
// theirs to read until they return.
type Observer interface {
	// BatchClaimed is told that a job works on a batch from now on, and returns the
	// context to work with and what is to be called, once, when that is over.
	BatchClaimed(ctx context.Context, imp *store.Import, b *store.Batch) (context.Context, func(error))
	// ChunkCommitted is told of every transaction of rows, with the context of the
	// batch.
	ChunkCommitted(ctx context.Context, c CommittedChunk)
	// UploadReceived is told that a file was stored, UploadRefused that one cannot
	// be imported and why, UploadTaken that one became an import.
	UploadReceived(ctx context.Context, r Reception)
	UploadRefused(ctx context.Context, code string)
	UploadTaken(ctx context.Context, imp *store.Import, r Reception)
	// ImportStarted is told of every import that was recorded to be worked on, with
	// the context of who asked for it; undos and edits are imports too.
	ImportStarted(ctx context.Context, imp *store.Import)
	// ImportEnded is told of every import that has come to its end, with its tally;
	// again after a retry.
	ImportEnded(ctx context.Context, imp *store.Import)
}

// CommittedChunk is what one transaction of rows did.
type CommittedChunk struct {
	Import *store.Import
	Batch  store.BatchRef
	// Rows is how many rows the chunk had, Tally the sum of its page. A retry's page
	// counts the outcomes that rows had before down.
	Rows  int
	Tally catalog.Tally
	// Bytes is how much of the file it was; 0 where the rows are of no file.
	Bytes int64
	// Decide is how long decoding and deciding ahead of the transaction took, Write
	// the transaction that committed.
	Decide, Write time.Duration
	// Tries counts the transactions that it took, from 1.
	Tries int
}

// Reception is how a file came in.
type Reception struct {
	Began time.Time
	Took  time.Duration
	Bytes int64
}

// unobserved tells nobody.
type unobserved struct{}

func (unobserved) BatchClaimed(ctx context.Context, _ *store.Import, _ *store.Batch) (context.Context, func(error)) {
	return ctx, func(error) {}
}
func (unobserved) ChunkCommitted(context.Context, CommittedChunk)        {}
func (unobserved) UploadReceived(context.Context, Reception)             {}
func (unobserved) UploadRefused(context.Context, string)                 {}
func (unobserved) UploadTaken(context.Context, *store.Import, Reception) {}
func (unobserved) ImportStarted(context.Context, *store.Import)          {}
func (unobserved) ImportEnded(context.Context, *store.Import)            {}

// notingTx notes which imports a transaction starts and ends. Nobody is told before
// it has committed.
type notingTx struct {
	store.Tx
	started, ended []store.Import
}

// InsertImport implements store.Tx.
func (n *notingTx) InsertImport(ctx context.Context, imp *store.Import) error {
	err := n.Tx.InsertImport(ctx, imp)
	if err == nil && !imp.State.Ended() {
		n.started = append(n.started, *imp)
	}
	return err
}

// noteEnd notes that the transaction ends an import.
func noteEnd(tx store.Tx, imp *store.Import) {
	if n, ok := tx.(*notingTx); ok {
		n.ended = append(n.ended, *imp)
	}
}

// observed runs one transaction and tells the observer what it came to.
func (s *Service) observed(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	var noted *notingTx
	err := s.cfg.Store.Write(ctx, ws, durable, func(tx store.Tx) error {
		noted = &notingTx{Tx: tx}
		return fn(noted)
	})
	if err != nil || noted == nil {
		return err
	}
	for i := range noted.started {
		s.cfg.Log.InfoContext(ctx, "import started", jobs.LogImport, noted.started[i].ID)
		s.cfg.Observer.ImportStarted(ctx, &noted.started[i])
	}
	for i := range noted.ended {
		s.cfg.Log.InfoContext(ctx, "import ended", jobs.LogImport, noted.ended[i].ID, jobs.LogPass, noted.ended[i].Pass, "state", noted.ended[i].State)
		s.tellEnd(ctx, &noted.ended[i])
	}
	return nil
}

// tellEnd tells of an import's end. Within a transaction an import has no tally, so
// it is read once more; where that fails, the end is told without.
func (s *Service) tellEnd(ctx context.Context, imp *store.Import) {
	if _, nobody := s.cfg.Observer.(unobserved); nobody {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if whole, err := s.cfg.Store.ImportNo(ctx, imp.WS, imp.No); err == nil {
		imp.Tally = whole.Tally
	}
	s.cfg.Observer.ImportEnded(ctx, imp)
}

// tellEdit tells of an import whose one row was written with it.
func (s *Service) tellEdit(ctx context.Context, imp *store.Import, outcome catalog.Outcome, took time.Duration) {
	ended := *imp
	ended.Tally.Count(outcome, nil)
	s.cfg.Observer.ImportStarted(ctx, imp)
	s.cfg.Observer.ChunkCommitted(ctx, CommittedChunk{Import: imp,
		Batch: store.BatchRef{ImportNo: imp.No, Pass: imp.Pass, No: 1}, Rows: 1, Tally: ended.Tally, Write: took, Tries: 1})
	s.cfg.Observer.ImportEnded(ctx, &ended)
}

// tellChunk tells of a chunk that has committed with its page; nil is of no rows.
func (w *chunkWriter) tellChunk(ctx context.Context, c *chunk, b *store.Batch, page *ledger.Page, began time.Time, try int) {
	if page == nil {
		return
	}
	done := CommittedChunk{Import: &w.st.imp, Batch: b.BatchRef, Rows: c.rows, Tally: page.Tally,
		Decide: c.took, Write: time.Since(began), Tries: try}
	if b.Input == store.FileInput {
		done.Bytes = c.next.offset - b.NextOffset
	}
	w.svc.cfg.Observer.ChunkCommitted(ctx, done)
}

// batchAttrs name a batch in the log where its import's id is not known.
func batchAttrs(ws store.WS, b store.BatchRef) slog.Attr {
	return slog.Group("", slog.Int64(jobs.LogWorkspace, int64(ws)), slog.Int64(jobs.LogImportNo, b.ImportNo),
		slog.String(jobs.LogPass, string(b.Pass)), slog.Int(jobs.LogBatch, b.No))
}
