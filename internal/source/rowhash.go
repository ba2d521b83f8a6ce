package source

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
)

// A change's hash stands for the row as its file gives it: the cells that the
// binding reads, and everything that says how they are read. It is SHA-256 because
// what files hold is not ours: nobody can make two rows that agree. Its lowest bit
// tells a row without a problem from one with warnings, which are to be told again.
const cleanBit = 1

// rowHasher hashes rows. It is not safe for concurrent use.
type rowHasher struct {
	b   *Binding
	buf []byte
}

// sum is the hash of a record without its lowest bit, and not 0.
func (h *rowHasher) sum(rec *tabular.Record) int64 {
	b := append(h.buf[:0], h.b.reading[:]...)
	for _, i := range h.b.read {
		if i >= len(rec.Cells) {
			b = append(b, 0) // no cell, which is not a blank one
			continue
		}
		text := trim(rec.Cells[i])
		b = binary.AppendUvarint(b, uint64(len(text))+1)
		b = append(b, text...)
	}
	h.buf = b
	sum := sha256.Sum256(b)
	v := int64(binary.LittleEndian.Uint64(sum[:8])) &^ cleanBit
	if v == 0 {
		v = 2
	}
	return v
}

// bindReading notes which cells are read, and how.
func (b *Binding) bindReading(schema *catalog.Schema, settings string) error {
	columns := make([]readColumn, 0, len(b.columns)+len(b.keys)+3)
	for i := range b.columns {
		c := &b.columns[i]
		columns = append(columns, readColumn{Field: c.field.Name, Blank: c.blank, Separator: c.sep, Style: c.style, Hint: c.hint, More: len(c.more)})
		b.read = append(append(b.read, c.index), c.more...)
		if slices.Contains(b.match, catalog.KeyOfProperty(c.field.Name)) {
			b.keyed = append(b.keyed, i)
		}
	}
	for _, pseudo := range []struct {
		field string
		index int
	}{{fieldCurrency, b.currency}, {fieldVersion, b.version}, {fieldDelete, b.delete}, {fieldID, b.idColumn()}} {
		if pseudo.index >= 0 {
			columns = append(columns, readColumn{Field: pseudo.field})
			b.read = append(b.read, pseudo.index)
		}
	}
	// What only finds columns, or bounds imports, says nothing of a row. Whatever
	// else a definition has or comes to have does.
	def := *b.def
	def.Name, def.Columns, def.Mapping, def.Mapped, def.FieldNames, def.ColumnDecimals = "", nil, nil, false, false, nil
	def.Rails, def.Missing, def.MaxRows, def.MaxBytes = Rails{}, "", 0, 0
	reading, err := json.Marshal(struct {
		Definition Definition
		Columns    []readColumn
		Schema     int64
		Settings   string
	}{def, columns, schema.Version, settings})
	if err != nil {
		return fmt.Errorf("encode how rows are read: %w", err)
	}
	b.reading = sha256.Sum256(reading)
	return nil
}

// readColumn says how the cells of a column are read.
type readColumn struct {
	Field     string
	Blank     blankRule
	Separator string
	Style     catalog.DecimalStyle
	Hint      catalog.GTINHint
	More      int
}

// idColumn is the index of the column with the ids by which items are identified, -1
// for none.
func (b *Binding) idColumn() int {
	if i := slices.IndexFunc(b.keys, func(k keyColumn) bool { return k.field == catalog.KeyID }); i >= 0 {
		return b.keys[i].index
	}
	return -1
}
