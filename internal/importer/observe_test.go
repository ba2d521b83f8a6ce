package importer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// witness is an observer that remembers.
type witness struct {
	mu       sync.Mutex
	events   []string
	rows     map[string]catalog.Tally // of chunks, by import and kind of pass
	claimed  int
	received int64
}

type claimKey struct{}

func (w *witness) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf(format, args...))
}

func (w *witness) BatchClaimed(ctx context.Context, _ *store.Import, b *store.Batch) (context.Context, func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.claimed++
	return context.WithValue(ctx, claimKey{}, b.Pass), func(error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.claimed--
	}
}

func (w *witness) ChunkCommitted(ctx context.Context, c importer.CommittedChunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pass, ok := ctx.Value(claimKey{}).(ledger.Pass); ok && pass != c.Batch.Pass {
		w.events = append(w.events, fmt.Sprintf("a chunk of %s in the context of %s", c.Batch.Pass, pass))
	}
	if w.rows == nil {
		w.rows = make(map[string]catalog.Tally)
	}
	key := c.Import.ID + " " + string(c.Batch.Pass)
	w.rows[key] = w.rows[key].Add(c.Tally)
	if c.Rows == 0 || c.Tries < 1 || c.Write <= 0 {
		w.events = append(w.events, fmt.Sprintf("a chunk is told as %+v", c))
	}
}

func (w *witness) UploadReceived(_ context.Context, r importer.Reception) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.received += r.Bytes
}

func (w *witness) UploadRefused(_ context.Context, code string) { w.note("refused %s", code) }

func (w *witness) UploadTaken(_ context.Context, imp *store.Import, r importer.Reception) {
	w.note("taken %s %d", imp.ID, r.Bytes)
}

func (w *witness) ImportStarted(_ context.Context, imp *store.Import) { w.note("started %s", imp.ID) }

func (w *witness) ImportEnded(_ context.Context, imp *store.Import) {
	w.note("ended %s %s %d", imp.ID, imp.State, imp.Tally.Rows())
}

// await waits until something was told.
func (w *witness) await(t *testing.T, event string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		told, events := slices.Contains(w.events, event), fmt.Sprint(w.events)
		w.mu.Unlock()
		if told {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q was not told; told was %s", event, events)
		}
	}
}

// TestObserver: every import is told of once when it starts and once when it ends,
// whatever it is, and the chunks told come to its tally.
func TestObserver(t *testing.T) {
	w := &witness{}
	s := newStack(t, func(cfg *importer.Config) { cfg.Observer = w })
	ctx := context.Background()
	imp := s.run("a.csv", smallFile, importer.Options{})
	w.await(t, fmt.Sprintf("ended %s done %d", imp.ID, imp.Tally.Rows()))
	edited, err := s.edit(importer.EditRequest{ID: s.product("B").ID, Set: map[string]string{"title": `"Another"`}})
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, fmt.Sprintf("ended %s done 1", edited.Import.ID))
	undo, err := s.svc.Undo(ctx, s.ws, imp.ID, importer.Options{Door: "test"})
	if err != nil {
		t.Fatal(err)
	}
	undo = s.await(undo.ID, store.State.Ended)
	w.await(t, fmt.Sprintf("ended %s done %d", undo.ID, undo.Tally.Rows()))
	if _, err := s.begin("empty.csv", "", importer.Options{}); err == nil {
		t.Fatal("an empty file was taken")
	}
	if err := s.engine.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if w.claimed != 0 {
		t.Errorf("%d batches were claimed and never left", w.claimed)
	}
	want := []string{
		"started " + imp.ID, fmt.Sprintf("taken %s %d", imp.ID, len(smallFile)), fmt.Sprintf("ended %s done %d", imp.ID, imp.Tally.Rows()),
		"started " + edited.Import.ID, "ended " + edited.Import.ID + " done 1",
		"started " + undo.ID, fmt.Sprintf("ended %s done %d", undo.ID, undo.Tally.Rows()), "refused empty_file",
	}
	slices.Sort(want)
	slices.Sort(w.events)
	if !slices.Equal(w.events, want) {
		t.Errorf("told was\n%q, want\n%q", w.events, want)
	}
	for _, of := range []store.Import{imp, undo} {
		if got := w.rows[of.ID+" apply"]; got != of.Tally {
			t.Errorf("the chunks of %s come to %+v, its tally is %+v", of.ID, got, of.Tally)
		}
	}
}

// An import that is all or nothing, and is not all, has not ended until what it
// applied is taken back, by an import that is told of too.
func TestObserverOfARollBack(t *testing.T) {
	w := &witness{}
	s := newStack(t, func(cfg *importer.Config) { cfg.Observer = w })
	imp := s.run("a.csv", "SKU,Title,Price\nA,Chair,1\nB,Table,dear\n", importer.Options{Policy: importer.PolicyAll})
	w.await(t, fmt.Sprintf("ended %s %s 0", imp.ID, imp.State))
	if imp.State != store.RolledBack {
		t.Errorf("the import is %s", imp.State)
	}
}
