package importer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// verdict is a chunk decided: what its transaction has to write. Because Decide
// is pure, a chunk may be decided ahead of its transaction, on items read
// beside it or on none at all; the transaction notices when that no longer
// holds, and the chunk is decided again within it.
type verdict struct {
	decisions catalog.Decisions
	creates   store.Prepared // nil for none
	updates   []catalog.Item // in the order of their handles
	deletes   map[catalog.Kind][]store.Locator
	// page gives the encoded page, whose key is not filled in yet.
	page func() *ledger.Page
	// doubtful are the keys of rows that failed as new items, in a chunk decided
	// as if there were no others: if one has an item, the verdict is void.
	doubtful lookups
	// matched has a bit for each key field by which a row of a plan found an item.
	matched byte
	// fresh says that the rows were all new, so that the next chunk may be
	// decided as if its items did not exist.
	fresh bool
	// seen is what the decisions rest on; nil where the store refuses what does not
	// hold. wrote is what they write.
	seen  *seen
	wrote *footprint
}

// decider decides the chunks of one batch. It is not safe for concurrent use.
type decider struct {
	svc   *Service
	imp   *store.Import
	facts *catalog.Facts
}

func (s *Service) newDecider(ctx context.Context, imp *store.Import, in *input) *decider {
	next := s.ids.run()
	return &decider{svc: s, imp: imp,
		facts: &catalog.Facts{Schema: s.schema, Currency: in.ws.Currency, ImportNo: imp.No, Heading: in.heading,
			Writer: s.writerOf(ctx, in.ws), Planning: imp.Pass.Planning(),
			NewID: func(catalog.Kind) string { return next() }}}
}

// planning reports whether the pass at work writes pages alone.
func (d *decider) planning() bool { return d.imp.Pass.Planning() }

// looksFirst reports whether chunks are decided ahead on the items that are there.
func (d *decider) looksFirst() bool { return d.planning() || d.svc.cfg.Store.DecidesAhead() }

// assumesNew reports whether the next chunk is decided as if none of its items
// existed. Nobody would refuse a plan whose items were there after all.
func (d *decider) assumesNew() bool {
	return !d.planning() && d.svc.cfg.Store.DecidesAhead() && d.svc.fresh.get(d.imp.WS, d.imp.No)
}

// ahead decides a chunk before its transaction: as if none of its items
// existed while an import goes on making new ones, else on the items that are
// committed now, where the store can read them beside its writer. It returns
// nil where it cannot.
func (d *decider) ahead(ctx context.Context, c *chunk) (v *verdict, err error) {
	switch {
	case !d.looksFirst():
		return nil, nil
	case c.asNew && !c.any(unguarded) && c.plannedNew():
		return d.assumingNew(c), nil
	}
	if v, err = d.beside(ctx, c); err != nil {
		return nil, fmt.Errorf("decide ahead: %w", err)
	}
	v.page()
	return v, nil
}

// beside decides a chunk on the items that are committed now. They are read
// first and decided on after: what a decision asks of other imports is read as
// well, and whoever waited for one connection while holding another could wait
// for good.
func (d *decider) beside(ctx context.Context, c *chunk) (*verdict, error) {
	var k *known
	err := d.svc.cfg.Store.ReadItems(ctx, d.imp.WS, func(items store.ItemReader) (err error) {
		k, err = d.read(ctx, items, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.decideOn(k), nil
}

// assumingNew decides the chunk as if none of its items existed. Two rows of
// the chunk with one key are not noticed here: the store refuses the second.
func (d *decider) assumingNew(c *chunk) *verdict {
	d.facts.Now = d.svc.now()
	v := &verdict{fresh: true}
	v.decisions.Rows = make([]catalog.RowDecision, 0, c.rows)
	v.decisions.Writes = make([]catalog.Write, 0, c.rows)
	empty := newWorld(0)
	for i := range c.groups {
		first := len(v.decisions.Rows)
		g := &c.groups[i]
		catalog.Decide(g, empty, d.facts, &v.decisions)
		for j := range g.Changes {
			if v.decisions.Rows[first+g.Changes[j].Row].Outcome == catalog.Failed {
				v.doubtful.addMatch(&g.Changes[j])
			}
		}
	}
	d.seal(v, c)
	v.page()
	return v
}

// decide decides a chunk on the items that the reader shows.
func (d *decider) decide(ctx context.Context, items store.ItemReader, c *chunk) (*verdict, error) {
	k, err := d.read(ctx, items, c)
	if err != nil {
		return nil, err
	}
	return d.decideOn(k), nil
}

// read finds out about the items that a chunk touches.
func (d *decider) read(ctx context.Context, items store.ItemReader, c *chunk) (*known, error) {
	k := &known{chunk: c, world: newWorld(c.rows), found: byKey[store.Found]{size: c.rows}, seen: &seen{}}
	return k, k.read(ctx, items, d.imp.No)
}

// decideOn decides a chunk on what was read for it.
func (d *decider) decideOn(k *known) *verdict {
	d.facts.Now = d.svc.now()
	v, c := &verdict{seen: k.seen}, k.chunk
	for i := range c.groups {
		if k.unchanged[i] {
			k.takeUnchanged(i, &v.decisions)
			continue
		}
		before := len(v.decisions.Writes)
		catalog.Decide(&c.groups[i], k.world, d.facts, &v.decisions)
		if writes := v.decisions.Writes[before:]; k.mayMatter(writes) {
			k.world.apply(writes)
		}
	}
	v.fresh = allNew(&v.decisions)
	if d.planning() {
		v.matched = k.matchedBy()
	}
	d.seal(v, c)
	return v
}

// seal works out what is to be written, and starts encoding the page beside it.
func (d *decider) seal(v *verdict, c *chunk) {
	encoded := make(chan *ledger.Page, 1)
	planning, was := d.planning(), c.was
	go func() {
		if d.imp.UndoOf == "" {
			forgetUnmade(&v.decisions, planning)
		}
		p := d.svc.encode(&v.decisions, was)
		if planning {
			p.Digest = digest(&v.decisions, v.matched)
		}
		encoded <- p
	}()
	var page *ledger.Page
	v.page = func() *ledger.Page {
		if page == nil {
			page = <-encoded
			// What is on the page need not be kept until the transaction.
			v.decisions = catalog.Decisions{}
		}
		return page
	}
	writes := coalesce(v.decisions.Writes)
	v.wrote = footprintOf(writes)
	for i := range writes {
		switch writes[i].Outcome {
		case catalog.Updated:
			v.updates = append(v.updates, writes[i].After)
		case catalog.Deleted:
			if v.deletes == nil {
				v.deletes = make(map[catalog.Kind][]store.Locator)
			}
			kind, before := writes[i].After.Kind, writes[i].Before
			v.deletes[kind] = append(v.deletes[kind], store.Locator{Handle: before.Handle, Version: before.Version})
		}
	}
	slices.SortFunc(v.updates, func(a, b catalog.Item) int { return int(min(max(a.Handle-b.Handle, -1), 1)) })
	if creates := creations(writes); len(creates) > 0 {
		v.creates = d.svc.cfg.Store.Prepare(d.imp.WS, creates)
	}
}

// forgetUnmade takes the ids away that were given to items which are not made: in a
// plan, and by rows that are held.
func forgetUnmade(d *catalog.Decisions, planning bool) {
	unmade := make(map[string]bool)
	forget := func(writes []catalog.Write) {
		for i := range writes {
			if w := &writes[i]; w.Before == nil && w.After.ID != "" {
				unmade[w.After.ID] = true
			}
		}
	}
	forget(d.Held)
	if planning {
		forget(d.Writes)
	}
	if len(unmade) == 0 {
		return
	}
	for i := range d.Rows {
		if unmade[d.Rows[i].ItemID] {
			d.Rows[i].ItemID = ""
		}
	}
}

// store writes a verdict's items, each kind of write in one go.
func (v *verdict) store(ctx context.Context, tx store.Tx) error {
	for _, kind := range catalog.Kinds() {
		if gone := v.deletes[kind]; len(gone) > 0 {
			slices.SortFunc(gone, func(a, b store.Locator) int { return cmp.Compare(a.Handle, b.Handle) })
			if err := tx.Delete(ctx, kind, gone); err != nil {
				return fmt.Errorf("delete items: %w", err)
			}
		}
	}
	if len(v.updates) > 0 {
		if err := tx.Update(ctx, v.updates); err != nil {
			return fmt.Errorf("update items: %w", err)
		}
	}
	if v.creates != nil {
		if err := tx.Insert(ctx, v.creates); err != nil {
			return fmt.Errorf("insert items: %w", err)
		}
	}
	return nil
}

// holds reports whether a verdict that assumed new items still may be right:
// no row that failed as a new item has one.
func (v *verdict) holds(ctx context.Context, tx store.Tx) (bool, error) {
	exists := false
	err := v.doubtful.find(ctx, tx, func(lookup, string, store.Found) { exists = true })
	return !exists, err
}

// unguarded reports whether a change's item might exist without the store
// refusing it as a new one: in a mode that makes none, or by a number that it
// does not keep unique.
func unguarded(c *catalog.Change) bool {
	return c.Mode == catalog.Update || c.Delete || c.Undo != nil || c.GTINShared
}

// allNew reports whether every row of the chunk that reached an item made it, so
// that the next chunk may be decided as if it were so too.
func allNew(d *catalog.Decisions) bool {
	created := false
	for i := range d.Rows {
		switch d.Rows[i].Outcome {
		case catalog.Created:
			created = true
		case catalog.Failed, catalog.Skipped:
		default:
			return false
		}
	}
	return created
}

// creations lists the new items sorted by their keys, which is the order that
// the store's indexes and locks want.
func creations(writes []catalog.Write) []catalog.Item {
	// Pointers are sorted, for an item is large to move about.
	var created []*catalog.Item
	for i := range writes {
		if writes[i].Outcome == catalog.Created {
			created = append(created, &writes[i].After)
		}
	}
	slices.SortFunc(created, func(a, b *catalog.Item) int {
		if a.GTIN != b.GTIN {
			return strings.Compare(a.GTIN, b.GTIN)
		}
		return strings.Compare(a.SKU, b.SKU)
	})
	items := make([]catalog.Item, len(created))
	for i, it := range created {
		items[i] = *it
	}
	return items
}

// encode makes the page of a chunk's decisions; its key is filled in later.
// was are the entries that the rows' new ones take the place of.
func (s *Service) encode(d *catalog.Decisions, was map[int64]*ledger.Was) *ledger.Page {
	entries := make([]ledger.Entry, len(d.Rows))
	for i := range d.Rows {
		r := &d.Rows[i]
		entries[i] = ledger.Entry{Row: r.Row.Number, Outcome: r.Outcome, ItemID: r.ItemID, Was: was[r.Row.Number]}
		if len(r.Row.Problems) > 0 {
			entries[i].Line, entries[i].Problems, entries[i].Ident = r.Row.Line, r.Row.Problems, r.Row.Ident
		}
	}
	images := make([]ledger.Image, 0, len(d.Writes)+len(d.Held))
	for i := range d.Writes {
		images = append(images, image(&d.Writes[i]))
	}
	for i := range d.Held {
		held := image(&d.Held[i])
		held.Outcome = catalog.Held
		images = append(images, held)
	}
	e := s.encoders.Get().(*ledger.Encoder)
	defer s.encoders.Put(e)
	p := &ledger.Page{}
	e.Encode(p, entries, images)
	return p
}

// image is what a write did, as the ledger keeps it.
func image(w *catalog.Write) ledger.Image {
	im := ledger.Image{Row: w.Row, Kind: w.After.Kind, ItemID: w.After.ID, Outcome: w.Outcome, Changes: w.Changes}
	if b := w.Before; b != nil {
		im.Version, im.ImportNo, im.LastRow, im.Hash = b.Version, b.ImportNo, b.Row, b.Hash
		im.Live, im.LiveChanged = b.Live, b.Live != w.After.Live
		if w.Outcome == catalog.Deleted {
			im.Doc, im.GTINShared, im.CreatedAt, im.CreatedNo = b.Doc, b.GTINShared, b.CreatedAt.UnixMilli(), b.CreatedNo
		}
	}
	return im
}

// coalesce joins several writes of one item in a chunk into one, so that the
// store sees each item once: the first's before, the last's after.
func coalesce(writes []catalog.Write) []catalog.Write {
	if distinct(writes) {
		return writes
	}
	at := make(map[string]int, len(writes))
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

// distinct reports whether no item is written twice. Items are mostly in the order
// of their ids: new ones get them in that order, and come again in the file's.
func distinct(writes []catalog.Write) bool {
	rising := true
	for i := 1; i < len(writes) && rising; i++ {
		rising = writes[i-1].After.ID < writes[i].After.ID
	}
	if rising {
		return true
	}
	seen := make(map[string]bool, len(writes))
	for i := range writes {
		seen[writes[i].After.ID] = true
	}
	return len(seen) == len(writes)
}

func joinWrites(a, b catalog.Write) catalog.Write {
	j := b
	j.Before = a.Before
	switch {
	case a.Outcome == catalog.Created && b.Outcome == catalog.Deleted:
		j.Outcome = catalog.Pending // never there: nothing to write
	case a.Outcome == catalog.Created:
		j.Outcome, j.After.Version = catalog.Created, 1
	case a.Outcome == catalog.Deleted && b.Outcome == catalog.Created:
		j.Outcome, j.After.Version, j.After.Handle = catalog.Updated, a.Before.Version+1, a.Before.Handle
	case b.Outcome == catalog.Updated:
		j.After.Version, j.After.Handle = a.After.Version, a.After.Handle
	}
	return j
}

// known is what was found out about the items that a chunk touches.
type known struct {
	chunk *chunk
	world *world
	// found are the matches of the chunk's keys.
	found byKey[store.Found]
	// seen is all that was looked up.
	seen *seen
	// keys says that a change sets keys, which another may have had.
	keys bool
	// shared says that several changes of the chunk that are decided reach one item.
	shared bool
	// unchanged says of each group that all it asks for was asked before and
	// nothing wrote since, so its items need not be read.
	unchanged []bool
}

// read looks the chunk's keys up and reads what must be read: first the match
// keys; then the items that differ; then, for items that are made or whose keys
// change, who owns those keys.
func (k *known) read(ctx context.Context, items store.ItemReader, importNo int64) error {
	match := &k.seen.match
	for i := range k.chunk.groups {
		for j := range k.chunk.groups[i].Changes {
			match.addMatch(&k.chunk.groups[i].Changes[j])
		}
	}
	if err := match.find(ctx, items, k.note); err != nil {
		return err
	}
	k.unchanged = make([]bool, len(k.chunk.groups))
	for i := range k.chunk.groups {
		g := &k.chunk.groups[i]
		if k.unchanged[i] = k.asBefore(g, importNo); !k.unchanged[i] && k.chunk.sketched.finish(i, g) {
			k.unchanged[i] = k.asBefore(g, importNo) // it may have come with warnings before, too
		}
	}
	k.readShared()
	for i := range k.chunk.groups {
		if !k.unchanged[i] {
			k.chunk.sketched.finish(i, &k.chunk.groups[i])
		}
	}
	owners := &k.seen.owners
	handles := make(map[catalog.Kind][]int64)
	for i := range k.chunk.groups {
		if k.unchanged[i] {
			continue
		}
		g := &k.chunk.groups[i]
		for j := range g.Changes {
			k.need(&g.Changes[j], handles, owners)
		}
	}
	if err := k.readItems(ctx, items, handles); err != nil {
		return err
	}
	k.dropKnown(owners, match)
	return owners.find(ctx, items, k.noteOwner)
}

// mayMatter reports whether a group's writes may matter to the groups after it:
// they may not when each item is reached by one change and keeps its keys.
func (k *known) mayMatter(writes []catalog.Write) bool {
	if k.shared {
		return true
	}
	if !k.keys {
		return false // nobody asks for a key that is given up
	}
	for i := range writes {
		b, a := writes[i].Before, &writes[i].After
		if b == nil || writes[i].Outcome == catalog.Deleted || a.SKU != b.SKU || a.GTIN != b.GTIN || a.Ref != b.Ref || a.Slug != b.Slug {
			return true
		}
	}
	return false
}

func (k *known) note(at lookup, key string, f store.Found) {
	k.found.add(at, key, f)
	k.seen.add(at.kind, f.Handle)
}

// readShared has the items read that several groups reach, by whatever keys: what
// one of them does is then known to those after it, which a group that is taken
// unread would not ask.
func (k *known) readShared() {
	if !slices.Contains(k.unchanged, true) {
		return
	}
	reached := make([]reachedBy, 0, len(k.chunk.groups))
	for i := range k.chunk.groups {
		for j := range k.chunk.groups[i].Changes {
			c := &k.chunk.groups[i].Changes[j]
			for _, key := range c.Keys {
				for _, f := range k.found.get(lookup{c.Kind, key.Field}, key.Value) {
					reached = append(reached, reachedBy{c.Kind, f.Handle, i})
				}
			}
		}
	}
	if order := cmpReached; !slices.IsSortedFunc(reached, order) {
		slices.SortFunc(reached, order)
	}
	for i := 1; i < len(reached); i++ {
		if a, b := reached[i-1], reached[i]; a.kind == b.kind && a.handle == b.handle && a.group != b.group {
			k.unchanged[a.group], k.unchanged[b.group] = false, false
		}
	}
}

// reachedBy is an item that a group of a chunk reaches.
type reachedBy struct {
	kind   catalog.Kind
	handle int64
	group  int
}

func cmpReached(a, b reachedBy) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.handle, b.handle), cmp.Compare(a.group, b.group))
}

// matches returns what the change's deciding key found.
func (k *known) matches(c *catalog.Change) []store.Found {
	for _, key := range c.Keys {
		if f := k.found.get(lookup{c.Kind, key.Field}, key.Value); len(f) > 0 || !c.Fallthrough {
			return f
		}
	}
	return nil
}

// matchedBy has a bit for each key field by which a change found an item.
func (k *known) matchedBy() (matched byte) {
	for i := range k.chunk.groups {
		for j := range k.chunk.groups[i].Changes {
			c := &k.chunk.groups[i].Changes[j]
			for _, key := range c.Keys {
				found := len(k.found.get(lookup{c.Kind, key.Field}, key.Value)) > 0
				if found {
					matched |= 1 << key.Field
				}
				if found || !c.Fallthrough {
					break
				}
			}
		}
	}
	return matched
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
	// What a plan showed otherwise has moved since: that is for Decide to tell.
	for i := range g.Planned {
		if g.Planned[i].Outcome != catalog.Unchanged {
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
		for _, f := range k.found.get(lookup{c.Kind, key.Field}, key.Value) {
			handles[c.Kind] = append(handles[c.Kind], f.Handle)
		}
	}
	c.KeysSet(func(key catalog.Key) {
		k.keys = true
		if key.Field != catalog.KeyGTIN || !c.GTINShared {
			owners.add(c.Kind, key)
		}
	})
}

func (k *known) readItems(ctx context.Context, from store.ItemReader, handles map[catalog.Kind][]int64) error {
	for _, kind := range catalog.Kinds() {
		hs := handles[kind]
		if len(hs) == 0 {
			continue
		}
		slices.Sort(hs)
		distinct := slices.Compact(hs)
		k.shared = k.shared || len(distinct) < len(hs)
		items, err := from.Read(ctx, kind, distinct)
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
		for i := range items {
			k.world.add(&items[i])
		}
	}
	return nil
}

// dropKnown leaves out keys whose owner is known already: those looked up as
// match keys, found or not, and those of items that were read.
func (k *known) dropKnown(owners, match *lookups) {
	for at, keys := range owners.keys {
		owners.keys[at] = slices.DeleteFunc(keys, func(v string) bool {
			_, asked := slices.BinarySearch(match.keys[at], v)
			return asked || len(k.world.items.get(at, v)) > 0
		})
	}
}

// noteOwner makes the owner of a key known to the decisions by its id alone:
// that is all they ask of an item that the change does not match.
func (k *known) noteOwner(at lookup, key string, f store.Found) {
	k.seen.add(at.kind, f.Handle)
	it := &catalog.Item{ID: f.ID, Kind: at.kind, Handle: f.Handle, ImportNo: f.ImportNo}
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
