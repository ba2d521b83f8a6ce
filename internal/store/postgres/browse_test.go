package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

// TestBrowsingLeavesTheRestAlone: while as many download as may, everything else is
// answered at once, and who searches hears that it is too much.
func TestBrowsingLeavesTheRestAlone(t *testing.T) {
	db, err := Open(t.Context(), pgtest.New(t), Options{Browsers: 1, Readers: 1, BrowseWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fill(t, db, 3)
	inside, over := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- db.Snapshot(context.Background(), func(still store.Store) error {
			close(inside)
			<-over
			n, err := still.CountItems(context.Background(), 1, store.ItemFilter{Query: "TTT"}) // needs no second one
			if n != 3 {
				t.Errorf("%d items in the snapshot", n)
			}
			return err
		})
	}()
	<-inside
	for what, ask := range map[string]func() error{
		"health": func() error { return db.Health(t.Context()) },
		"clock":  func() error { _, err := db.Clock(t.Context()); return err },
		"key":    func() error { _, err := db.KeyByHash(t.Context(), "x"); return notFound(err) },
		"import": func() error { _, err := db.Import(t.Context(), 1, "x"); return notFound(err) },
		"page": func() error {
			_, err := db.Items(t.Context(), 1, store.ItemFilter{Kind: catalog.KindProduct}, store.Range{Limit: 2})
			return err
		},
		"read items": func() error { return db.ReadItems(t.Context(), 1, func(store.ItemReader) error { return nil }) },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := db.Items(t.Context(), 1, store.ItemFilter{Query: "TTT"}, store.Range{Limit: 2}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a search beside it: got %v, want %v", err, store.ErrUnavailable)
	}
	close(over)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n, err := db.CountItems(t.Context(), 1, store.ItemFilter{Query: "TTT"}); n != 3 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// TestSearchesEnd: a search has less time than a download.
func TestSearchesEnd(t *testing.T) {
	db := openDB(t)
	for begin, want := range map[string]string{beginSearch: "30s", beginStill: "5min"} {
		err := db.browse(t.Context(), begin, func(r reader) error {
			got, err := one(t.Context(), r.q, scanText, "SHOW statement_timeout")
			if got != want {
				t.Errorf("%s: it may take %s, want %s", begin, got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestJobsHaveConnections for reading and writing at once, and leave some.
func TestJobsHaveConnections(t *testing.T) {
	db, err := Open(t.Context(), pgtest.New(t), Options{Jobs: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if w, r := db.writers.Config().MaxConns, db.reader.pool.Config().MaxConns; w != 44 || r != 84 {
		t.Errorf("%d write and %d read, want 44 and 84", w, r)
	}
}
