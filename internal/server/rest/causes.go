package rest

import (
	"context"

	"tallyman/internal/account"
	"tallyman/internal/importer"
)

// Cause is what problems have in common, with their number.
type Cause struct {
	Error    string    `json:"error" doc:"The kind of error" example:"validation_error"`
	Code     string    `json:"code" doc:"The error more exactly" example:"invalid_price"`
	Severity string    `json:"severity" enum:"error,warning"`
	Column   string    `json:"column" doc:"The heading of the column; empty for what is wrong with rows as a whole"`
	Count    int64     `json:"count" doc:"Problems of this cause"`
	Examples []Example `json:"examples" nullable:"false" doc:"One for each of some distinct values"`
}

// Example is one problem of a cause.
type Example struct {
	Row     int64  `json:"row" doc:"Number of the row, the header being row 1"`
	Value   string `json:"value" doc:"The offending value, shortened"`
	Message string `json:"message"`
}

// CauseObject returns a cause in the door's shape. The command line prints the
// same.
func CauseObject(c *importer.CauseReport) Cause {
	o := Cause{Error: rowWord(c.Code), Code: string(c.Code), Severity: c.Severity.String(), Column: c.Column, Count: c.Count,
		Examples: make([]Example, len(c.Examples))}
	for i, e := range c.Examples {
		o.Examples[i] = Example{Row: e.Row, Value: e.Value, Message: e.Message}
	}
	return o
}

// All is a listing that is never paged.
type All[T any] struct {
	Data []T `json:"data" nullable:"false"`
}

type causesRequest struct {
	ImportPath
	PlanQuery
	Examples int `query:"examples" minimum:"0" maximum:"20" default:"3" doc:"Example values of each cause, at most"`
}

type causesAnswer struct{ Body All[Cause] }

func (d *door) listCauses(ctx context.Context, p account.Principal, in *causesRequest) (*causesAnswer, error) {
	found, err := d.cfg.Imports.Causes(ctx, p.WS, in.ID, in.Plan, in.Examples)
	if err != nil {
		return nil, err
	}
	out := &causesAnswer{}
	out.Body.Data = make([]Cause, len(found))
	for i := range found {
		out.Body.Data[i] = CauseObject(&found[i])
	}
	return out, nil
}
