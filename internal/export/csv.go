package export

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/catalog"
)

// listSeparator joins the elements of a list in one cell; it is what sources
// split at where their column names no other.
const listSeparator = "|"

// csv writes the items as RFC 4180 text: a header of field names, CRLF, quotes
// where a cell needs them. An absent value is an empty cell, which asks for
// nothing when the file is imported.
//
// The currency column holds the currency that an item's amounts share; where
// they differ it is empty and each amount carries its own: "29.90 EUR".
func (e *exporter) csv(w io.Writer) error {
	l, err := e.columns()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if e.opt.Spreadsheet {
		out.WriteString("\ufeff")
	}
	cells := make([]string, len(l.columns))
	for i, c := range l.columns {
		cells[i] = c.name
	}
	buf := appendRecord(nil, cells)
	out.Write(buf)
	err = e.each(func(it *catalog.Item) error {
		e.rep.Items++
		e.cells(it, l, cells)
		buf = appendRecord(buf[:0], cells)
		_, err := out.Write(buf)
		return err
	})
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// cells fills the cells of one item.
func (e *exporter) cells(it *catalog.Item, l *layout, cells []string) {
	clear(cells)
	cells[l.index[columnID]] = it.ID
	currency := e.currency(it)
	if i, ok := l.index[columnCurrency]; ok {
		cells[i] = currency
	}
	it.Doc.Each(func(name, token string) bool {
		i := l.index[name]
		cells[i] = e.cell(it, l.columns[i], token, currency)
		return true
	})
}

func (e *exporter) cell(it *catalog.Item, c column, token, currency string) string {
	if strings.HasPrefix(token, "[") {
		return e.guarded(c, e.list(it, c, catalog.Elements(token)))
	}
	text := catalog.Unquote(token)
	switch c.typ {
	case catalog.Integer:
		return text
	case catalog.Decimal:
		return plainNumber(text)
	case catalog.Money:
		amount, own := splitMoney(text)
		if currency != "" {
			return plainNumber(amount)
		}
		return plainNumber(amount) + " " + own
	}
	return e.guarded(c, text)
}

func (e *exporter) list(it *catalog.Item, c column, elements []string) string {
	for _, el := range elements {
		if strings.Contains(el, listSeparator) {
			e.rep.Bent++
			if e.rep.FirstBent == "" {
				e.rep.FirstBent = it.ID + " " + c.name
			}
			break
		}
	}
	return strings.Join(elements, listSeparator)
}

// guarded guards a cell where the importer takes the guard away again: SKUs.
// Other texts are guarded only in a file for spreadsheets, because there a
// guard would come back as a change of the text (contract sources.md 2.6 and
// 5: the first keeps what a file says, the second protects who opens it).
func (e *exporter) guarded(c column, s string) string {
	if e.opt.Spreadsheet || c.name == catalog.PropSKU {
		return guard(s)
	}
	return s
}

// plainNumber writes a canonical decimal so that no reader can take its point
// for a thousands separator: a number of exactly three decimals gets a fourth,
// a zero (contract sources.md section 3: 1.234 alone is ambiguous).
func plainNumber(s string) string {
	if i := strings.IndexByte(s, '.'); i >= 0 && len(s)-i == 4 {
		return s + "0"
	}
	return s
}

// guard puts a single quote before a text that a spreadsheet would run as a
// formula (contract sources.md section 5, after OWASP ASVS 1.2.10), numbers
// excepted. A text that begins with quotes before such a sign gets one more, so
// that taking one away is always right.
func guard(s string) string {
	if !startsFormula(strings.TrimLeft(s, "'")) || isNumber(s) {
		return s
	}
	return "'" + s
}

func startsFormula(s string) bool {
	return s != "" && strings.IndexByte("=+-@\t\r\x00", s[0]) >= 0
}

// isNumber reports whether s is a sign, digits and at most one point.
func isNumber(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
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

// appendRecord appends one record with its CRLF.
func appendRecord(b []byte, cells []string) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, c)
	}
	return append(b, '\r', '\n')
}

// appendCell appends a cell, quoted where a reader would misread it bare.
func appendCell(b []byte, s string) []byte {
	if !needsQuotes(s) {
		return append(b, s...)
	}
	b = append(b, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		b = append(b, s[:i]...)
		b = append(b, '"', '"')
		s = s[i+1:]
	}
	b = append(b, s...)
	return append(b, '"')
}

func needsQuotes(s string) bool {
	if s == "" {
		return false
	}
	first, last := s[0], s[len(s)-1]
	return first <= ' ' || last <= ' ' || strings.ContainsAny(s, "\",;\t|\r\n")
}
