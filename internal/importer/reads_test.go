package importer_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// oneReader is a store with one connection to read with: who reads within a read
// waits for itself.
type oneReader struct {
	store.Store
	free   chan struct{}
	nested atomic.Int64
}

func newOneReader(s store.Store) *oneReader {
	o := &oneReader{Store: s, free: make(chan struct{}, 1)}
	o.free <- struct{}{}
	return o
}

var errNested = errors.New("a read within a read")

// read does fn with the connection. Only who waits for itself waits so long.
func (o *oneReader) read(fn func() error) error {
	wait := patience / 4
	if o.nested.Load() > 0 {
		wait = 0 // it is known by now
	}
	select {
	case <-o.free:
	case <-time.After(wait):
		o.nested.Add(1)
		return errNested
	}
	defer func() { o.free <- struct{}{} }()
	return fn()
}

func (o *oneReader) ReadItems(ctx context.Context, ws store.WS, fn func(store.ItemReader) error) error {
	return o.read(func() error { return o.Store.ReadItems(ctx, ws, fn) })
}

func (o *oneReader) Pages(ctx context.Context, ws store.WS, no int64, f store.PageFilter, fn func(ledger.Page) error) error {
	return o.read(func() error { return o.Store.Pages(ctx, ws, no, f, fn) })
}

func (o *oneReader) Snapshot(ctx context.Context, fn func(store.Store) error) error {
	return o.read(func() error { return o.Store.Snapshot(ctx, fn) })
}

func (o *oneReader) ImportNo(ctx context.Context, ws store.WS, no int64) (imp store.Import, err error) {
	err = o.read(func() error { imp, err = o.Store.ImportNo(ctx, ws, no); return err })
	return imp, err
}

func (o *oneReader) Import(ctx context.Context, ws store.WS, id string) (imp store.Import, err error) {
	err = o.read(func() error { imp, err = o.Store.Import(ctx, ws, id); return err })
	return imp, err
}

func (o *oneReader) Batches(ctx context.Context, ws store.WS, no int64, pass ledger.Pass) (all []store.Batch, err error) {
	err = o.read(func() error { all, err = o.Store.Batches(ctx, ws, no, pass); return err })
	return all, err
}

func (o *oneReader) Workspaces(ctx context.Context) (all []store.Workspace, err error) {
	err = o.read(func() error { all, err = o.Store.Workspaces(ctx); return err })
	return all, err
}

func (o *oneReader) Fixes(ctx context.Context, ws store.WS, no int64) (all []store.Fix, err error) {
	err = o.read(func() error { all, err = o.Store.Fixes(ctx, ws, no); return err })
	return all, err
}

func (o *oneReader) Corrections(ctx context.Context, ws store.WS, no, from, to int64) (all []store.Correction, err error) {
	err = o.read(func() error { all, err = o.Store.Corrections(ctx, ws, no, from, to); return err })
	return all, err
}

// Jobs never hold one connection to read with while they wait for another: all of
// them, waiting so for each other, would wait without end.
func TestNothingIsReadWithinARead(t *testing.T) {
	var one *oneReader
	s := newIdleStack(t, func(c *importer.Config) {
		one = newOneReader(c.Store)
		c.Store, c.ChunkRows = one, 100
	})
	ctx := context.Background()
	made := s.drained(s.begin("a.csv", products(300, "a"), importer.Options{Feed: "acme"}))
	s.drained(s.begin("c.csv", products(200, "c"), importer.Options{}))
	undo := s.drained(s.svc.Undo(ctx, s.ws, made.ID, importer.Options{Door: "test"}))
	if undo.State != store.Done || undo.Tally.Held != 200 || undo.Tally.Deleted != 100 {
		t.Fatalf("undo: %s (%s) %+v", undo.State, undo.FaultMessage, undo.Tally)
	}
	for _, row := range s.rows(undo.ID) {
		if len(row.Problems) > 0 && !strings.Contains(row.Problems[0].Message, "(c.csv") {
			t.Fatalf("row %d: %s", row.Row, row.Problems[0].Message)
		}
	}
	plan := s.drained(s.begin("d.csv", products(50, "d")+"Bad,x,y,z\n", importer.Options{Feed: "acme", Missing: "delete", Plan: true}))
	done := s.drained(s.svc.Apply(ctx, s.ws, plan.ID, importer.ApplyOptions{Fingerprint: plan.Fingerprint}))
	if done.State != store.Done || done.Tally.Failed != 1 {
		t.Fatalf("plan: %s (%s) %+v", done.State, done.FaultMessage, done.Tally)
	}
	s.svc.Correct(ctx, s.ws, done.ID, 52, map[string]string{"price": "1", "stock": "1"}, "tester")
	s.drained(s.svc.Retry(ctx, s.ws, done.ID, importer.RetryOptions{Failed: true}))
	if n := one.nested.Load(); n > 0 {
		t.Errorf("%d reads within a read", n)
	}
}
