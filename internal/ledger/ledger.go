// Package ledger is the account of what each chunk did: it encodes what became
// of a chunk's rows into a page, reads pages back, and counts and reports over
// them. Errors, causes, diffs, failed-rows files and undo are readers of it.
//
// What does not belong here: deciding anything (package catalog), the
// transaction a page is written in (package store), and HTTP or file formats of
// reports (doors and package export).
package ledger

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"tallyman/internal/catalog"
)

// Pass says which run over the rows a page belongs to. Names are stored. The
// first round's passes are plan and apply, those of the retry n are plan-n and
// retry-n.
type Pass string

const (
	PassSlice  Pass = "slice"  // cutting the file; writes no pages
	PassPlan   Pass = "plan"   // the dry pass; its pages are no part of a tally
	PassApply  Pass = "apply"  // the first pass that writes
	PassMedia  Pass = "media"  // what happened after the rows: images
	PassFinish Pass = "finish" // what was promised and resolved at the end
)

// PlanOf is the pass of a round's plan, ApplyOf the one that writes.
func PlanOf(round int) Pass {
	if round == 0 {
		return PassPlan
	}
	return Pass(fmt.Sprintf("%s-%d", PassPlan, round))
}

// ApplyOf is the pass of a round that writes.
func ApplyOf(round int) Pass {
	if round == 0 {
		return PassApply
	}
	return Pass(fmt.Sprintf("retry-%d", round))
}

// Planning reports whether the pass is a plan's.
func (p Pass) Planning() bool { return p == PassPlan || strings.HasPrefix(string(p), "plan-") }

// Round is the round that the pass belongs to; 0 for passes that have none.
func (p Pass) Round() int {
	_, n, _ := strings.Cut(string(p), "-")
	round, _ := strconv.Atoi(n)
	return round
}

// Compare orders passes by when they run.
func (p Pass) Compare(q Pass) int {
	return cmp.Or(cmp.Compare(p.Round(), q.Round()), cmp.Compare(p.rank(), q.rank()), strings.Compare(string(p), string(q)))
}

func (p Pass) rank() int {
	switch {
	case p == PassSlice:
		return 0
	case p.Planning():
		return 1
	case p == PassMedia:
		return 3
	case p == PassFinish:
		return 4
	}
	return 2
}

// Page is what one chunk did. Its key is (import, pass, batch, sequence).
type Page struct {
	ImportNo int64
	Pass     Pass
	Batch    int
	Seq      int
	// FirstRow and LastRow bound the row numbers on the page; Rows counts them.
	FirstRow, LastRow int64
	Rows              int
	// Tally counts the page's rows. A row that takes the place of an earlier
	// entry (Entry.Was) counts its new outcome and problems up and the old ones
	// down, so that the sum over all passes but plans is always what is so now.
	Tally catalog.Tally
	// Causes counts problems, signed like the tally, in order of code, severity
	// and column; causes that come to nothing are left out.
	Causes []Cause
	// Fields counts what updates did to fields, in order of their names.
	Fields []FieldCount
	// Digest is a sum over what a plan's rows would do; nil on other pages.
	Digest []byte
	// Format is the version of the two bodies' encoding.
	Format int
	// Outcomes and Images are the encoded bodies; nil once retention took them,
	// or where they were not asked for. Which items a row wrote, and who wrote
	// them before, stands in Outcomes; Images holds the values.
	Outcomes []byte
	Images   []byte
}

// Cause is what problems have in common, with their number.
type Cause struct {
	Code     catalog.Code     `json:"code"`
	Severity catalog.Severity `json:"severity"`
	Column   string           `json:"column"`
	Count    int64            `json:"count"`
}

// FieldCount counts the updated items whose field was given a value it did not
// have (Added), another value (Changed) or none any more (Cleared).
type FieldCount struct {
	Field   string `json:"field"`
	Added   int64  `json:"added"`
	Changed int64  `json:"changed"`
	Cleared int64  `json:"cleared"`
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
	// Was is the row's earlier entry that this one takes the place of; nil for a
	// row that comes for the first time.
	Was *Was
}

// Was is what a page keeps of an earlier entry that it replaces.
type Was struct {
	Outcome catalog.Outcome
	// Problems have code, severity and column alone.
	Problems []catalog.Problem
}

// Image is what one write did to one item: enough to show it and to take it back.
type Image struct {
	Row    int64
	Kind   catalog.Kind
	ItemID string
	// Outcome is what the write did. On the page of a row that was held it is
	// Held: what the row would have done.
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
	// Doc is the whole document of a deleted item; CreatedAt (milliseconds since
	// 1970), CreatedNo and GTINShared are that item's.
	Doc        catalog.Doc
	CreatedAt  int64
	CreatedNo  int64
	GTINShared bool
	// Live is the storefront's view before; LiveChanged says that it moved.
	Live        catalog.Live
	LiveChanged bool
}

// FormatVersion is the encoding that Encode writes. A reader refuses newer ones.
const FormatVersion = 2
