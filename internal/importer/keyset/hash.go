package keyset

import (
	"encoding/binary"
	"math/bits"
)

// Odd constants with as many ones as zeros, from wyhash.
const (
	hashA = 0xa0761d6478bd642f
	hashB = 0xe7037ed1a0b428db
	hashC = 0x8ebc6af09c88c6e3
)

// Hash returns the hash of a key in its canonical form. The tag tells kinds of
// keys apart: a SKU and a GTIN of the same letters have different hashes. It is
// the same in every process and every version, because segments outlive both.
//
// It multiplies eight bytes at a time into a 128-bit product and folds it, as
// wyhash does. It is fast and spreads well, but it is no protection against
// someone who looks for collisions; they only find them in their own file.
func Hash(tag byte, key string) uint64 {
	h := fold(uint64(tag)^hashA, uint64(len(key))^hashB)
	for len(key) >= 8 {
		h = fold(h^load(key[:8]), hashC)
		key = key[8:]
	}
	if len(key) > 0 {
		var tail [8]byte
		copy(tail[:], key)
		h = fold(h^binary.LittleEndian.Uint64(tail[:]), hashC)
	}
	return fold(h^hashA, hashB)
}

// load reads eight bytes as a little-endian number; the compiler makes it one
// load.
func load(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
