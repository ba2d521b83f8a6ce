package rest

import (
	"math"
	"time"

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
	Error         string  `json:"error,omitempty" doc:"Why a failed import failed, as a stable word"`
	Message       string  `json:"message,omitempty" doc:"Why a failed import failed, for people"`
	Source        string  `json:"source" doc:"How the file is read"`
	SourceName    string  `json:"source_name" doc:"The file's name"`
	Mode          string  `json:"mode" enum:"create,update,upsert"`
	UnchangedRows int64   `json:"unchanged_rows" doc:"Rows that ask for what already is"`
	DeletedRows   int64   `json:"deleted_rows"`
	SkippedRows   int64   `json:"skipped_rows" doc:"Rows that ask for nothing"`
	HeldRows      int64   `json:"held_rows" doc:"Rows whose product changed since they were planned"`
	WarningRows   int64   `json:"warning_rows" doc:"Rows with at least one warning"`
	ErrorCount    int64   `json:"error_count" doc:"Errors; a row may have several"`
	Progress      int     `json:"progress" doc:"Per cent of the rows done" minimum:"0" maximum:"100"`
	StartedAt     *string `json:"started_at" format:"date-time"`
	UpdatedAt     string  `json:"updated_at" format:"date-time" doc:"When the state last changed"`
	FileSize      int64   `json:"file_size" doc:"Bytes"`
	SHA256        string  `json:"sha256"`
	// RowsPerSecond and SecondsLeft are there while the import runs.
	RowsPerSecond *float64 `json:"rows_per_second,omitempty" doc:"Rows done for each second since the start, pauses included"`
	SecondsLeft   *int64   `json:"seconds_left,omitempty" doc:"At that rate; absent until the file is counted"`
}

// ImportObject returns the import in the door's shape. The command line prints
// the same.
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
	o.Error, o.Message = faultOf(&imp)
	o.RowsPerSecond, o.SecondsLeft = paceOf(&imp, now)
	return o
}

// progressOf is 100 for a finished import alone, so that nobody takes the last
// rows for done before they are.
func progressOf(imp *store.Import) int {
	switch {
	case imp.State == store.Done:
		return 100
	case !imp.Sliced || imp.Rows <= 0:
		return 0
	}
	return int(min(imp.Tally.Rows()*100/imp.Rows, 99))
}

// paceOf returns the rate of a running import since its start, and the seconds
// that the rest takes at that rate.
func paceOf(imp *store.Import, now time.Time) (rate *float64, left *int64) {
	done := imp.Tally.Rows()
	if imp.State != store.Running || imp.StartedAt == nil || done == 0 {
		return nil, nil
	}
	seconds := now.Sub(*imp.StartedAt).Seconds()
	if seconds <= 0 {
		return nil, nil
	}
	perSecond := math.Round(float64(done)/seconds*10) / 10
	rate = &perSecond
	if imp.Sliced && perSecond > 0 {
		rest := int64(math.Ceil(float64(imp.Rows-done) / perSecond))
		left = &rest
	}
	return rate, left
}

// Batch is a run of an import's rows that is worked on as one.
type Batch struct {
	Number        int     `json:"number"`
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
