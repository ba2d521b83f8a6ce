package postgres

import (
	"context"
	"errors"
	"sync"
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
	ref := addBatch(t, still)
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
	wantEnded(t, other, receivesNothing)
	if err := take(t.Context()); err != nil {
		t.Error(err)
	}
	close(half.end)
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the one that stood still: got %v, want %v", err, store.ErrUnavailable)
	}
}

// TestEndStuckWhileItReads: a node that stands still in the middle of reading rows that
// it locks holds its batch, too, and the time-out of the statement does not end it.
// One that only reads holds nothing, and may take as long as it likes.
func TestEndStuckWhileItReads(t *testing.T) {
	address := pgtest.New(t)
	still, other := openURL(t, address), openURL(t, address)
	ref := addBatch(t, still)
	const large = `SELECT repeat('x', 1 + 50000000*n) FROM generate_series(0, 1) n` // the second row is more than a network holds
	end := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(end) })
	defer goOn()
	standStill := func([][]byte) error { <-end; return nil }
	reads, locks := make(chan error, 1), make(chan error, 1)
	go func() { reads <- eachRaw(context.Background(), still.reader.pool, standStill, large) }()
	go func() {
		locks <- still.Write(context.Background(), 1, false, func(raw store.Tx) error {
			if err := raw.CheckBatch(context.Background(), ref, 1); err != nil {
				return err
			}
			if _, err := raw.(*tx).pg.Exec(context.Background(), "SET LOCAL statement_timeout = '1s'"); err != nil {
				return err
			}
			return interpret(context.Background(), eachRaw(context.Background(), raw.(*tx).pg, standStill, large), nil)
		})
	}()
	until(t, other, `SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event = 'ClientWrite'
	AND query_start < clock_timestamp() - interval '1500ms'`)
	if n, err := other.EndStuck(t.Context()); n != 0 || err != nil {
		t.Fatalf("a moment after it began: %d ended, %v", n, err)
	}
	wantEnded(t, other, sendsNothing)
	err := other.Write(store.WithLockWait(t.Context(), 5*time.Second), 1, false, func(tx store.Tx) error { _, err := tx.Batch(t.Context(), ref); return err })
	if err != nil {
		t.Error(err)
	}
	goOn()
	if err := <-locks; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the one that held the batch: got %v, want %v", err, store.ErrUnavailable)
	}
	if err := <-reads; err != nil {
		t.Errorf("the one that only read: %v", err)
	}
}

// addBatch adds a batch that a job has, in its first epoch.
func addBatch(t *testing.T, db *DB) store.BatchRef {
	t.Helper()
	imp := store.Import{ID: "imp_1", State: store.Running}
	ref := store.BatchRef{Pass: ledger.PassApply, No: 1}
	err := db.Write(t.Context(), 1, false, func(tx store.Tx) error {
		if err := tx.InsertImport(t.Context(), &imp); err != nil {
			return err
		}
		ref.ImportNo = imp.No
		return tx.InsertBatches(t.Context(), []store.Batch{{BatchRef: ref, State: store.BatchRunning, JobID: 1, Epoch: 1}})
	})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// wantEnded looks again as if so much time had passed, and wants one session ended.
func wantEnded(t *testing.T, db *DB, passed time.Duration) {
	t.Helper()
	for s, since := range db.stuck.since {
		db.stuck.since[s] = since.Add(-passed)
	}
	if n, err := db.EndStuck(t.Context()); n != 1 || err != nil {
		t.Fatalf("ended %d, %v; want 1", n, err)
	}
}

// TestOnlyTheSilentAreStuck: who receives something is let go on.
func TestOnlyTheSilentAreStuck(t *testing.T) {
	var st stuckSessions
	at := func(s int) time.Time { return fromMillis(int64(s) * 1000) }
	in := func(pid int32, began int, bytes int64) halfway { return halfway{pid, at(began), "ClientRead", bytes} }
	moves, stands, next := in(1, 0, 0), in(2, 0, 5), in(2, 9, 5)
	sends := halfway{pid: 3, began: at(0), waits: waitsToSend}
	for _, c := range []struct {
		second int
		seen   []halfway
		want   int
	}{
		{0, []halfway{moves, stands, sends}, 0},
		{7, []halfway{in(1, 0, 10), stands, sends}, 0},
		{8, []halfway{in(1, 0, 10), stands, sends}, 1},
		{9, []halfway{in(1, 0, 11), next, sends}, 0},
		{16, []halfway{next, sends}, 0},
		{17, []halfway{sends}, 0},
		{18, []halfway{next, sends}, 0}, // it was at work between
		{59, []halfway{sends}, 0},
		{60, []halfway{sends}, 1},
	} {
		if got := len(st.silent(c.seen, at(c.second))); got != c.want {
			t.Errorf("second %d: %d are stuck, want %d", c.second, got, c.want)
		}
	}
}
