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
	CreatedAt     *time.Time `json:"created_at"`
	StartedAt     *time.Time `json:"started_at"`
	CompletedAt   *time.Time `json:"completed_at"`

	// object is the REST door's object itself, on one line.
	object json.RawMessage
	// version is the import's version where it is known: what a wait begins at.
	version int64
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
	case "done", "terminated", "refused", "failed":
		return true
	}
	return false
}

// paused reports whether the import waits for someone to resume it.
func (v *view) paused() bool { return v.State == "paused" }

// exitError is the exit code of an import that ended so, as an error.
func (v *view) exitError() error {
	switch {
	case v.State == "done" && v.ErrorRows == 0:
		return nil
	case v.State == "done":
		return &exit{code: exitErrors}
	case v.State == "refused":
		return &exit{code: exitRefused}
	}
	return &exit{code: exitOther}
}
