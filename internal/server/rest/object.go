package rest

import (
	"context"
	"math"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// Import is an import as this door shows it: the fields of the seed document
// under their own names, and more beside them.
type Import struct {
	ID            string  `json:"id" example:"imp_01HQ3K5V8Z6Y4X2W0T1R3P5N7M"`
	Status        string  `json:"status" enum:"pending,processing,completed,completed_with_errors,failed"`
	Format        *string `json:"format" doc:"csv, xlsx or json; null where the file is none of them"`
	TotalRows     int64   `json:"total_rows" doc:"Rows found in the file; final once the file is counted"`
	ProcessedRows int64   `json:"processed_rows" doc:"Rows that have an outcome"`
	CreatedRows   int64   `json:"created_rows"`
	UpdatedRows   int64   `json:"updated_rows"`
	ErrorRows     int64   `json:"error_rows" doc:"Rows that failed"`
	CreatedAt     string  `json:"created_at" format:"date-time" example:"2024-03-15T09:00:00Z"`
	CompletedAt   *string `json:"completed_at" format:"date-time" doc:"Null until the import has ended"`

	State         string  `json:"state" doc:"Where the import stands, more exactly than its status"`
	Paused        bool    `json:"paused,omitempty" doc:"True while the import is paused"`
	WaitingFor    *string `json:"waiting_for" doc:"Why an import that should move stands still, for people: no node is at work, or every node holds because of its disk, database or file store. It goes on by itself; null where nothing keeps it"`
	Error         string  `json:"error,omitempty" doc:"Why a failed import failed, as a stable word"`
	Message       string  `json:"message,omitempty" doc:"Why a failed import failed, for people"`
	Source        string  `json:"source" doc:"How the file is read"`
	SourceName    string  `json:"source_name" doc:"The file's name"`
	Mode          string  `json:"mode" enum:"create,update,upsert"`
	UnchangedRows int64   `json:"unchanged_rows" doc:"Rows that ask for what already is"`
	DeletedRows   int64   `json:"deleted_rows"`
	SkippedRows   int64   `json:"skipped_rows" doc:"Rows that ask for nothing"`
	HeldRows      int64   `json:"held_rows" doc:"Rows whose product changed since they were planned; a retry can take them"`
	WarningRows   int64   `json:"warning_rows" doc:"Rows with at least one warning"`
	ErrorCount    int64   `json:"error_count" doc:"Errors; a row may have several"`
	Progress      int     `json:"progress" doc:"Per cent of the rows done, by the plan while it is made" minimum:"0" maximum:"100"`
	StartedAt     *string `json:"started_at" format:"date-time"`
	UpdatedAt     string  `json:"updated_at" format:"date-time" doc:"When the state last changed"`
	FileSize      int64   `json:"file_size" doc:"Bytes"`
	SHA256        string  `json:"sha256"`
	// RoundRows and RoundDone are there while a retry, or its plan, is at work or
	// waits.
	RoundRows int64 `json:"round_rows,omitempty" doc:"Rows that a retry runs again"`
	RoundDone int64 `json:"round_done,omitempty" doc:"Of those, the rows of finished batches"`
	// RowsPerSecond and SecondsLeft are there while the import plans or runs.
	RowsPerSecond *float64 `json:"rows_per_second,omitempty" doc:"Rows done for each second since the start, pauses included; while a plan is applied, since that began"`
	SecondsLeft   *int64   `json:"seconds_left,omitempty" doc:"At that rate; absent until the file is counted"`

	Round       int    `json:"round" doc:"Runs over its rows: 0 is the first, each retry is one more"`
	Pass        string `json:"pass,omitempty" doc:"The run at work, or the last that was: plan, apply, plan-1, retry-1 and so on" example:"apply"`
	Policy      string `json:"policy" enum:"skip,stop,all_or_nothing" doc:"What failed rows do to the others"`
	StopAfter   int64  `json:"stop_after,omitempty" doc:"Failed rows at which the policy stop stops"`
	Feed        string `json:"feed,omitempty" doc:"What the import belongs to: its source, or the feed it was given"`
	MissingRows int64  `json:"missing_rows,omitempty" doc:"Products that a full feed no longer names; they count as rows"`

	// What there is of a plan.
	Plan              *PlanCounts `json:"plan,omitempty" doc:"What the plan's rows would do; absent where there is no plan"`
	Fingerprint       string      `json:"fingerprint,omitempty" doc:"Names the plan: what apply has to be given. Absent while there is none, and once it no longer holds"`
	NeedsConfirmation bool        `json:"needs_confirmation,omitempty" doc:"True when apply has to be told to go on, because of the findings"`
	Findings          []Finding   `json:"findings,omitempty" nullable:"false" doc:"The limits that the plan ran into"`
	Stale             string      `json:"stale,omitempty" doc:"Why the plan must be made again, for people"`

	// How it belongs to other imports.
	DuplicateOf   string  `json:"duplicate_of,omitempty" doc:"An earlier import of the same content by the same source"`
	UndoOf        string  `json:"undo_of,omitempty" doc:"The import that this one takes back"`
	UndoneBy      string  `json:"undone_by,omitempty" doc:"The newest import that takes this one back"`
	UndoableUntil *string `json:"undoable_until,omitempty" format:"date-time" doc:"Until when it can be taken back; absent when it cannot"`
	// RevertedRows and KeptRows are those of an undo.
	RevertedRows *int64 `json:"reverted_rows,omitempty" doc:"Of an undo: rows that were taken back"`
	KeptRows     *int64 `json:"kept_rows,omitempty" doc:"Of an undo: rows that others changed since and that stay as they are"`
}

// ImportObject returns the import in the door's shape but for UndoableUntil and
// WaitingFor, which are the importer's to say (see SetUndoable and SetWaiting). The command line prints the
// same.
func ImportObject(imp store.Import, now time.Time) Import {
	t := &imp.Tally
	o := Import{
		ID:            imp.ID,
		Status:        statusOf(&imp),
		TotalRows:     imp.Rows,
		ProcessedRows: t.Rows(),
		CreatedRows:   t.Created,
		UpdatedRows:   t.Updated,
		ErrorRows:     t.Failed,
		CreatedAt:     stamp(imp.CreatedAt),
		CompletedAt:   stampOf(imp.CompletedAt),
		State:         string(imp.State),
		Paused:        imp.State == store.Paused,
		Source:        imp.Source,
		SourceName:    imp.SourceName,
		Mode:          imp.Mode.String(),
		UnchangedRows: t.Unchanged,
		DeletedRows:   t.Deleted,
		SkippedRows:   t.Skipped,
		HeldRows:      t.Held,
		WarningRows:   t.Warned,
		ErrorCount:    t.Errors,
		Progress:      progressOf(&imp),
		StartedAt:     stampOf(imp.StartedAt),
		UpdatedAt:     stamp(imp.UpdatedAt),
		FileSize:      imp.FileSize,
		SHA256:        imp.SHA256,
	}
	if imp.Format != "" {
		o.Format = &imp.Format
	}
	if imp.Round > 0 && !imp.State.Ended() {
		o.RoundRows, o.RoundDone = imp.PassRows, imp.PassDone
	}
	o.Error, o.Message = faultOf(&imp)
	o.RowsPerSecond, o.SecondsLeft = paceOf(&imp, now)
	o.setOptions(&imp)
	o.setPlan(&imp)
	o.setUndo(&imp)
	return o
}

// setOptions shows how the import was asked for, and which run it is at.
func (o *Import) setOptions(imp *store.Import) {
	opt := importer.OptionsOf(imp)
	o.Round, o.Pass = imp.Round, string(imp.Pass)
	o.Policy, o.StopAfter = policyWords[opt.Policy], opt.StopAfter
	o.Feed, o.MissingRows = imp.Feed, imp.Extra
	o.DuplicateOf = imp.DuplicateOf
}

// setUndo shows what the import has to do with undoing.
func (o *Import) setUndo(imp *store.Import) {
	o.UndoOf, o.UndoneBy = imp.UndoOf, imp.UndoneBy
	if imp.UndoOf == "" {
		return
	}
	t := &imp.Tally
	reverted, kept := t.Created+t.Updated+t.Deleted, t.Held
	o.RevertedRows, o.KeptRows = &reverted, &kept
}

// SetUndoable shows until when the import can be taken back; the zero time says
// that it cannot.
func (o *Import) SetUndoable(until time.Time) {
	o.UndoableUntil = nil
	if !until.IsZero() {
		o.UndoableUntil = stampOf(&until)
	}
}

// SetWaiting shows why the import stands still; "" for nothing.
func (o *Import) SetWaiting(reason string) {
	o.WaitingFor = nil
	if reason != "" {
		o.WaitingFor = &reason
	}
}

// object returns the import in the door's shape, whole.
func (d *door) object(ctx context.Context, imp store.Import) Import {
	o := ImportObject(imp, d.cfg.Now())
	o.SetUndoable(d.cfg.Imports.UndoableUntil(&imp))
	o.SetWaiting(d.cfg.Imports.WaitingFor(ctx, &imp))
	for i := range o.Findings {
		if f := &o.Findings[i]; f.ChangesURL != "" {
			f.ChangesURL = d.base + f.ChangesURL
		}
	}
	return o
}

// rowsOf is the number of an import's rows, and how many of them are done: by
// the plan while that is made, for nothing else moves then.
func rowsOf(imp *store.Import) (done, all int64) {
	all = imp.Rows + imp.Extra
	if imp.State == store.Planning || imp.State == store.Planned {
		return imp.Plan.Rows(), all
	}
	return imp.Tally.Rows(), all
}

// progressOf is 100 for a finished import, or a finished plan, alone, so that nobody
// takes the last rows for done before they are. A retry's is that of its own rows.
func progressOf(imp *store.Import) int {
	done, all := rowsOf(imp)
	if imp.Round > 0 && !imp.State.Ended() {
		done, all = imp.PassDone, imp.PassRows
	}
	switch {
	case imp.State == store.Done, imp.State == store.Planned:
		return 100
	case !imp.Sliced || all <= 0:
		return 0
	}
	return int(min(done*100/all, 99))
}

// paceOf returns the rate at which the pass at work gets on, and the seconds that
// the rest takes at that rate. A retry has none: what it found done says nothing
// of its own speed.
func paceOf(imp *store.Import, now time.Time) (rate *float64, left *int64) {
	done, all := rowsOf(imp)
	began := imp.StartedAt
	switch {
	case imp.State == store.Running && imp.Plan.Rows() > 0:
		began = &imp.UpdatedAt // when the plan was let go
	case imp.State != store.Running && imp.State != store.Planning:
		return nil, nil
	}
	if began == nil || done == 0 || imp.Round > 0 {
		return nil, nil
	}
	seconds := now.Sub(*began).Seconds()
	if seconds <= 0 {
		return nil, nil
	}
	perSecond := math.Round(float64(done)/seconds*10) / 10
	rate = &perSecond
	if imp.Sliced && perSecond > 0 {
		rest := int64(math.Ceil(float64(all-done) / perSecond))
		left = &rest
	}
	return rate, left
}

// Batch is a run of an import's rows that is worked on as one.
type Batch struct {
	Number        int     `json:"number"`
	Pass          string  `json:"pass" doc:"The run over the rows that it belongs to" example:"apply"`
	Node          string  `json:"node,omitempty" doc:"The process that last worked on it"`
	State         string  `json:"state" enum:"waiting,queued,running,paused,done,terminated,failed"`
	FirstRow      int64   `json:"first_row" doc:"Number of its first row, the header being row 1"`
	TotalRows     int64   `json:"total_rows"`
	ProcessedRows int64   `json:"processed_rows"`
	CreatedRows   int64   `json:"created_rows"`
	UpdatedRows   int64   `json:"updated_rows"`
	UnchangedRows int64   `json:"unchanged_rows"`
	DeletedRows   int64   `json:"deleted_rows"`
	SkippedRows   int64   `json:"skipped_rows"`
	HeldRows      int64   `json:"held_rows"`
	ErrorRows     int64   `json:"error_rows"`
	UpdatedAt     *string `json:"updated_at" format:"date-time" doc:"When it last moved"`
}

func batchObject(b *store.Batch) Batch {
	t := &b.Tally
	return Batch{
		Number:        b.No,
		Pass:          string(b.Pass),
		Node:          b.Node,
		State:         string(b.State),
		FirstRow:      b.FirstRow,
		TotalRows:     b.Rows,
		ProcessedRows: t.Rows(),
		CreatedRows:   t.Created,
		UpdatedRows:   t.Updated,
		UnchangedRows: t.Unchanged,
		DeletedRows:   t.Deleted,
		SkippedRows:   t.Skipped,
		HeldRows:      t.Held,
		ErrorRows:     t.Failed,
		UpdatedAt:     stampOf(b.Beat),
	}
}
