package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

const itemColumns = `i.nid, i.kind, i.hash, i.import_no, i.row_no, i.version, i.created_no, i.created_at, i.updated_at, i.gtin, i.gtin_seq, i.live_state, i.id, i.sku, i.slug, i.ref, i.doc, i.live`

// itemFrom makes an item of its columns as the database sends them, in the
// order of itemColumns. They come in binary form, which is what pgx asks for.
func itemFrom(v [][]byte) catalog.Item {
	it := catalog.Item{
		Handle:     toInt64(v[0]),
		Kind:       catalog.Kind(toInt16(v[1])),
		Hash:       toInt64(v[2]),
		ImportNo:   toInt64(v[3]),
		Row:        toInt64(v[4]),
		Version:    toInt64(v[5]),
		CreatedNo:  toInt64(v[6]),
		CreatedAt:  fromMillis(toInt64(v[7])),
		UpdatedAt:  fromMillis(toInt64(v[8])),
		GTINShared: toInt64(v[10]) != 0,
		ID:         unescape(string(v[12])),
		SKU:        unescape(string(v[13])),
		Slug:       unescape(string(v[14])),
		Ref:        unescape(string(v[15])),
		Doc:        catalog.Doc(v[16]),
		Live:       catalog.Live{State: catalog.LiveState(toInt16(v[11])), Doc: catalog.Doc(v[17])},
	}
	if v[9] != nil {
		it.GTIN = gtinText(toInt64(v[9]))
	}
	return it
}

func toInt64(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }
func toInt16(b []byte) int16 { return int16(binary.BigEndian.Uint16(b)) }

// eachRaw calls fn with every row of a query as it was sent.
func eachRaw(ctx context.Context, q querier, fn func([][]byte) error, query string, args ...any) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collectItems reads the items that a query selects.
func collectItems(ctx context.Context, q querier, query string, args ...any) (items []catalog.Item, err error) {
	err = eachRaw(ctx, q, func(v [][]byte) error {
		items = append(items, itemFrom(v))
		return nil
	}, query, args...)
	return items, interpret(ctx, err, nil)
}

// keyColumn returns the column of a key field and the key as it is stored
// there; ok is false when no item can have the key.
func keyColumn(key catalog.Key) (column string, value any, ok bool) {
	column = columnOf(key.Field)
	if column == "gtin" {
		n, ok := gtinNumber(key.Value)
		return column, n, ok
	}
	return column, free(key.Value), column != "" && key.Value != ""
}

func columnOf(f catalog.KeyField) string {
	switch f {
	case catalog.KeyID:
		return "id"
	case catalog.KeySKU:
		return "sku"
	case catalog.KeyGTIN:
		return "gtin"
	case catalog.KeyRef:
		return "ref"
	case catalog.KeySlug:
		return "slug"
	}
	return ""
}

// keyIs is the condition that an item of workspace $1 and kind $2 has a key. Only
// of the index of ids, which begins with it, the kind is a part that leads to rows.
func keyIs(column, key string) string {
	if column == "id" {
		return `ws = $1 AND kind = $2::smallint AND id = ` + key
	}
	return `ws = $1 AND ` + column + ` = ` + key + ` AND kind::int = $2::smallint`
}

// selectItem selects the item with a key; OFFSET keeps the planner from going
// through all ids for the first.
func selectItem(column string) string {
	return `SELECT ` + itemColumns + ` FROM (SELECT * FROM item WHERE ` + keyIs(column, "$3") + ` OFFSET 0) i ORDER BY i.id LIMIT 1`
}

// Item implements store.Store.
func (r reader) Item(ctx context.Context, ws store.WS, kind catalog.Kind, key catalog.Key) (catalog.Item, error) {
	column, value, ok := keyColumn(key)
	if !ok {
		return catalog.Item{}, fmt.Errorf("item: %w", store.ErrNotFound)
	}
	items, err := collectItems(ctx, r.q, selectItem(column), ws, int16(kind), value)
	if err == nil && len(items) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return catalog.Item{}, wrap("item", err)
	}
	return items[0], nil
}

// Items implements store.Store. Query disregards the case of ASCII letters
// alone, as every store does.
func (r reader) Items(ctx context.Context, ws store.WS, f store.ItemFilter, rg store.Range) ([]catalog.Item, error) {
	w := itemWhere(ws, f)
	order := `id`
	if f.Kind == catalog.KindUnknown {
		order = `id, kind`
	}
	query := `SELECT ` + itemColumns + ` FROM item i` + w.text() + ` ORDER BY ` + order + ` LIMIT ` + w.arg(limit(rg)) + ` OFFSET ` + w.arg(rg.Offset)
	if !searches(f) && rg.Offset == 0 && rg.Limit > 0 {
		items, err := collectItems(ctx, r.q, query, w.args...)
		return items, wrap("list items", err)
	}
	var items []catalog.Item
	err := r.browse(ctx, beginOf(f), func(r reader) (err error) {
		items, err = collectItems(ctx, r.q, query, w.args...)
		return err
	})
	return items, wrap("list items", err)
}

// searches reports whether a filter looks into documents, which may take as long as
// to read them all.
func searches(f store.ItemFilter) bool { return f.Query != "" || len(f.Equal) > 0 }

// beginOf is how a listing of items begins.
func beginOf(f store.ItemFilter) string {
	if searches(f) {
		return beginSearch
	}
	return beginStill
}

// CountItems implements store.Store.
func (r reader) CountItems(ctx context.Context, ws store.WS, f store.ItemFilter) (n int, err error) {
	w := itemWhere(ws, f)
	err = r.browse(ctx, beginOf(f), func(r reader) error {
		return interpret(ctx, r.q.QueryRow(ctx, `SELECT count(*) FROM item i`+w.text(), w.args...).Scan(&n), nil)
	})
	return n, wrap("count items", err)
}

// where is a condition that grows, with its arguments.
type where struct {
	terms []string
	args  []any
}

// arg adds an argument and returns its placeholder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) add(term string) { w.terms = append(w.terms, term) }

func (w *where) text() string { return " WHERE " + strings.Join(w.terms, " AND ") }

// itemWhere is the condition of a filter.
func itemWhere(ws store.WS, f store.ItemFilter) *where {
	w := &where{}
	w.add("i.ws = " + w.arg(ws))
	if f.Kind != catalog.KindUnknown {
		w.add("i.kind = " + w.arg(int16(f.Kind)))
	}
	if f.AfterID != "" {
		w.add("i.id > " + w.arg(free(f.AfterID)))
	}
	if f.Query != "" {
		w.add(matches(w.arg(inDoc(f.Query)), w.arg(free(f.Query))))
	}
	for _, name := range sortedNames(f.Equal) {
		property := docAsJSON + ` -> ` + w.arg(free(name)) + `::text`
		w.add(`json_typeof(` + property + `) = 'string' AND (` + property + `) #>> '{}' = ` + w.arg(free(f.Equal[name])))
	}
	return w
}

// docAsJSON is a document in which PostgreSQL can look properties up. It refuses
// the whole of one that holds a NUL, so that stands there as package text has it.
const docAsJSON = `(CASE WHEN position('\u000' IN i.doc) = 0 THEN i.doc
	ELSE replace(replace(replace(i.doc, '\\', '\u005c'), '\u0001', '\u0001\u0002'), '\u0000', '\u0001\u0001') END)::json`

// matches looks into the four properties that a search is about. Parsing
// documents is dear, so one that does not hold the text at all, as JSON spells
// it, is left out first; CASE keeps that order.
func matches(spelled, query string) string {
	var any []string
	for _, name := range []string{"title", "sku", "ean", "brand"} {
		any = append(any, `position(lower(`+query+`::text COLLATE "C") IN lower((`+docAsJSON+` ->> '`+name+`') COLLATE "C")) > 0`)
	}
	return `CASE WHEN position(lower(` + spelled + `::text COLLATE "C") IN lower(i.doc)) = 0 THEN false ELSE coalesce(` + strings.Join(any, `, false) OR coalesce(`) + `, false) END`
}

// inDoc is a text as it stands inside a document's string.
func inDoc(s string) string {
	quoted := catalog.AppendQuoted(nil, s)
	return string(quoted[1 : len(quoted)-1])
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// findItems looks one key column up, key by key: the planner may turn anything
// else into a walk through the workspace.
func findItems(column, array string) string {
	return `SELECT s.o, i.nid, i.hash, i.import_no, i.row_no, i.id FROM unnest($3::` + array + `) WITH ORDINALITY s(k, o)
CROSS JOIN LATERAL (SELECT nid, hash, import_no, row_no, id FROM item WHERE ` + keyIs(column, "s.k") + ` OFFSET 0) i`
}

// readItems reads items by their handles, one after the other; locking makes
// each its transaction's own, in the order of the handles.
func readItems(locking string) string {
	return `SELECT ` + itemColumns + ` FROM unnest($3::bigint[]) h(nid)
CROSS JOIN LATERAL (SELECT * FROM item WHERE ws = $1 AND nid = h.nid OFFSET 0 ` + locking + `) i WHERE i.kind = $2`
}

var (
	readUnlocked = readItems("")
	readLocked   = readItems("FOR UPDATE")
)

// find looks sorted keys up.
func find(ctx context.Context, q querier, ws store.WS, kind catalog.Kind, field catalog.KeyField, keys []string) (found []store.Found, err error) {
	column := columnOf(field)
	if column == "" {
		return nil, fmt.Errorf("key field %d is unknown", field)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var list any = escaped(keys)
	array, at := "text[]", []int(nil)
	if column == "gtin" {
		list, at = numbers(keys)
		array = "bigint[]"
	}
	err = eachRaw(ctx, q, func(v [][]byte) error {
		i := int(toInt64(v[0])) - 1
		if at != nil {
			i = at[i]
		}
		found = append(found, store.Found{Index: i, Handle: toInt64(v[1]), Hash: toInt64(v[2]), ImportNo: toInt64(v[3]), Row: toInt64(v[4]), ID: unescape(string(v[5]))})
		return nil
	}, findItems(column, array), ws, int16(kind), list)
	return found, err
}

// escaped returns keys as they are stored.
func escaped(keys []string) []string {
	for i, k := range keys {
		if !plain(k) {
			list := slices.Clone(keys)
			for ; i < len(list); i++ {
				list[i] = escape(list[i])
			}
			return list
		}
	}
	return keys
}

// numbers returns GTINs as they are stored, and where each stands in keys. A
// key that no item can have is left out.
func numbers(keys []string) (list []int64, at []int) {
	list, at = make([]int64, 0, len(keys)), make([]int, 0, len(keys))
	for i, k := range keys {
		if n, ok := gtinNumber(k); ok {
			list, at = append(list, n), append(at, i)
		}
	}
	return list, at
}

// read reads items by their handles, in their order.
func read(ctx context.Context, q querier, query string, ws store.WS, kind catalog.Kind, handles []int64) ([]catalog.Item, error) {
	if len(handles) == 0 {
		return nil, nil
	}
	sorted := slices.Clone(handles)
	slices.Sort(sorted)
	items := make([]catalog.Item, 0, len(sorted))
	err := eachRaw(ctx, q, func(v [][]byte) error {
		items = append(items, itemFrom(v))
		return nil
	}, query, ws, int16(kind), slices.Compact(sorted))
	return items, err
}

// Find implements store.ItemReader.
func (t *tx) Find(ctx context.Context, kind catalog.Kind, field catalog.KeyField, keys []string) (found []store.Found, err error) {
	err = t.do(ctx, "find items", nil, func() error {
		found, err = find(ctx, t.pg, t.ws, kind, field, keys)
		return err
	})
	return found, err
}

// Read implements store.ItemReader.
func (t *tx) Read(ctx context.Context, kind catalog.Kind, handles []int64) (items []catalog.Item, err error) {
	err = t.do(ctx, "read items", nil, func() error {
		items, err = read(ctx, t.pg, readLocked, t.ws, kind, handles)
		return err
	})
	return items, err
}

// itemReader reads items at one moment, that of its transaction.
type itemReader struct {
	ws store.WS
	q  querier
}

var _ store.ItemReader = (*itemReader)(nil)

// Find implements store.ItemReader.
func (r *itemReader) Find(ctx context.Context, kind catalog.Kind, field catalog.KeyField, keys []string) ([]store.Found, error) {
	found, err := find(ctx, r.q, r.ws, kind, field, keys)
	return found, wrap("find items", interpret(ctx, err, nil))
}

// Read implements store.ItemReader.
func (r *itemReader) Read(ctx context.Context, kind catalog.Kind, handles []int64) ([]catalog.Item, error) {
	items, err := read(ctx, r.q, readUnlocked, r.ws, kind, handles)
	return items, wrap("read items", interpret(ctx, err, nil))
}

const deleteItems = `DELETE FROM item WHERE ws = $1 AND ctid = ANY (ARRAY(SELECT l.place FROM unnest($3::bigint[], $4::bigint[]) h(nid, version) CROSS JOIN LATERAL (
	SELECT ctid AS place, kind FROM item WHERE ws = $1 AND nid = h.nid AND version = h.version OFFSET 0 FOR UPDATE) l WHERE l.kind = $2))`

// Delete implements store.Tx.
func (t *tx) Delete(ctx context.Context, kind catalog.Kind, items []store.Locator) error {
	if len(items) == 0 {
		return nil
	}
	sorted := slices.SortedFunc(slices.Values(items), func(a, b store.Locator) int { return cmp.Compare(a.Handle, b.Handle) })
	handles, versions := make([]int64, len(sorted)), make([]int64, len(sorted))
	for i, l := range sorted {
		handles[i], versions[i] = l.Handle, l.Version
	}
	return t.do(ctx, "delete items", nil, func() error {
		return t.mustChange(ctx, len(items), deleteItems, t.ws, int16(kind), handles, versions)
	})
}
