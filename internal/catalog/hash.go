package catalog

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Hasher computes change hashes. It is not safe for concurrent use; each
// goroutine has its own.
type Hasher struct {
	// Seed stands for everything that a change is resolved with beside its own
	// operations: the source's version, the schema's and the settings'. It may not
	// change once Sum was called.
	Seed string
	buf  []byte
}

// Sum returns the hash of a resolved change: its kind, keys and operations and
// the hasher's seed, but not its mode. It is 0, "do not use", for changes that
// cannot be told unchanged unread: a mode without updates, a deletion, an undo,
// one that asks for a version, or an operation that is not idempotent.
//
// 64 bits suffice: a hash is only ever compared with the one hash that the item
// carries, so a false match takes 2^64 comparisons, not 2^32 items. Nor is it a
// protection: whoever made two changes with one hash would have only their own
// second one taken for the first. Items keep it: what is hashed, and how, may
// never change.
func (h *Hasher) Sum(c *Change) int64 {
	if c.Mode == Create || c.Delete || c.Undo != nil || c.AtVersion != 0 {
		return 0
	}
	b := appendText(h.buf[:0], h.Seed)
	b = append(b, byte(c.Kind), flag(c.Staged), flag(c.GTINShared))
	b = binary.AppendUvarint(b, uint64(len(c.Keys)))
	for _, k := range c.Keys {
		b = appendText(append(b, byte(k.Field)), k.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Ops)))
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Kind.Idempotent() {
			return 0
		}
		b = appendText(b, op.Field.Name)
		b = append(b, byte(op.Kind), flag(op.Value.IsList))
		b = appendText(b, op.Value.Text)
		b = binary.AppendUvarint(b, uint64(len(op.Value.List)))
		for _, e := range op.Value.List {
			b = appendText(b, e)
		}
	}
	h.buf = b
	if v := int64(xxhash.Sum64(b)); v != 0 {
		return v
	}
	return 1
}

// appendText appends a text behind its length, so that no two lists of texts are
// one.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}
