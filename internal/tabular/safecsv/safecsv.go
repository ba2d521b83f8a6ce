// Package safecsv is how the program writes CSV: UTF-8, CRLF, quotes where a
// reader would misread a bare cell, and a guard for texts that a spreadsheet
// would run as a formula (contract sources.md section 5, after OWASP ASVS
// 1.2.10). A Writer writes reports that people open in spreadsheets; it guards
// every cell.
//
// What does not belong here: which columns a file has (the doors and package
// export), and which cells stay unguarded in a file that is read back, because
// the guard would come back with them (package export).
package safecsv

import (
	"bufio"
	"io"
	"strings"
)

// BOM is the byte-order mark by which spreadsheets know UTF-8.
const BOM = "\ufeff"

// Writer writes a report. Its errors stick: the first one is returned by every
// later call.
type Writer struct {
	w     *bufio.Writer
	buf   []byte
	cells []string
}

// NewWriter returns a Writer that begins with the byte-order mark.
func NewWriter(w io.Writer) *Writer {
	out := &Writer{w: bufio.NewWriterSize(w, 32<<10)}
	// A bufio.Writer keeps its first error for Flush.
	_, _ = out.w.WriteString(BOM)
	return out
}

// Record writes one record, its cells guarded.
func (w *Writer) Record(cells ...string) error {
	w.cells = w.cells[:0]
	for _, c := range cells {
		w.cells = append(w.cells, Guard(c))
	}
	w.buf = AppendRecord(w.buf[:0], w.cells)
	_, err := w.w.Write(w.buf)
	return err
}

// Flush writes what is buffered.
func (w *Writer) Flush() error { return w.w.Flush() }

// Guard puts a single quote before a text that a spreadsheet would take for a
// formula; plain numbers are left alone. A text that begins with quotes before
// such a sign gets one more, so that taking one away always gives the text.
func Guard(s string) string {
	t := strings.TrimLeft(s, "'")
	if t == "" || strings.IndexByte("=+-@\t\r\x00", t[0]) < 0 || isNumber(s) {
		return s
	}
	return "'" + s
}

// Unguard takes away the quote that Guard put before a text, and no other.
func Unguard(cell string) string {
	if strings.HasPrefix(cell, "'") && Guard(cell[1:]) == cell {
		return cell[1:]
	}
	return cell
}

// isNumber reports whether s is an optional sign, digits and at most one point.
func isNumber(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	digits, points := 0, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] >= '0' && s[i] <= '9':
			digits++
		case s[i] == '.':
			points++
		default:
			return false
		}
	}
	return digits > 0 && points <= 1
}

// AppendRecord appends one record with its CRLF, its cells as they are.
func AppendRecord(dst []byte, cells []string) []byte {
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCell(dst, c)
	}
	return append(dst, '\r', '\n')
}

// appendCell appends a cell, quoted where a reader would misread it bare.
func appendCell(dst []byte, s string) []byte {
	if !needsQuotes(s) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		before, after, found := strings.Cut(s, `"`)
		dst = append(dst, before...)
		if !found {
			return append(dst, '"')
		}
		dst = append(dst, '"', '"')
		s = after
	}
}

// needsQuotes counts the other signs that separate cells among what is misread,
// lest a reader that guesses the separator guess wrong.
func needsQuotes(s string) bool {
	if s == "" {
		return false
	}
	first, last := s[0], s[len(s)-1]
	return first <= ' ' || last <= ' ' || strings.ContainsAny(s, "\",;\t|\r\n")
}
