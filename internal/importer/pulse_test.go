package importer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tallyman/internal/files"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// slowFiles are files that open once whoever waits for them is done.
type slowFiles struct {
	files.Store
	wait func(key string) error
}

func (f slowFiles) Open(ctx context.Context, key string) (files.Reader, error) {
	if f.wait != nil {
		if err := f.wait(key); err != nil {
			return nil, err
		}
	}
	return f.Store.Open(ctx, key)
}

// A job whose first chunk is long in coming beats meanwhile, so the sweep leaves it
// its batch, and it comes to its end.
func TestAJobBeatsBeforeItsFirstChunk(t *testing.T) {
	for _, pass := range []ledger.Pass{ledger.PassSlice, ledger.PassApply} {
		t.Run(string(pass), func(t *testing.T) {
			slow := &slowFiles{}
			s := newIdleStack(t, func(c *importer.Config) {
				slow.Store = c.Files
				c.Files = slow
			})
			imp, err := s.begin("a.csv", products(300, "a"), importer.Options{})
			if err == nil && pass == ledger.PassApply {
				_, err = s.workOn(imp, ledger.PassSlice)
			}
			if err != nil {
				t.Fatal(err)
			}
			waited, epoch := false, int64(0)
			slow.wait = func(string) error {
				if waited {
					return nil
				}
				waited = true
				first := *s.batch(imp, pass).Beat
				epoch = s.batch(imp, pass).Epoch
				if err := s.beatsAfter(imp, pass, first); err != nil {
					return err
				}
				// What has not moved since it began would be another's now.
				return s.svc.Sweep(context.Background(), time.Since(first))
			}
			if _, err := s.workOn(imp, pass); err != nil {
				t.Fatalf("the slow job: %v", err)
			}
			if b := s.batch(imp, pass); !waited || b.State != store.BatchDone || b.Epoch != epoch {
				t.Errorf("waited %v, batch %+v, was in epoch %d", waited, b, epoch)
			}
			if done := s.drain(imp); done.State != store.Done || done.Tally.Created != 300 {
				t.Errorf("%s %+v", done.State, done.Tally)
			}
		})
	}
}

// beatsAfter waits until the batch's beat is later than at.
func (s *stack) beatsAfter(imp store.Import, pass ledger.Pass, at time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !s.batch(imp, pass).Beat.After(at) {
		select {
		case <-ctx.Done():
			return errors.New("the batch does not beat")
		case <-tick.C:
		}
	}
	return nil
}

// A job that has lost its batch while it reads its first chunk stops reading.
func TestAJobStopsReadingWhenItsBatchIsTaken(t *testing.T) {
	slow := &slowFiles{}
	s := newIdleStack(t, func(c *importer.Config) {
		slow.Store = c.Files
		c.Files = slow
	})
	imp, err := s.begin("a.csv", products(300, "a"), importer.Options{})
	if err == nil {
		_, err = s.workOn(imp, ledger.PassSlice)
	}
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	slow.wait = func(string) error {
		if waited {
			return nil
		}
		waited = true
		s.takenForDead(imp)
		if done := s.drain(imp); done.State != store.Done || done.Tally.Created != 300 {
			t.Errorf("its successor: %s %+v", done.State, done.Tally)
		}
		return nil
	}
	if _, err := s.workOn(imp, ledger.PassApply); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the late job: %v, want fenced", err)
	}
	s.checkTally(s.now(imp))
}
