package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// Live tells which of the jobs with these ids wait, or were given to a process no
// longer than Config.BeginWithin ago. It is asked about jobs that have not begun
// their batch: of one that takes longer to do so the process is dead, though the
// engine itself will find out much later.
func (e *Engine[TTx]) Live(ctx context.Context, ids []int64) (map[int64]bool, error) {
	rows, err := e.db.Driver.GetExecutor().JobGetByIDMany(ctx, &riverdriver.JobGetByIDManyParams{ID: ids})
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	live := make(map[int64]bool, len(rows))
	since := e.cfg.Now().Add(-e.cfg.BeginWithin)
	for _, job := range rows {
		switch job.State {
		case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled:
			live[job.ID] = true
		case rivertype.JobStateRunning:
			if job.AttemptedAt != nil && job.AttemptedAt.After(since) {
				live[job.ID] = true
			}
		}
	}
	return live, nil
}

// Health says why jobs are not being worked on, or nil: the engine was not
// started, was told to stop, or has ended by itself. It asks no database and
// never waits.
func (e *Engine[TTx]) Health() error {
	ended := e.ended.Load()
	if ended == nil {
		return errors.New("the job engine does not run")
	}
	select {
	case <-*ended:
		return errors.New("the job engine has ended by itself")
	default:
		return nil
	}
}
