package tabular

import (
	"fmt"
	"strconv"

	"tallyman/internal/catalog"
)

// The problems that a CSV record can have as a whole, in words.

// columnName is the heading of a column by index, as messages and problems
// name it: as the file has it, or by number where it has none.
func (d *csvDecoder) columnName(i int) string {
	if i < len(d.header) && d.header[i] != "" {
		return d.header[i]
	}
	return "column " + strconv.Itoa(i+1)
}

// unclosedQuote is about the last cell of a record, which holds text.
func (d *csvDecoder) unclosedQuote(text string) *catalog.Problem {
	column := d.columnName(d.cells.seen - 1)
	text = d.cells.arena.decodeText(text[:min(len(text), 2*catalog.MaxProblemValue)], d.charset)
	return &catalog.Problem{Code: catalog.CodeUnclosedQuote, Severity: catalog.Error,
		Column: column, Value: catalog.Shorten(text),
		Message: fmt.Sprintf("The quote that opens the cell %s is not closed within %d bytes; close it, or double the quote if it belongs to the text.",
			column, d.lim.RecordBytes)}
}

func (d *csvDecoder) recordTooLarge() *catalog.Problem {
	return &catalog.Problem{Code: catalog.CodeRecordTooLarge, Severity: catalog.Error,
		Column:  d.columnName(d.cells.seen),
		Message: fmt.Sprintf("The row is longer than %d bytes; shorten it, and see whether a line end or a quote is missing.", d.lim.RecordBytes)}
}

func (d *csvDecoder) tooManyColumns() *catalog.Problem {
	return &catalog.Problem{Code: catalog.CodeColumnCount, Severity: catalog.Error,
		Message: fmt.Sprintf("The row has %d cells, and a row can have at most %d; see whether a line end is missing.", d.cells.seen, d.lim.Columns)}
}

// badText says where the first byte of a record stands that is no text.
func (d *csvDecoder) badText(content string) *catalog.Problem {
	at := d.charset.invalidAt(content)
	column := d.columnAt(content[:at])
	p := &catalog.Problem{Code: catalog.CodeBadEncoding, Severity: catalog.Error, Column: column,
		Value: catalog.Shorten(strconv.QuoteToASCII(content[at:min(len(content), at+8)]))}
	where := fmt.Sprintf("byte %d of the row, in %s,", at+1, column)
	switch {
	case content[at] == 0:
		p.Code = catalog.CodeInvalidRecord
		p.Message = fmt.Sprintf("%s is a NUL, which no text has; remove it, or save the file as text again.", capital(where))
	case d.charset == windows1252Text:
		p.Message = fmt.Sprintf("%s is 0x%02X, which stands for nothing in windows-1252; save the file as UTF-8, or name its encoding.", capital(where), content[at])
	case content[at] == 0xED && at+1 < len(content) && content[at+1] >= 0xA0:
		p.Message = fmt.Sprintf("%s is half of a character; save the file again as UTF-8.", capital(where))
	default:
		p.Message = fmt.Sprintf("%s is 0x%02X, which is not UTF-8; save the file as UTF-8, or name its encoding.", capital(where), content[at])
	}
	return p
}

func capital(s string) string {
	return string(s[0]-'a'+'A') + s[1:]
}

// columnAt names the column that a record has come to at the end of its text so
// far, which is found by reading that text as a file of its own.
func (d *csvDecoder) columnAt(text string) string {
	if text == "" {
		return d.columnName(0)
	}
	var rec Record
	part := &csvDecoder{csvText: csvText{delim: d.delim, crEnds: d.crEnds, fieldBytes: d.fieldBytes}, lim: d.lim,
		cells: cells{rec: &rec, max: d.lim.Columns}}
	part.walk.csvDecoder = part
	part.reset(text, true, 0)
	part.walk.read(0)
	return d.columnName(max(part.cells.seen, 1) - 1)
}
