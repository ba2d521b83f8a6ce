package rest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/server"
	"tallyman/internal/store"
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

// problems registers the two listings of an import's errors.
func (d *door) problems(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "list-import-errors", Method: http.MethodGet, Path: "/imports/{id}/errors", Tags: []string{tagImports},
		Summary:     "Get import errors",
		Description: "Returns the rows that failed during the import, with error details, in the order of the file. A row with two errors is listed twice.",
	}, account.Read, d.listErrors)

	schemas := api.OpenAPI().Components.Schemas
	op := documented(huma.Operation{
		OperationID: "download-import-errors", Method: http.MethodGet, Path: "/imports/{id}/errors.csv", Tags: []string{tagImports},
		Summary:     "Download import errors",
		Description: "Returns all errors as CSV, one a line: UTF-8 with a byte-order mark, CRLF, and a quote before cells that a spreadsheet would run as formulas.",
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "The import's id"},
			{Name: "severity", In: "query", Schema: described("Errors (default), warnings, or both", "error", "warning", "all")},
		},
	})
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	op.Responses["422"] = failureResponse(schemas, "The query is not valid")
	d.keyed.HandleFunc(op.Method+" "+Prefix+op.Path, d.downloadErrors)
	api.OpenAPI().AddOperation(&op)
}

type listErrorsRequest struct {
	ImportPath
	Paging
	SeverityQuery
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

// SeverityQuery is what the error listings take.
type SeverityQuery struct {
	Severity string `query:"severity" enum:"error,warning,all" default:"error" doc:"Errors (default), warnings, or both"`
}

func (f SeverityQuery) filter() importer.ProblemFilter {
	return importer.ProblemFilter{Severities: severities[f.Severity]}
}

// severityOf reads the query of a request that huma does not read.
func severityOf(q url.Values) (f SeverityQuery, err error) {
	f.Severity = cmp.Or(q.Get("severity"), "error")
	if _, ok := severities[f.Severity]; !ok {
		err = invalidField("severity", "must be error, warning or all")
	}
	return f, err
}

// downloadErrors streams the error report.
func (d *door) downloadErrors(w http.ResponseWriter, r *http.Request) {
	p, err := permitted(r.Context(), account.Read)
	var f SeverityQuery
	if err == nil {
		f, err = severityOf(r.URL.Query())
	}
	var imp store.Import
	if err == nil {
		imp, err = d.cfg.Imports.Import(r.Context(), p.WS, r.PathValue("id"))
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+imp.ID+`-errors.csv"`)
	report := NewProblemsCSV(w)
	err = d.cfg.Imports.EachProblem(r.Context(), p.WS, imp.ID, f.filter(), report.Add)
	if err == nil {
		err = report.Close()
	}
	if err != nil {
		d.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "error report broke off",
			slog.String("request", server.RequestID(r.Context())), slog.String("import", imp.ID), slog.Any("error", err))
		// The status is sent: a cut connection is the one sign left that this is
		// not the whole report.
		panic(http.ErrAbortHandler)
	}
}
