package rest

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/server/upload"
)

// Check is what a corrected row would do if it ran now. Nothing is written.
type Check struct {
	Row     int64      `json:"row"`
	Outcome string     `json:"outcome" enum:"created,updated,unchanged,deleted,failed,skipped,held"`
	Errors  []RowError `json:"errors" nullable:"false" doc:"What would be wrong with it"`
	Changes []Change   `json:"changes" nullable:"false" doc:"What it would do to products"`
}

// CheckObject returns a check in the door's shape. The command line prints the
// same.
func CheckObject(c *importer.Check) Check {
	row := RowObject(&ledger.Entry{Row: c.Row, Outcome: c.Outcome, Problems: c.Problems})
	return Check{Row: row.Row, Outcome: row.Outcome, Errors: row.Errors, Changes: changeObjects(c.Changes)}
}

// Corrections says what became of a file of corrected rows.
type Corrections struct {
	Rows      int64    `json:"rows" doc:"Rows of the uploaded file"`
	Corrected int64    `json:"corrected_rows" doc:"Rows with at least one corrected cell"`
	Cells     int64    `json:"corrected_cells"`
	Same      int64    `json:"unchanged_rows" doc:"Rows that were as before"`
	NoKey     int64    `json:"rows_without_key" doc:"Rows whose tallyman_row is missing or damaged"`
	Foreign   int64    `json:"foreign_rows" doc:"Rows of another import"`
	Done      int64    `json:"done_rows" doc:"Rows that are done already; their cells cannot be corrected"`
	Twice     int64    `json:"repeated_rows" doc:"Rows that came twice with other cells; the first counts"`
	Ignored   []string `json:"ignored_columns" nullable:"false" doc:"Columns that the import's file has not"`
	Examples  []string `json:"examples" nullable:"false" doc:"Some rows that were not taken, with why"`
}

// CorrectionsObject returns a report in the door's shape. The command line prints
// the same.
func CorrectionsObject(r *importer.CorrectionReport) Corrections {
	return Corrections{Rows: r.Rows, Corrected: r.Changed, Cells: r.Cells, Same: r.Same, NoKey: r.NoKey, Foreign: r.Foreign,
		Done: r.Done, Twice: r.Twice, Ignored: orEmptyList(r.Ignored), Examples: orEmptyList(r.Examples)}
}

func orEmptyList(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// corrections registers what corrects rows of an import.
func (d *door) corrections(api huma.API) {
	operation(d, api, failing(huma.Operation{
		OperationID: "correct-import-row", Method: http.MethodPatch, Path: "/imports/{id}/rows/{row}", Tags: []string{tagImports},
		Summary:     "Correct a row",
		Description: "Lays cells over a row that is not done, and says what the row would now do; the file itself never changes. A retry, or the plan made again, takes the row as it then stands.",
	}, map[string]string{"409": "row_not_correctable: the row is done, or cannot be read at all; wrong_state: the import is at work"}), account.Import, d.correctRow)
	operation(d, api, failing(huma.Operation{
		OperationID: "uncorrect-import-row", Method: http.MethodDelete, Path: "/imports/{id}/rows/{row}/corrections", Tags: []string{tagImports},
		Summary: "Take a row's corrections away", Description: "The row is then as the file has it, and is checked as that.",
	}, map[string]string{"409": "wrong_state: the import is at work"}), account.Import, func(ctx context.Context, p account.Principal, in *struct{ RowPath }) (*checkAnswer, error) {
		return checked(d.cfg.Imports.Uncorrect(ctx, p.WS, in.ID, in.Row))
	})
	d.correctionsFile(api)
	d.fixes(api)
}

type checkAnswer struct{ Body Check }

func checked(c importer.Check, err error) (*checkAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &checkAnswer{Body: CheckObject(&c)}, nil
}

type correctRowRequest struct {
	RowPath
	Body struct {
		Cells map[string]string `json:"cells" minProperties:"1" doc:"What cells are to hold, by the headings of their columns; #3 is the third column where a heading stands twice" example:"{\"Price\": \"12.50\"}"`
	} `nameHint:"CorrectRow"`
}

func (d *door) correctRow(ctx context.Context, p account.Principal, in *correctRowRequest) (*checkAnswer, error) {
	return checked(d.cfg.Imports.Correct(ctx, p.WS, in.ID, in.Row, in.Body.Cells, p.KeyID))
}

// correctionsFile registers POST /imports/{id}/corrections: a handler of its own,
// because the upload is taken as it arrives.
func (d *door) correctionsFile(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	op := documented(huma.Operation{
		OperationID: "correct-import", Method: http.MethodPost, Path: "/imports/{id}/corrections", Tags: []string{tagImports},
		Summary: "Correct rows by a file",
		Description: "Takes a file of rows back, corrected: each row finds its place by its tallyman_row, in whatever order and with whatever columns left. " +
			"What a spreadsheet does to cells by itself, such as other digits of the same number, corrects nothing. The file may also be the body itself (text/csv).",
		Parameters: []*huma.Param{importPathParam()},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"multipart/form-data": {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{partFile}, Properties: map[string]*huma.Schema{
				partFile: {Type: huma.TypeString, Format: "binary", Description: "The downloaded rows, corrected (CSV)."},
			}}},
		}},
	})
	op.Responses["200"] = jsonResponse("OK", schemas.Schema(typeOf[Corrections](), true, ""))
	describeUpload(&op, schemas)
	op.Responses["409"] = failureResponse(schemas, "wrong_state: the import is at work")
	d.keyed.HandleFunc(op.Method+" "+Prefix+op.Path, d.correctByFile)
	api.OpenAPI().AddOperation(&op)
}

// importPathParam describes the id in the path of a handler of its own.
func importPathParam() *huma.Param {
	return &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "The import's id"}
}

func (d *door) correctByFile(w http.ResponseWriter, r *http.Request) {
	p, err := permitted(r.Context(), account.Import)
	var report importer.CorrectionReport
	if err == nil {
		report, err = d.takeCorrections(r, p)
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, CorrectionsObject(&report))
}

func (d *door) takeCorrections(r *http.Request, p account.Principal) (report importer.CorrectionReport, err error) {
	receive := func(name string, body io.Reader) (*importer.Upload, error) {
		var err error
		report, err = d.cfg.Imports.CorrectFile(r.Context(), p.WS, r.PathValue("id"), name, p.KeyID, body)
		return &importer.Upload{Name: name}, err
	}
	form, err := readUpload(r, upload.Spec{File: partFile}, receive)
	if err == nil && form.File == nil {
		err = missingFile()
	}
	return report, err
}
