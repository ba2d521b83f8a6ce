package importer_test

import (
	"context"
	"testing"
	"time"

	"tallyman/internal/importer"
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
