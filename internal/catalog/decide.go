package catalog

import (
	"fmt"
	"strings"
	"time"
)

// World is what the store says about items, as far as a chunk's decisions may
// depend on it. It answers from memory: everything is read once per chunk.
type World interface {
	// Match returns the items of a kind that now carry the key: none, one, or
	// several where the key is not unique.
	Match(kind Kind, key Key) []*Item
}

// Facts are what decisions may depend on beside the world.
type Facts struct {
	Schema *Schema
	// Currency is used for money whose row names none, on items that have none.
	Currency string
	// Now is the time of the chunk, in UTC with millisecond precision.
	Now time.Time
	// NewID returns an unused item id.
	NewID func(Kind) string
	// Heading names the column of the file that sets a field; nil where fields
	// are their own headings.
	Heading func(field string) string
	// ImportNo names the import that decides.
	ImportNo int64
	// Planning says that nothing is written: what other rows of the same undo are
	// to give up is free.
	Planning bool
	// Writer words who made a write, for messages to people: "import imp_… (a.csv)".
	// nil names the import's number alone.
	Writer func(importNo int64) string
	// InFileOrder says that rows of one file may write one item repeatedly, in
	// the order of the file. Otherwise a later row that reaches an item which an
	// earlier row of the same import wrote is an error.
	InFileOrder bool
}

// RowDecision is how a row ended.
type RowDecision struct {
	Row     Row
	Outcome Outcome
	// ItemID is the item the row reached; "" when it reached none.
	ItemID string
}

// Write is one item to write, with what it was before.
type Write struct {
	// Outcome is Created, Updated or Deleted.
	Outcome Outcome
	Row     int64
	// Before is nil for a created item.
	Before *Item
	// After is the item as it is to be; of a deleted one only ID and Kind count.
	After Item
	// Changes are the fields that differ, sorted; nil for a created item, whose
	// document is all new, and for a deleted one, whose Before is the image.
	Changes []FieldChange
}

// Decisions collects what a run of Decide calls found.
type Decisions struct {
	Rows   []RowDecision
	Writes []Write
	// Held are the writes of rows that were held: what they would have done. They
	// are shown and never stored.
	Held []Write
	// scratch is where documents are written before they are kept.
	scratch []byte
}

// Reset empties d and keeps its memory.
func (d *Decisions) Reset() {
	clear(d.Rows)
	clear(d.Writes)
	clear(d.Held)
	d.Rows, d.Writes, d.Held = d.Rows[:0], d.Writes[:0], d.Held[:0]
}

// Decide decides one group against the world: it appends one RowDecision for
// each of the group's rows and the writes that follow to out. It is pure: the
// same group, world and facts give the same decisions. The caller makes the
// writes visible in the world before it decides the next group.
//
// All semantics live here: match keys and modes, the operations on fields,
// required and default properties, taken keys, what goes live, what an undo
// takes back, and whether a row still does what its plan showed. Plan, import,
// retry and undo all call it.
func Decide(g *Group, w World, f *Facts, out *Decisions) {
	d := decider{g: g, w: w, f: f, out: out, first: len(out.Rows), write0: len(out.Writes)}
	for i := range g.Rows {
		o := Skipped
		if HasErrors(g.Rows[i].Problems) {
			o = Failed
		}
		out.Rows = append(out.Rows, RowDecision{Row: g.Rows[i], Outcome: o})
	}
	for i := range g.Changes {
		d.change(i)
	}
	d.settle()
	if g.Planned != nil {
		d.keepToPlan()
	}
}

// decider is the state of one Decide call.
type decider struct {
	g      *Group
	w      World
	f      *Facts
	out    *Decisions
	first  int // index in out.Rows of the group's first row
	write0 int // index in out.Writes of the group's first write
	failed uint64
	// storeProblem is set when the change at hand had a problem that hangs on
	// what the store holds; such a change leaves no hash.
	storeProblem bool
}

func (d *decider) row(c *Change) *RowDecision { return &d.out.Rows[d.first+c.Row] }

// change decides the group's i-th change.
func (d *decider) change(i int) {
	c := &d.g.Changes[i]
	r := d.row(c)
	d.storeProblem = false
	if c.Parent > 0 && d.changeFailed(c.Parent-1) {
		d.problem(c, Problem{Code: CodeDependsOnFailedRow, Severity: Error,
			Message: "The row that this one belongs to failed; correct that row first."})
	}
	if r.Outcome == Failed {
		d.markFailed(i)
		return
	}
	item, ok := d.match(c)
	if ok && c.Undo != nil {
		if !d.undo(c, item) {
			d.markFailed(i)
		}
		return
	}
	if ok {
		ok = d.allowed(c, item)
	}
	if ok {
		ok = d.resolve(c, item)
	}
	if ok {
		ok = d.write(c, item)
	}
	if !ok {
		d.markFailed(i)
	}
}

// match finds the item that the change is about; nil when there is none.
func (d *decider) match(c *Change) (*Item, bool) {
	for _, k := range c.Keys {
		items := d.w.Match(c.Kind, k)
		switch {
		case len(items) > 1:
			d.fail(c, CodeAmbiguousMatch, k, "%s %s belongs to %d items; identify one of them by a key that is its own.", k.Field.Label(), k.Shown(), len(items))
			return nil, false
		case len(items) == 1:
			return items[0], true
		case !c.Fallthrough:
			return nil, true
		}
	}
	return nil, true
}

// allowed checks the mode, and the version asked for, against what was found.
func (d *decider) allowed(c *Change, item *Item) bool {
	switch {
	case item == nil && (c.Mode == Update || c.Delete):
		k := firstKey(c)
		d.fail(c, CodeItemNotFound, k, "No %s has %s %s; create it first, or import in a mode that creates.", c.Kind, k.Field.Label(), k.Shown())
		return false
	case item != nil && c.Mode == Create:
		k := matchedKey(c, item)
		d.fail(c, existingCode(k.Field), k, "A %s with %s %s is already in the catalog; import in a mode that updates, or remove the row.", c.Kind, k.Field.Label(), k.Shown())
		return false
	case item != nil && c.AtVersion != 0 && item.Version != c.AtVersion:
		d.problem(c, Problem{Code: CodeVersionConflict, Severity: Error,
			Message: fmt.Sprintf("The %s has changed since it was read (version %d now, %d then); read it again.", c.Kind, item.Version, c.AtVersion)})
		return false
	case item != nil && item.ImportNo == d.f.ImportNo && item.Row != d.row(c).Row.Number && !d.f.InFileOrder && !d.ownGroup(item):
		k := matchedKey(c, item)
		d.fail(c, CodeSameItemInFile, k, "Row %d of this file already wrote the same %s (%s %s); keep one of the rows.", item.Row, c.Kind, k.Field.Label(), k.Shown())
		return false
	}
	return true
}

// ownGroup reports whether the row that last wrote the item is one of this
// group's, whose rows may share an item.
func (d *decider) ownGroup(item *Item) bool {
	for i := range d.g.Rows {
		if d.g.Rows[i].Number == item.Row {
			return true
		}
	}
	return false
}

// resolve turns problems that hang on whether the item exists into what they
// are, and reports whether the row can go on.
func (d *decider) resolve(c *Change, item *Item) bool {
	r := d.row(c)
	shared := true
	for i := range r.Row.Problems {
		p := &r.Row.Problems[i]
		if p.Severity != ErrorOnCreate {
			continue
		}
		if shared {
			// The group's own slice stays as it was: it may be decided again.
			r.Row.Problems = append([]Problem(nil), r.Row.Problems...)
			p, shared = &r.Row.Problems[i], false
		}
		d.storeProblem = true
		p.Severity = Warning
		if item == nil {
			p.Severity = Error
		}
	}
	return !HasErrors(r.Row.Problems)
}

// write works out the item after the change and appends the write, if any.
func (d *decider) write(c *Change, item *Item) bool {
	r := d.row(c)
	if c.Delete {
		r.ItemID = item.ID
		d.delete(r, item)
		r.Outcome = r.Outcome.Join(Deleted)
		return true
	}
	var before Doc
	if item != nil {
		before = item.Doc
	}
	doc, changes, ok := d.apply(c, before)
	if !ok {
		return false
	}
	if item == nil {
		return d.create(c, doc)
	}
	r.ItemID = item.ID
	live, liveChanged, ok := d.live(c, item, doc)
	if !ok {
		return false
	}
	if len(changes) == 0 && !liveChanged {
		r.Outcome = r.Outcome.Join(Unchanged)
		return true
	}
	after := *item
	after.Doc, after.Live = doc, live
	after.GTINShared = after.GTINShared || c.GTINShared
	after.takeKeys(c.Ops)
	if !d.keysFree(c, &after, item) {
		return false
	}
	d.stamp(c, &after)
	after.Version++
	d.out.Writes = append(d.out.Writes, Write{Outcome: Updated, Row: r.Row.Number, Before: item, After: after, Changes: changes})
	r.Outcome = r.Outcome.Join(Updated)
	return true
}

func (d *decider) delete(r *RowDecision, item *Item) {
	d.out.Writes = append(d.out.Writes, Write{Outcome: Deleted, Row: r.Row.Number, Before: item,
		After: Item{ID: item.ID, Kind: item.Kind}})
}

func (d *decider) create(c *Change, doc Doc) bool {
	r := d.row(c)
	after := Item{Kind: c.Kind, Doc: doc, Version: 1, GTINShared: c.GTINShared, CreatedAt: d.f.Now, CreatedNo: d.f.ImportNo}
	for _, k := range c.Keys {
		if k.Field == KeyID {
			after.ID = k.Value
		}
	}
	after.takeKeys(c.Ops)
	if !d.keysFree(c, &after, nil) {
		return false
	}
	if after.ID == "" {
		after.ID = d.f.NewID(c.Kind)
	}
	if c.Staged {
		after.Live.State = LiveNothing
	}
	d.stamp(c, &after)
	r.ItemID = after.ID
	d.out.Writes = append(d.out.Writes, Write{Outcome: Created, Row: r.Row.Number, After: after})
	r.Outcome = r.Outcome.Join(Created)
	return true
}

// stamp notes who wrote the item.
func (d *decider) stamp(c *Change, after *Item) {
	after.ImportNo = d.f.ImportNo
	after.Row = d.row(c).Row.Number
	after.UpdatedAt = d.f.Now
	after.Hash = c.Hash
	if d.storeProblem {
		after.Hash = 0
	}
}

// live works out what the storefront sees after the change. A change that goes
// live at once is decided against both documents where they differ.
func (d *decider) live(c *Change, item *Item, doc Doc) (live Live, changed, ok bool) {
	live = item.Live
	switch {
	case c.Staged && live.State == LiveSame && doc != item.Doc:
		return Live{State: LiveOlder, Doc: item.Doc}, true, true
	case !c.Staged && live.State == LiveOlder:
		liveDoc, changes, ok := d.apply(c, live.Doc)
		if !ok {
			return live, false, false
		}
		if liveDoc == doc {
			return Live{}, true, true
		}
		live.Doc = liveDoc
		return live, len(changes) > 0, true
	case live.State == LiveOlder && live.Doc == doc:
		return Live{}, true, true
	}
	return live, false, true
}

// keysFree checks that no other item has a key that the item is to get.
func (d *decider) keysFree(c *Change, after, before *Item) bool {
	free := true
	for _, f := range [...]KeyField{KeySKU, KeyGTIN, KeyRef, KeySlug} {
		v := after.Get(f)
		if v == "" || before != nil && before.Get(f) == v || f == KeyGTIN && after.GTINShared {
			continue
		}
		for _, other := range d.w.Match(c.Kind, Key{f, v}) {
			if before != nil && other.ID == before.ID {
				continue
			}
			if d.f.Planning && c.Undo != nil && other.ImportNo == c.Undo.ImportNo {
				continue // its owner is taken back as well
			}
			advice := fmt.Sprintf("correct the value, or identify the row by that %s's own key", c.Kind)
			if c.Undo != nil {
				advice = fmt.Sprintf("give that %s another %s, then undo again", c.Kind, f.Label())
			}
			d.fail(c, takenCode(f), Key{f, v}, "%s %s already belongs to another %s (%s); %s.",
				f.Label(), Key{f, v}.Shown(), c.Kind, describe(other), advice)
			free = false
		}
	}
	return free
}

// settle takes back the writes of rows that failed after an earlier change of
// theirs was decided: a row is applied whole or not at all.
func (d *decider) settle() {
	d.resolveRest()
	if d.failed == 0 && len(d.g.Rows) == 1 {
		return
	}
	d.keepWrites(func(w *Write) bool { return d.decided(w.Row).Outcome != Failed })
}

// keepWrites takes the group's writes that keep says no to out of the decisions.
func (d *decider) keepWrites(keep func(*Write) bool) {
	kept := d.out.Writes[:d.write0]
	for i := d.write0; i < len(d.out.Writes); i++ {
		if keep(&d.out.Writes[i]) {
			kept = append(kept, d.out.Writes[i])
		}
	}
	clear(d.out.Writes[len(kept):])
	d.out.Writes = kept
}

// resolveRest settles problems that hang on whether the item exists for rows of
// which no change was decided: they failed for another reason.
func (d *decider) resolveRest() {
	for i := d.first; i < len(d.out.Rows); i++ {
		ps := d.out.Rows[i].Row.Problems
		for j := range ps {
			if ps[j].Severity == ErrorOnCreate {
				ps = append([]Problem(nil), ps...)
				for k := range ps {
					if ps[k].Severity == ErrorOnCreate {
						ps[k].Severity = Error
					}
				}
				d.out.Rows[i].Row.Problems = ps
				break
			}
		}
	}
}

// decided returns the group's row with this number.
func (d *decider) decided(number int64) *RowDecision {
	i := d.first
	for d.out.Rows[i].Row.Number != number {
		i++
	}
	return &d.out.Rows[i]
}

func (d *decider) markFailed(i int) {
	d.row(&d.g.Changes[i]).Outcome = Failed
	d.failed |= 1 << (uint(i) % 64)
}

// changeFailed reports whether the i-th change failed. Groups of more than 64
// changes share bits, so there the answer comes from the row instead.
func (d *decider) changeFailed(i int) bool {
	if len(d.g.Changes) <= 64 {
		return d.failed&(1<<uint(i)) != 0
	}
	return d.row(&d.g.Changes[i]).Outcome == Failed
}

func (d *decider) fail(c *Change, code Code, k Key, format string, args ...any) {
	d.problem(c, Problem{Code: code, Severity: Error, Column: d.f.heading(propOf(k.Field)), Value: d.cellOf(c, k), Message: fmt.Sprintf(format, args...)})
}

// cellOf quotes a key as the row's own cell has it, or else in its canonical form.
func (d *decider) cellOf(c *Change, k Key) string {
	ident := d.row(c).Row.Ident
	for i := range ident {
		if ident[i].Field == k.Field {
			return ident[i].Value
		}
	}
	return Shorten(k.Value)
}

func (d *decider) problem(c *Change, p Problem) {
	d.storeProblem = true
	r := d.row(c)
	r.Row.Problems = append(r.Row.Problems[:len(r.Row.Problems):len(r.Row.Problems)], p)
	if p.Severity == Error {
		r.Outcome = Failed
	}
}

// heading names the column of the file that sets a field.
func (f *Facts) heading(field string) string {
	if f.Heading == nil {
		return field
	}
	return f.Heading(field)
}

func propOf(f KeyField) string {
	switch f {
	case KeySKU:
		return PropSKU
	case KeyGTIN:
		return PropGTIN
	case KeyRef:
		return PropRef
	case KeySlug:
		return PropSlug
	}
	return "id"
}

func existingCode(f KeyField) Code {
	switch f {
	case KeySKU:
		return CodeExistingSKU
	case KeyGTIN:
		return CodeExistingGTIN
	}
	return CodeExistingItem
}

func takenCode(f KeyField) Code {
	switch f {
	case KeySKU:
		return CodeSKUTaken
	case KeyGTIN:
		return CodeGTINTaken
	}
	return CodeKeyTaken
}

func firstKey(c *Change) Key {
	if len(c.Keys) == 0 {
		return Key{}
	}
	return c.Keys[0]
}

func matchedKey(c *Change, item *Item) Key {
	for _, k := range c.Keys {
		if item.Get(k.Field) == k.Value {
			return k
		}
	}
	return firstKey(c)
}

// Shown is a key as people write it: a GTIN without the zeros in front.
func (k Key) Shown() string {
	if k.Field == KeyGTIN {
		return strings.TrimLeft(k.Value, "0")
	}
	return k.Value
}

func describe(it *Item) string {
	switch {
	case it.SKU != "":
		return "SKU " + it.SKU
	case it.GTIN != "":
		return "EAN " + Key{KeyGTIN, it.GTIN}.Shown()
	}
	return it.ID
}

// Shorten cuts an offending value to MaxProblemValue bytes, on a rune border.
func Shorten(s string) string { return shortenTo(s, MaxProblemValue) }

func shortenTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most - len("…")
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
