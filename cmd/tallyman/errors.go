package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server/safecsv"
)

// errorReport prints the problems of an import one by one.
type errorReport interface {
	add(importer.RowProblem) error
	close() error
}

// report is the report in the form that was asked for.
func (c *importsErrors) report(p *program) errorReport {
	switch {
	case c.CSV:
		return &csvErrors{w: safecsv.NewWriter(p.stdout)}
	case c.JSON:
		return &jsonErrors{w: json.NewEncoder(p.stdout)}
	}
	return &plainErrors{w: p.stdout}
}

// plainErrors prints a line for people.
type plainErrors struct{ w io.Writer }

func (r *plainErrors) add(p importer.RowProblem) error {
	e := rowError{Row: p.Row, Column: p.Column, Value: p.Value, Message: p.Message}
	severity := ""
	if p.Severity == catalog.Warning {
		severity = "warning: "
	}
	_, err := fmt.Fprintf(r.w, "row %d: %s%s (%s)\n", p.Row, severity, e.words(), p.Code)
	return err
}

func (r *plainErrors) close() error { return nil }

// csvErrors prints the error report that people open in spreadsheets.
type csvErrors struct {
	w    *safecsv.Writer
	head bool
}

func (r *csvErrors) heading() {
	if !r.head {
		r.head = true
		r.w.Record("row", "line", "ean", "sku", "column", "value", "severity", "code", "message")
	}
}

func (r *csvErrors) add(p importer.RowProblem) error {
	r.heading()
	line := ""
	if p.Line > 0 {
		line = strconv.FormatInt(p.Line, 10)
	}
	return r.w.Record(strconv.FormatInt(p.Row, 10), line, identOf(&p, catalog.KeyGTIN), identOf(&p, catalog.KeySKU),
		p.Column, p.Value, p.Severity.String(), string(p.Code), p.Message)
}

func (r *csvErrors) close() error {
	r.heading()
	return r.w.Flush()
}

// jsonErrors prints one JSON object a line.
type jsonErrors struct{ w *json.Encoder }

func (r *jsonErrors) add(p importer.RowProblem) error {
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

func (r *jsonErrors) close() error { return nil }

// identOf is the row's identifying cell of a field, "" where it has none.
func identOf(p *importer.RowProblem, field catalog.KeyField) string {
	for _, k := range p.Ident {
		if k.Field == field {
			return k.Value
		}
	}
	return ""
}
