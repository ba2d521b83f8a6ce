package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// A file that a Restore left half-filled opens for nobody but whoever clears it.
func TestHalfFilledIsNotOpened(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "t.db")
	db := open(t, path, sqlite.Options{})
	first, broken := store.Record{WS: 3, Workspace: &store.Workspace{WS: 3, Name: "w", CreatedAt: time.UnixMilli(1)}}, errors.New("broken off")
	given := false
	err := db.Restore(ctx, func() (store.Record, error) {
		if given {
			return store.Record{}, broken
		}
		given = true
		return first, nil
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if again, err := sqlite.Open(ctx, path, sqlite.Options{}); !errors.Is(err, store.ErrUnfinished) {
		again.Close()
		t.Errorf("opened a half-filled file: %v", err)
	}
	clearing := open(t, path, sqlite.Options{Unfinished: true})
	if err := clearing.Abandon(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := open(t, path, sqlite.Options{}).Workspaces(ctx); err != nil || len(all) != 0 {
		t.Errorf("left %v, %v", all, err)
	}
}
