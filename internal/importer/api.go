package importer

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// Upload is a file that is stored but not yet an import.
type Upload struct {
	Name   string // as the client calls it
	Key    string // in the file store
	Size   int64
	SHA256 string

	received Reception
}

// Options say how an upload is to be imported. They are kept with the import.
type Options struct {
	// Source is a source's id; "" lets detection choose.
	Source string `json:"-"`
	// Mapping names columns; when Only is set columns it does not name are left out.
	Mapping     []source.Mapping `json:"-"`
	MappingOnly bool             `json:"-"`
	// Format, Delimiter and Encoding overrule detection where not "".
	Format, Delimiter, Encoding string `json:"-"`
	// Mode overrules the source's where HasMode is set.
	Mode    catalog.Mode `json:"-"`
	HasMode bool         `json:"-"`
	// Currency, Decimal, Blank and GTINCheck overrule the source's where not "".
	Currency, Decimal, Blank, GTINCheck string `json:"-"`
	// Door and CreatedBy say whose import it is.
	Door, CreatedBy string `json:"-"`
	// RequestKey is the request's Idempotency-Key with whose it is; "" for none. A
	// second Start with it is a *catalog.Fault of kind KindConflict.
	RequestKey string `json:"-"`

	// Plan stops once the plan is there: nothing is written before Apply.
	Plan bool `json:"plan,omitempty"`
	// Policy says what failed rows do to the others.
	Policy Policy `json:"policy,omitempty"`
	// StopAfter is the number of failed rows at which PolicyStop stops.
	StopAfter int64 `json:"stop_after,omitempty"`
	// Rails stop an import between its plan and its first write.
	Rails source.Rails `json:"rails,omitzero"`
	// Feed names the feed that the import belongs to; "" means its source's id.
	Feed string `json:"feed,omitempty"`
	// Missing says what happens to items that the feed owns and the file does not
	// name: "" or "leave", "deactivate", "delete".
	Missing string `json:"missing,omitempty"`
	// Currency of the workspace when the import began: plan, apply and retry go by
	// the same one.
	WorkspaceCurrency string `json:"workspace_currency,omitempty"`
	// Force makes an undo take back what others have changed since, too.
	Force bool `json:"force,omitempty"`
}

// Policy says what failed rows do to the other rows of their import.
type Policy string

const (
	PolicySkip Policy = ""     // they are left out; the others are applied
	PolicyStop Policy = "stop" // after Options.StopAfter of them the import stops
	PolicyAll  Policy = "all"  // all or nothing: one of them, and nothing is applied
)

// Findings are what a plan ran into: why an import did not go on by itself.
type Findings struct {
	// Tripped are the rails that the plan ran into.
	Tripped []Tripped `json:"tripped,omitempty"`
	// Confirm says that Apply has to be told to go on.
	Confirm bool `json:"confirm,omitempty"`
	// Stale says why a plan that was there must be made again, in a sentence.
	Stale string `json:"stale,omitempty"`
}

// FindingsOf returns what is noted of an import's plan.
func FindingsOf(imp *store.Import) (f Findings) {
	_ = json.Unmarshal(imp.Findings, &f) // written by this program, or empty
	return f
}

// OptionsOf returns the options that an import keeps.
func OptionsOf(imp *store.Import) (o Options) {
	_ = json.Unmarshal(imp.Options, &o) // written by this program, or empty
	return o
}

// Tripped is a rail that a plan ran into.
type Tripped struct {
	// Rail is changed_percent, price_move_percent, cleared_or_deleted,
	// rows_down_percent or, of a full feed, unreadable_keys or nothing_named.
	Rail string `json:"rail"`
	// Limit is what was allowed and Found what there is, in the rail's own unit.
	Limit float64 `json:"limit"`
	Found float64 `json:"found"`
	// Message says so for people.
	Message string `json:"message"`
	// Changes selects the rows that it is about, where a filter can.
	Changes *ChangeFilter `json:"changes,omitempty"`
}

// RowProblem is one line of an error report, CauseReport groups them.
type (
	RowProblem  = ledger.RowProblem
	CauseReport = ledger.CauseReport
)

// ProblemFilter selects problems; the zero value selects all errors.
type ProblemFilter struct {
	Severities ledger.Severities
	// Code selects problems of one code; "" selects all.
	Code catalog.Code
	// Column selects problems of one column by its heading, where HasColumn is set;
	// "" are those of the row as a whole.
	Column    string
	HasColumn bool
	// Plan reads the newest plan's problems instead of what was done.
	Plan bool
}

// ChangeFilter selects rows of a diff; zero fields do not narrow.
type ChangeFilter struct {
	// Plan reads the newest plan; otherwise what was done is read.
	Plan bool `json:"plan,omitempty"`
	// Outcome narrows to rows that ended so; catalog.Pending does not. Without it
	// the diff has the rows that write, and those held.
	Outcome catalog.Outcome `json:"outcome,omitempty"`
	// Property narrows to rows in which this field changes; Cleared further to
	// those where it goes.
	Property string `json:"property,omitempty"`
	Cleared  bool   `json:"cleared,omitempty"`
	// MinPercent and MaxPercent bound how far Property, or without one any field,
	// moves, as a number, in per cent of its old value and whatever the
	// direction; 0 does not bound.
	MinPercent float64 `json:"min_percent,omitempty"`
	MaxPercent float64 `json:"max_percent,omitempty"`
}

// RowChange is one item of a diff: what a row does, or did, to it.
type RowChange struct {
	Row     int64
	Outcome catalog.Outcome
	Kind    catalog.Kind
	// ItemID is "" for an item that a plan would create. SKU and GTIN are as the
	// item, or the row, has them.
	ItemID    string
	SKU, GTIN string
	// Fields are sorted; tokens are JSON, "" for absent. A created item has no old
	// tokens, a deleted one no new ones.
	Fields []catalog.FieldChange
	// Gone says that the values are past their retention.
	Gone bool
}

// ChangeSummary is what a plan would do, or an import did.
type ChangeSummary struct {
	Tally catalog.Tally
	// Cleared counts values that go; Fields counts by field.
	Cleared int64
	Fields  []ledger.FieldCount
	Causes  int
}

// RowFilter selects rows of a listing or a download.
type RowFilter struct {
	// Outcomes selects rows that ended so; catalog.Pending selects those not
	// processed. None selects all.
	Outcomes []catalog.Outcome
	// Plan reads the newest plan's outcomes.
	Plan bool
}

// RowReport is everything that is known of one row.
type RowReport struct {
	ledger.Entry
	// Pass says which pass gave the row its outcome, Batch which batch, Node where.
	Pass  ledger.Pass
	Batch int
	Node  string
	// Header and Cells are the file's columns and the row's cells as they stand,
	// corrections laid over; Original holds, by index, what corrected cells held
	// in the file.
	Header   []string
	Cells    []string
	Original map[int]string
	// Changes are what the row did, or would have done, to items.
	Changes []RowChange
}

// Check is what a corrected row would do if it ran now.
type Check struct {
	Row      int64
	Outcome  catalog.Outcome
	Problems []catalog.Problem
	Changes  []RowChange
}

// CorrectionReport says what became of an uploaded file of corrected rows.
type CorrectionReport struct {
	// Rows of the uploaded file; of those, how many Changed cells, were as before
	// (Same), or were not taken: they have no row key (NoKey), that of another
	// import (Foreign), of a row that is done already (Done), or of one that came
	// twice with other cells (Twice).
	Rows, Changed, Same, NoKey, Foreign, Done, Twice int64
	// Cells is how many cells were corrected.
	Cells int64
	// Ignored are columns of the uploaded file that the import's has not: at most 20
	// of them, then how many more.
	Ignored []string
	// Examples name up to ten rows that were not taken, with why.
	Examples []string
}

// RetryOptions say which rows of an import run again.
type RetryOptions struct {
	// Plan stops once the plan of the retry is there.
	Plan bool
	// Held takes held rows too: they are decided on the catalog as it is now.
	Held bool
	// Failed takes the failed rows, Unprocessed those that have no outcome yet.
	Failed, Unprocessed bool
	By                  string
}

// ApplyOptions say which plan is applied.
type ApplyOptions struct {
	Fingerprint string
	// Confirm goes on though rails were tripped.
	Confirm bool
}

// EditRequest asks for one item to be changed by hand.
type EditRequest struct {
	Kind catalog.Kind
	// ID is the item's.
	ID string
	// Set gives fields their new values as JSON tokens; "null" clears one.
	Set map[string]string
	// Replace clears every field that Set does not name; Delete removes the item.
	Replace, Delete bool
	// Version is the version that the item must still have; 0 for any: then a
	// Replace is decided again when others write meanwhile.
	Version int64
	// Door and By say whose edit it is, RequestKey which request made it.
	Door, By   string
	RequestKey string
}

// Edited is an edit that was made.
type Edited struct {
	Import store.Import
	// Item is the item after it; nil once deleted.
	Item *catalog.Item
	// Outcome is Updated, Unchanged or Deleted.
	Outcome catalog.Outcome
}

// HistoryStep is one write of an item, the newest first.
type HistoryStep struct {
	// Import is the import that wrote, Row its row.
	Import store.Import
	Row    int64
	// Outcome is Created, Updated or Deleted.
	Outcome catalog.Outcome
	Version int64 // of the item after the write
	At      time.Time
	// Fields are old -> new; Gone says that they are past their retention.
	Fields []catalog.FieldChange
	Gone   bool
}

// API is what the doors and the command line use. Every method that names an
// import which is not there returns a *catalog.Fault of kind KindNotFound.
type API interface {
	// Receive stores the bytes of an upload, hashing them on the way. A file
	// that no option could make importable (empty, binary, over the limit) is
	// a *Refusal with a fault of kind KindRefused or KindTooLarge.
	Receive(ctx context.Context, ws store.Workspace, door, createdBy, name string, body io.Reader) (*Upload, error)
	// Discard forgets an upload that will not be started.
	Discard(ctx context.Context, up *Upload)
	// Start makes an upload an import and sets it going. A file that cannot be
	// imported as the options ask is a *Refusal; its bytes are gone then.
	Start(ctx context.Context, ws store.Workspace, up *Upload, opt Options) (store.Import, error)

	// Import returns one import.
	Import(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	// ImportByRequest returns the import that a request key made;
	// store.ErrNotFound for none.
	ImportByRequest(ctx context.Context, ws store.Workspace, requestKey string) (store.Import, error)
	// Imports lists imports, newest first, and counts all that fit the filter.
	Imports(ctx context.Context, ws store.Workspace, f store.ImportFilter, r store.Range) ([]store.Import, int, error)
	// Batches lists the batches of an import's rows in order of passes and rows;
	// an empty pass lists those of all passes that write.
	Batches(ctx context.Context, ws store.Workspace, id string, pass ledger.Pass) ([]store.Batch, error)
	// Wait returns the import once its Version is past the one given or the
	// context ends, whichever is first; an ended context is no error here.
	Wait(ctx context.Context, ws store.Workspace, id string, version int64) (store.Import, error)
	// UndoableUntil is when retention takes what an undo needs; the zero time
	// says that the import cannot be undone any more, or changed nothing.
	UndoableUntil(imp *store.Import) time.Time
	// WaitingFor says in a sentence why an import that should move cannot: every
	// node holds, or none is at work. "" where nothing keeps it.
	WaitingFor(ctx context.Context, imp *store.Import) string

	// Pause, Resume and Terminate move an import; a *catalog.Fault of kind
	// KindConflict says that its state does not allow it. Each returns the
	// import as it then is. Asking for what already is, is no error. An
	// import that is planned is given up by Terminate.
	Pause(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	Resume(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	Terminate(ctx context.Context, ws store.Workspace, id string) (store.Import, error)

	// Apply writes what the plan showed. KindConflict: there is no such plan
	// (code plan_changed, wrong_state), or it waits to be confirmed
	// (confirmation_needed).
	Apply(ctx context.Context, ws store.Workspace, id string, opt ApplyOptions) (store.Import, error)
	// Replan makes the plan of a planned import again.
	Replan(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	// Retry runs rows of an ended import again, under the same import.
	// KindConflict: it has none (nothing_to_retry), or its state does not allow it.
	Retry(ctx context.Context, ws store.Workspace, id string, opt RetryOptions) (store.Import, error)
	// Undo starts an import that takes back what an ended one wrote. Of opt, Plan,
	// Force, Door, CreatedBy and RequestKey count. KindConflict: it wrote nothing
	// (nothing_to_undo), it is too late (undo_expired), or it was undone already.
	Undo(ctx context.Context, ws store.Workspace, id string, opt Options) (store.Import, error)

	// Summary counts what the newest plan would do (plan), or what was done.
	Summary(ctx context.Context, ws store.Workspace, id string, plan bool) (ChangeSummary, error)
	// Changes lists a diff in order of rows and counts all that fit the filter;
	// EachChange calls fn with all of them.
	Changes(ctx context.Context, ws store.Workspace, id string, f ChangeFilter, r store.Range) ([]RowChange, int, error)
	EachChange(ctx context.Context, ws store.Workspace, id string, f ChangeFilter, fn func(RowChange) error) error
	// WriteChanges writes the changes that fit the filter as CSV with the columns
	// ChangeColumns: a line for each field, those of created and deleted items too.
	// Nothing is written before the import and its pages are found.
	WriteChanges(ctx context.Context, ws store.Workspace, id string, f ChangeFilter, w io.Writer) error

	// Problems lists the problems of an import in order of rows, and counts all
	// that fit the filter; a row that ran again has those of its last run.
	Problems(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, r store.Range) ([]RowProblem, int, error)
	// EachProblem calls fn with every problem in order of rows.
	EachProblem(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, fn func(RowProblem) error) error
	// Causes groups the problems by code and column, the most frequent first, with
	// up to examples distinct values of each.
	Causes(ctx context.Context, ws store.Workspace, id string, plan bool, examples int) ([]CauseReport, error)

	// Row returns everything about one row by its number; KindNotFound when the
	// file has none such.
	Row(ctx context.Context, ws store.Workspace, id string, row int64) (RowReport, error)
	// Rows lists rows in order with how they ended; their cells are not read.
	Rows(ctx context.Context, ws store.Workspace, id string, f RowFilter, r store.Range) ([]ledger.Entry, int, error)
	// EachRow calls fn with every row done so far in order of batches.
	EachRow(ctx context.Context, ws store.Workspace, id string, fn func(ledger.Entry) error) error
	// WriteRows writes the rows that fit the filter as CSV, in the uploaded
	// file's own columns and order with its corrections laid over, and behind them
	// the columns RowColumns. KindConflict (file_gone) when the file is not kept.
	WriteRows(ctx context.Context, ws store.Workspace, id string, f RowFilter, w io.Writer) error

	// Correct lays cells, by heading, over one row that is not done, and says
	// what the row would now do. KindInvalid names headings that the file lacks.
	Correct(ctx context.Context, ws store.Workspace, id string, row int64, cells map[string]string, by string) (Check, error)
	// Uncorrect takes the corrections of one row away and checks it again.
	Uncorrect(ctx context.Context, ws store.Workspace, id string, row int64) (Check, error)
	// CorrectFile takes a file of WriteRows back, edited: each row is attached by
	// its row key, in whatever order and with whatever columns left.
	CorrectFile(ctx context.Context, ws store.Workspace, id, name, by string, body io.Reader) (CorrectionReport, error)
	// Fix corrects all rows with one cause; it returns how many rows it reaches.
	// KindConflict (nothing_to_fix) when there are none.
	Fix(ctx context.Context, ws store.Workspace, id string, f store.Fix) (store.Fix, int64, error)
	// Fixes lists the fixes of an import; Unfix takes one away. KindConflict
	// (fix_used) once a row was done with it.
	Fixes(ctx context.Context, ws store.Workspace, id string) ([]store.Fix, error)
	Unfix(ctx context.Context, ws store.Workspace, id string, no int) error

	// Edit changes one item by hand: an import of one row. A change that cannot
	// be made is a *catalog.Fault of kind KindInvalid with the row's problems in
	// Fields, of KindNotFound, or of KindConflict (version_conflict).
	Edit(ctx context.Context, ws store.Workspace, e EditRequest) (Edited, error)
	// History lists the writes of an item, the newest first, at most limit
	// (0: all). KindNotFound for an item that is deleted. truncated says that
	// older ones are past their retention.
	History(ctx context.Context, ws store.Workspace, kind catalog.Kind, id string, limit int) (steps []HistoryStep, truncated bool, err error)
}

// RowColumns are the columns that WriteRows adds behind the file's own. The row
// key names the import and the row, so that a file that was sorted and cut finds
// its way back; the others are for people.
var RowColumns = [...]string{"tallyman_row", "tallyman_status", "tallyman_code", "tallyman_message"}
