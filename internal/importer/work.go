package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// Work does a job of the job engine: one time slice of one batch. It returns
// store.ErrStale or store.ErrFenced when the batch is not this job's to do; any
// other error asks for another try, up to maxFailures of them.
func (s *Service) Work(ctx context.Context, job store.Job, id int64) (err error) {
	if jobs.Stopping(ctx) {
		return jobs.ErrGivenBack // it was fetched as the stop came
	}
	ctx = audit.ByItself(ctx)
	panicked := true
	defer func() {
		if panicked {
			// The panic goes on to the job engine, which logs it and tries again.
			_ = s.failed(ctx, job, id, errors.New("panic"))
		}
	}()
	s.probe(StepJob)
	err = s.step(ctx, job, id)
	panicked = false
	f := catalog.AsFault(err)
	switch {
	case err == nil, errors.Is(err, store.ErrStale), errors.Is(err, store.ErrFenced):
		return err
	case errors.Is(err, jobs.ErrGivenBack):
		return errors.Join(err, s.giveBack(ctx, job, id))
	case f != nil:
		return s.fail(ctx, job, id, f)
	case errors.Is(err, files.ErrNotFound):
		return s.fail(ctx, job, id, catalog.Faultf(catalog.KindInternal, "file_lost",
			"The stored file of this import is gone (%v); upload it again.", err))
	}
	return s.failed(ctx, job, id, err)
}

// step does the pass's part of the path.
func (s *Service) step(ctx context.Context, job store.Job, id int64) error {
	switch job.Batch.Pass {
	case ledger.PassSlice:
		return s.slice(ctx, job, id)
	case ledger.PassFinish:
		return s.finish(ctx, job, id)
	}
	return s.run(ctx, job, id)
}

// maxFailures is how often a job may fail, some eight minutes of tries, before
// its import ends as failed: whoever waits for it must hear of it. One that has
// taken longer than the job engine allows has failed, too.
const maxFailures = 20

// failed leaves a job's batch to the job's next try, and ends the import with
// the last one; what the surroundings keep from its work has as many as it takes.
// It returns the error that the job engine is to see.
func (s *Service) failed(ctx context.Context, job store.Job, id int64, cause error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
	case ctx.Err() == nil && s.outside(cause):
		return jobs.PutOff(putOffFor, errors.Join(cause, s.giveBack(ctx, job, id)))
	case jobs.Failures(ctx)+1 >= maxFailures:
		s.cfg.Log.ErrorContext(ctx, "job failed too often", batchAttrs(job.WS, job.Batch), "error", cause)
		return s.fail(ctx, job, id, catalog.Faultf(catalog.KindInternal, "internal_error",
			"The import stopped after %d failures of one step; the log says why. Import the file again to go on.", maxFailures))
	}
	return errors.Join(cause, s.giveBack(ctx, job, id))
}

// giveBackTime bounds how long a database that does not answer is waited for; the
// sweep finds the batch as well.
const giveBackTime = 10 * time.Second

// giveBack notes that nobody works on the batch until its job is tried again:
// were it left running, the sweep would take the job for dead and give it a new
// one, whose failures count from none.
func (s *Service) giveBack(ctx context.Context, job store.Job, id int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	err := s.transact(ctx, job.WS, false, func(tx store.Tx) error {
		b, err := tx.HeldBatch(ctx, job.Batch.ImportNo, job.Batch.Pass, id)
		if err != nil {
			return err
		}
		now := s.now()
		b.State, b.Beat = store.BatchQueued, &now
		return tx.SaveBatch(ctx, &b)
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("give batch back: %w", err)
	}
	return nil
}

// fail ends an import that cannot go on, whatever is tried, if the job still
// holds a batch of it: the faults that a job of before finds are not its to tell.
func (s *Service) fail(ctx context.Context, job store.Job, id int64, f *catalog.Fault) error {
	ctx = context.WithoutCancel(ctx)
	var importID string
	err := s.transact(ctx, job.WS, true, func(tx store.Tx) error {
		imp, err := tx.LockImport(ctx, job.Batch.ImportNo)
		if err != nil {
			return err
		}
		importID = imp.ID
		if _, err := tx.HeldBatch(ctx, imp.No, job.Batch.Pass, id); err != nil {
			return err
		}
		if _, err := tx.StopBatches(ctx, imp.No, store.BatchFailed); err != nil {
			return err
		}
		imp.FaultCode, imp.FaultMessage = f.Code, f.Error()
		applied, err := s.applied(ctx, &imp)
		switch {
		case err != nil:
			return err
		case !wrote(&applied):
		case OptionsOf(&imp).Policy == PolicyAll:
			imp.FaultMessage += " The import is all or nothing: what was applied was taken back."
			return s.rollBack(ctx, tx, &imp, &applied)
		default:
			imp.FaultMessage += " Rows done so far stay."
		}
		return s.end(ctx, tx, &imp, store.FailedState)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.ErrStale
	case err != nil && s.outside(err):
		return jobs.PutOff(putOffFor, fmt.Errorf("end import: %w", errors.Join(err, f)))
	case err != nil:
		return fmt.Errorf("end import: %w", errors.Join(err, f))
	}
	s.ended.ring()
	s.fresh.forget(job.WS, job.Batch.ImportNo)
	s.cfg.Log.ErrorContext(ctx, "import failed", jobs.LogImport, importID,
		jobs.LogPass, job.Batch.Pass, jobs.LogBatch, job.Batch.No, "code", f.Code, "error", f)
	return nil
}

// end moves an import to a state that it does not leave by itself.
func (s *Service) end(ctx context.Context, tx store.Tx, imp *store.Import, state store.State) error {
	now := s.now()
	imp.State, imp.CompletedAt, imp.UpdatedAt = state, &now, now
	if err := tx.UpdateImport(ctx, imp); err != nil {
		return err
	}
	noteEnd(tx, imp)
	return s.endRollBack(ctx, tx, imp)
}

// started is what a job has in hand once it may work on its batch.
type started struct {
	imp   store.Import
	batch store.Batch
}

// startTime bounds how long a job waits until it may begin.
const startTime = time.Minute

// start claims the batch that the job holds: the one it was enqueued for, or
// one it had gone on to when its process died. The import moves from received to its working
// state with its first job.
func (s *Service) start(ctx context.Context, job store.Job, id int64) (started, error) {
	var st started
	bounded, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err := s.transact(bounded, job.WS, false, func(tx store.Tx) error {
		ctx := bounded
		imp, err := tx.LockImport(ctx, job.Batch.ImportNo)
		if err != nil {
			return err
		}
		if !imp.State.Working() {
			return store.ErrStale
		}
		now := s.now()
		held, err := tx.HeldBatch(ctx, imp.No, job.Batch.Pass, id)
		if errors.Is(err, store.ErrNotFound) {
			return store.ErrStale
		}
		if err != nil {
			return err
		}
		if st.batch, err = tx.StartBatch(ctx, held.BatchRef, id, s.cfg.Node, now); err != nil {
			return err
		}
		if imp.State == store.Received {
			imp.State, imp.Pass, imp.StartedAt, imp.UpdatedAt = store.Slicing, ledger.PassSlice, &now, now
			if err := tx.UpdateImport(ctx, &imp); err != nil {
				return err
			}
		}
		st.imp = imp
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return st, store.ErrStale
	}
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if err != nil {
		return st, fmt.Errorf("start %s batch %d: %w", job.Batch.Pass, job.Batch.No, err)
	}
	return st, nil
}

// input is an import's records and what they mean. The import that takes another
// one back has no file; its input is the workspace alone.
type input struct {
	file    files.Reader
	layout  tabular.Layout
	def     source.Definition
	binding *source.Binding
	ws      store.Workspace
}

func (in *input) Close() {
	if in.file != nil {
		in.file.Close()
	}
}

// heading names the column that sets a field.
func (in *input) heading(field string) string {
	if in.binding == nil {
		return field
	}
	return in.binding.Heading(field)
}

// kind is the kind of items that the file is about; Bind has checked it.
func (in *input) kind() catalog.Kind {
	kind, _ := catalog.ParseKind(in.def.Kind)
	return kind
}

// open opens an import's records and binds its pinned source to them.
func (s *Service) open(ctx context.Context, imp *store.Import) (*input, error) {
	in := &input{}
	if imp.UndoOf != "" {
		var err error
		in.ws, err = s.workspace(ctx, imp.WS)
		return in, err
	}
	if err := json.Unmarshal(imp.Layout, &in.layout); err != nil {
		return nil, fmt.Errorf("decode layout: %w", err)
	}
	if err := json.Unmarshal(imp.Definition, &in.def); err != nil {
		return nil, fmt.Errorf("decode source: %w", err)
	}
	if imp.FilesGone {
		return nil, fmt.Errorf("open file of import %s, which retention took: %w", imp.ID, files.ErrNotFound)
	}
	var err error
	if in.ws, err = s.workspace(ctx, imp.WS); err != nil {
		return nil, err
	}
	if pinned := OptionsOf(imp).WorkspaceCurrency; pinned != "" {
		in.ws.Currency = pinned
	}
	if in.binding, err = in.def.Bind(in.layout.Header, s.schema, settingsOf(in.ws)); err != nil {
		return nil, err
	}
	if in.file, err = s.cfg.Files.Open(ctx, recordsKey(imp, &in.layout)); err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return in, nil
}

func (s *Service) workspace(ctx context.Context, ws store.WS) (store.Workspace, error) {
	all, err := s.cfg.Store.Workspaces(ctx)
	if err != nil {
		return store.Workspace{}, fmt.Errorf("find workspace: %w", err)
	}
	for _, w := range all {
		if w.WS == ws {
			return w, nil
		}
	}
	return store.Workspace{}, fmt.Errorf("find workspace %d: %w", ws, store.ErrNotFound)
}

// section is what is left of a batch.
func section(b *store.Batch) tabular.Section {
	sec := tabular.Section{Offset: b.NextOffset, Length: b.Length, FirstRow: b.NextRow, FirstLine: b.NextLine}
	if b.Length >= 0 {
		sec.Length = b.Offset + b.Length - b.NextOffset
	}
	return sec
}

// enqueueNext gives jobs to up to n batches of the pass that wait for one.
func (s *Service) enqueueNext(ctx context.Context, tx store.Tx, ws store.WS, imp *store.Import, pass ledger.Pass, n int) error {
	batches, err := tx.NextBatches(ctx, imp.No, pass, n)
	if err != nil {
		return fmt.Errorf("find waiting batches: %w", err)
	}
	for i := range batches {
		if err := s.enqueue(ctx, tx, ws, imp.Small, &batches[i]); err != nil {
			return err
		}
	}
	return nil
}

// enqueue gives a batch a job of its own in the same transaction, so that
// neither can be without the other. Any earlier job of the batch is stale then.
func (s *Service) enqueue(ctx context.Context, tx store.Tx, ws store.WS, small bool, b *store.Batch) error {
	id, err := tx.Enqueue(ctx, store.Job{Format: store.JobFormat, WS: ws, Batch: b.BatchRef, Small: small})
	if err != nil {
		return fmt.Errorf("enqueue %s batch %d: %w", b.Pass, b.No, err)
	}
	now := s.now()
	b.JobID, b.State, b.Beat = id, store.BatchQueued, &now
	return tx.SaveBatch(ctx, b)
}

// kick enqueues what comes next for an import whose batches lost their jobs:
// those of the pass at work, up to the window, or what ends it.
func (s *Service) kick(ctx context.Context, tx store.Tx, imp *store.Import) error {
	for _, pass := range []ledger.Pass{ledger.PassSlice, imp.Pass, ledger.PassFinish} {
		if pass == "" {
			continue
		}
		left, err := tx.UnfinishedBatches(ctx, imp.No, pass)
		if err != nil {
			return fmt.Errorf("count batches: %w", err)
		}
		if left > 0 {
			return s.enqueueNext(ctx, tx, imp.WS, imp, pass, s.window())
		}
	}
	if imp.State == store.Planning || imp.State == store.Running {
		return s.enqueueFinish(ctx, tx, imp)
	}
	return nil
}

// enqueueFinish adds the step that ends the pass at work, once.
func (s *Service) enqueueFinish(ctx context.Context, tx store.Tx, imp *store.Import) error {
	left, err := tx.UnfinishedBatches(ctx, imp.No, ledger.PassFinish)
	if err != nil || left > 0 {
		return err
	}
	return s.addStep(ctx, tx, imp, ledger.PassFinish, store.Batch{})
}

// addStep adds a step of a pass whose batches come one after the other, and
// enqueues it.
func (s *Service) addStep(ctx context.Context, tx store.Tx, imp *store.Import, pass ledger.Pass, b store.Batch) error {
	b.BatchRef = store.BatchRef{ImportNo: imp.No, Pass: pass, No: 1}
	for ; ; b.No++ {
		if _, err := tx.Batch(ctx, b.BatchRef); errors.Is(err, store.ErrNotFound) {
			break
		} else if err != nil {
			return err
		}
	}
	now := s.now()
	b.State, b.Beat = store.BatchWaiting, &now
	if err := tx.InsertBatches(ctx, []store.Batch{b}); err != nil {
		return fmt.Errorf("add %s step: %w", pass, err)
	}
	return s.enqueueNext(ctx, tx, imp.WS, imp, pass, 1)
}

// unlessStopped runs fn, which may take long and can only be done whole. Its
// context ends when the engine is told to stop: the step is then given back, and
// begins anew at whichever node takes it.
func (s *Service) unlessStopped(ctx context.Context, fn func(context.Context) error) error {
	if jobs.Stopping(ctx) {
		return jobs.ErrGivenBack
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := jobs.StopSignal(ctx)
	go func() {
		select {
		case <-stop:
			cancel(jobs.ErrGivenBack)
		case <-ctx.Done():
		}
	}()
	err := fn(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, jobs.ErrGivenBack) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
