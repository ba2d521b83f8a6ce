package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// Step is one write of a product.
type Step struct {
	ImportID   string        `json:"import_id" doc:"The import that wrote; an edit is one too" example:"imp_01HQ3K5V8Z6Y4X2W0T1R3P5N7M"`
	Source     string        `json:"source" doc:"How its file was read; edit for edits"`
	SourceName string        `json:"source_name" doc:"Its file's name"`
	By         string        `json:"by" doc:"The key or user that made it"`
	Row        int64         `json:"row" doc:"The row that wrote"`
	Outcome    string        `json:"outcome" enum:"created,updated,deleted"`
	Version    int64         `json:"version" doc:"The product's version after it"`
	At         string        `json:"at" format:"date-time"`
	Fields     []FieldChange `json:"fields" nullable:"false" doc:"What it changed, old and new"`
	Gone       bool          `json:"gone,omitempty" doc:"True when the values are past their retention"`
}

// StepObject returns a write in the door's shape. The command line prints the
// same.
func StepObject(s *importer.HistoryStep) Step {
	return Step{ImportID: s.Import.ID, Source: s.Import.Source, SourceName: s.Import.SourceName, By: s.Import.CreatedBy, Row: s.Row,
		Outcome: outcomeWord(s.Outcome), Version: s.Version, At: stamp(s.At), Fields: fieldChanges(s.Fields), Gone: s.Gone}
}

// History is the writes of a product.
type History struct {
	Steps     []Step `json:"steps" nullable:"false" doc:"The newest first"`
	Truncated bool   `json:"truncated" doc:"True when there were older ones, which are past their retention"`
}

// history registers GET /products/{id}/history.
func (d *door) history(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "get-product-history", Method: http.MethodGet, Path: "/products/{id}/history", Tags: []string{tagProducts},
		Summary:     "Get a product's history",
		Description: "Lists the writes of a product, the newest first: which import and row set which value, old and new.",
	}, account.Read, d.getHistory)
}

type historyRequest struct {
	ProductPath
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Writes to list, at most"`
}

type historyAnswer struct{ Body History }

func (d *door) getHistory(ctx context.Context, p account.Principal, in *historyRequest) (*historyAnswer, error) {
	id := in.ID
	if !isItemID(id) {
		it, err := d.byEAN(ctx, p.WS, id)
		if err != nil {
			return nil, err
		}
		id = it.ID
	}
	steps, truncated, err := d.cfg.Imports.History(ctx, p.WS, catalog.KindProduct, id, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &historyAnswer{Body: History{Steps: make([]Step, len(steps)), Truncated: truncated}}
	for i := range steps {
		out.Body.Steps[i] = StepObject(&steps[i])
	}
	return out, nil
}
