package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"tallyman/internal/bench/program"
)

// answers are how long the server took to answer while an import ran: what one of
// many watchers sees.
type answers struct {
	status, list []time.Duration // sorted
}

// watch asks for an import and for the list of imports, again and again, until it
// is told to stop.
func watch(ctx context.Context, s *program.Server, id string) (stop func() (answers, error)) {
	ctx, cancel := context.WithCancel(ctx)
	var a answers
	var statusErr, listErr error
	var watchers sync.WaitGroup
	watchers.Go(func() { a.status, statusErr = ask(ctx, s, "/imports/"+id) })
	watchers.Go(func() { a.list, listErr = ask(ctx, s, "/imports") })
	return func() (answers, error) {
		cancel()
		watchers.Wait()
		return a, errors.Join(statusErr, listErr)
	}
}

// askEvery is how often a watcher asks.
const askEvery = 40 * time.Millisecond

func ask(ctx context.Context, s *program.Server, path string) (took []time.Duration, err error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			slices.Sort(took)
			return took, nil
		case <-tick.C:
		}
		var answer any
		began := time.Now()
		if err := s.GetJSON(context.WithoutCancel(ctx), path, &answer); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
}

// quantile is the value below which this share of sorted ones lies.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// flush brings to disk what was written before, so that nobody pays for it but who
// wrote it.
func flush() { syscall.Sync() }
