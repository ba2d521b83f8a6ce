package export

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular/safecsv"
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
		out.WriteString(safecsv.BOM)
	}
	cells := make([]string, len(l.columns))
	for i, c := range l.columns {
		cells[i] = c.name
	}
	buf := safecsv.AppendRecord(nil, cells)
	out.Write(buf)
	err = e.each(func(it *catalog.Item) error {
		e.rep.Items++
		e.cells(it, l, cells)
		buf = safecsv.AppendRecord(buf[:0], cells)
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
		return safecsv.Guard(s)
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
