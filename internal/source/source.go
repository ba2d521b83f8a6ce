// Package source turns records into changes: it knows what the columns of a
// kind of file mean and what its rows ask for. A source is data where it can be
// (a Definition) and code where it must; every one is listed in all.go.
//
// What does not belong here: reading bytes (package tabular), what a change
// does to an item (package catalog), and front doors: a source may be used by
// any of them.
package source

import (
	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
)

// Definition is a source as data. An import is pinned to the definition it
// started with, its own mapping and options filled in.
type Definition struct {
	ID string `json:"id"`
	// Version rises when the meaning changes; it is part of every change hash.
	Version int    `json:"version"`
	Name    string `json:"name"`
	// Kind is the kind of items the rows are about.
	Kind string `json:"kind"`
	// Columns are what the source knows to read.
	Columns []Column `json:"columns"`
	// Mapping says which column means which field, overruling Columns for the
	// columns it names. It comes from a user.
	Mapping []Mapping `json:"mapping,omitempty"`
	// Mapped says that only columns of Mapping count; those it does not name
	// are left out.
	Mapped bool `json:"mapped,omitempty"`
	// FieldNames says that headings are the names of fields exactly, and of the
	// source's own columns: any field of the kind is known, and a heading that is
	// none is a fault.
	FieldNames bool `json:"field_names,omitempty"`
	// JSONLists says that the cell of a list is a JSON array of strings, whose
	// elements may hold any separator.
	JSONLists bool `json:"json_lists,omitempty"`
	// NoGuards says that no cell was written by a spreadsheet: a quote or a formula
	// that would elsewhere keep digits text is a part of the value.
	NoGuards bool `json:"no_guards,omitempty"`
	// Match are the key fields that identify an item, in order: id, sku, gtin,
	// external_ref, slug. The first that a row has decides, or with Fallthrough
	// the first that is found.
	Match       []string `json:"match"`
	Fallthrough bool     `json:"fallthrough,omitempty"`
	// GTINShared says that trade item numbers do not identify items here.
	GTINShared bool `json:"gtin_shared,omitempty"`
	// Blank says what a blank cell asks for where its column does not say:
	// "keep" (the default), "clear" or "default".
	Blank string `json:"blank,omitempty"`
	// ClearWord in a cell asks to clear the value whatever Blank says; "" for none.
	ClearWord string `json:"clear_word,omitempty"`
	// Currency is the currency of money that names none; "" leaves it to the
	// item and the workspace.
	Currency string `json:"currency,omitempty"`
	// Decimal says how numbers are written: "auto" (the default), "point", "comma".
	Decimal string `json:"decimal,omitempty"`
	// ColumnDecimals says how the numbers of a column are written, by heading,
	// where the file itself shows it. It is pinned with the import.
	ColumnDecimals map[string]string `json:"column_decimals,omitempty"`
	// GTINCheck says what a wrong check digit is: "strict" (an error on a new
	// item, a warning on one that is there; the default), "warn" or "off".
	GTINCheck string `json:"gtin_check,omitempty"`
	// SKULength bounds SKUs in characters; 0 means 255.
	SKULength int `json:"sku_length,omitempty"`
	// Rails stop an import of this source between its plan and its first write,
	// where the import's own options do not say otherwise.
	Rails Rails `json:"rails,omitzero"`
	// Missing says what happens to items that the source's feed owns and its file
	// does not name: "" or "leave", "deactivate", "delete".
	Missing string `json:"missing,omitempty"`
	// Limits are the source's own; zero means none.
	MaxRows  int64 `json:"max_rows,omitempty"`
	MaxBytes int64 `json:"max_bytes,omitempty"`
}

// Rails are what an import may do without being asked. nil sets no limit.
type Rails struct {
	// ChangedPercent: rows that update or delete, in per cent of all rows.
	ChangedPercent *float64 `json:"changed_percent,omitempty"`
	// PriceMovePercent: how far the price of any one item moves.
	PriceMovePercent *float64 `json:"price_move_percent,omitempty"`
	// ClearedOrDeleted: values cleared and items deleted, together.
	ClearedOrDeleted *int64 `json:"cleared_or_deleted,omitempty"`
	// RowsDownPercent: how many rows fewer than this feed's last import had.
	RowsDownPercent *float64 `json:"rows_down_percent,omitempty"`
}

// Any reports whether a limit is set.
func (r Rails) Any() bool {
	return r.ChangedPercent != nil || r.PriceMovePercent != nil || r.ClearedOrDeleted != nil || r.RowsDownPercent != nil
}

// Column is a column that a source knows.
type Column struct {
	// Name is the heading; Aliases are other spellings. Case, accents, blanks,
	// '-' and '_' do not count in the comparison.
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	// Field is what the column sets: a field of the kind, or one of the
	// pseudo-fields "currency" (of price), "id", "@version" (that the item must
	// still have) and "@delete" ("true" deletes the item).
	Field string `json:"field"`
	// Required columns must stand in the file.
	Required bool `json:"required,omitempty"`
	// Blank overrules the definition's.
	Blank string `json:"blank,omitempty"`
	// Separator splits a list in one cell; "" means "|".
	Separator string `json:"separator,omitempty"`
}

// Mapping gives one column of a file its meaning.
type Mapping struct {
	Column string `json:"column"`
	Field  string `json:"field"`
}

// Mapper turns the records of one file into groups of changes. It is not safe
// for concurrent use; Bind makes one for each goroutine.
type Mapper interface {
	// Map appends the record, and what it asks for, to the group. For a source
	// whose rows stand alone each group is one record.
	Map(rec *tabular.Record, g *catalog.Group)
	// Sketch appends the record, and a change with all but its operations, to the
	// group: enough to be told that the row was asked before, without a problem, and
	// much cheaper than Map. Of a record that Map finds nothing wrong with, the change
	// has the hash that Map gives it; of any other, one that no item has. It returns
	// false, and leaves the group alone, where only Map can tell.
	Sketch(rec *tabular.Record, g *catalog.Group) bool
	// Keys appends the unique keys that the record carries, in canonical form,
	// to dst: what must not stand on two rows of the file.
	Keys(rec *tabular.Record, dst []catalog.Key) []catalog.Key
	// KeyColumns are the indexes of the columns that Keys and Together look at.
	KeyColumns() []int
	// Groups says that records may belong together; where it is false Together
	// never says so.
	Groups() bool
	// Together reports whether the record belongs to the same group as the one
	// before it, whose cells it is not given again: a Mapper remembers.
	// A source whose rows stand alone always says false.
	Together(rec *tabular.Record) bool
}
