package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	// fetchCooldown bounds a queue's throughput to its workers per cooldown.
	fetchCooldown = 10 * time.Millisecond

	// maxAttempts is about 45 minutes of retries. Each one leaves its error on
	// the job's row, so it cannot be without bound; the importer gives a batch
	// whose job was discarded a new one.
	maxAttempts = 100
	maxBackoff  = 30 * time.Second

	// A large import makes thousands of jobs. They are kept for as long as
	// someone may look into what just happened.
	keepCompleted = 5 * time.Minute
	keepFailed    = 24 * time.Hour
)

// riverConfig says how River is to run our jobs.
func riverConfig(cfg Config, workers *river.Workers) *river.Config {
	log := quiet(cfg.Log)
	return &river.Config{
		ID:      clientID(cfg.Node),
		Logger:  log,
		Workers: workers,
		Queues: map[string]river.QueueConfig{
			queueBatches: {MaxWorkers: cfg.Workers},
			queueSmall:   {MaxWorkers: cfg.SmallWorkers},
		},
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           cfg.PollInterval,
		JobTimeout:                  cfg.JobTimeout,
		RescueStuckJobsAfter:        cfg.RescueAfter,
		SoftStopTimeout:             cfg.StopGrace,
		MaxAttempts:                 maxAttempts,
		RetryPolicy:                 backoff{now: cfg.Now},
		ErrorHandler:                errorLog{cfg.Log},
		CompletedJobRetentionPeriod: keepCompleted,
		CancelledJobRetentionPeriod: keepFailed,
		DiscardedJobRetentionPeriod: keepFailed,
		// The table stays small, and rebuilding its indexes would hold SQLite's
		// one writer.
		ReindexerIndexNames: []string{},
		// It is no matter of tests alone where nodes have clocks of their own.
		Test: river.TestConfig{Time: clock{cfg.Now}},
	}
}

// clientID returns an id for this process. A node that died and came back must
// not be taken for the one that still holds its jobs, so its name alone will not
// do; and River wants at most 100 characters.
func clientID(node string) string {
	const maxNode = 60
	if len(node) > maxNode {
		node = node[:maxNode]
	}
	return node + "-" + rand.Text()
}

// backoff retries after 1, 2, 4 … seconds, at most maxBackoff.
type backoff struct{ now func() time.Time }

func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	wait := maxBackoff
	if n := job.Attempt - 1; n < 5 {
		wait = min(wait, time.Second<<max(n, 0))
	}
	return b.now().Add(wait)
}

// errorLog logs attempts that failed. River calls it for none that a stop cut
// short.
type errorLog struct{ log *slog.Logger }

func (l errorLog) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	attrs := append(logAttrs(job), "attempt", job.Attempt, "error", err)
	var p *panicError
	if errors.As(err, &p) {
		l.log.ErrorContext(ctx, "job panicked", append(attrs, "stack", string(p.stack))...)
		return nil
	}
	l.log.WarnContext(ctx, "job failed", attrs...)
	return nil
}

// HandlePanic is for panics outside the handler: worker catches the others.
func (l errorLog) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	l.log.ErrorContext(ctx, "job panicked", append(logAttrs(job), "attempt", job.Attempt, "error", value, "stack", trace)...)
	return nil
}
