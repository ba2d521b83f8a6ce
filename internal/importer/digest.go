package importer

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
)

// digestSize is a page's digest: two sums over its rows, and a byte with a bit
// for each key field by which a row found an item.
const digestSize = 17

// digest sums up what the rows of a chunk would do. Sums do not mind how rows
// are cut into chunks.
func digest(d *catalog.Decisions, matched byte) []byte {
	rows := digester{h: sha256.New()}
	writes := d.Writes
	for i := range d.Rows {
		r := &d.Rows[i]
		rows.number(r.Row.Number)
		rows.number(int64(r.Outcome))
		for j := range r.Row.Problems {
			rows.text(string(r.Row.Problems[j].Code))
		}
		// Writes stand in the order of the rows that make them.
		for len(writes) > 0 && writes[0].Row == r.Row.Number {
			rows.write(&writes[0])
			writes = writes[1:]
		}
		rows.end()
	}
	for i := range writes {
		rows.write(&writes[i])
		rows.end()
	}
	sum := make([]byte, digestSize)
	binary.LittleEndian.PutUint64(sum, rows.a)
	binary.LittleEndian.PutUint64(sum[8:], rows.b)
	sum[16] = matched
	return sum
}

// digester hashes rows one by one and sums the hashes.
type digester struct {
	h    hash.Hash
	buf  []byte
	a, b uint64
}

func (d *digester) number(n int64) { d.buf = binary.AppendVarint(d.buf, n) }

func (d *digester) text(s string) {
	d.buf = binary.AppendUvarint(d.buf, uint64(len(s)))
	d.buf = append(d.buf, s...)
}

func (d *digester) write(w *catalog.Write) {
	d.number(int64(w.Outcome))
	d.number(int64(w.After.Kind))
	if w.Before == nil {
		// The id of a new item is chance.
		d.text(string(w.After.Doc))
		return
	}
	d.text(w.Before.ID)
	for i := range w.Changes {
		d.text(w.Changes[i].Field)
		d.text(w.Changes[i].Old)
		d.text(w.Changes[i].New)
	}
	if w.Outcome == catalog.Deleted {
		d.text(string(w.Before.Doc))
	}
}

// end adds the row's hash to the sums.
func (d *digester) end() {
	d.h.Reset()
	d.h.Write(d.buf)
	var sum [sha256.Size]byte
	d.h.Sum(sum[:0])
	d.a += binary.LittleEndian.Uint64(sum[:])
	d.b += binary.LittleEndian.Uint64(sum[8:])
	d.buf = d.buf[:0]
}

// sumDigests adds pages' digests up.
func sumDigests(pages []ledger.Page) []byte {
	var a, b uint64
	for i := range pages {
		if d := pages[i].Digest; len(d) == digestSize {
			a += binary.LittleEndian.Uint64(d)
			b += binary.LittleEndian.Uint64(d[8:])
		}
	}
	sum := binary.LittleEndian.AppendUint64(nil, a)
	return binary.LittleEndian.AppendUint64(sum, b)
}

// matchedBy collects the key fields by which rows found items.
func matchedBy(pages []ledger.Page) (matched byte) {
	for i := range pages {
		if d := pages[i].Digest; len(d) == digestSize {
			matched |= d[16]
		}
	}
	return matched
}
