package rest

import (
	"io"
	"strconv"

	"tallyman/internal/importer"
	"tallyman/internal/tabular/safecsv"
)

// problemColumns are the columns of the error report.
var problemColumns = []string{"row", "line", "ean", "sku", "column", "value", "severity", "error", "code", "message"}

// ProblemsCSV writes the error report: a line for each problem, in the words of
// this door, safe to open in a spreadsheet. The command line writes the same.
type ProblemsCSV struct{ w *safecsv.Writer }

// NewProblemsCSV returns a report with no problems yet. Nothing is sure to have
// reached w before Close.
func NewProblemsCSV(w io.Writer) *ProblemsCSV {
	out := safecsv.NewWriter(w)
	_ = out.Record(problemColumns...) // errors stick: Close returns it
	return &ProblemsCSV{w: out}
}

// Add writes one problem.
func (c *ProblemsCSV) Add(p importer.RowProblem) error {
	e := RowErrorObject(&p)
	return c.w.Record(strconv.FormatInt(e.Row, 10), lineText(e.Line), orEmpty(e.EAN), orEmpty(e.SKU),
		e.Column, e.Value, e.Severity, e.Error, e.Code, e.Message)
}

// Close ends the report; it does not close w.
func (c *ProblemsCSV) Close() error { return c.w.Flush() }

func lineText(line int64) string {
	if line == 0 {
		return ""
	}
	return strconv.FormatInt(line, 10)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
