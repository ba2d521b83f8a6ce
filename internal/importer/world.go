package importer

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// lookup is where keys are looked up: a kind of items and one of its key fields.
type lookup struct {
	kind  catalog.Kind
	field catalog.KeyField
}

// byKey holds values by key, several where a key is not unique. Nearly every
// key has one value, so the lists of one are cut from blocks.
type byKey[T any] struct {
	at    map[lookup]map[string][]T
	block []T
	size  int // expected number of keys of a field
}

func (m *byKey[T]) get(at lookup, key string) []T { return m.at[at][key] }

func (m *byKey[T]) add(at lookup, key string, v T) {
	keys := m.at[at]
	if keys == nil {
		if m.at == nil {
			m.at = make(map[lookup]map[string][]T)
		}
		keys = make(map[string][]T, m.size)
		m.at[at] = keys
	}
	if have := keys[key]; have != nil {
		keys[key] = append(have, v)
		return
	}
	if len(m.block) == cap(m.block) {
		m.block = make([]T, 0, max(64, m.size))
	}
	n := len(m.block)
	m.block = append(m.block, v)
	keys[key] = m.block[n : n+1 : n+1]
}

// world is what a chunk's decisions know of the catalog: the items read for it,
// with the chunk's own writes laid over them.
type world struct{ items byKey[*catalog.Item] }

var _ catalog.World = (*world)(nil)

// newWorld returns an empty world that expects about size items.
func newWorld(size int) *world { return &world{items: byKey[*catalog.Item]{size: size}} }

// Match implements catalog.World.
func (w *world) Match(kind catalog.Kind, key catalog.Key) []*catalog.Item {
	return w.items.get(lookup{kind, key.Field}, key.Value)
}

var keysOfItem = [...]catalog.KeyField{catalog.KeyID, catalog.KeySKU, catalog.KeyGTIN, catalog.KeyRef, catalog.KeySlug}

func (w *world) add(it *catalog.Item) {
	for _, f := range keysOfItem {
		if v := it.Get(f); v != "" && !slices.ContainsFunc(w.items.get(lookup{it.Kind, f}, v), it.Is) {
			w.items.add(lookup{it.Kind, f}, v, it)
		}
	}
}

func (w *world) remove(it *catalog.Item) {
	for _, f := range keysOfItem {
		at, v := lookup{it.Kind, f}, it.Get(f)
		if rest := slices.DeleteFunc(slices.Clone(w.items.get(at, v)), it.Is); len(rest) > 0 {
			w.items.at[at][v] = rest
		} else {
			delete(w.items.at[at], v)
		}
	}
}

// apply makes writes visible to the decisions after them.
func (w *world) apply(writes []catalog.Write) {
	for i := range writes {
		wr := &writes[i]
		if wr.Before != nil {
			w.remove(wr.Before)
		}
		if wr.Outcome != catalog.Deleted {
			it := wr.After
			w.add(&it)
		}
	}
}

// lookups are keys to be looked up, by kind and field.
type lookups struct {
	keys map[lookup][]string
}

func (l *lookups) add(kind catalog.Kind, k catalog.Key) {
	if l.keys == nil {
		l.keys = make(map[lookup][]string)
	}
	at := lookup{kind, k.Field}
	l.keys[at] = append(l.keys[at], k.Value)
}

func (l *lookups) addMatch(c *catalog.Change) {
	for _, k := range c.Keys {
		l.add(c.Kind, k)
	}
}

// find looks every key up and calls fn with each that was found. Keys are
// looked up sorted and once, field by field in a fixed order.
func (l *lookups) find(ctx context.Context, items store.ItemReader, fn func(lookup, string, store.Found)) error {
	order := make([]lookup, 0, len(l.keys))
	for at := range l.keys {
		order = append(order, at)
	}
	slices.SortFunc(order, func(a, b lookup) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return int(a.field) - int(b.field)
	})
	for _, at := range order {
		keys := l.keys[at]
		slices.Sort(keys)
		keys = slices.Compact(keys)
		l.keys[at] = keys
		found, err := items.Find(ctx, at.kind, at.field, keys)
		if err != nil {
			return fmt.Errorf("look %s keys up: %w", at.field, err)
		}
		for i := range found {
			fn(at, keys[found[i].Index], found[i])
		}
	}
	return nil
}
