package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

const itemColumns = `nid, kind, hash, import_no, row, version, live_state, gtin, gtin_seq, created_at, updated_at, id, sku, slug, ref, doc, live, created_no`

const itemColumnCount = 18

// itemFrom makes an item of its columns' values, in the order of itemColumns.
func itemFrom(v []driver.Value) catalog.Item {
	it := catalog.Item{
		Handle:     v[0].(int64),
		Kind:       catalog.Kind(v[1].(int64)),
		Hash:       v[2].(int64),
		ImportNo:   v[3].(int64),
		Row:        v[4].(int64),
		Version:    v[5].(int64),
		Live:       catalog.Live{State: catalog.LiveState(v[6].(int64)), Doc: catalog.Doc(text(v[16]))},
		GTINShared: v[8].(int64) != 0,
		CreatedAt:  fromMillis(v[9].(int64)),
		UpdatedAt:  fromMillis(v[10].(int64)),
		ID:         text(v[11]),
		SKU:        text(v[12]),
		Slug:       text(v[13]),
		Ref:        text(v[14]),
		Doc:        catalog.Doc(text(v[15])),
		CreatedNo:  v[17].(int64),
	}
	if n, ok := v[7].(int64); ok {
		it.GTIN = gtinText(n)
	}
	return it
}

func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// scanItem reads an item by way of database/sql.
func scanItem(s scanner) (catalog.Item, error) {
	var values [itemColumnCount]any
	var dest [itemColumnCount]any
	for i := range dest {
		dest[i] = &values[i]
	}
	if err := s.Scan(dest[:]...); err != nil {
		return catalog.Item{}, err
	}
	var v [itemColumnCount]driver.Value
	for i := range v {
		v[i] = values[i]
	}
	return itemFrom(v[:]), nil
}

// keyColumn returns the column of a key field, the index to look it up by, and
// the key as it is stored there; ok is false when no item can have the key.
func keyColumn(key catalog.Key) (column, index string, value driver.Value, ok bool) {
	column, index = columnOf(key.Field)
	if column == "gtin" {
		n, ok := gtinNumber(key.Value)
		return column, index, n, ok
	}
	return column, index, key.Value, column != "" && key.Value != ""
}

func columnOf(f catalog.KeyField) (column, index string) {
	switch f {
	case catalog.KeyID:
		return "id", "item_id"
	case catalog.KeySKU:
		return "sku", "item_sku"
	case catalog.KeyGTIN:
		return "gtin", "item_gtin"
	case catalog.KeyRef:
		return "ref", "item_ref"
	case catalog.KeySlug:
		return "slug", "item_slug"
	}
	return "", ""
}

// Item implements store.Store.
func (r reader) Item(ctx context.Context, ws store.WS, kind catalog.Kind, key catalog.Key) (catalog.Item, error) {
	column, index, value, ok := keyColumn(key)
	if !ok {
		return catalog.Item{}, fmt.Errorf("item: %w", store.ErrNotFound)
	}
	it, err := scanItem(r.q.QueryRowContext(ctx, `SELECT `+itemColumns+` FROM item INDEXED BY `+index+
		` WHERE ws = ? AND kind = ? AND `+column+` = ? ORDER BY id LIMIT 1`, ws, int64(kind), value))
	return it, wrap("item", interpret(err, nil))
}

// Items implements store.Store. Query disregards the case of ASCII letters
// alone, which is what SQLite can do by itself.
func (r reader) Items(ctx context.Context, ws store.WS, f store.ItemFilter, rg store.Range) ([]catalog.Item, error) {
	where, args := itemWhere(ws, f)
	all, err := collect(ctx, r.q, scanItem, `SELECT `+itemColumns+` FROM item INDEXED BY item_id`+where+` ORDER BY id, kind LIMIT ? OFFSET ?`,
		append(args, limit(rg), rg.Offset)...)
	return all, wrap("list items", err)
}

// CountItems implements store.Store. Without a query it reads nothing but the
// index of ids.
func (r reader) CountItems(ctx context.Context, ws store.WS, f store.ItemFilter) (n int, err error) {
	where, args := itemWhere(ws, f)
	err = r.q.QueryRowContext(ctx, `SELECT count(*) FROM item INDEXED BY item_id`+where, args...).Scan(&n)
	return n, wrap("count items", err)
}

// itemWhere is the condition of a filter.
func itemWhere(ws store.WS, f store.ItemFilter) (string, []any) {
	where, args := []string{"ws = ?"}, []any{ws}
	if f.Kind != catalog.KindUnknown {
		where, args = append(where, "kind = ?"), append(args, int64(f.Kind))
	}
	if f.AfterID != "" {
		where, args = append(where, "id > ?"), append(args, f.AfterID)
	}
	if f.Query != "" {
		where, args = append(where, matchesQuery), append(args, inDoc(f.Query), f.Query, f.Query, f.Query, f.Query)
	}
	for _, name := range sortedNames(f.Equal) {
		where, args = append(where, "json_extract(doc, ?) = ?"), append(args, jsonPath(name), f.Equal[name])
	}
	return " WHERE " + strings.Join(where, " AND "), args
}

// matchesQuery looks into the four properties that a search is about. Parsing
// documents is dear, so one that does not hold the text at all, as JSON spells
// it, is left out first.
const matchesQuery = `instr(lower(doc), lower(?)) > 0 AND (
	   instr(lower(json_extract(doc, '$.title')), lower(?)) > 0
	OR instr(lower(json_extract(doc, '$.sku')),   lower(?)) > 0
	OR instr(lower(json_extract(doc, '$.ean')),   lower(?)) > 0
	OR instr(lower(json_extract(doc, '$.brand')), lower(?)) > 0)`

// inDoc is a text as it stands inside a document's string.
func inDoc(s string) string {
	quoted := catalog.AppendQuoted(nil, s)
	return string(quoted[1 : len(quoted)-1])
}

// jsonPath names one property. Names that would have to be escaped are in no
// document.
func jsonPath(name string) string {
	if strings.ContainsAny(name, `"\`) {
		return `$.""`
	}
	return `$."` + name + `"`
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// findItems looks one key column up. The index is named because the planner,
// knowing nothing of the table's size, may else read the whole workspace.
func findItems(column, index string) string {
	return `SELECT ` + column + `, nid, id, hash, import_no, row FROM item INDEXED BY ` + index +
		` WHERE ws = ? AND kind = ? AND ` + column + ` IN ` + listMark
}

// Find implements store.ItemReader.
func (t *tx) Find(ctx context.Context, kind catalog.Kind, field catalog.KeyField, keys []string) (found []store.Found, err error) {
	err = t.hot(ctx, "find items", func(s *session) error {
		found, err = s.find(t.ws, kind, field, keys)
		return err
	})
	return found, err
}

// find looks sorted keys up.
func (s *session) find(ws store.WS, kind catalog.Kind, field catalog.KeyField, keys []string) (found []store.Found, err error) {
	column, index := columnOf(field)
	if column == "" {
		return nil, fmt.Errorf("key field %d is unknown", field)
	}
	lookup := newLookup(column == "gtin", keys)
	query := findItems(column, index)
	err = eachList(lookup.len(), func(from, to, size int) error {
		st, err := s.statement(query, size)
		if err != nil {
			return err
		}
		s.bind(int64(ws), int64(kind))
		for i := range size {
			s.add(lookup.key(min(from+i, to-1)))
		}
		return st.query(s.args, func(v []driver.Value) error {
			i, ok := lookup.index(v[0])
			if !ok {
				return errors.New("found an item by a key nobody asked for")
			}
			found = append(found, store.Found{Index: i, Handle: v[1].(int64), ID: v[2].(string),
				Hash: v[3].(int64), ImportNo: v[4].(int64), Row: v[5].(int64)})
			return nil
		})
	})
	return found, err
}

// lookup is the keys of one Find, as text or, for GTINs, as numbers. Both sort
// alike. A key that no item can have is left out.
type lookup struct {
	texts   []string
	numbers []int64
	at      []int // index of numbers[i] in the caller's keys
}

func newLookup(numeric bool, keys []string) *lookup {
	if !numeric {
		return &lookup{texts: keys}
	}
	l := &lookup{}
	for i, k := range keys {
		if n, ok := gtinNumber(k); ok {
			l.numbers, l.at = append(l.numbers, n), append(l.at, i)
		}
	}
	return l
}

func (l *lookup) len() int { return max(len(l.texts), len(l.numbers)) }

func (l *lookup) key(i int) driver.Value {
	if l.texts != nil {
		return l.texts[i]
	}
	return l.numbers[i]
}

// index returns where the caller asked for a key.
func (l *lookup) index(v driver.Value) (int, bool) {
	if l.texts != nil {
		return slices.BinarySearch(l.texts, v.(string))
	}
	i, ok := slices.BinarySearch(l.numbers, v.(int64))
	if !ok {
		return 0, false
	}
	return l.at[i], true
}

const readItems = `SELECT ` + itemColumns + ` FROM item NOT INDEXED WHERE nid IN ` + listMark + ` AND ws = ? AND kind = ?`

// Read implements store.ItemReader. The transaction is the only one that
// writes, so reading is locking.
func (t *tx) Read(ctx context.Context, kind catalog.Kind, handles []int64) (items []catalog.Item, err error) {
	err = t.hot(ctx, "read items", func(s *session) error {
		items, err = s.read(t.ws, kind, handles)
		return err
	})
	return items, err
}

// read reads items by their handles.
func (s *session) read(ws store.WS, kind catalog.Kind, handles []int64) ([]catalog.Item, error) {
	items := make([]catalog.Item, 0, len(handles))
	err := s.eachHandle(readItems, handles, []driver.Value{int64(ws), int64(kind)}, func(st *statement, args []driver.NamedValue) error {
		return st.query(args, func(v []driver.Value) error {
			items = append(items, itemFrom(v))
			return nil
		})
	})
	return items, err
}

const deleteItems = `DELETE FROM item NOT INDEXED WHERE nid IN ` + listMark + ` AND ws = ? AND kind = ? AND version = ?`

// Delete implements store.Tx.
func (t *tx) Delete(ctx context.Context, kind catalog.Kind, items []store.Locator) error {
	gone := int64(0)
	err := t.hot(ctx, "delete items", func(s *session) error {
		for version, handles := range byVersion(items) {
			err := s.eachHandle(deleteItems, handles, []driver.Value{int64(t.ws), int64(kind), version}, func(st *statement, args []driver.NamedValue) error {
				n, err := st.exec(args)
				gone += n
				t.items += int(n)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && gone != int64(len(items)) {
		return t.judge("delete items", store.ErrRetry)
	}
	return err
}

// byVersion yields the handles of the items of each version. Items of one
// import have few versions, mostly one.
func byVersion(items []store.Locator) iter.Seq2[int64, []int64] {
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b store.Locator) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Handle, b.Handle))
	})
	return func(yield func(int64, []int64) bool) {
		for len(sorted) > 0 {
			version := sorted[0].Version
			var handles []int64
			for len(sorted) > 0 && sorted[0].Version == version {
				handles, sorted = append(handles, sorted[0].Handle), sorted[1:]
			}
			if !yield(version, handles) {
				return
			}
		}
	}
}

// eachHandle runs a statement over a list of handles, as often as its size
// asks; rest are the arguments behind the list.
func (s *session) eachHandle(query string, handles []int64, rest []driver.Value, fn func(*statement, []driver.NamedValue) error) error {
	return eachList(len(handles), func(from, to, size int) error {
		st, err := s.statement(query, size)
		if err != nil {
			return err
		}
		s.bind()
		for i := range size {
			s.add(handles[min(from+i, to-1)])
		}
		for _, v := range rest {
			s.add(v)
		}
		return fn(st, s.args)
	})
}
