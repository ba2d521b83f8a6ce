package main

import (
	"encoding/json"
	"fmt"
	"io"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server/rest"
)

// errorReport prints the problems of an import one by one.
type errorReport interface {
	Add(importer.RowProblem) error
	Close() error
}

// report is the report in the form that was asked for.
func (c *importsErrors) report(p *program) errorReport {
	switch {
	case c.CSV:
		return rest.NewProblemsCSV(p.stdout)
	case c.JSON:
		return &jsonErrors{w: json.NewEncoder(p.stdout)}
	}
	return &plainErrors{w: p.stdout}
}

// plainErrors prints a line for people.
type plainErrors struct{ w io.Writer }

func (r *plainErrors) Add(p importer.RowProblem) error {
	e := rowError{Row: p.Row, Column: p.Column, Value: p.Value, Message: p.Message}
	severity := ""
	if p.Severity == catalog.Warning {
		severity = "warning: "
	}
	_, err := fmt.Fprintf(r.w, "row %d: %s%s (%s)\n", p.Row, severity, e.words(), p.Code)
	return err
}

func (r *plainErrors) Close() error { return nil }

// jsonErrors prints one JSON object a line.
type jsonErrors struct{ w *json.Encoder }

func (r *jsonErrors) Add(p importer.RowProblem) error {
	return r.w.Encode(struct {
		Row      int64  `json:"row"`
		Line     int64  `json:"line,omitempty"`
		EAN      string `json:"ean,omitempty"`
		SKU      string `json:"sku,omitempty"`
		Column   string `json:"column,omitempty"`
		Value    string `json:"value,omitempty"`
		Severity string `json:"severity"`
		Code     string `json:"code"`
		Message  string `json:"message"`
	}{p.Row, p.Line, identOf(&p, catalog.KeyGTIN), identOf(&p, catalog.KeySKU), p.Column, p.Value, p.Severity.String(), string(p.Code), p.Message})
}

func (r *jsonErrors) Close() error { return nil }

// identOf is the row's identifying cell of a field, "" where it has none.
func identOf(p *importer.RowProblem, field catalog.KeyField) string {
	for _, k := range p.Ident {
		if k.Field == field {
			return k.Value
		}
	}
	return ""
}
