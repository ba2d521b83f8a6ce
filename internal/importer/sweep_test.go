package importer_test

import (
	"context"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// locked is a store in which a node that stands still has locked what is asked for,
// while that is so.
type locked struct {
	store.Store
	on    bool
	tries int
}

func (l *locked) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	if l.on {
		l.tries++
		return store.ErrRetry
	}
	return l.Store.Write(ctx, ws, durable, fn)
}

// A pause or a termination that waits for what a dead node has locked is tried once
// a sweep: all other imports wait for the sweep.
func TestASweepSettlesAnImportInOneTry(t *testing.T) {
	for passing, want := range map[store.State]store.State{store.Pausing: store.Paused, store.Terminating: store.Terminated} {
		t.Run(string(passing), func(t *testing.T) {
			at, l := time.Now(), &locked{}
			s := newIdleStack(t, func(c *importer.Config) {
				l.Store = c.Store
				c.Store, c.Now = l, func() time.Time { return at }
			})
			imp, err := s.begin("a.csv", products(300, "a"), importer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.write(func(tx store.Tx) error {
				now, err := tx.LockImport(context.Background(), imp.No)
				if err != nil {
					return err
				}
				now.State = passing
				return tx.UpdateImport(context.Background(), &now)
			})
			at, l.on = at.Add(time.Minute), true
			if err := s.svc.Sweep(context.Background(), 15*time.Second); err != nil || l.tries != 1 {
				t.Errorf("%v after %d tries", err, l.tries)
			}
			l.on = false
			if err := s.svc.Sweep(context.Background(), 15*time.Second); err != nil || s.now(imp).State != want {
				t.Errorf("%v, %s", err, s.now(imp).State)
			}
		})
	}
}

// slowLook is a store in which something happens when the sweep has found what
// stands still.
type slowLook struct {
	store.Store
	then func()
}

func (l *slowLook) Stalled(ctx context.Context, before, until time.Time) ([]store.StalledBatch, error) {
	list, err := l.Store.Stalled(ctx, before, until)
	if l.then != nil {
		l.then()
	}
	return list, err
}

// A batch that beats again while the sweep is long about others stays with its job:
// its beat is not one of a clock that runs ahead.
func TestALongSweepLeavesABatchThatBeats(t *testing.T) {
	at, look := time.Now(), &slowLook{}
	s := newIdleStack(t, func(c *importer.Config) {
		look.Store = c.Store
		c.Store, c.Now = look, func() time.Time { return at }
	})
	imp, err := s.begin("a.csv", products(300, "a"), importer.Options{})
	if err == nil {
		_, err = s.workOn(imp, ledger.PassSlice)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := s.batch(imp, ledger.PassApply)
	s.write(func(tx store.Tx) error {
		_, err := tx.StartBatch(context.Background(), b.BatchRef, b.JobID, "slow", at)
		return err
	})
	b = s.batch(imp, ledger.PassApply)
	at = at.Add(time.Minute)
	look.then = func() {
		look.then = nil
		at = at.Add(20 * time.Second)
		b.Beat = &at
		s.write(func(tx store.Tx) error { return tx.SaveBatch(context.Background(), &b) })
	}
	if err := s.svc.Sweep(context.Background(), 15*time.Second); err != nil || look.then != nil {
		t.Fatalf("%v, looked %v", err, look.then == nil)
	}
	if now := s.batch(imp, ledger.PassApply); now.Epoch != b.Epoch || now.JobID != b.JobID || now.State != store.BatchRunning {
		t.Errorf("it was taken from its job: %+v", now)
	}
	at = at.Add(time.Minute)
	if err := s.svc.Sweep(context.Background(), 15*time.Second); err != nil {
		t.Fatal(err)
	}
	if now := s.batch(imp, ledger.PassApply); now.Epoch != b.Epoch+1 || now.State != store.BatchQueued {
		t.Errorf("it was not taken from a job that stands still: %+v", now)
	}
}
