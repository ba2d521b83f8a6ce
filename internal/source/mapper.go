package source

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
)

// Mapper returns a new mapper for one goroutine. mode is the import's.
func (b *Binding) Mapper(mode catalog.Mode) Mapper {
	m := &tableMapper{b: b, mode: mode, hasher: rowHasher{b: b}}
	for _, k := range b.keys {
		m.keyColumns = append(m.keyColumns, k.index)
	}
	return m
}

// tableMapper maps a table in which every row is about one item.
type tableMapper struct {
	b          *Binding
	mode       catalog.Mode
	hasher     rowHasher
	keyColumns []int
	// Operations and keys of many rows share blocks, so that a row costs no
	// allocation of its own; a block lives as long as a row that stands in it.
	ops  []catalog.Op
	keys []catalog.Key
	// scratch of the row at hand.
	problems []catalog.Problem
}

const (
	opBlock  = 4096
	keyBlock = 2048
)

func (m *tableMapper) KeyColumns() []int             { return m.keyColumns }
func (m *tableMapper) Groups() bool                  { return false }
func (m *tableMapper) Together(*tabular.Record) bool { return false }

// cell returns a cell without the blanks round it; "" where the record is too
// short. given is false when the record has no such cell.
func (m *tableMapper) cell(rec *tabular.Record, i int) (text string, given bool) {
	if i >= len(rec.Cells) {
		return "", false
	}
	return trim(rec.Cells[i]), true
}

// trim removes blanks of every kind from both ends; most cells have none.
func trim(s string) string {
	if s == "" || s[0] > ' ' && s[0] < utf8.RuneSelf && s[len(s)-1] > ' ' && s[len(s)-1] < utf8.RuneSelf {
		return s
	}
	return strings.TrimFunc(s, unicode.IsSpace)
}

func (m *tableMapper) Map(rec *tabular.Record, g *catalog.Group) {
	row := catalog.Row{Number: rec.Number, Line: rec.Line}
	m.problems = m.problems[:0]
	switch {
	case rec.Problem != nil:
		row.Problems = []catalog.Problem{*rec.Problem}
		row.Ident = m.ident(rec)
		g.Rows = append(g.Rows, row)
		return
	case rec.Blank():
		row.Skip = true
		g.Rows = append(g.Rows, row)
		return
	}
	m.checkWidth(rec)
	change := catalog.Change{Kind: m.b.kind, Mode: m.mode, Row: len(g.Rows),
		Fallthrough: m.b.def.Fallthrough, GTINShared: m.b.def.GTINShared}
	var keys rowKeys
	change.AtVersion = m.atVersion(rec)
	if change.Delete = m.deletes(rec); !change.Delete {
		change.Ops = m.mapColumns(rec, &keys)
	}
	change.Keys = m.matchKeys(rec, &keys)
	row.Ident = m.ident(rec)
	if len(change.Keys) == 0 && !catalog.HasErrors(m.problems) {
		m.missingIdentifier()
	}
	if len(m.problems) > 0 {
		row.Problems = append([]catalog.Problem(nil), m.problems...)
	}
	g.Rows = append(g.Rows, row)
	if catalog.HasErrors(row.Problems) {
		return
	}
	if change.Repeatable() {
		change.Hash = m.hasher.sum(rec)
		if len(row.Problems) == 0 {
			change.Hash |= cleanBit
		}
	}
	g.Changes = append(g.Changes, change)
}

// Sketch implements Mapper.
func (m *tableMapper) Sketch(rec *tabular.Record, g *catalog.Group) bool {
	if m.mode == catalog.Create || rec.Problem != nil || len(rec.Cells) > m.b.width || m.given(rec, m.b.version) || m.given(rec, m.b.delete) {
		return false
	}
	m.problems = m.problems[:0]
	var keys rowKeys
	for _, i := range m.b.keyed {
		c := &m.b.columns[i]
		var op catalog.Op
		if text, given := m.cell(rec, c.index); given {
			m.op(c, rec, text, &keys, &op)
		}
	}
	change := catalog.Change{Kind: m.b.kind, Mode: m.mode, Row: len(g.Rows),
		Fallthrough: m.b.def.Fallthrough, GTINShared: m.b.def.GTINShared}
	if change.Keys = m.matchKeys(rec, &keys); len(m.problems) > 0 || len(change.Keys) == 0 {
		return false
	}
	change.Hash = m.hasher.sum(rec) | cleanBit
	g.Rows = append(g.Rows, catalog.Row{Number: rec.Number, Line: rec.Line})
	g.Changes = append(g.Changes, change)
	return true
}

// given reports whether a record has anything in a column; index -1 is none.
func (m *tableMapper) given(rec *tabular.Record, index int) bool {
	if index < 0 {
		return false
	}
	text, _ := m.cell(rec, index)
	return text != ""
}

// checkWidth reports cells beyond the header; a shorter record just does not
// give its last columns.
func (m *tableMapper) checkWidth(rec *tabular.Record) {
	for i := m.b.width; i < len(rec.Cells); i++ {
		if trim(rec.Cells[i]) != "" {
			m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeColumnCount, Severity: catalog.Error,
				Value: catalog.Shorten(rec.Cells[i]),
				Message: fmt.Sprintf("The row has %d cells, the header %d; put cells with a delimiter in them in quotes, or remove the surplus.",
					len(rec.Cells), m.b.width)})
			return
		}
	}
}

// rowKeys are the canonical keys found while the columns were read.
type rowKeys [catalog.KeySlug + 1]string

// mapColumns reads every column into an operation, in order of the fields.
func (m *tableMapper) mapColumns(rec *tabular.Record, keys *rowKeys) []catalog.Op {
	if cap(m.ops)-len(m.ops) < len(m.b.columns) {
		m.ops = make([]catalog.Op, 0, max(opBlock, len(m.b.columns)))
	}
	start := len(m.ops)
	for i := range m.b.columns {
		c := &m.b.columns[i]
		text, given := m.cell(rec, c.index)
		if !given {
			continue
		}
		before := len(m.problems)
		// An operation is made where it stays, for it is large to move about.
		n := len(m.ops)
		m.ops = m.ops[:n+1]
		op := &m.ops[n]
		op.Field, op.Kind = c.field, catalog.OpSet
		ok := m.op(c, rec, text, keys, op)
		for j := before; j < len(m.problems); j++ {
			if m.problems[j].Column == "" {
				m.problems[j].Column = c.heading
			}
		}
		if !ok {
			*op = catalog.Op{}
			m.ops = m.ops[:n]
		}
	}
	return m.ops[start:len(m.ops):len(m.ops)]
}

// atVersion reads the version that the item must still have, 0 for any.
func (m *tableMapper) atVersion(rec *tabular.Record) int64 {
	if m.b.version < 0 {
		return 0
	}
	text, _ := m.cell(rec, m.b.version)
	version, err := strconv.ParseInt(text, 10, 64)
	if text != "" && (err != nil || version < 1) {
		m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeInvalidInteger, Severity: catalog.Error,
			Column: fieldVersion, Value: catalog.Shorten(text),
			Message: "This is no version of an item; give the number that was read with it, or none."})
		return 0
	}
	return version
}

// deletes reports whether the row asks for its item to go.
func (m *tableMapper) deletes(rec *tabular.Record) bool {
	if m.b.delete < 0 {
		return false
	}
	text, _ := m.cell(rec, m.b.delete)
	before := len(m.problems)
	text, m.problems = catalog.ParseBoolean(text, m.problems)
	for i := before; i < len(m.problems); i++ {
		m.problems[i].Column = fieldDelete
	}
	return text == "true"
}

// op makes op, so far its field's OpSet, what one cell asks for, and reports
// whether it asks for anything: absent, blank and "clear it" are told apart here.
func (m *tableMapper) op(c *column, rec *tabular.Record, text string, keys *rowKeys, op *catalog.Op) bool {
	switch {
	case text == "" && len(c.more) == 0:
		return c.blankOp(op)
	case m.b.def.ClearWord != "" && text == m.b.def.ClearWord:
		op.Kind = catalog.OpUnset
		return true
	}
	before := len(m.problems)
	if c.field.Property.List {
		op.Value = m.list(c, rec, text)
		if len(op.Value.List) == 0 && len(m.problems) == before {
			op.Value = catalog.Value{}
			return c.blankOp(op)
		}
		return len(op.Value.List) > 0
	}
	op.Value.Type, op.Value.Text = c.field.Property.Type, m.scalar(c, rec, text, keys)
	for i := before; i < len(m.problems); i++ {
		if m.problems[i].Severity == catalog.Error {
			return false
		}
	}
	return op.Value.Text != ""
}

// blankOp makes op what a blank cell of the column asks for, and reports whether it
// asks for anything.
func (c *column) blankOp(op *catalog.Op) bool {
	switch c.blank {
	case blankClear:
		op.Kind = catalog.OpUnset
	case blankDefault:
		op.Kind = catalog.OpDefault
	default:
		return false
	}
	return true
}

func (m *tableMapper) list(c *column, rec *tabular.Record, text string) catalog.Value {
	v := catalog.Value{Type: c.field.Property.Type, IsList: true}
	one := func(part string) {
		if part = trim(part); part == "" {
			return
		}
		if c.field.Property.Type == catalog.Image {
			part, m.problems = catalog.ParseImageURL(part, m.problems)
		}
		if part != "" {
			v.List = append(v.List, part)
		}
	}
	add := func(cell string) {
		if m.b.def.JSONLists {
			for _, part := range m.jsonList(cell) {
				one(part)
			}
			return
		}
		for cell != "" {
			part, rest, _ := strings.Cut(cell, c.sep)
			cell = rest
			one(part)
		}
	}
	add(text)
	for _, i := range c.more {
		cell, _ := m.cell(rec, i)
		add(cell)
	}
	if most := c.field.Property.MaxItems; most > 0 && len(v.List) > most {
		m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeTooMany, Severity: catalog.Error,
			Message: fmt.Sprintf("The cell lists %d values; at most %d are allowed.", len(v.List), most)})
	}
	return v
}

// jsonList reads the elements of a list that is written as a JSON array.
func (m *tableMapper) jsonList(cell string) []string {
	if cell == "" {
		return nil
	}
	var elements []*string
	err := json.Unmarshal([]byte(cell), &elements)
	if err != nil || elements == nil || slices.Contains(elements, nil) {
		m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeInvalidText, Severity: catalog.Error, Value: catalog.Shorten(cell),
			Message: `This is no list of texts; write a JSON array of strings, such as ["a","b"].`})
		return nil
	}
	list := make([]string, len(elements))
	for i, e := range elements {
		list[i] = *e
	}
	return list
}

// scalar reads a single value into its canonical form.
func (m *tableMapper) scalar(c *column, rec *tabular.Record, text string, keys *rowKeys) string {
	cell := text
	if losesGuard(c.field) {
		cell = m.kept(text)
	}
	before := len(m.problems)
	value := m.parse(c, rec, cell, keys)
	if len(cell) > len(text) {
		m.unguard(before)
	}
	return value
}

// kept returns a cell as a parser is to be given it that takes a text guard away:
// where that is a part of the value, it gets a guard of its own to lose.
func (m *tableMapper) kept(text string) string {
	if !m.b.def.NoGuards {
		return text
	}
	if _, guarded := catalog.Unguard(text); !guarded {
		return text
	}
	return "'" + text
}

// losesGuard reports whether the parser of a field's cells takes a text guard away.
func losesGuard(f *catalog.Field) bool {
	switch f.Property.Type {
	case catalog.GTINText, catalog.Integer, catalog.Decimal, catalog.Money, catalog.Boolean, catalog.Date, catalog.Timestamp:
		return true
	}
	return f.Name == catalog.PropSKU || f.Name == propASIN
}

// unguard takes the guard of kept from the row's problems from one on.
func (m *tableMapper) unguard(from int) {
	ps := slices.DeleteFunc(m.problems[from:], func(p catalog.Problem) bool { return p.Code == catalog.CodeTextGuardRemoved })
	for i := range ps {
		ps[i].Value = strings.TrimPrefix(ps[i].Value, "'")
	}
	m.problems = m.problems[:from+len(ps)]
}

// parse reads a cell by the type of its field.
func (m *tableMapper) parse(c *column, rec *tabular.Record, text string, keys *rowKeys) string {
	p := c.field.Property
	switch p.Type {
	case catalog.GTINText:
		var given, key string
		given, key, m.problems = catalog.ParseGTIN(text, c.hint, m.b.check, m.problems)
		keys[catalog.KeyGTIN] = key
		return given
	case catalog.Integer:
		text, m.problems = catalog.ParseInteger(text, c.style, m.problems)
	case catalog.Decimal:
		text, m.problems = catalog.ParseDecimal(text, c.style, m.problems)
	case catalog.Money:
		return m.money(c, rec, text)
	case catalog.Boolean:
		text, m.problems = catalog.ParseBoolean(text, m.problems)
	case catalog.Date:
		text, m.problems = catalog.ParseDate(text, m.problems)
	case catalog.Timestamp:
		text, m.problems = catalog.ParseTimestamp(text, m.problems)
	case catalog.Enum:
		text = m.enum(p, text)
	case catalog.Image:
		text, m.problems = catalog.ParseImageURL(text, m.problems)
	default:
		return m.text(c, text, keys)
	}
	if p.NonNegative && strings.HasPrefix(text, "-") {
		m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeNegativeNumber, Severity: catalog.Error, Value: text,
			Message: "The number is below zero; give zero or more."})
	}
	return text
}

// propASIN is the property of Amazon's numbers.
const propASIN = "asin"

// text reads a text cell; keys and ASINs have rules of their own.
func (m *tableMapper) text(c *column, text string, keys *rowKeys) string {
	switch c.field.Name {
	case catalog.PropSKU:
		text, m.problems = catalog.ParseSKU(text, m.b.def.SKULength, m.problems)
		keys[catalog.KeySKU] = text
		return text
	case propASIN:
		text, m.problems = catalog.ParseASIN(text, m.problems)
		return text
	case catalog.PropSlug:
		keys[catalog.KeySlug] = text
	case catalog.PropRef:
		keys[catalog.KeyRef] = text
	}
	if p := catalog.CheckText(c.field.Property, text); p != nil {
		m.problems = append(m.problems, *p)
	}
	return text
}

func (m *tableMapper) enum(p *catalog.Property, text string) string {
	for _, o := range p.Options {
		if strings.EqualFold(o, text) {
			return o
		}
	}
	m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeInvalidEnum, Severity: catalog.Error, Value: catalog.Shorten(text),
		Message: fmt.Sprintf("The value is not one of %s.", strings.Join(p.Options, ", "))})
	return ""
}

// money joins an amount with its currency: its own, or the currency column's,
// or the source's. None leaves the choice to Decide.
func (m *tableMapper) money(c *column, rec *tabular.Record, text string) string {
	var amount, own, column string
	amount, own, m.problems = catalog.ParseAmount(text, c.style, m.problems)
	if amount == "" {
		return ""
	}
	if m.b.currency >= 0 {
		if cell, _ := m.cell(rec, m.b.currency); cell != "" {
			before := len(m.problems)
			column, m.problems = catalog.ParseCurrency(cell, m.problems)
			for i := before; i < len(m.problems); i++ {
				m.problems[i].Column = m.b.currencyHeading
			}
			if column == "" {
				return ""
			}
		}
	}
	if own != "" && column != "" && own != column {
		m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeCurrencyMismatch, Severity: catalog.Error, Value: catalog.Shorten(text),
			Message: fmt.Sprintf("The price is in %s, the currency column says %s; correct one of them.", own, column)})
		return ""
	}
	currency := own
	if currency == "" {
		currency = column
	}
	if currency == "" {
		currency = m.b.def.Currency
	}
	if currency == "" {
		return amount
	}
	if own == "" && !catalog.SymbolFits(text, currency) {
		m.problems = append(m.problems, catalog.Problem{Code: catalog.CodeCurrencyMismatch, Severity: catalog.Error, Value: catalog.Shorten(text),
			Message: fmt.Sprintf("The price has a symbol that does not stand for %s; write the code of its currency beside it, or correct the currency.", currency)})
		return ""
	}
	value, p := catalog.FormatMoney(amount, currency)
	if p != nil {
		m.problems = append(m.problems, *p)
		return ""
	}
	return value
}

// matchKeys lists the keys that the row is identified by, in the source's order.
func (m *tableMapper) matchKeys(rec *tabular.Record, keys *rowKeys) []catalog.Key {
	m.readID(rec, keys)
	start := m.reserve(len(m.b.match))
	for _, f := range m.b.match {
		if keys[f] == "" {
			continue
		}
		m.keys = append(m.keys, catalog.Key{Field: f, Value: keys[f]})
		if !m.b.def.Fallthrough {
			break
		}
	}
	return m.keys[start:len(m.keys):len(m.keys)]
}

func (m *tableMapper) readID(rec *tabular.Record, keys *rowKeys) {
	for _, k := range m.b.keys {
		if k.field == catalog.KeyID {
			keys[catalog.KeyID], _ = m.cell(rec, k.index)
		}
	}
}

func (m *tableMapper) reserve(n int) int {
	if cap(m.keys)-len(m.keys) < n {
		m.keys = make([]catalog.Key, 0, max(keyBlock, n))
	}
	return len(m.keys)
}

// ident quotes the row's identifying cells as the file has them.
func (m *tableMapper) ident(rec *tabular.Record) []catalog.Key {
	start := m.reserve(len(m.b.keys))
	for _, k := range m.b.keys {
		if cell, _ := m.cell(rec, k.index); cell != "" {
			m.keys = append(m.keys, catalog.Key{Field: k.field, Value: catalog.Shorten(cell)})
		}
	}
	return m.keys[start:len(m.keys):len(m.keys)]
}

// missingIdentifier reports a row that has none of the source's match keys.
func (m *tableMapper) missingIdentifier() {
	var headings []string
	for _, f := range m.b.match {
		if h, ok := m.b.matchHeading(f); ok {
			headings = append(headings, h)
		}
	}
	p := catalog.Problem{Code: catalog.CodeMissingIdentifier, Severity: catalog.Error, Column: headings[0],
		Message: "Nothing identifies the row; give " + strings.Join(headings, " or ") + "."}
	if len(m.b.match) == 1 && m.b.match[0] == catalog.KeySKU {
		p.Code, p.Message = catalog.CodeMissingSKU, "Column "+headings[0]+" is empty; give the SKU."
	}
	m.problems = append(m.problems, p)
}

// Keys reads the record's unique keys without reporting problems: a key that
// cannot be read is none.
func (m *tableMapper) Keys(rec *tabular.Record, dst []catalog.Key) []catalog.Key {
	if rec.Problem != nil {
		return dst
	}
	for _, k := range m.b.keys {
		text, _ := m.cell(rec, k.index)
		if text == "" || text == m.b.def.ClearWord {
			continue
		}
		m.problems = m.problems[:0]
		switch k.field {
		case catalog.KeyGTIN:
			_, text, m.problems = catalog.ParseGTIN(m.kept(text), k.hint, m.b.check, m.problems)
		case catalog.KeySKU:
			text, m.problems = catalog.ParseSKU(m.kept(text), m.b.def.SKULength, m.problems)
		}
		if text != "" && !catalog.HasErrors(m.problems) {
			dst = append(dst, catalog.Key{Field: k.field, Value: text})
		}
	}
	return dst
}
