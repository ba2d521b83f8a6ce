package importer

import (
	"context"
	"errors"
	"sync"
	"time"

	"tallyman/internal/store"
)

// A batch's commits show that it is worked on. Where one takes longer
// than that to come, the job beats instead: well within the shortest time after
// which a batch that stands still is another's to take.
const (
	pulseAfter = time.Second
	pulseEvery = pulseAfter / 2
)

// beating runs fn, a step longer than a time slice, so that it is not taken for
// dead. fn's context ends when the batch is taken back.
func (s *Service) beating(ctx context.Context, st *started, fn func(context.Context) error) error {
	return s.newPulse(st).beating(ctx, fn)
}

// pulse beats for the batch that a job holds while none of its chunks commits.
type pulse struct {
	svc *Service
	st  *started
	// mu is held by a chunk's transaction, and by a beat: neither waits for the
	// batch while the other holds it.
	mu   sync.Mutex
	last time.Time
}

// newPulse is of a batch that was claimed just now.
func (s *Service) newPulse(st *started) *pulse { return &pulse{svc: s, st: st, last: time.Now()} }

// pause keeps beats away from a transaction that holds the batch, and from st.
func (p *pulse) pause() { p.mu.Lock() }

func (p *pulse) goOn() { p.mu.Unlock() }

// beaten notes, in a pause, that a commit has moved the beat.
func (p *pulse) beaten() { p.last = time.Now() }

// beating runs fn and beats where fn does not commit. fn's context ends when the
// batch is taken back.
func (p *pulse) beating(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.beatUntil(ctx, cancel)
	}()
	err := fn(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	<-stopped
	if err != nil && errors.Is(cause, store.ErrFenced) {
		return store.ErrFenced
	}
	return err
}

// beatUntil beats until the context ends, or cancels it when the batch is fenced.
func (p *pulse) beatUntil(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.beat(ctx); errors.Is(err, store.ErrFenced) {
				cancel(err)
				return
			}
		}
	}
}

// beat moves the beat if nothing has for a while. A beat that fails is made good by
// the next one.
func (p *pulse) beat(ctx context.Context) error {
	if !p.mu.TryLock() {
		return nil
	}
	defer p.mu.Unlock()
	if time.Since(p.last) < pulseAfter {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, giveBackTime)
	defer cancel()
	err := p.svc.beatNow(ctx, p.st)
	if err == nil {
		p.beaten()
	}
	return err
}

// beatNow moves the batch's beat, if the job holds it still.
func (s *Service) beatNow(ctx context.Context, st *started) error {
	return s.transact(ctx, st.imp.WS, false, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, st.batch.BatchRef, st.batch.Epoch); err != nil {
			return err
		}
		b, err := tx.Batch(ctx, st.batch.BatchRef)
		if err != nil {
			return err
		}
		now := s.now()
		b.Beat = &now
		return tx.SaveBatch(ctx, &b)
	})
}
