package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

// halfCopy hands out the beginning of a COPY and then stands still, as a node does
// that is stopped while it sends.
type halfCopy struct {
	sent       bool
	still, end chan struct{}
}

func (c *halfCopy) Read(p []byte) (int, error) {
	if !c.sent {
		c.sent = true
		return copy(p, "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000"), nil
	}
	close(c.still)
	<-c.end
	return 0, errors.New("over")
}

// TestEndStuck: a node that stands still in the middle of a COPY holds its batch.
// Another one waits for it no longer than it is told to, ends the session, and has the
// batch.
func TestEndStuck(t *testing.T) {
	address := pgtest.New(t)
	still, other := openURL(t, address), openURL(t, address)
	imp := store.Import{ID: "imp_1", State: store.Running}
	ref := store.BatchRef{Pass: ledger.PassApply, No: 1}
	err := still.Write(t.Context(), 1, false, func(tx store.Tx) error {
		if err := tx.InsertImport(t.Context(), &imp); err != nil {
			return err
		}
		ref.ImportNo = imp.No
		return tx.InsertBatches(t.Context(), []store.Batch{{BatchRef: ref, State: store.BatchRunning, JobID: 1, Epoch: 1}})
	})
	if err != nil {
		t.Fatal(err)
	}
	half := &halfCopy{still: make(chan struct{}), end: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		ended <- still.Write(context.Background(), 1, false, func(raw store.Tx) error {
			if err := raw.CheckBatch(context.Background(), ref, 1); err != nil {
				return err
			}
			_, err := raw.(*tx).pg.Conn().PgConn().CopyFrom(context.Background(), half, copyItems)
			return interpret(context.Background(), err, nil)
		})
	}()
	<-half.still
	take := func(ctx context.Context) error {
		return other.Write(ctx, 1, false, func(tx store.Tx) error { _, err := tx.Batch(ctx, ref); return err })
	}
	if err := take(store.WithLockWait(t.Context(), 50*time.Millisecond)); !errors.Is(err, store.ErrRetry) {
		t.Errorf("while it is held: got %v, want %v", err, store.ErrRetry)
	}
	until(t, other, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event = 'ClientRead')")
	for range 2 {
		if n, err := other.EndStuck(t.Context()); n != 0 || err != nil {
			t.Fatalf("a moment after it began: %d ended, %v", n, err)
		}
	}
	for s, since := range other.stuck.since { // as if it had been looked at long ago
		other.stuck.since[s] = since.Add(-stuckAfter)
	}
	if n, err := other.EndStuck(t.Context()); n != 1 || err != nil {
		t.Fatalf("ended %d, %v; want 1", n, err)
	}
	if err := take(t.Context()); err != nil {
		t.Error(err)
	}
	close(half.end)
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the one that stood still: got %v, want %v", err, store.ErrUnavailable)
	}
}

// TestOnlyTheSilentAreStuck: who receives something is let go on.
func TestOnlyTheSilentAreStuck(t *testing.T) {
	var st stuckSessions
	at := func(s int) time.Time { return fromMillis(int64(s) * 1000) }
	moves, stands, next := receiving{1, at(0), 0}, receiving{2, at(0), 5}, receiving{2, at(9), 5}
	for _, c := range []struct {
		second int
		seen   []receiving
		want   int
	}{
		{0, []receiving{moves, stands}, 0},
		{7, []receiving{{1, at(0), 10}, stands}, 0},
		{8, []receiving{{1, at(0), 10}, stands}, 1},
		{9, []receiving{{1, at(0), 11}, next}, 0},
		{16, []receiving{next}, 0},
		{17, nil, 0},
		{18, []receiving{next}, 0}, // it was at work between
	} {
		if got := len(st.silent(c.seen, at(c.second))); got != c.want {
			t.Errorf("second %d: %d are stuck, want %d", c.second, got, c.want)
		}
	}
}
