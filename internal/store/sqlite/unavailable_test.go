package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

func openAt(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// set changes a setting of one connection.
func set(t *testing.T, on querier, pragma string) {
	t.Helper()
	rows, err := on.QueryContext(context.Background(), "PRAGMA "+pragma)
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
}

// What does not let the database write is told as that, by whoever writes, and is
// over when it is over.
func TestUnavailable(t *testing.T) {
	ctx := t.Context()
	item := catalog.Item{ID: "prd_1", Kind: catalog.KindProduct, Doc: catalog.Doc(`{"title":"` + strings.Repeat("x", 1<<20) + `"}`), Version: 1}
	for name, c := range map[string]struct{ bad, good string }{
		"full":      {"max_page_count=1", "max_page_count=1000000"},
		"read only": {"query_only=1", "query_only=0"},
	} {
		t.Run(name, func(t *testing.T) {
			db := openAt(t, filepath.Join(t.TempDir(), "t.db"))
			set(t, db.writer, c.bad)
			set(t, db.probe, c.bad)
			if err := db.Writable(ctx); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("writable: got %v, want %v", err, store.ErrUnavailable)
			}
			if err := db.Health(ctx); err != nil {
				t.Errorf("what is there can be read: %v", err)
			}
			// Where it cannot even begin, no step is taken.
			inner, after := store.ErrUnavailable, store.ErrUnavailable
			err := db.Write(ctx, 1, false, func(stx store.Tx) error {
				tx := stx.(*tx)
				inner = tx.Insert(ctx, db.Prepare(1, []catalog.Item{item}))
				set(t, tx.sql, c.good)
				// SQLite may have rolled back: this would be committed alone.
				after = tx.AppendAudit(ctx, &store.AuditEntry{Action: "import.start"})
				return nil
			})
			for what, err := range map[string]error{"insert": inner, "the step after it": after, "write": err} {
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: got %v, want %v", what, err, store.ErrUnavailable)
				}
			}
			set(t, db.writer, c.good)
			set(t, db.probe, c.good)
			if log, err := db.Audit(ctx, 1, store.AuditFilter{}, 0); err != nil || len(log) != 0 {
				t.Errorf("the audit log has %d entries, %v", len(log), err)
			}
			if err := db.Writable(ctx); err != nil {
				t.Errorf("writable afterwards: %v", err)
			}
			if err := db.Write(ctx, 1, true, func(tx store.Tx) error { return tx.Insert(ctx, db.Prepare(1, []catalog.Item{item})) }); err != nil {
				t.Errorf("write afterwards: %v", err)
			}
		})
	}
}

// TestWritableAsksForRoom checks that the disk is written to, and always the same
// part of it.
func TestWritableAsksForRoom(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "t.db")
	db := openAt(t, path)
	size := func() int64 {
		t.Helper()
		f, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return f.Size()
	}
	var busy, inLog, moved int
	if err := db.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &moved); err != nil || busy != 0 || size() != 0 {
		t.Fatalf("the log is not empty: %v", err)
	}
	if err := db.Writable(ctx); err != nil {
		t.Fatal(err)
	}
	first := size()
	if first < probeBytes/2 || first > 4*probeBytes {
		t.Errorf("the log has %d bytes after %d were asked for", first, probeBytes)
	}
	for range 20 {
		if err := db.Writable(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if again := size(); again != first {
		t.Errorf("the log has grown from %d to %d bytes", first, again)
	}
}
