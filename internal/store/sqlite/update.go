package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// The three ways to write a changed item. Setting a column that is indexed
// makes SQLite take the entry out and put it in again even when it is the
// same, so the usual change, which leaves the keys alone, sets none.
const (
	isItem = ` WHERE nid = ? AND ws = ? AND kind = ? AND version = ?`

	setContent = `doc = ?, live_state = ?, live = ?, hash = ?, import_no = ?, row = ?, updated_at = ?, version = ?`

	// updateContent changes nothing when a key would have to change too.
	updateContent = `UPDATE item NOT INDEXED SET ` + setContent + isItem +
		` AND sku IS ? AND slug IS ? AND ref IS ? AND gtin IS ? AND gtin_seq = ?`
	updateWhole = `UPDATE item NOT INDEXED SET ` + setContent + `, sku = ?, slug = ?, ref = ?, gtin = ?, gtin_seq = ?` + isItem
	// releaseKeys frees an item's keys, so that items can hand them to each other.
	releaseKeys = `UPDATE item NOT INDEXED SET sku = NULL, slug = NULL, ref = NULL, gtin = NULL` + isItem
)

// Update implements store.Tx.
func (t *tx) Update(ctx context.Context, items []catalog.Item) error {
	return t.hot(ctx, "update items", func(s *session) error {
		var rekeyed []*catalog.Item
		for i := range items {
			n, err := s.updateContent(t.ws, &items[i])
			if err != nil {
				return err
			}
			if n == 0 {
				rekeyed = append(rekeyed, &items[i])
			}
		}
		t.items += len(items)
		return s.rekey(t.ws, rekeyed)
	})
}

// rekey writes items whose keys change. All of them let go of their old keys
// before the first takes a new one: whether a key is free must not depend on
// the order of the items.
func (s *session) rekey(ws store.WS, items []*catalog.Item) error {
	if len(items) > 1 {
		for _, it := range items {
			if err := s.mustChange(releaseKeys, it, s.bind(which(ws, it)...)); err != nil {
				return err
			}
		}
	}
	for _, it := range items {
		keys, err := keyValues(it)
		if err != nil {
			return err
		}
		s.bind(content(it)...)
		for _, v := range append(keys, which(ws, it)...) {
			s.add(v)
		}
		if err := s.mustChange(updateWhole, it, s.args); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) updateContent(ws store.WS, it *catalog.Item) (int64, error) {
	st, err := s.statement(updateContent, 0)
	if err != nil {
		return 0, err
	}
	keys, err := keyValues(it)
	if err != nil {
		return 0, err
	}
	s.bind(content(it)...)
	for _, v := range append(which(ws, it), keys...) {
		s.add(v)
	}
	return st.exec(s.args)
}

// mustChange runs a statement that changes one row unless the row moved.
func (s *session) mustChange(query string, it *catalog.Item, args []driver.NamedValue) error {
	st, err := s.statement(query, 0)
	if err != nil {
		return err
	}
	n, err := st.exec(args)
	if err == nil && n != 1 {
		return fmt.Errorf("%w: item %s is no longer as it was read", store.ErrRetry, it.ID)
	}
	return err
}

// content, which and keyValues are the arguments of setContent, of isItem and
// of the key columns.
func content(it *catalog.Item) []driver.Value {
	return []driver.Value{string(it.Doc), int64(it.Live.State), textOrNull(string(it.Live.Doc)), it.Hash, it.ImportNo, it.Row,
		millis(it.UpdatedAt), it.Version}
}

func which(ws store.WS, it *catalog.Item) []driver.Value {
	return []driver.Value{it.Handle, int64(ws), int64(it.Kind), it.Version - 1}
}

func keyValues(it *catalog.Item) ([]driver.Value, error) {
	gtin, seq, err := gtinColumns(it)
	return []driver.Value{textOrNull(it.SKU), textOrNull(it.Slug), textOrNull(it.Ref), gtin, seq}, err
}
