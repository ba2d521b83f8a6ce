package catalog

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// apply works out the document after the change's operations, and which fields
// differ. It is a linear merge of two sorted runs: the document's fields and
// the operations. ok is false when an operation cannot be done; the problems
// stand on the row then.
func (d *decider) apply(c *Change, doc Doc) (after Doc, changes []FieldChange, ok bool) {
	m := merger{d: d, c: c, creating: doc == ""}
	m.w.b = d.out.scratch[:0]
	defer func() { d.out.scratch = m.w.b }()
	if m.creating {
		m.defaults = d.f.Schema.required[c.Kind]
	}
	name, token, next, more := doc.next(1)
	for i := range c.Ops {
		op := &c.Ops[i]
		for more && name < op.Field.Name {
			m.w.entry(name, token)
			name, token, next, more = doc.next(next)
		}
		old := ""
		if more && name == op.Field.Name {
			old = token
			name, token, next, more = doc.next(next)
		}
		m.op(op, old)
	}
	for more {
		m.w.entry(name, token)
		name, token, next, more = doc.next(next)
	}
	m.fill("")
	if m.failed {
		return "", nil, false
	}
	if !m.creating && len(m.changes) == 0 {
		return doc, nil, true
	}
	return m.w.doc(), m.changes, true
}

// merger writes the document after a change.
type merger struct {
	d        *decider
	c        *Change
	w        docWriter
	changes  []FieldChange
	creating bool
	failed   bool
	// defaults are the properties that a new item must have or be given, of
	// those not yet passed in the order of names.
	defaults []*Property
}

// op does one operation on a field whose token was old.
func (m *merger) op(op *Op, old string) {
	if m.creating {
		m.fill(op.Field.Name)
	}
	value, ok := m.value(op, old)
	if !ok {
		m.failed = true
		return
	}
	mark := len(m.w.b)
	if value.Type == 0 {
		m.unset(op, old)
		return
	}
	m.w.name(op.Field.Name)
	start := len(m.w.b)
	m.w.b = value.AppendJSON(m.w.b)
	if value.IsList && len(value.List) == 0 {
		m.w.b = m.w.b[:mark]
		m.unset(op, old)
		return
	}
	if m.creating || string(m.w.b[start:]) == old {
		return
	}
	m.changes = append(m.changes, FieldChange{Field: op.Field.Name, Old: old, New: string(m.w.b[start:])})
}

func (m *merger) unset(op *Op, old string) {
	if op.Field.Property.Required && op.Field.Locale == "" {
		m.d.problem(m.c, Problem{Code: CodeMissingRequired, Severity: Error, Column: m.d.f.heading(op.Field.Name),
			Message: "A " + m.c.Kind.String() + " cannot be without " + op.Field.Name + "; give a value."})
		m.failed = true
		return
	}
	if old != "" {
		m.changes = append(m.changes, FieldChange{Field: op.Field.Name, Old: old})
	}
}

// value works out what the field becomes; a zero Value means that it goes.
func (m *merger) value(op *Op, old string) (Value, bool) {
	p := op.Field.Property
	switch op.Kind {
	case OpSet:
		if p.Type == Money {
			return m.money(op, old)
		}
		return op.Value, m.keyFits(op)
	case OpDefault, OpUnset:
		if p.Default != "" && (op.Kind == OpDefault || p.Required) {
			return Value{Type: p.Type, Text: p.Default}, true
		}
		return Value{}, true
	}
	return Value{Type: p.Type, IsList: true, List: listAfter(op, Elements(old))}, true
}

// keyFits refuses a key that stores cannot index, wherever it came from. What an
// undo puts back was there before.
func (m *merger) keyFits(op *Op) bool {
	if len(op.Value.Text) <= MaxKeyBytes || keyFieldOf(op.Field) == 0 || m.c.Undo != nil {
		return true
	}
	p := tooManyBytes(op.Value.Text, MaxKeyBytes)
	p.Column = m.d.f.heading(op.Field.Name)
	m.d.problem(m.c, *p)
	return false
}

func listAfter(op *Op, now []string) []string {
	switch op.Kind {
	case OpPrepend:
		return append(append([]string(nil), op.Value.List...), now...)
	case OpAppend:
		return append(now, op.Value.List...)
	}
	var kept []string
	for _, e := range now {
		gone := false
		for _, r := range op.Value.List {
			gone = gone || r == e
		}
		if !gone {
			kept = append(kept, e)
		}
	}
	return kept
}

// money gives an amount without a currency the item's own, or the default one.
func (m *merger) money(op *Op, old string) (Value, bool) {
	if strings.IndexByte(op.Value.Text, ' ') >= 0 {
		return op.Value, true
	}
	currency := m.d.f.Currency
	if _, c, ok := strings.Cut(Unquote(old), " "); ok {
		currency = c
	}
	if currency == "" {
		m.d.problem(m.c, Problem{Code: CodeMissingCurrency, Severity: Error, Column: m.d.f.heading(op.Field.Name), Value: op.Value.Text,
			Message: "The amount has no currency; add a currency column, or say the currency with the import or the workspace."})
		return Value{}, false
	}
	text, p := FormatMoney(op.Value.Text, currency)
	if p != nil {
		p.Column = m.d.f.heading(op.Field.Name)
		m.d.problem(m.c, *p)
		return Value{}, false
	}
	return Value{Type: Money, Text: text}, true
}

// fill gives a new item the defaults of properties whose names come before
// upTo (all that are left when it is empty), and finds required ones missing.
func (m *merger) fill(upTo string) {
	for len(m.defaults) > 0 && (upTo == "" || m.defaults[0].Name <= upTo) {
		p := m.defaults[0]
		m.defaults = m.defaults[1:]
		switch {
		case p.Name == upTo:
		case p.Default != "":
			m.w.name(p.Name)
			m.w.b = Value{Type: p.Type, Text: p.Default}.AppendJSON(m.w.b)
		case p.Required:
			m.d.problem(m.c, Problem{Code: CodeMissingRequired, Severity: Error, Column: m.d.f.heading(p.Name),
				Message: "A new " + m.c.Kind.String() + " needs a " + p.Name + "; give a value."})
			m.failed = true
		}
	}
}

// CheckText checks a text value against its property's bounds.
func CheckText(p *Property, s string) *Problem {
	if p.MaxBytes > 0 && len(s) > p.MaxBytes {
		return tooManyBytes(s, p.MaxBytes)
	}
	if p.MaxLength > 0 && len(s) > p.MaxLength && utf8.RuneCountInString(s) > p.MaxLength {
		return &Problem{Code: CodeTooLong, Severity: Error, Value: Shorten(s),
			Message: "The text has " + strconv.Itoa(utf8.RuneCountInString(s)) + " characters; at most " + strconv.Itoa(p.MaxLength) + " are allowed."}
	}
	return nil
}

func tooManyBytes(s string, most int) *Problem {
	return &Problem{Code: CodeTooLong, Severity: Error, Value: Shorten(s),
		Message: "The text has " + strconv.Itoa(len(s)) + " bytes; at most " + strconv.Itoa(most) +
			" are allowed in a key. Letters other than A-Z take two to four."}
}
