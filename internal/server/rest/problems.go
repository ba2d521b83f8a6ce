package rest

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
)

// RowError is one error or warning of a row: the seed document's four fields
// under their own names, and more beside them.
type RowError struct {
	Row      int64   `json:"row" doc:"Number of the row, the header being row 1"`
	EAN      *string `json:"ean" doc:"The row's EAN as the file has it"`
	Error    string  `json:"error" doc:"The kind of error" example:"validation_error"`
	Message  string  `json:"message" example:"Invalid EAN format."`
	SKU      *string `json:"sku" doc:"The row's SKU as the file has it"`
	Column   string  `json:"column,omitempty" doc:"The heading of the column"`
	Value    string  `json:"value,omitempty" doc:"The offending value, shortened"`
	Code     string  `json:"code" doc:"The error more exactly" example:"invalid_gtin"`
	Severity string  `json:"severity" enum:"error,warning"`
	Line     int64   `json:"line,omitempty" doc:"The line of the file on which the row begins, where the format has lines"`
}

// RowErrorObject returns a problem in the door's shape. The command line prints
// the same.
func RowErrorObject(p *importer.RowProblem) RowError {
	return RowError{
		Row:      p.Row,
		EAN:      identOf(p, catalog.KeyGTIN),
		Error:    rowWord(p.Code),
		Message:  p.Message,
		SKU:      identOf(p, catalog.KeySKU),
		Column:   p.Column,
		Value:    p.Value,
		Code:     string(p.Code),
		Severity: p.Severity.String(),
		Line:     p.Line,
	}
}

// identOf returns the identifying cell of a field, nil where the row has none.
func identOf(p *importer.RowProblem, field catalog.KeyField) *string {
	for i := range p.Ident {
		if p.Ident[i].Field == field {
			return &p.Ident[i].Value
		}
	}
	return nil
}

// problems registers the listings of what is wrong with an import's rows.
func (d *door) problems(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "list-import-errors", Method: http.MethodGet, Path: "/imports/{id}/errors", Tags: []string{tagImports},
		Summary:     "Get import errors",
		Description: "Returns the rows that failed during the import, with error details, in the order of the file. A row with two errors is listed twice.",
	}, account.Read, d.listErrors)
	operation(d, api, huma.Operation{
		OperationID: "list-import-causes", Method: http.MethodGet, Path: "/imports/{id}/causes", Tags: []string{tagImports},
		Summary:     "List causes of errors",
		Description: "Groups errors and warnings by code and column, the most frequent first, with exact counts and example values. All causes come at once.",
	}, account.Read, d.listCauses)
	download(d, api, huma.Operation{
		OperationID: "download-import-errors", Path: "/imports/{id}/errors.csv", Tags: []string{tagImports},
		Summary:     "Download import errors",
		Description: "Returns all errors as CSV, one a line. " + csvText,
	}, func(p account.Principal, in *errorsRequest) file {
		return file{name: in.ID + "-errors.csv", write: func(ctx context.Context, w io.Writer) error {
			report := NewProblemsCSV(w)
			if err := d.cfg.Imports.EachProblem(ctx, p.WS, in.ID, in.filter(), report.Add); err != nil {
				return err
			}
			return report.Close()
		}}
	})
}

type errorsRequest struct {
	ImportPath
	ProblemQuery
}

type listErrorsRequest struct {
	ImportPath
	Paging
	ProblemQuery
}

type listErrorsAnswer struct{ Body List[RowError] }

func (d *door) listErrors(ctx context.Context, p account.Principal, in *listErrorsRequest) (*listErrorsAnswer, error) {
	found, total, err := d.cfg.Imports.Problems(ctx, p.WS, in.ID, in.filter(), in.span())
	if err != nil {
		return nil, err
	}
	out := &listErrorsAnswer{}
	out.Body.Meta = in.meta(total)
	out.Body.Data = make([]RowError, len(found))
	for i := range found {
		out.Body.Data[i] = RowErrorObject(&found[i])
	}
	return out, nil
}

// severities are the words for what a listing may be asked for.
var severities = map[string]ledger.Severities{
	"error":   ledger.ErrorsOnly,
	"warning": ledger.WarningsOnly,
	"all":     ledger.ErrorsAndWarnings,
}

// ProblemQuery is what the error listings take.
type ProblemQuery struct {
	PlanQuery
	Severity string `query:"severity" enum:"error,warning,all" default:"error" doc:"Errors (default), warnings, or both"`
	Code     string `query:"code" doc:"Only problems of this code" example:"invalid_price"`
	Column   string `query:"column" doc:"Only problems of the column with this heading; given but empty, those of rows as a whole"`
	// hasColumn tells an empty column from none.
	hasColumn bool
}

// Resolve implements huma.Resolver.
func (q *ProblemQuery) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	q.hasColumn = u.Query().Has("column")
	return nil
}

func (q *ProblemQuery) filter() importer.ProblemFilter {
	return importer.ProblemFilter{Severities: severities[q.Severity], Plan: q.Plan,
		Code: catalog.Code(q.Code), Column: q.Column, HasColumn: q.hasColumn}
}
