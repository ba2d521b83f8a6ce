package catalog

import "time"

// Mode says what an import may do to the catalog.
type Mode uint8

const (
	Upsert Mode = 0 // create what is new, update what is there
	Create Mode = 1 // create only: an item that is there is an error
	Update Mode = 2 // update only: an item that is not there is an error
)

var modeNames = [...]string{"upsert", "create", "update"}

// String returns the mode's name.
func (m Mode) String() string { return modeNames[m] }

// ParseMode returns the mode named s, and whether there is one.
func ParseMode(s string) (Mode, bool) {
	for i, n := range modeNames {
		if n == s {
			return Mode(i), true
		}
	}
	return 0, false
}

// OpKind says what is done to a field.
type OpKind uint8

const (
	OpSet     OpKind = 1 // the field becomes the value
	OpUnset   OpKind = 2 // the field goes; an error where it is required without a default
	OpDefault OpKind = 3 // the field becomes its property's default, or goes
	OpPrepend OpKind = 4 // the elements go before those the list has
	OpAppend  OpKind = 5 // the elements go after those the list has
	OpRemove  OpKind = 6 // the elements go from the list
)

// Idempotent reports whether doing it twice is the same as doing it once.
func (k OpKind) Idempotent() bool { return k != OpPrepend && k != OpAppend }

// Op asks for one thing to be done to one field.
type Op struct {
	Field *Field
	Kind  OpKind
	Value Value
}

// Change is what a record asks of one item.
type Change struct {
	Kind Kind
	Mode Mode
	// Row is the index, in the group's Rows, of the record that asks.
	Row int
	// Keys identify the item, in the source's order of trust. The first that is
	// present decides, unless Fallthrough is set: then the first that matches.
	Keys        []Key
	Fallthrough bool
	// Ops are sorted by the fields' names, one for each field.
	Ops []Op
	// Delete asks for the item to go; Ops is then empty.
	Delete bool
	// Undo asks for one write of an import to be taken back; Ops is then empty and
	// the only key is the item's id.
	Undo *Undo
	// AtVersion asks that the item still has this version; 0 does not. An item
	// that has moved is an error (version_conflict).
	AtVersion int64
	// Staged changes the working document alone, to go live when published.
	Staged bool
	// GTINShared says that the source's numbers do not identify items.
	GTINShared bool
	// Parent is 1 + the index, in the group's Changes, of a change that must
	// not fail if this one is to be done; 0 for none.
	Parent int
	// Hash stands for the row as its source gave it and for how it is read, or is 0
	// when it may not be used to tell an unchanged row unread. 64 bits suffice: it is
	// only ever compared with the one hash that the item carries, so a false match
	// takes 2^64 comparisons, not 2^32 items.
	Hash int64
}

// Repeatable reports whether the change, when it comes again to the item that it was
// the last to write, asks for nothing. A mode without updates, a deletion, an undo, a
// change that asks for a version, and one with an operation that adds at each time do
// not.
func (c *Change) Repeatable() bool {
	if c.Mode == Create || c.Delete || c.Undo != nil || c.AtVersion != 0 {
		return false
	}
	for i := range c.Ops {
		if !c.Ops[i].Kind.Idempotent() {
			return false
		}
	}
	return true
}

// KeysSet calls fn with every key beside the id that the change may give its
// item, in canonical form, so that their owners can be looked up. A trade item
// number that does not identify is left out: it has no owner.
func (c *Change) KeysSet(fn func(Key)) {
	shared := c.GTINShared || c.Undo != nil && c.Undo.GTINShared
	give := func(k Key) {
		if k.Field != KeyGTIN || !shared {
			fn(k)
		}
	}
	for i := range c.Ops {
		if k, ok := KeySetBy(&c.Ops[i]); ok {
			give(k)
		}
	}
	if c.Undo == nil {
		return
	}
	for i := range c.Undo.Changes {
		if k, ok := keyOfToken(c.Undo.Changes[i].Field, c.Undo.Changes[i].Old); ok {
			give(k)
		}
	}
	c.Undo.Doc.eachKey(give)
}

// Row is a record's place in the file and what is known of it before anything
// is decided.
type Row struct {
	// Number is the record's ordinal with the header as 1.
	Number int64
	// Line is the physical line where the record begins, 0 where the format has
	// no lines.
	Line int64
	// Problems are those that reading, mapping and checking found.
	Problems []Problem
	// Skip says that the row asks for nothing.
	Skip bool
	// Ident quotes the identifying cells as the file has them, for reports of
	// rows that failed.
	Ident []Key
}

// Group is the records that belong together and the changes they ask for. Most
// groups are one row with one change.
type Group struct {
	Rows    []Row
	Changes []Change
	// Planned is what the plan showed of each row, where there is one to keep to;
	// else nil.
	Planned []Planned
}

// Planned is what a plan showed of one row.
type Planned struct {
	Outcome Outcome
	// Problems are those of a row that failed in the plan: it fails again, as the
	// plan showed.
	Problems []Problem
	Writes   []PlannedWrite
}

// PlannedWrite is what a plan showed of one item.
type PlannedWrite struct {
	ItemID  string // "" for an item to be created
	Outcome Outcome
	// Version is the item's before the write; 0 for one to be created.
	Version int64
	Changes []FieldChange
}

// Undo is one write of an import that is to be taken back: what it was, and what
// the item was before it.
type Undo struct {
	// ImportNo and Row made the write; Outcome is what it did: Created, Updated or
	// Deleted.
	ImportNo int64
	Row      int64
	Outcome  Outcome
	// Changes are the fields that an update changed, sorted.
	Changes []FieldChange
	// Of the item before: its version and hash, and for a deleted one the document
	// and what else makes it whole.
	Version    int64
	Hash       int64
	Doc        Doc
	Live       Live
	GTINShared bool
	CreatedAt  time.Time
	CreatedNo  int64
	// LiveChanged says that the write moved what the storefront sees.
	LiveChanged bool
	// Force takes back even what others have changed since.
	Force bool
}
