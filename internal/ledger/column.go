package ledger

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A body is a sequence of columns, each written for all entries before the
// next begins, because equal and nearly equal values then stand side by side.
// Three shapes of column carry everything: runs, texts and ids. What the
// columns are, and in which order, is said twice, by the one who appends them
// and the one who reads them, side by side: encode.go and decode.go for rows,
// links.go and values.go for images.

// appendRuns appends n values as (value, length of the run) pairs. A column
// whose values are all the same costs a few bytes whatever n is.
func appendRuns(b []byte, n int, at func(int) uint64) []byte {
	for i := 0; i < n; {
		v, from := at(i), i
		for i++; i < n && at(i) == v; i++ {
		}
		b = binary.AppendUvarint(b, v)
		b = binary.AppendUvarint(b, uint64(i-from))
	}
	return b
}

// appendSteps appends n numbers as runs of their differences, each from the
// one before. Numbers that rise evenly cost a few bytes.
func appendSteps(b []byte, n int, at func(int) int64) []byte {
	// appendRuns asks for a value twice where a run ends, so each difference is
	// taken from the numbers themselves, not from a remembered predecessor.
	return appendRuns(b, n, func(i int) uint64 {
		if i == 0 {
			return zigzag(at(0))
		}
		return zigzag(at(i) - at(i-1))
	})
}

// appendTexts appends n texts: their lengths, then their bytes.
func appendTexts(b []byte, n int, at func(int) string) []byte {
	for i := range n {
		b = binary.AppendUvarint(b, uint64(len(at(i))))
	}
	for i := range n {
		b = append(b, at(i)...)
	}
	return b
}

// What an id's control byte says. Any other is two counts of bytes, of the
// high and the low half of a UUID's difference from the UUID before it.
const (
	idEmpty = 0xFF
	idText  = 0xFE
)

// appendIDs appends n item ids: a control byte for each, then their bytes.
// UUIDs made one after another share their time and differ in few low bytes;
// a difference is kept in as many bytes as it needs. Any other id is text.
func appendIDs(b []byte, n int, at func(int) string) []byte {
	control := len(b)
	b = slices.Grow(b, n*9)[:control+n]
	var hi, lo uint64
	for i := range n {
		id := at(i)
		h, l, ok := parseUUID(id)
		switch {
		case ok:
			dh, dl := zigzag(int64(h-hi)), zigzag(int64(l-lo))
			nh, nl := byteLen(dh), byteLen(dl)
			b[control+i] = byte(nh<<4 | nl)
			b = appendLow(appendLow(b, dh, nh), dl, nl)
			hi, lo = h, l
		case id == "":
			b[control+i] = idEmpty
		default:
			b[control+i] = idText
			b = binary.AppendUvarint(b, uint64(len(id)))
			b = append(b, id...)
		}
	}
	return b
}

// zigzag folds the sign into the lowest bit, so that small numbers of either
// sign are small.
func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func byteLen(v uint64) int {
	n := 0
	for ; v > 0; v >>= 8 {
		n++
	}
	return n
}

func appendLow(b []byte, v uint64, n int) []byte {
	for range n {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

// parseUUID reads a UUID in its canonical form: 36 lower-case characters.
func parseUUID(s string) (hi, lo uint64, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, 0, false
	}
	a, ok1 := parseHex(s[0:8])
	b, ok2 := parseHex(s[9:13])
	c, ok3 := parseHex(s[14:18])
	d, ok4 := parseHex(s[19:23])
	e, ok5 := parseHex(s[24:36])
	return a<<32 | b<<16 | c, d<<48 | e, ok1 && ok2 && ok3 && ok4 && ok5
}

// hexValue is the value of each lower-case hexadecimal digit, and notHex of any
// other byte. A table, because digits of random ids make branches guess wrong.
var hexValue = func() (t [256]byte) {
	for c := range t {
		t[c] = notHex
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}()

const notHex = 0x80

func parseHex(s string) (uint64, bool) {
	var v uint64
	var seen byte
	for i := 0; i < len(s); i++ {
		d := hexValue[s[i]]
		seen |= d
		v = v<<4 | uint64(d)
	}
	return v, seen&notHex == 0
}

// uuidText is the inverse of parseUUID.
func uuidText(hi, lo uint64) string {
	const digits = "0123456789abcdef"
	var b [36]byte
	for i, at := 0, 0; i < 32; i++ {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			b[at] = '-'
			at++
		}
		half, shift := hi, 60-4*i
		if i >= 16 {
			half, shift = lo, 124-4*i
		}
		b[at] = digits[half>>shift&15]
		at++
	}
	return string(b[:])
}

// reader takes columns from a body. Its first fault stays: later calls do
// nothing, so that a decoder reads straight on and looks once at the end.
// Every count is held against the bytes that are left before anything is
// allocated for it.
type reader struct {
	s   string
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
		r.s = ""
	}
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return v
		}
	}
	r.fail("a number is cut short or too large")
	return 0
}

// count reads how many of something follow, each of at least one byte.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.s)) {
		r.fail("a count of %d is more than the body holds", n)
		return 0
	}
	return int(n)
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.fail("a text of %d bytes is longer than the body", n)
		return ""
	}
	t := r.s[:n]
	r.s = r.s[n:]
	return t
}

func (r *reader) runs(n int, set func(int, uint64)) {
	for i := 0; i < n && r.err == nil; {
		v, length := r.uvarint(), r.uvarint()
		if length == 0 || length > uint64(n-i) {
			r.fail("a run of %d does not fit the %d values of its column", length, n)
			return
		}
		for range length {
			set(i, v)
			i++
		}
	}
}

func (r *reader) steps(n int, set func(int, int64)) {
	var v int64
	r.runs(n, func(i int, step uint64) {
		v += unzigzag(step)
		set(i, v)
	})
}

// small reads runs of values that are at most limit.
func (r *reader) small(n int, what string, limit uint64, set func(int, uint64)) {
	r.runs(n, func(i int, v uint64) {
		if v > limit {
			r.fail("%s %d is not known", what, v)
			return
		}
		set(i, v)
	})
}

// counts reads runs of counts and returns them with their sum, which the bytes
// that are left must be able to hold.
func (r *reader) counts(n int) ([]int, int) {
	out := make([]int, n)
	sum := uint64(0)
	r.runs(n, func(i int, v uint64) {
		if sum += v; v > uint64(len(r.s)) || sum > uint64(len(r.s)) {
			r.fail("counts add up to more than the body holds")
			return
		}
		out[i] = int(v)
	})
	if r.err != nil {
		return out, 0
	}
	return out, int(sum)
}

func (r *reader) texts(n int, set func(int, string)) {
	if n > len(r.s) {
		r.fail("%d texts do not fit the body", n)
		return
	}
	lengths := make([]uint64, n)
	for i := range lengths {
		lengths[i] = r.uvarint()
	}
	for i, length := range lengths {
		set(i, r.take(length))
	}
}

func (r *reader) ids(n int, set func(int, string)) {
	control := r.take(uint64(n))
	var hi, lo uint64
	for i := 0; i < len(control) && r.err == nil; i++ {
		switch c := control[i]; {
		case c == idEmpty:
		case c == idText:
			set(i, r.take(r.uvarint()))
		case c>>4 > 8 || c&15 > 8:
			r.fail("an id's form %#x is not known", c)
		default:
			hi += uint64(unzigzag(r.low(int(c >> 4))))
			lo += uint64(unzigzag(r.low(int(c & 15))))
			set(i, uuidText(hi, lo))
		}
	}
}

func (r *reader) low(n int) uint64 {
	var v uint64
	for i, s := 0, r.take(uint64(n)); i < len(s); i++ {
		v |= uint64(s[i]) << (8 * i)
	}
	return v
}

func (r *reader) fixed64() int64 { return int64(r.low(8)) }
