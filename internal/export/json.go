package export

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/catalog"
)

// json writes the items as one JSON array with an item on every line. An item
// is an object: its id, then its fields in the order of their names, absent
// ones left out. Numbers are bare and keep their digits; amounts of money are
// numbers with the currency that they share beside them ("currency"), or texts
// ("29.90 EUR") where they do not share one; a list is an array; the entries of
// a map stand in an object of their own: {"attributes":{"color":"red"}}.
func (e *exporter) json(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	out.WriteByte('[')
	var buf []byte
	err := e.each(func(it *catalog.Item) error {
		buf = buf[:0]
		if e.rep.Items > 0 {
			buf = append(buf, ',')
		}
		e.rep.Items++
		buf = e.appendItem(append(buf, '\n'), it)
		_, err := out.Write(buf)
		return err
	})
	if err != nil {
		return err
	}
	out.WriteString("\n]\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// appendItem appends one item as an object. The entries of a map stand side by
// side in the document because it is in the order of names, so one object is
// opened and closed for all of them.
func (e *exporter) appendItem(b []byte, it *catalog.Item) []byte {
	b = catalog.AppendQuoted(append(b, `{"id":`...), it.ID)
	currency := e.currency(it)
	if currency != "" {
		b = catalog.AppendQuoted(append(b, `,"currency":`...), currency)
	}
	open := ""
	it.Doc.Each(func(name, token string) bool {
		base, key, inMap := strings.Cut(name, ".")
		inMap = inMap && e.maps[base]
		if open != "" && (!inMap || base != open) {
			b, open = append(b, '}'), ""
		}
		b = append(b, ',')
		switch {
		case inMap && open == "":
			b = append(appendName(b, base), '{')
			b, open = appendName(b, key), base
		case inMap:
			b = appendName(b, key)
		default:
			b = appendName(b, name)
		}
		b = e.appendToken(b, name, token, currency)
		return true
	})
	if open != "" {
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendName(b []byte, name string) []byte {
	return append(catalog.AppendQuoted(b, name), ':')
}

func (e *exporter) appendToken(b []byte, name, token, currency string) []byte {
	if currency == "" || e.types[name] != catalog.Money {
		return append(b, token...)
	}
	amount, _ := splitMoney(catalog.Unquote(token))
	return append(b, amount...)
}
