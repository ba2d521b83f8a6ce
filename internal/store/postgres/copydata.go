package postgres

import (
	"bytes"
	"encoding/binary"
	"io"
)

// copyData is rows in the binary form of COPY.
type copyData struct {
	b []byte
}

const (
	copyHeader = "PGCOPY\n\377\r\n\000" + "\000\000\000\000" + "\000\000\000\000" // signature, flags, no extension
	copyEnd    = "\377\377"
)

// newCopyData begins data of about size bytes of rows.
func newCopyData(size int) *copyData {
	c := &copyData{b: make([]byte, 0, size+len(copyHeader)+len(copyEnd))}
	c.b = append(c.b, copyHeader...)
	return c
}

// row begins a row of so many columns.
func (c *copyData) row(columns int) { c.b = binary.BigEndian.AppendUint16(c.b, uint16(columns)) }

func (c *copyData) int64(v int64) {
	c.b = binary.BigEndian.AppendUint64(append(c.b, 0, 0, 0, 8), uint64(v))
}

func (c *copyData) int16(v int16) {
	c.b = binary.BigEndian.AppendUint16(append(c.b, 0, 0, 0, 2), uint16(v))
}

func (c *copyData) text(s string) {
	c.b = append(binary.BigEndian.AppendUint32(c.b, uint32(len(s))), s...)
}

func (c *copyData) null() { c.b = append(c.b, 0xff, 0xff, 0xff, 0xff) }

// textOrNull writes "" as NULL.
func (c *copyData) textOrNull(s string) {
	if s == "" {
		c.null()
		return
	}
	c.text(s)
}

// end ends the data. Nothing may be added after it.
func (c *copyData) end() { c.b = append(c.b, copyEnd...) }

// reader reads the data from its beginning.
func (c *copyData) reader() io.Reader { return bytes.NewReader(c.b) }
