package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// keepAnswers is how long what was found out is told again, so that asking often
	// costs nothing.
	keepAnswers = 2 * time.Second
	// patience is how long somebody who asks is kept waiting.
	patience = 3 * time.Second
)

var errNoAnswer = errors.New("there is no answer in time")

// polled is something that takes time to find out, or may never be. It is asked
// one at a time, and one that does not return is waited for no longer than
// patience.
type polled[T any] struct {
	ask func(context.Context) (T, error)
	// clock measures how old an answer is.
	clock func() time.Time
	// patience is how long get waits.
	patience time.Duration

	mu     sync.Mutex
	flight chan struct{} // closed when the one that asks returns; nil for none
	at     time.Time
	known  bool
	value  T
	err    error
}

func newPolled[T any](ask func(context.Context) (T, error)) *polled[T] {
	return &polled[T]{ask: ask, clock: time.Now, patience: patience}
}

// get returns the newest answer.
func (p *polled[T]) get() (T, error) {
	p.mu.Lock()
	if p.known && p.clock().Sub(p.at) < keepAnswers {
		defer p.mu.Unlock()
		return p.value, p.err
	}
	if p.flight == nil {
		p.flight = make(chan struct{})
		go p.find(p.flight)
	}
	flight := p.flight
	p.mu.Unlock()
	late := time.NewTimer(p.patience)
	defer late.Stop()
	select {
	case <-flight:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.value, p.err
	case <-late.C:
		var none T
		return none, errNoAnswer
	}
}

// find asks and keeps the answer.
func (p *polled[T]) find(flight chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	value, err := p.ask(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.value, p.err, p.at, p.known, p.flight = value, err, p.clock(), true, nil
	close(flight)
}
