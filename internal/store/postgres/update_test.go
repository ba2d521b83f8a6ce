package postgres

import (
	"errors"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// TestSecondWriterSeesTheFirst: two have read the same item, and the second comes to
// write it while the first has not committed. It waits at the row, and must then
// find that the item is no longer as it was read.
func TestSecondWriterSeesTheFirst(t *testing.T) {
	for what, change := range map[string]func(*catalog.Item){
		"content": func(it *catalog.Item) { it.Doc = `{"title":"new"}` },
		"keys":    func(it *catalog.Item) { it.SKU = "new " + it.SKU },
	} {
		t.Run(what, func(t *testing.T) {
			db := openDB(t)
			fill(t, db, 3)
			first, second := itemsOf(t, db), itemsOf(t, db)
			for i := range first {
				first[i].Version, second[i].Version = 2, 2
				first[i].Doc = `{"title":"first"}`
				change(&second[i])
			}
			ended := make(chan error, 1)
			err := db.Write(t.Context(), 1, false, func(tx store.Tx) error {
				if err := tx.Update(t.Context(), first); err != nil {
					return err
				}
				go func() {
					ended <- db.Write(t.Context(), 1, false, func(tx store.Tx) error { return tx.Update(t.Context(), second) })
				}()
				until(t, db, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, store.ErrRetry) {
				t.Errorf("the second said %v, want %v", err, store.ErrRetry)
			}
			for _, it := range itemsOf(t, db) {
				if it.Doc != `{"title":"first"}` || it.Version != 2 {
					t.Errorf("%s is %s of version %d", it.ID, it.Doc, it.Version)
				}
			}
		})
	}
}

func itemsOf(t *testing.T, db *DB) []catalog.Item {
	t.Helper()
	list, err := db.Items(t.Context(), 1, store.ItemFilter{}, store.Range{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// until waits until a query says true.
func until(t *testing.T, db *DB, query string, args ...any) {
	t.Helper()
	for is := false; !is; {
		if err := db.engine.QueryRow(t.Context(), query, args...).Scan(&is); err != nil {
			t.Fatal(err)
		}
	}
}
