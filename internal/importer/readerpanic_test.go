package importer_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// breaking is a store that panics at one of the reads for a chunk.
type breaking struct {
	store.Store
	left atomic.Int64
}

func (b *breaking) ReadItems(ctx context.Context, ws store.WS, fn func(store.ItemReader) error) error {
	if b.left.Add(-1) == 0 {
		panic("broken")
	}
	return b.Store.ReadItems(ctx, ws, fn)
}

// A reader that panics while the chunk before is written reads nothing that the
// writer moves, which the race detector tells, and its job is done by the next try.
func TestAReaderPanicsWhileAChunkIsWritten(t *testing.T) {
	b := &breaking{}
	s := newIdleStack(t, func(c *importer.Config) {
		b.Store = c.Store
		c.Store, c.ChunkRows, c.SliceTime = b, 100, time.Hour
	})
	s.drained(s.begin("a.csv", products(2000, "a"), importer.Options{}))
	imp, err := s.begin("b.csv", products(2000, "b"), importer.Options{})
	if err == nil {
		_, err = s.workOn(imp, ledger.PassSlice)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.left.Store(3)
	if _, err := s.workOn(imp, ledger.PassApply); err == nil {
		t.Fatal("it did not panic")
	}
	done := s.drain(imp)
	if done.State != store.Done || done.Tally.Updated != 2000 {
		t.Errorf("%s %+v", done.State, done.Tally)
	}
	s.checkTally(done)
}
