package tabular

import "math/bits"

// highBits is the highest bit of each of eight bytes.
const highBits uint64 = 0x8080808080808080

// split appends the pieces of line between delimiters to cells. It looks at
// eight bytes at a time, because most cells are short.
func split(cells []string, line string, delim byte) []string {
	pattern := uint64(delim) * 0x0101010101010101
	start, i := 0, 0
	for ; i+8 <= len(line); i += 8 {
		x := eightBytes(line[i:]) ^ pattern
		// The high bit of each byte that is a delimiter, and of no other.
		found := ^(x&^highBits + ^highBits | x) & highBits
		for ; found != 0; found &= found - 1 {
			at := i + bits.TrailingZeros64(found)/8
			cells = append(cells, line[start:at])
			start = at + 1
		}
	}
	for ; i < len(line); i++ {
		if line[i] == delim {
			cells = append(cells, line[start:i])
			start = i + 1
		}
	}
	return append(cells, line[start:])
}

// eightBytes is the beginning of s as a little-endian number.
func eightBytes(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
