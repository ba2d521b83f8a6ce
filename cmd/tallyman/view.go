package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// view is an import as the command line shows it: the REST door's object,
// whether it came from a server or was made here, so that both look the same.
type view struct {
	ID            string     `json:"id"`
	State         string     `json:"state"`
	Status        string     `json:"status"`
	Source        string     `json:"source"`
	SourceName    string     `json:"source_name"`
	Mode          string     `json:"mode"`
	TotalRows     int64      `json:"total_rows"`
	ProcessedRows int64      `json:"processed_rows"`
	CreatedRows   int64      `json:"created_rows"`
	UpdatedRows   int64      `json:"updated_rows"`
	UnchangedRows int64      `json:"unchanged_rows"`
	DeletedRows   int64      `json:"deleted_rows"`
	ErrorRows     int64      `json:"error_rows"`
	SkippedRows   int64      `json:"skipped_rows"`
	HeldRows      int64      `json:"held_rows"`
	WarningRows   int64      `json:"warning_rows"`
	Fault         string     `json:"error"`
	Message       string     `json:"message"`
	WaitingFor    string     `json:"waiting_for"`
	CreatedAt     *time.Time `json:"created_at"`
	StartedAt     *time.Time `json:"started_at"`
	CompletedAt   *time.Time `json:"completed_at"`

	SHA256            string      `json:"sha256"`
	Round             int         `json:"round"`
	RoundRows         int64       `json:"round_rows"`
	RoundDone         int64       `json:"round_done"`
	Pass              string      `json:"pass"`
	Policy            string      `json:"policy"`
	Fingerprint       string      `json:"fingerprint"`
	Plan              *planCounts `json:"plan"`
	NeedsConfirmation bool        `json:"needs_confirmation"`
	Findings          []tripped   `json:"findings"`
	Stale             string      `json:"stale"`
	MissingRows       int64       `json:"missing_rows"`
	UndoOf            string      `json:"undo_of"`
	UndoneBy          string      `json:"undone_by"`
	DuplicateOf       string      `json:"duplicate_of"`
	UndoableUntil     *time.Time  `json:"undoable_until"`
	RevertedRows      int64       `json:"reverted_rows"`
	KeptRows          int64       `json:"kept_rows"`

	// object is the REST door's object itself, on one line.
	object json.RawMessage
	// version is the import's version where it is known: what a wait begins at.
	version int64
	// followed says that StartedAt is when the pass began that was followed, and not
	// one before it.
	followed bool
}

// planCounts are the rows of a plan by what would become of them.
type planCounts struct {
	Created   int64 `json:"created"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	Deleted   int64 `json:"deleted"`
	Failed    int64 `json:"failed"`
	Skipped   int64 `json:"skipped"`
	Held      int64 `json:"held"`
	Warnings  int64 `json:"warnings"`
}

// rows is the number of rows that the plan accounts for so far; none where there
// is no plan.
func (c *planCounts) rows() int64 {
	if c == nil {
		return 0
	}
	return c.Created + c.Updated + c.Unchanged + c.Deleted + c.Failed + c.Skipped + c.Held
}

// writes is the number of rows that would change the catalog.
func (c *planCounts) writes() int64 { return c.Created + c.Updated + c.Deleted }

// failed is the number of rows that would fail; none where there is no plan.
func (c *planCounts) failed() int64 {
	if c == nil {
		return 0
	}
	return c.Failed
}

// tripped is a rail that a plan ran into.
type tripped struct {
	Rail    string `json:"rail"`
	Message string `json:"message"`
	// ChangesURL lists the changes that it is about, where they can be told apart.
	ChangesURL string `json:"changes_url"`
}

// viewOf reads the REST door's object.
func viewOf(object json.RawMessage) (view, error) {
	v := view{object: object}
	if err := json.Unmarshal(object, &v); err != nil {
		return view{}, fmt.Errorf("read import: %w", err)
	}
	return v, nil
}

// rowError is a row's error as a tally shows it.
type rowError struct {
	Row     int64  `json:"row"`
	Column  string `json:"column"`
	Value   string `json:"value"`
	Message string `json:"message"`
}

// ended reports whether the import will not move again by itself.
func (v *view) ended() bool {
	switch v.State {
	case "done", "terminated", "stopped", "rolled_back", "refused", "failed":
		return true
	}
	return false
}

// rests reports whether nothing happens before someone asks for it.
func (v *view) rests() bool { return v.ended() || v.paused() || v.planned() }

// planned reports whether the import's plan waits to be applied.
func (v *view) planned() bool { return v.State == "planned" }

// wrote reports whether the import may have changed the catalog.
func (v *view) wrote() bool {
	return !v.undo() && v.State != "refused" && v.CreatedRows+v.UpdatedRows+v.DeletedRows+v.UnchangedRows > 0
}

// rolledBack reports whether what the import had applied was taken back, and not
// only that it stopped at its plan.
func (v *view) rolledBack() bool {
	return v.State == "rolled_back" && v.CreatedRows+v.UpdatedRows+v.DeletedRows > 0
}

// undo reports whether the import takes another one back.
func (v *view) undo() bool { return v.UndoOf != "" }

// total is how many rows the import has: those of its file, and items that a full
// feed no longer names.
func (v *view) total() int64 { return v.TotalRows + v.MissingRows }

// barred reports whether the plan cannot be applied because it is all or nothing
// and rows of it fail.
func (v *view) barred() bool { return v.Policy == "all_or_nothing" && v.Plan.failed() > 0 }

// paused reports whether the import waits for someone to resume it.
func (v *view) paused() bool { return v.State == "paused" }

// exitError is the exit code of an import that ended so, as an error. A row that
// was held, or kept by an undo, is no more as asked than one that failed.
func (v *view) exitError() error {
	switch {
	case v.State == "done" && v.ErrorRows == 0 && v.HeldRows == 0:
		return nil
	case v.State == "done":
		return &exit{code: exitErrors}
	case v.State == "refused":
		return &exit{code: exitRefused}
	}
	return &exit{code: exitOther}
}

// planExit is the exit code of a plan, as an error: whether it would change
// anything, and before that, whether rows are wrong.
func (v *view) planExit() error {
	switch {
	case v.State == "refused", v.Plan != nil && v.Plan.Failed > 0:
		return &exit{code: exitRefused}
	case !v.planned() || v.Plan == nil:
		return &exit{code: exitOther}
	case v.Plan.writes() > 0:
		return &exit{code: exitErrors}
	}
	return nil
}
