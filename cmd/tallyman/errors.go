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
		w := json.NewEncoder(p.stdout)
		w.SetEscapeHTML(false)
		return &jsonErrors{w: w}
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

// jsonErrors prints one object of the REST door a line.
type jsonErrors struct{ w *json.Encoder }

func (r *jsonErrors) Add(p importer.RowProblem) error {
	return r.w.Encode(rest.RowErrorObject(&p))
}

func (r *jsonErrors) Close() error { return nil }
