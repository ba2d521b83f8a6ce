package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// Live tells which of the jobs with these ids wait or run. A job that a dead
// process left running counts as live until it is rescued.
func (e *Engine[TTx]) Live(ctx context.Context, ids []int64) (map[int64]bool, error) {
	rows, err := e.db.Driver.GetExecutor().JobGetByIDMany(ctx, &riverdriver.JobGetByIDManyParams{ID: ids})
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	live := make(map[int64]bool, len(rows))
	for _, job := range rows {
		switch job.State {
		case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled:
			live[job.ID] = true
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
