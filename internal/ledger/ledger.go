// Package ledger is the account of what each chunk did: it encodes what became
// of a chunk's rows into a page, reads pages back, and counts and reports over
// them. Errors, causes, diffs, failed-rows files and undo are readers of it.
//
// What does not belong here: deciding anything (package catalog), the
// transaction a page is written in (package store), and HTTP or file formats of
// reports (doors and package export).
package ledger

import (
	"tallyman/internal/catalog"
)

// Pass says which run over the rows a page belongs to. Names are stored.
type Pass string

const (
	PassSlice  Pass = "slice"  // cutting the file; writes no pages
	PassPlan   Pass = "plan"   // the dry pass; its pages are no part of a tally
	PassApply  Pass = "apply"  // the first pass that writes
	PassMedia  Pass = "media"  // what happened after the rows: images
	PassFinish Pass = "finish" // what was promised and resolved at the end
)

// Page is what one chunk did. Its key is (import, pass, batch, sequence).
type Page struct {
	ImportNo int64
	Pass     Pass
	Batch    int
	Seq      int
	// FirstRow and LastRow bound the row numbers on the page; Rows counts them.
	FirstRow, LastRow int64
	Rows              int
	Tally             catalog.Tally
	// Codes counts the page's problems by code.
	Codes map[catalog.Code]int64
	// Format is the version of the two bodies' encoding.
	Format int
	// Outcomes and Images are the encoded bodies; nil once retention took them,
	// or where they were not asked for.
	Outcomes []byte
	Images   []byte
}

// Entry is one row on a page.
type Entry struct {
	Row     int64
	Line    int64 // physical line, kept for rows with problems; else 0
	Outcome catalog.Outcome
	ItemID  string
	// Problems of the row.
	Problems []catalog.Problem
	// Ident quotes the identifying cells of rows with problems.
	Ident []catalog.Key
}

// Image is what one write did to one item: enough to show it and to take it back.
type Image struct {
	Row     int64
	Kind    catalog.Kind
	ItemID  string
	Outcome catalog.Outcome
	// Version, ImportNo, LastRow and Hash are those of the item before; zero for
	// a created one.
	Version  int64
	ImportNo int64
	LastRow  int64
	Hash     int64
	// Changes are the fields that an update changed, with their tokens before
	// and after.
	Changes []catalog.FieldChange
	// Doc is the whole document of a deleted item.
	Doc catalog.Doc
	// Live is the storefront's view before; LiveChanged says that it moved.
	Live        catalog.Live
	LiveChanged bool
}

// FormatVersion is the encoding that Encode writes. A reader refuses newer ones.
const FormatVersion = 1
