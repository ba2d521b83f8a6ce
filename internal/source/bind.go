package source

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/catalog"
)

// Binding is a definition resolved against the header of one file: which column
// sets which field, and how its cells are read. It is immutable and shared by
// the mappers of all batches.
type Binding struct {
	def     *Definition
	kind    catalog.Kind
	width   int // columns of the header
	columns []column
	keys    []keyColumn
	// currency is the index of the column with the price's currency, -1 for none.
	currency        int
	currencyHeading string
	// version and delete are the indexes of the columns with the version that the
	// item must still have, and with the wish to delete it; -1 for none.
	version, delete int
	match           []catalog.KeyField
	check           catalog.GTINCheck
	// read are the columns whose cells say what a row asks for, and reading stands
	// for how they are read. keyed are indexes of columns: those that hold a key by
	// which items are identified.
	read, keyed []int
	reading     [sha256.Size]byte
	// Left lists the headings that mean nothing to the source.
	Left []string
}

// column is one column of the file that sets a field.
type column struct {
	index   int
	heading string
	field   *catalog.Field
	blank   blankRule
	sep     string
	style   catalog.DecimalStyle
	hint    catalog.GTINHint
	// more are further columns that add to the same list.
	more []int
}

// keyColumn is a column whose cells must be unique in the file.
type keyColumn struct {
	index   int
	heading string
	field   catalog.KeyField
	hint    catalog.GTINHint
}

type blankRule uint8

const (
	blankKeep blankRule = iota
	blankClear
	blankDefault
)

// pseudo-fields that columns may name beside the kind's fields.
const (
	fieldCurrency = "currency"
	fieldID       = "id"
	fieldVersion  = "@version"
	fieldDelete   = "@delete"
)

// Bind resolves the definition against a header; settings are those of the
// workspace that say what rows mean. It returns a *catalog.Fault
// of kind KindInvalid for a mapping that names a column the file lacks or a
// field that does not exist and for an option with a value that it cannot have,
// and of kind KindRefused (header_mismatch) for a file in which the source finds
// nothing to identify its rows by.
func (d *Definition) Bind(header []string, schema *catalog.Schema, settings string) (*Binding, error) {
	kind, ok := catalog.ParseKind(d.Kind)
	if !ok {
		return nil, catalog.Faultf(catalog.KindInvalid, "invalid_source", "The source %s is about %q, which is no kind of item.", d.ID, d.Kind)
	}
	b := &Binding{def: d, kind: kind, width: len(header), currency: -1, version: -1, delete: -1}
	var err error
	if b.check, ok = catalog.ParseGTINCheck(d.GTINCheck); !ok {
		return nil, invalidOption("gtin_check", d.GTINCheck, "strict, warn, off")
	}
	switch d.Missing {
	case "", "leave", "deactivate", "delete":
	default:
		return nil, invalidOption("missing", d.Missing, "leave, deactivate, delete")
	}
	if b.match, err = d.matchFields(); err != nil {
		return nil, err
	}
	chosen, err := d.choose(header, schema, kind)
	if err != nil {
		return nil, err
	}
	if err := b.resolve(header, chosen, schema); err != nil {
		return nil, err
	}
	if err := b.bindReading(schema, settings); err != nil {
		return nil, err
	}
	return b, b.identifiable(header)
}

func (d *Definition) matchFields() ([]catalog.KeyField, error) {
	var out []catalog.KeyField
	for _, name := range d.Match {
		f, ok := catalog.ParseKeyField(name)
		if !ok {
			return nil, invalidOption("match", name, "id, sku, gtin, external_ref, slug")
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, invalidOption("match", "", "id, sku, gtin, external_ref, slug")
	}
	return out, nil
}

// choice says what a column of the file means.
type choice struct {
	index int
	field string
	known *Column // the source's column, if it was matched to one
}

// choose finds the meaning of each column: first what the mapping says, then,
// unless only mapped columns count, what the source knows by name. The columns of
// the program's own downloads mean nothing but what a mapping says.
func (d *Definition) choose(header []string, schema *catalog.Schema, kind catalog.Kind) ([]choice, error) {
	taken := make(map[int]bool)
	var chosen []choice
	fields := map[string][]string{}
	for _, m := range d.Mapping {
		i := findHeading(header, m.Column)
		if i < 0 {
			fields[m.Column] = append(fields[m.Column], missingColumn(m.Column, header))
			continue
		}
		if !knownField(schema, kind, m.Field) {
			fields[m.Column] = append(fields[m.Column], unknownField(m.Field, "map to", append(fieldNames(schema, kind), fieldCurrency)))
			continue
		}
		taken[i] = true
		chosen = append(chosen, choice{index: i, field: m.Field, known: d.columnFor(m.Field)})
	}
	if len(fields) > 0 {
		return nil, mappingFault(fields)
	}
	switch {
	case d.Mapped:
		return chosen, nil
	case d.FieldNames:
		return d.chooseFields(chosen, taken, header, schema, kind)
	}
	names := d.headings()
	for i, h := range header {
		if taken[i] || isOwn(h) {
			continue
		}
		if c := names[fold(h)]; c != nil {
			chosen = append(chosen, choice{index: i, field: c.Field, known: c})
		} else if name := strings.TrimSpace(h); strings.ContainsAny(name, ".@") && knownField(schema, kind, name) {
			chosen = append(chosen, choice{index: i, field: name})
		}
	}
	return chosen, nil
}

// chooseFields adds the columns whose headings are names of fields to those
// chosen; a heading that is none is a fault, whatever it begins with, and so is
// one that stands twice.
func (d *Definition) chooseFields(chosen []choice, taken map[int]bool, header []string, schema *catalog.Schema, kind catalog.Kind) ([]choice, error) {
	fields := map[string][]string{}
	for i, h := range header {
		if taken[i] {
			continue
		}
		if slices.Contains(header[:i], h) {
			fields[catalog.Shorten(h)] = []string{fmt.Sprintf("The field %q is given twice; give it once.", catalog.Shorten(h))}
			continue
		}
		known := d.columnFor(h)
		if f, ok := schema.Field(kind, "", h); known == nil && (!ok || f.Property.ReadOnly) {
			fields[catalog.Shorten(h)] = []string{unknownField(catalog.Shorten(h), "give", fieldNames(schema, kind))}
			continue
		}
		chosen = append(chosen, choice{index: i, field: h, known: known})
	}
	if len(fields) > 0 {
		return nil, fieldsFault("The item cannot be changed so: ", fields)
	}
	return chosen, nil
}

// headings indexes the source's columns by every folded spelling.
func (d *Definition) headings() map[string]*Column {
	m := make(map[string]*Column)
	for i := range d.Columns {
		c := &d.Columns[i]
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			m[fold(name)] = c
		}
	}
	return m
}

func (d *Definition) columnFor(field string) *Column {
	for i := range d.Columns {
		if d.Columns[i].Field == field {
			return &d.Columns[i]
		}
	}
	return nil
}

// findHeading finds a column by its exact heading, or else by its folded one.
func findHeading(header []string, name string) int {
	if i := slices.Index(header, name); i >= 0 {
		return i
	}
	want := fold(name)
	return slices.IndexFunc(header, func(h string) bool { return fold(h) == want })
}

func knownField(schema *catalog.Schema, kind catalog.Kind, name string) bool {
	if name == fieldID || name == fieldCurrency {
		return true
	}
	f, ok := schema.Field(kind, "", name)
	return ok && !f.Property.ReadOnly
}

// resolve turns choices into columns in the order of their fields.
func (b *Binding) resolve(header []string, chosen []choice, schema *catalog.Schema) error {
	used := make(map[int]bool)
	for _, c := range chosen {
		heading := header[c.index]
		switch c.field {
		case fieldCurrency:
			if b.currency < 0 {
				b.currency, b.currencyHeading = c.index, heading
				used[c.index] = true
			}
			continue
		case fieldID:
			// An id by which nothing is identified may stand on any number of rows.
			if slices.Contains(b.match, catalog.KeyID) {
				b.addKey(c.index, heading, catalog.KeyID, 0)
			}
			used[c.index] = true
			continue
		case fieldVersion:
			b.version, used[c.index] = c.index, true
			continue
		case fieldDelete:
			b.delete, used[c.index] = c.index, true
			continue
		}
		if err := b.addColumn(c, heading, schema, used); err != nil {
			return err
		}
	}
	for i, h := range header {
		if !used[i] && !isOwn(h) && strings.TrimSpace(h) != "" {
			b.Left = append(b.Left, h)
		}
	}
	slices.SortFunc(b.columns, func(x, y column) int { return strings.Compare(x.field.Name, y.field.Name) })
	return nil
}

func (b *Binding) addColumn(c choice, heading string, schema *catalog.Schema, used map[int]bool) error {
	field, _ := schema.Field(b.kind, "", c.field)
	if i := slices.IndexFunc(b.columns, func(x column) bool { return x.field.Name == c.field }); i >= 0 {
		switch {
		case field.Property.List:
			b.columns[i].more = append(b.columns[i].more, c.index)
			used[c.index] = true
		case b.def.isMapped(heading) && b.def.isMapped(b.columns[i].heading):
			return mappingFault(map[string][]string{heading: {fmt.Sprintf("The columns %q and %q are both mapped to %s; map one of them.", b.columns[i].heading, heading, c.field)}})
		}
		return nil
	}
	col := column{index: c.index, heading: heading, field: field, sep: "|"}
	blank := b.def.Blank
	if c.known != nil {
		if c.known.Blank != "" {
			blank = c.known.Blank
		}
		if c.known.Separator != "" {
			col.sep = c.known.Separator
		}
	}
	var ok bool
	if col.blank, ok = parseBlank(blank); !ok {
		return invalidOption("blank", blank, "keep, clear, default")
	}
	decimal := b.def.Decimal
	if s := b.def.ColumnDecimals[heading]; s != "" && (decimal == "" || decimal == "auto") {
		decimal = s
	}
	if col.style, ok = catalog.ParseDecimalStyle(decimal); !ok {
		return invalidOption("decimal", decimal, "auto, point, comma")
	}
	if field.Property.Type == catalog.GTINText {
		col.hint = catalog.GTINHintFor(heading)
	}
	if k := catalog.KeyOfProperty(c.field); k != 0 && !(k == catalog.KeyGTIN && b.def.GTINShared) {
		b.addKey(c.index, heading, k, col.hint)
	}
	b.columns = append(b.columns, col)
	used[c.index] = true
	return nil
}

// Heading names the column of the file that sets a field, or the field itself
// when the file has none.
func (b *Binding) Heading(field string) string {
	if field == fieldID {
		for _, k := range b.keys {
			if k.field == catalog.KeyID {
				return k.heading
			}
		}
	}
	i, found := slices.BinarySearchFunc(b.columns, field, func(c column, name string) int { return strings.Compare(c.field.Name, name) })
	if !found {
		return field
	}
	return b.columns[i].heading
}

// KeyHeading names the column of the file that holds a key.
func (b *Binding) KeyHeading(f catalog.KeyField) string {
	for _, k := range b.keys {
		if k.field == f {
			return k.heading
		}
	}
	return f.String()
}

func (b *Binding) addKey(index int, heading string, f catalog.KeyField, hint catalog.GTINHint) {
	if !slices.ContainsFunc(b.keys, func(k keyColumn) bool { return k.field == f }) {
		b.keys = append(b.keys, keyColumn{index: index, heading: heading, field: f, hint: hint})
	}
}

func parseBlank(s string) (blankRule, bool) {
	switch s {
	case "", "keep":
		return blankKeep, true
	case "clear":
		return blankClear, true
	case "default":
		return blankDefault, true
	}
	return 0, false
}

func (d *Definition) isMapped(heading string) bool {
	return slices.ContainsFunc(d.Mapping, func(m Mapping) bool { return m.Column == heading || fold(m.Column) == fold(heading) })
}

// identifiable checks that the file has a column its rows can be identified by.
func (b *Binding) identifiable(header []string) error {
	for _, f := range b.match {
		if _, ok := b.matchHeading(f); ok {
			return nil
		}
	}
	var want []string
	for _, f := range b.match {
		name := f.String()
		if f == catalog.KeyGTIN {
			name = catalog.PropGTIN
		}
		want = append(want, name)
	}
	fault := &catalog.Fault{Kind: catalog.KindRefused, Code: "header_mismatch",
		Message: fmt.Sprintf("No column identifies the rows: expected %s; found %s.", strings.Join(want, " or "), quoteList(header)),
		Hint:    "Name the column in the file so, or map one of its columns to it."}
	for _, w := range want {
		if n := nearest(w, header); n != "" {
			fault.Hint = fmt.Sprintf("Did you mean %q for %s? Map it, or rename it.", n, w)
			break
		}
	}
	return fault
}

// matchHeading names the column that identifies rows by a key, and whether the
// file has one. It need not be unique in the file, and so be among b.keys.
func (b *Binding) matchHeading(f catalog.KeyField) (string, bool) {
	for _, k := range b.keys {
		if k.field == f {
			return k.heading, true
		}
	}
	for i := range b.columns {
		if catalog.KeyOfProperty(b.columns[i].field.Name) == f {
			return b.columns[i].heading, true
		}
	}
	return "", false
}

func missingColumn(name string, header []string) string {
	s := fmt.Sprintf("The file has no column %q; it has %s.", name, quoteList(header))
	if n := nearest(name, header); n != "" {
		s += fmt.Sprintf(" Did you mean %q?", n)
	}
	return s
}

// fieldNames lists the fields of a kind; NAME stands for the keys of a map.
func fieldNames(schema *catalog.Schema, kind catalog.Kind) []string {
	var names []string
	for _, p := range schema.Properties(kind) {
		n := p.Name
		if p.Map {
			n += ".NAME"
		}
		names = append(names, n)
	}
	return names
}

// unknownField says that there is no such field, and what to do (verb) with which.
func unknownField(name, verb string, names []string) string {
	slices.Sort(names)
	s := fmt.Sprintf("There is no field %q; %s one of %s.", name, verb, strings.Join(names, ", "))
	if strings.ContainsAny(name, ".@") {
		s += " NAME is at most 255 bytes, without quotes, backslashes, control characters and blanks round it; a locale follows it or a field as in title@fr."
	}
	if n := nearest(name, names); n != "" {
		s += fmt.Sprintf(" Did you mean %q?", n)
	}
	return s
}

func mappingFault(fields map[string][]string) error {
	return fieldsFault("The mapping does not fit: ", fields)
}

func fieldsFault(what string, fields map[string][]string) error {
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	slices.Sort(names)
	return &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error",
		Message: what + fields[names[0]][0], Fields: fields}
}

func invalidOption(name, value, allowed string) error {
	m := fmt.Sprintf("%q is not allowed; choose one of %s.", value, allowed)
	return &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error",
		Message: fmt.Sprintf("Invalid %s: %s", name, m), Fields: map[string][]string{name: {m}}}
}

// quoteList lists headings for people, cut after twenty.
func quoteList(header []string) string {
	const most = 20
	var sb strings.Builder
	for i, h := range header {
		if i == most {
			fmt.Fprintf(&sb, " and %d more", len(header)-most)
			break
		}
		if i > 0 {
			sb.WriteString(", ")
		}
		fmt.Fprintf(&sb, "%q", catalog.Shorten(h))
	}
	return sb.String()
}
