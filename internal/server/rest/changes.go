package rest

import (
	"context"
	"io"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
)

// Summary is what a plan would do, or an import did, in numbers.
type Summary struct {
	Plan    bool           `json:"plan" doc:"True for what the newest plan would do"`
	Rows    PlanCounts     `json:"rows" doc:"Rows by outcome"`
	Cleared int64          `json:"cleared_values" doc:"Values that go"`
	Causes  int            `json:"causes" doc:"How many kinds of problems there are, see causes"`
	Fields  []FieldSummary `json:"fields" nullable:"false" doc:"What updates do to each field"`
}

// FieldSummary counts the updated items whose field is given a value it did not
// have, another one, or none any more.
type FieldSummary struct {
	Field   string `json:"field" example:"price"`
	Added   int64  `json:"added" doc:"Products that had no value and get one"`
	Changed int64  `json:"changed" doc:"Products whose value becomes another one"`
	Cleared int64  `json:"cleared" doc:"Products whose value goes"`
}

// SummaryObject returns the numbers in the door's shape. The command line prints
// the same.
func SummaryObject(sum *importer.ChangeSummary, plan bool) Summary {
	s := Summary{Plan: plan, Rows: planCounts(sum.Tally), Cleared: sum.Cleared, Causes: sum.Causes, Fields: make([]FieldSummary, len(sum.Fields))}
	for i, f := range sum.Fields {
		s.Fields[i] = fieldSummary(f)
	}
	return s
}

func fieldSummary(f ledger.FieldCount) FieldSummary {
	return FieldSummary{Field: f.Field, Added: f.Added, Changed: f.Changed, Cleared: f.Cleared}
}

// Change is what a row does, or did, to one product.
type Change struct {
	Row     int64         `json:"row" doc:"Number of the row, the header being row 1"`
	Outcome string        `json:"outcome" enum:"created,updated,unchanged,deleted,failed,skipped,held" doc:"held: what the row would do now"`
	Kind    string        `json:"kind" example:"product"`
	ID      *string       `json:"id" doc:"The product's id; null for one that a plan would create"`
	SKU     *string       `json:"sku"`
	EAN     *string       `json:"ean"`
	Fields  []FieldChange `json:"fields" nullable:"false" doc:"In order of names. A created product has no old values, a deleted one no new ones"`
	Gone    bool          `json:"gone,omitempty" doc:"True when the values are past their retention"`
}

// FieldChange is what becomes, or became, of one field.
type FieldChange struct {
	Field         string   `json:"field" example:"price"`
	Old           any      `json:"old" doc:"The value before; null for none"`
	New           any      `json:"new" doc:"The value after; null for none"`
	ChangePercent *float64 `json:"change_percent,omitempty" doc:"How far a number moves, in per cent of what it was and whatever the direction; absent for what is no number, and for a move away from zero"`
}

// ChangeObject returns a change in the door's shape. The command line prints the
// same.
func ChangeObject(c *importer.RowChange) Change {
	return Change{Row: c.Row, Outcome: outcomeWord(c.Outcome), Kind: c.Kind.String(), ID: orNull(c.ItemID), SKU: orNull(c.SKU), EAN: orNull(c.GTIN),
		Fields: fieldChanges(c.Fields), Gone: c.Gone}
}

func changeObjects(cs []importer.RowChange) []Change {
	out := make([]Change, len(cs))
	for i := range cs {
		out[i] = ChangeObject(&cs[i])
	}
	return out
}

func fieldChanges(fs []catalog.FieldChange) []FieldChange {
	out := make([]FieldChange, len(fs))
	for i, f := range fs {
		out[i] = FieldChange{Field: f.Field, Old: valueOf(f.Old), New: valueOf(f.New), ChangePercent: movePercent(f)}
	}
	return out
}

// valueOf is a document's token as a JSON value, null for none.
func valueOf(token string) any {
	if token == "" {
		return nil
	}
	return raw(token)
}

// movePercent is how far a number moved, with two decimals; nil where that is no
// number.
func movePercent(f catalog.FieldChange) *float64 {
	percent, ok := catalog.MovePercent(f.Old, f.New)
	if !ok || math.IsInf(percent, 0) {
		return nil
	}
	percent = math.Round(percent*100) / 100
	return &percent
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// changes registers what shows what an import does to the catalog.
func (d *door) changes(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "get-import-summary", Method: http.MethodGet, Path: "/imports/{id}/summary", Tags: []string{tagImports},
		Summary: "Get a summary of changes", Description: "Counts what an import did, or what its plan would do: rows by outcome, values by field.",
	}, account.Read, d.summary)
	gone := map[string]string{"409": "values_gone: the values are past their retention, so that only outcomes can be asked for"}
	operation(d, api, failing(huma.Operation{
		OperationID: "list-import-changes", Method: http.MethodGet, Path: "/imports/{id}/changes", Tags: []string{tagImports},
		Summary:     "List changes",
		Description: "Lists what rows did, or would do, to products: field by field, old and new, in the order of the file. Without an outcome it lists rows that write, and rows that are held.",
	}, gone), account.Read, d.listChanges)
	download(d, api, failing(huma.Operation{
		OperationID: "download-import-changes", Path: "/imports/{id}/changes.csv", Tags: []string{tagImports},
		Summary:     "Download changes",
		Description: "Returns all changes as CSV, one field a line. " + csvText,
	}, gone), func(p account.Principal, in *changesRequest) file {
		return file{name: in.ID + "-changes.csv", write: func(ctx context.Context, w io.Writer) error {
			return d.cfg.Imports.WriteChanges(ctx, p.WS, in.ID, in.filter(), w)
		}}
	})
}

// PlanQuery is what every reading takes that can be of a plan.
type PlanQuery struct {
	Plan bool `query:"plan" doc:"Read what the newest plan would do, instead of what was done"`
}

type summaryRequest struct {
	ImportPath
	PlanQuery
}

type summaryAnswer struct{ Body Summary }

func (d *door) summary(ctx context.Context, p account.Principal, in *summaryRequest) (*summaryAnswer, error) {
	sum, err := d.cfg.Imports.Summary(ctx, p.WS, in.ID, in.Plan)
	if err != nil {
		return nil, err
	}
	return &summaryAnswer{Body: SummaryObject(&sum, in.Plan)}, nil
}

// ChangesQuery narrows changes.
type ChangesQuery struct {
	PlanQuery
	Outcome    string  `query:"outcome" enum:"created,updated,deleted,held" doc:"Only rows that end so"`
	Property   string  `query:"property" doc:"Only updates in which this field changes" example:"price"`
	Cleared    bool    `query:"cleared" doc:"Only updates in which that field, or without one any field, goes"`
	MinPercent float64 `query:"min_percent" minimum:"0" doc:"Only updates in which that field, or without one any field, moves by so much at least, as a number, in per cent of its old value and whatever the direction"`
	MaxPercent float64 `query:"max_percent" minimum:"0" doc:"The same, by so much at most"`
}

// Resolve implements huma.Resolver: a bound must be one, which the schema cannot
// say of what Go reads as a number.
func (q *ChangesQuery) Resolve(huma.Context) []error {
	var wrong []error
	for _, bound := range []struct {
		name  string
		value float64
	}{{"min_percent", q.MinPercent}, {"max_percent", q.MaxPercent}} {
		if math.IsNaN(bound.value) || math.IsInf(bound.value, 0) {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query." + bound.name, Message: "Give a number of per cent, 0 or more."})
		}
	}
	return wrong
}

func (q *ChangesQuery) filter() importer.ChangeFilter {
	f := importer.ChangeFilter{Plan: q.Plan, Property: q.Property, Cleared: q.Cleared, MinPercent: q.MinPercent, MaxPercent: q.MaxPercent}
	f.Outcome, _ = catalog.ParseOutcome(q.Outcome)
	return f
}

type changesRequest struct {
	ImportPath
	ChangesQuery
}

type listChangesRequest struct {
	ImportPath
	ChangesQuery
	Paging
}

type listChangesAnswer struct{ Body List[Change] }

func (d *door) listChanges(ctx context.Context, p account.Principal, in *listChangesRequest) (*listChangesAnswer, error) {
	found, total, err := d.cfg.Imports.Changes(ctx, p.WS, in.ID, in.filter(), in.span())
	if err != nil {
		return nil, err
	}
	out := &listChangesAnswer{}
	out.Body.Meta = in.meta(total)
	out.Body.Data = changeObjects(found)
	return out, nil
}
