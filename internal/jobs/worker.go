package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// newerWait is how long a job of a newer format is put off, for a newer node to
// take it.
const newerWait = 30 * time.Second

// args is a store.Job as River keeps it.
type args struct{ job store.Job }

// Kind names the one kind of job there is. It stands in the database.
func (args) Kind() string { return "batch" }

// record is the JSON of args. It is read by other versions of the program:
// fields may be added, but never change their meaning without a new format.
type record struct {
	Format int         `json:"format"`
	WS     store.WS    `json:"ws"`
	Import int64       `json:"import"`
	Pass   ledger.Pass `json:"pass"`
	Batch  int         `json:"batch"`
	Small  bool        `json:"small,omitempty"`
}

func (a args) MarshalJSON() ([]byte, error) {
	b := a.job.Batch
	return json.Marshal(record{a.job.Format, a.job.WS, b.ImportNo, b.Pass, b.No, a.job.Small})
}

// UnmarshalJSON reads no more than the format of a job that is newer than this
// program: the rest may be anything.
func (a *args) UnmarshalJSON(data []byte) error {
	var version struct{ Format int }
	if err := json.Unmarshal(data, &version); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if version.Format > store.JobFormat {
		a.job = store.Job{Format: version.Format}
		return nil
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	a.job = store.Job{
		Format: r.Format,
		WS:     r.WS,
		Batch:  store.BatchRef{ImportNo: r.Import, Pass: r.Pass, No: r.Batch},
		Small:  r.Small,
	}
	return nil
}

// worker brings River's jobs to the handler.
type worker struct {
	river.WorkerDefaults[args]
	handler Handler
	log     *slog.Logger
	stop    *stopSignal
	now     func() time.Time
	// putOff is what was said of jobs that are put off.
	putOff Repeats
}

func (w *worker) Work(ctx context.Context, j *river.Job[args]) error {
	job := j.Args.job
	if job.Format > store.JobFormat {
		w.log.InfoContext(ctx, "job is left to a newer node", LogJob, j.ID, "format", job.Format)
		return river.JobSnooze(newerWait)
	}
	err := w.handle(withRun(ctx, run{stop: w.stop.channel(), attempt: j.Attempt, failures: len(j.Errors)}), job, j.ID)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrFenced):
		w.log.DebugContext(ctx, "job has nothing to do", append(logAttrs(j.JobRow), "reason", err)...)
		return nil
	case errors.Is(err, ErrGivenBack):
		w.log.DebugContext(ctx, "job is given back", logAttrs(j.JobRow)...)
		return river.JobSnooze(0)
	}
	if later, ok := errors.AsType[*putOff](err); ok {
		if !w.putOff.AgainOf(job.WS, job.Batch.ImportNo, later.cause, w.now()) {
			w.log.WarnContext(ctx, "job is put off", append(logAttrs(j.JobRow), "wait", later.wait.String(), "error", later.cause)...)
		}
		return river.JobSnooze(later.wait)
	}
	err = fmt.Errorf("work on workspace %d, import %d, %s batch %d: %w",
		job.WS, job.Batch.ImportNo, job.Batch.Pass, job.Batch.No, err)
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		// A cancelled statement may come back as an error of the database alone;
		// River must see the cancellation not to count a stop as a failure.
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// handle calls the handler and makes its panic an error.
func (w *worker) handle(ctx context.Context, job store.Job, id int64) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return w.handler.Work(ctx, job, id)
}

// panicError is a handler's panic. The stack is for the log alone: River keeps
// an error's text with the job.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
