package importer

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// worldKey is a key of a kind of items.
type worldKey struct {
	kind catalog.Kind
	key  catalog.Key
}

// world is what a chunk's decisions know of the catalog: the items read for it,
// with the chunk's own writes laid over them.
type world struct {
	items map[worldKey][]*catalog.Item
}

var _ catalog.World = (*world)(nil)

func newWorld() *world { return &world{items: make(map[worldKey][]*catalog.Item)} }

// Match implements catalog.World.
func (w *world) Match(kind catalog.Kind, key catalog.Key) []*catalog.Item {
	if len(w.items) == 0 {
		return nil
	}
	return w.items[worldKey{kind, key}]
}

var keysOfItem = [...]catalog.KeyField{catalog.KeyID, catalog.KeySKU, catalog.KeyGTIN, catalog.KeyRef, catalog.KeySlug}

func (w *world) add(it *catalog.Item) {
	for _, f := range keysOfItem {
		v := it.Get(f)
		if v == "" {
			continue
		}
		k := worldKey{it.Kind, catalog.Key{Field: f, Value: v}}
		if !slices.ContainsFunc(w.items[k], func(o *catalog.Item) bool { return o.ID == it.ID }) {
			w.items[k] = append(w.items[k], it)
		}
	}
}

func (w *world) remove(it *catalog.Item) {
	for _, f := range keysOfItem {
		k := worldKey{it.Kind, catalog.Key{Field: f, Value: it.Get(f)}}
		if rest := slices.DeleteFunc(slices.Clone(w.items[k]), func(o *catalog.Item) bool { return o.ID == it.ID }); len(rest) > 0 {
			w.items[k] = rest
		} else {
			delete(w.items, k)
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

type lookup struct {
	kind  catalog.Kind
	field catalog.KeyField
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
