package jobs

import (
	"context"
	"sync"
)

// Stopping reports whether the engine that runs this job is being stopped. A
// handler asks between chunks and, if so, ends early: its context is not
// cancelled until the engine loses patience. It is false outside of a job.
func Stopping(ctx context.Context) bool {
	select {
	case <-StopSignal(ctx):
		return true
	default:
		return false
	}
}

// StopSignal returns a channel that is closed when Stopping becomes true, for a
// handler that waits for something; nil outside of a job.
func StopSignal(ctx context.Context) <-chan struct{} {
	r, _ := ctx.Value(runKey{}).(run)
	return r.stop
}

// WithStop returns a context in which Stopping and StopSignal go by stop, as in a
// job: for a handler that is called without an engine.
func WithStop(ctx context.Context, stop <-chan struct{}) context.Context {
	return withRun(ctx, run{stop: stop})
}

// Attempt returns how often the job has been begun, this time included; 0
// outside of a job. Attempts that a stop cut short are not counted, those that
// died with their process are.
func Attempt(ctx context.Context) int {
	r, _ := ctx.Value(runKey{}).(run)
	return r.attempt
}

// Failures returns how many attempts at the job ended with an error or a panic
// before this one; 0 outside of a job. Unlike Attempt it does not count those
// that died with their process, which say nothing about the job.
func Failures(ctx context.Context) int {
	r, _ := ctx.Value(runKey{}).(run)
	return r.failures
}

// run is what a job's context knows of its run.
type run struct {
	stop     <-chan struct{}
	attempt  int
	failures int
}

type runKey struct{}

func withRun(ctx context.Context, r run) context.Context {
	return context.WithValue(ctx, runKey{}, r)
}

// stopSignal is raised at every stop and reset at every start.
type stopSignal struct {
	mu     sync.Mutex
	ch     chan struct{}
	raised bool
}

func newStopSignal() *stopSignal { return &stopSignal{ch: make(chan struct{})} }

func (s *stopSignal) channel() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *stopSignal) raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.raised {
		close(s.ch)
		s.raised = true
	}
}

func (s *stopSignal) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raised {
		s.ch, s.raised = make(chan struct{}), false
	}
}
