package rest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
)

// Row is one row of the file and what became of it.
type Row struct {
	Row     int64      `json:"row" doc:"Number of the row, the header being row 1"`
	Line    int64      `json:"line,omitempty" doc:"The line of the file on which a row with errors begins, where the format has lines"`
	Outcome string     `json:"outcome" enum:"unprocessed,created,updated,unchanged,deleted,failed,skipped,held"`
	ID      *string    `json:"id" doc:"The product that the row is about; null where there is none"`
	EAN     *string    `json:"ean" doc:"The EAN of a row with errors, as the file has it"`
	SKU     *string    `json:"sku" doc:"The SKU of a row with errors, as the file has it"`
	Errors  []RowError `json:"errors" nullable:"false" doc:"The row's errors and warnings"`
}

// RowObject returns a row in the door's shape. The command line prints the same.
func RowObject(e *ledger.Entry) Row {
	p := importer.RowProblem{Row: e.Row, Line: e.Line, Ident: e.Ident}
	r := Row{Row: e.Row, Line: e.Line, Outcome: outcomeWord(e.Outcome), ID: orNull(e.ItemID),
		EAN: identOf(&p, catalog.KeyGTIN), SKU: identOf(&p, catalog.KeySKU), Errors: make([]RowError, len(e.Problems))}
	for i := range e.Problems {
		p.Problem = e.Problems[i]
		r.Errors[i] = RowErrorObject(&p)
	}
	return r
}

// RowDetail is everything that is known of one row.
type RowDetail struct {
	Row
	Pass    string   `json:"pass,omitempty" doc:"The run over the rows that gave it its outcome" example:"apply"`
	Batch   int      `json:"batch,omitempty" doc:"The number of its batch"`
	Node    string   `json:"node,omitempty" doc:"The process that last worked on that batch"`
	Cells   []Cell   `json:"cells" nullable:"false" doc:"As they stand, corrections laid over; none where the import has no file"`
	Changes []Change `json:"changes" nullable:"false" doc:"What the row did, or would do, to products"`
}

// Cell is one cell of a row.
type Cell struct {
	Column   string  `json:"column" doc:"The heading; empty beyond the last one"`
	Value    string  `json:"value"`
	Original *string `json:"original,omitempty" doc:"What the file has, where the cell is corrected"`
}

// RowDetailObject returns a row in the door's shape. The command line prints the
// same.
func RowDetailObject(r *importer.RowReport) RowDetail {
	d := RowDetail{Row: RowObject(&r.Entry), Pass: string(r.Pass), Batch: r.Batch, Node: r.Node,
		Cells: make([]Cell, len(r.Cells)), Changes: changeObjects(r.Changes)}
	for i, value := range r.Cells {
		d.Cells[i].Value = value
		if i < len(r.Header) {
			d.Cells[i].Column = r.Header[i]
		}
		if was, ok := r.Original[i]; ok {
			d.Cells[i].Original = &was
		}
	}
	return d
}

// rows registers what shows an import's rows.
func (d *door) rows(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "list-import-rows", Method: http.MethodGet, Path: "/imports/{id}/rows", Tags: []string{tagImports},
		Summary:     "List rows",
		Description: "Lists rows with how they ended, in the order of the file. Their cells are shown by the row itself and by the download.",
	}, account.Read, d.listRows)
	operation(d, api, failing(huma.Operation{
		OperationID: "get-import-row", Method: http.MethodGet, Path: "/imports/{id}/rows/{row}", Tags: []string{tagImports},
		Summary:     "Get a row",
		Description: "Returns everything that is known of one row: its outcome, errors, cells, the product, and what changed.",
	}, map[string]string{"404": "not_found: there is no such import; row_not_found: its file has no such row"}), account.Read, d.getRow)
	const columns = "in the uploaded file's own columns and order, its corrections laid over, and behind them tallyman_row (which names the row, whatever is done to the file), tallyman_status, tallyman_code and tallyman_message. " +
		"Corrected, the file can be sent to corrections. " + csvText
	download(d, api, failing(huma.Operation{
		OperationID: "download-import-rows", Path: "/imports/{id}/rows.csv", Tags: []string{tagImports},
		Summary:     "Download rows",
		Description: "Returns rows as CSV, " + columns,
	}, map[string]string{"409": "file_gone: the uploaded file is not kept any more"}), func(p account.Principal, in *rowsRequest) file {
		return d.rowsFile(p, in.ID+"-rows.csv", in.ID, in.filter())
	})
	download(d, api, failing(huma.Operation{
		OperationID: "download-import-failed-rows", Path: "/imports/{id}/failed-rows.csv", Tags: []string{tagImports},
		Summary:     "Download failed rows",
		Description: "Returns the rows that failed as CSV, " + columns,
	}, map[string]string{"409": "file_gone: the uploaded file is not kept any more"}), func(p account.Principal, in *failedRowsRequest) file {
		return d.rowsFile(p, in.ID+"-failed-rows.csv", in.ID, importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}, Plan: in.Plan})
	})
}

func (d *door) rowsFile(p account.Principal, name, id string, f importer.RowFilter) file {
	return file{name: name, write: func(ctx context.Context, w io.Writer) error {
		return d.cfg.Imports.WriteRows(ctx, p.WS, id, f, w)
	}}
}

// RowsQuery narrows rows.
type RowsQuery struct {
	PlanQuery
	Outcome string `query:"outcome" doc:"Only rows that ended so: created, updated, unchanged, deleted, failed, skipped, held or unprocessed; several with commas between, or by giving it several times" example:"failed,held"`
	// outcomes are those of all that were given.
	outcomes []catalog.Outcome
}

// Resolve implements huma.Resolver.
func (q *RowsQuery) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	q.outcomes = nil
	for _, given := range u.Query()["outcome"] {
		for word := range strings.SplitSeq(given, ",") {
			word = strings.ToLower(strings.TrimSpace(word))
			o, ok := outcomeOf(word)
			switch {
			case word == "":
			case !ok:
				return []error{&huma.ErrorDetail{Location: "query.outcome", Message: "There is no outcome " + catalog.Shorten(word) +
					"; there are created, updated, unchanged, deleted, failed, skipped, held and unprocessed."}}
			case !slices.Contains(q.outcomes, o):
				q.outcomes = append(q.outcomes, o)
			}
		}
	}
	return nil
}

func (q *RowsQuery) filter() importer.RowFilter {
	return importer.RowFilter{Outcomes: q.outcomes, Plan: q.Plan}
}

type rowsRequest struct {
	ImportPath
	RowsQuery
}

type failedRowsRequest struct {
	ImportPath
	PlanQuery
}

type listRowsRequest struct {
	ImportPath
	RowsQuery
	Paging
}

type listRowsAnswer struct{ Body List[Row] }

func (d *door) listRows(ctx context.Context, p account.Principal, in *listRowsRequest) (*listRowsAnswer, error) {
	found, total, err := d.cfg.Imports.Rows(ctx, p.WS, in.ID, in.filter(), in.span())
	if err != nil {
		return nil, err
	}
	out := &listRowsAnswer{}
	out.Body.Meta = in.meta(total)
	out.Body.Data = make([]Row, len(found))
	for i := range found {
		out.Body.Data[i] = RowObject(&found[i])
	}
	return out, nil
}

// RowPath names one row of an import.
type RowPath struct {
	ImportPath
	Row int64 `path:"row" minimum:"1" doc:"The row's number, the header being row 1" example:"42"`
}

type rowAnswer struct{ Body RowDetail }

func (d *door) getRow(ctx context.Context, p account.Principal, in *struct{ RowPath }) (*rowAnswer, error) {
	r, err := d.cfg.Imports.Row(ctx, p.WS, in.ID, in.Row)
	if err != nil {
		return nil, err
	}
	return &rowAnswer{Body: RowDetailObject(&r)}, nil
}
