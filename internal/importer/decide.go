package importer

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// decided decides a chunk with the items it touches read, writes what differs
// and returns the page.
func (w *chunkWriter) decided(ctx context.Context, tx store.Tx, c *chunk) (*ledger.Page, error) {
	w.facts.Now = w.svc.now()
	k := &known{chunk: c, world: newWorld(), found: make(map[worldKey][]store.Found)}
	if err := k.read(ctx, tx, w.st.imp.No); err != nil {
		return nil, err
	}
	var d catalog.Decisions
	for i := range c.groups {
		if k.unchanged[i] {
			k.takeUnchanged(i, &d)
			continue
		}
		before := len(d.Writes)
		catalog.Decide(&c.groups[i], k.world, w.facts, &d)
		k.world.apply(d.Writes[before:])
	}
	writes := coalesce(d.Writes)
	page := make(chan ledger.Page, 1)
	go func() { page <- w.svc.encode(w.encoder, &d) }()
	err := w.store(ctx, tx, writes)
	p := <-page
	if err != nil {
		return nil, err
	}
	w.svc.fresh.set(w.st.imp.WS, w.st.imp.No, w.allNew(c, &p))
	return &p, nil
}

// allNew reports whether every row of the chunk that reached an item made it,
// in a mode and with keys that let the next chunk be guessed.
func (w *chunkWriter) allNew(c *chunk, p *ledger.Page) bool {
	if p.Tally.Created == 0 || p.Tally.Created+p.Tally.Failed+p.Tally.Skipped != p.Tally.Rows() {
		return false
	}
	for i := range c.groups {
		for j := range c.groups[i].Changes {
			ch := &c.groups[i].Changes[j]
			// A key that the store does not keep unique would not be noticed.
			if ch.Mode == catalog.Update || ch.Delete || ch.GTINShared {
				return false
			}
		}
	}
	return true
}

// coalesce joins several writes of one item in a chunk into one, so that the
// store sees each item once: the first's before, the last's after.
func coalesce(writes []catalog.Write) []catalog.Write {
	at := make(map[string]int, len(writes))
	repeated := false
	for i := range writes {
		if _, ok := at[writes[i].After.ID]; ok {
			repeated = true
			break
		}
		at[writes[i].After.ID] = i
	}
	if !repeated {
		return writes
	}
	clear(at)
	var out []catalog.Write
	for _, wr := range writes {
		i, ok := at[wr.After.ID]
		if !ok {
			at[wr.After.ID] = len(out)
			out = append(out, wr)
			continue
		}
		out[i] = joinWrites(out[i], wr)
	}
	return slices.DeleteFunc(out, func(wr catalog.Write) bool { return wr.Outcome == catalog.Pending })
}

func joinWrites(a, b catalog.Write) catalog.Write {
	j := b
	j.Before = a.Before
	switch {
	case a.Outcome == catalog.Created && b.Outcome == catalog.Deleted:
		j.Outcome = catalog.Pending // never there: nothing to write
	case a.Outcome == catalog.Created:
		j.Outcome, j.After.Version = catalog.Created, 1
	case b.Outcome == catalog.Updated:
		j.After.Version, j.After.Handle = a.After.Version, a.After.Handle
	}
	return j
}

// store writes a chunk's items, each kind of write in one go and in the order
// of keys.
func (w *chunkWriter) store(ctx context.Context, tx store.Tx, writes []catalog.Write) error {
	var updates []catalog.Item
	deletes := make(map[catalog.Kind][]int64)
	for i := range writes {
		switch writes[i].Outcome {
		case catalog.Updated:
			updates = append(updates, writes[i].After)
		case catalog.Deleted:
			deletes[writes[i].After.Kind] = append(deletes[writes[i].After.Kind], writes[i].Before.Handle)
		}
	}
	for _, kind := range catalog.Kinds() {
		if handles := deletes[kind]; len(handles) > 0 {
			slices.Sort(handles)
			if err := tx.Delete(ctx, kind, handles); err != nil {
				return fmt.Errorf("delete items: %w", err)
			}
		}
	}
	if len(updates) > 0 {
		slices.SortFunc(updates, func(a, b catalog.Item) int { return int(min(max(a.Handle-b.Handle, -1), 1)) })
		if err := tx.Update(ctx, updates); err != nil {
			return fmt.Errorf("update items: %w", err)
		}
	}
	if creates := creations(writes); len(creates) > 0 {
		if err := tx.Insert(ctx, w.svc.cfg.Store.Prepare(w.st.imp.WS, creates)); err != nil {
			return fmt.Errorf("insert items: %w", err)
		}
	}
	return nil
}

// known is what a chunk's transaction found out about the items it touches.
type known struct {
	chunk *chunk
	world *world
	// found are the matches of the chunk's keys.
	found map[worldKey][]store.Found
	// unchanged says of each group that all it asks for was asked before and
	// nothing wrote since, so its items need not be read.
	unchanged []bool
}

// read looks the chunk's keys up and reads what must be read: first the match
// keys; then the items that differ; then, for items that are made or whose keys
// change, who owns those keys.
func (k *known) read(ctx context.Context, tx store.Tx, importNo int64) error {
	var match lookups
	for i := range k.chunk.groups {
		for j := range k.chunk.groups[i].Changes {
			match.addMatch(&k.chunk.groups[i].Changes[j])
		}
	}
	if err := match.find(ctx, tx, k.note); err != nil {
		return err
	}
	k.unchanged = make([]bool, len(k.chunk.groups))
	var owners lookups
	handles := make(map[catalog.Kind][]int64)
	for i := range k.chunk.groups {
		g := &k.chunk.groups[i]
		if k.unchanged[i] = k.asBefore(g, importNo); k.unchanged[i] {
			continue
		}
		for j := range g.Changes {
			k.need(&g.Changes[j], handles, &owners)
		}
	}
	if err := k.readItems(ctx, tx, handles); err != nil {
		return err
	}
	k.dropOwned(&owners)
	return owners.find(ctx, tx, k.noteOwner)
}

func (k *known) note(at lookup, key string, f store.Found) {
	wk := worldKey{at.kind, catalog.Key{Field: at.field, Value: key}}
	k.found[wk] = append(k.found[wk], f)
}

// matches returns what the change's deciding key found.
func (k *known) matches(c *catalog.Change) []store.Found {
	for _, key := range c.Keys {
		if f := k.found[worldKey{c.Kind, key}]; len(f) > 0 || !c.Fallthrough {
			return f
		}
	}
	return nil
}

// asBefore reports whether each of the group's changes is the one that last
// wrote its item.
func (k *known) asBefore(g *catalog.Group, importNo int64) bool {
	if len(g.Changes) == 0 {
		return false
	}
	for i := range g.Changes {
		c := &g.Changes[i]
		f := k.matches(c)
		if c.Hash == 0 || len(f) != 1 || f[0].Hash != c.Hash || f[0].ImportNo == importNo && f[0].Row != g.Rows[c.Row].Number {
			return false
		}
	}
	for i := range g.Rows {
		if len(g.Rows[i].Problems) > 0 && catalog.HasErrors(g.Rows[i].Problems) {
			return false
		}
	}
	return true
}

// takeUnchanged notes the outcome of a group that was asked before.
func (k *known) takeUnchanged(i int, d *catalog.Decisions) {
	g := &k.chunk.groups[i]
	first := len(d.Rows)
	for j := range g.Rows {
		d.Rows = append(d.Rows, catalog.RowDecision{Row: g.Rows[j], Outcome: catalog.Skipped})
	}
	for j := range g.Changes {
		r := &d.Rows[first+g.Changes[j].Row]
		r.Outcome = r.Outcome.Join(catalog.Unchanged)
		r.ItemID = k.matches(&g.Changes[j])[0].ID
	}
}

// need notes which items a change must have read and which keys' owners it
// depends on: those of every key that it sets.
func (k *known) need(c *catalog.Change, handles map[catalog.Kind][]int64, owners *lookups) {
	for _, key := range c.Keys {
		for _, f := range k.found[worldKey{c.Kind, key}] {
			handles[c.Kind] = append(handles[c.Kind], f.Handle)
		}
	}
	for i := range c.Ops {
		if key, ok := catalog.KeySetBy(&c.Ops[i]); ok && !(key.Field == catalog.KeyGTIN && c.GTINShared) {
			owners.add(c.Kind, key)
		}
	}
}

func (k *known) readItems(ctx context.Context, tx store.Tx, handles map[catalog.Kind][]int64) error {
	for _, kind := range catalog.Kinds() {
		hs := handles[kind]
		if len(hs) == 0 {
			continue
		}
		slices.Sort(hs)
		items, err := tx.Read(ctx, kind, slices.Compact(hs))
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
		for i := range items {
			k.world.add(&items[i])
		}
	}
	return nil
}

// dropOwned leaves out keys whose owner is known already: the looked-up match
// keys, and those of items that were read.
func (k *known) dropOwned(owners *lookups) {
	for at, keys := range owners.keys {
		owners.keys[at] = slices.DeleteFunc(keys, func(v string) bool {
			key := worldKey{at.kind, catalog.Key{Field: at.field, Value: v}}
			_, matched := k.found[key]
			return matched || len(k.world.items[key]) > 0
		})
	}
}

// noteOwner makes the owner of a key known to the decisions by its id alone:
// that is all they ask of an item that the change does not match.
func (k *known) noteOwner(at lookup, key string, f store.Found) {
	it := &catalog.Item{ID: f.ID, Kind: at.kind, Handle: f.Handle}
	switch at.field {
	case catalog.KeySKU:
		it.SKU = key
	case catalog.KeyGTIN:
		it.GTIN = key
	case catalog.KeyRef:
		it.Ref = key
	case catalog.KeySlug:
		it.Slug = key
	}
	k.world.add(it)
}
