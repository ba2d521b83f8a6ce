package catalog

import (
	"encoding/binary"
	"math/bits"
)

// Hasher computes change hashes. It is not safe for concurrent use; each
// goroutine has its own.
type Hasher struct {
	// Seed stands for everything that a change is resolved with beside its own
	// operations: the source's version, the schema's and the settings'. It may not
	// change once Sum was called.
	Seed string
	// begun is the state after the seed; 0 before the first sum.
	begun digest
}

// Sum returns the hash of a resolved change: its kind, keys and operations and
// the hasher's seed, but not its mode. It is 0, "do not use", for changes that
// cannot be told unchanged unread: a mode without updates, a deletion, an undo,
// one that asks for a version, or an operation that is not idempotent.
//
// 64 bits suffice: a hash is only ever compared with the one hash that the item
// carries, so a false match takes 2^64 comparisons, not 2^32 items. Nor is it a
// protection: whoever made two changes with one hash would have only their own
// second one taken for the first.
func (h *Hasher) Sum(c *Change) int64 {
	if c.Mode == Create || c.Delete || c.Undo != nil || c.AtVersion != 0 {
		return 0
	}
	if h.begun == 0 {
		h.begun = digest(hashB)
		h.begun.text(h.Seed)
	}
	d := h.begun
	d.word(uint64(c.Kind) | flag(c.Staged)<<8 | flag(c.GTINShared)<<9 | uint64(len(c.Keys))<<16)
	for _, k := range c.Keys {
		d.word(uint64(k.Field))
		d.text(k.Value)
	}
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Kind.Idempotent() {
			return 0
		}
		d.word(op.Field.hash())
		d.word(uint64(op.Kind) | flag(op.Value.IsList)<<8 | uint64(len(op.Value.List))<<16)
		d.text(op.Value.Text)
		for _, e := range op.Value.List {
			d.text(e)
		}
	}
	d.word(uint64(len(c.Ops)))
	if v := int64(d); v != 0 {
		return v
	}
	return 1
}

// hash returns the hash of the field's name.
func (f *Field) hash() uint64 {
	if f.nameHash != 0 {
		return f.nameHash
	}
	return hashName(f.Name)
}

func hashName(name string) uint64 {
	d := digest(hashB)
	d.text(name)
	return uint64(d)
}

// digest is a hash under way. It multiplies eight bytes at a time into a product
// of 128 bits and folds that, as wyhash does. Items keep what comes of it: it may
// never change.
type digest uint64

// Odd constants with as many ones as zeros, from wyhash.
const (
	hashA = 0xa0761d6478bd642f
	hashB = 0xe7037ed1a0b428db
)

func (d *digest) word(x uint64) {
	hi, lo := bits.Mul64(uint64(*d)^x, hashA)
	*d = digest(hi ^ lo)
}

// text adds a text behind its length, so that no two lists of texts are one.
func (d *digest) text(s string) {
	d.word(uint64(len(s)) ^ hashB)
	for ; len(s) >= 8; s = s[8:] {
		d.word(eightBytes(s))
	}
	if len(s) > 0 {
		var tail [8]byte
		copy(tail[:], s)
		d.word(binary.LittleEndian.Uint64(tail[:]))
	}
}

// eightBytes is the beginning of s as a little-endian number; the compiler makes
// it one load.
func eightBytes(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func flag(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}
