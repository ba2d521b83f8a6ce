package catalog

import (
	"crypto/sha256"
	"encoding/binary"
)

// Hasher computes change hashes. It is not safe for concurrent use; each
// goroutine has its own.
type Hasher struct {
	// Seed stands for everything that a change is resolved with beside its own
	// operations: the source's version, the schema's and the settings'.
	Seed string
	buf  []byte
}

// Sum returns the hash of a resolved change: its kind, keys and operations and
// the hasher's seed, but not its mode. It is 0, "do not use", for changes that
// cannot be told unchanged unread: a mode without updates, a deletion, an undo,
// one that asks for a version, or an operation that is not idempotent.
//
// 64 bits suffice: a hash is only ever compared with the one hash that the item
// carries, so a false match takes 2^64 comparisons, not 2^32 items.
func (h *Hasher) Sum(c *Change) int64 {
	if c.Mode == Create || c.Delete || c.Undo != nil || c.AtVersion != 0 {
		return 0
	}
	b := append(h.buf[:0], h.Seed...)
	b = append(b, 0, byte(c.Kind), flag(c.Staged), flag(c.GTINShared), byte(len(c.Keys)))
	for _, k := range c.Keys {
		b = append(b, byte(k.Field))
		b = appendSized(b, k.Value)
	}
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Kind.Idempotent() {
			return 0
		}
		b = appendSized(b, op.Field.Name)
		b = append(b, byte(op.Kind), flag(op.Value.IsList))
		b = appendSized(b, op.Value.Text)
		b = binary.AppendUvarint(b, uint64(len(op.Value.List)))
		for _, e := range op.Value.List {
			b = appendSized(b, e)
		}
	}
	h.buf = b
	sum := sha256.Sum256(b)
	if v := int64(binary.LittleEndian.Uint64(sum[:8])); v != 0 {
		return v
	}
	return 1
}

func appendSized(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}
