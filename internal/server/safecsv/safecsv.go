// Package safecsv writes the CSV reports that people open in spreadsheets: UTF-8
// with a byte-order mark, CRLF, and no cell that a spreadsheet would run as a
// formula (contract sources.md section 5, after OWASP ASVS 1.2.10).
//
// What does not belong here: which columns a report has (the doors), and files
// that are read back by the program (package export).
package safecsv

import (
	"bufio"
	"io"
	"strings"
)

// Writer writes records. Its errors stick: the first one is returned by every
// later call.
type Writer struct {
	w   *bufio.Writer
	buf []byte
}

// NewWriter returns a Writer that begins with the byte-order mark.
func NewWriter(w io.Writer) *Writer {
	out := &Writer{w: bufio.NewWriterSize(w, 32<<10)}
	// A bufio.Writer keeps its first error for Flush.
	_, _ = out.w.WriteString("\ufeff")
	return out
}

// Record writes one record.
func (w *Writer) Record(cells ...string) error {
	w.buf = w.buf[:0]
	for i, c := range cells {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = appendCell(w.buf, Guard(c))
	}
	w.buf = append(w.buf, '\r', '\n')
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

// appendCell appends a cell, quoted where a reader would misread it bare.
func appendCell(b []byte, s string) []byte {
	bare := s == "" || s[0] > ' ' && s[len(s)-1] > ' ' && !strings.ContainsAny(s, "\",;\t\r\n")
	if bare {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
