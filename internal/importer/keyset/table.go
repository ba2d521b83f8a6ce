package keyset

import "math/bits"

// table remembers the first entry of each hash of a partition. It is a hash
// table with open addressing that never grows: when it is full it says so.
type table struct {
	slots []slot
	used  int
	room  int // most slots to use
	shift int
	// mul spreads words over the slots. It is drawn anew for every search, so
	// that no file can be made whose keys all fall on one place.
	mul uint64
}

// slot holds the first entry of a hash. Rows count from 0, so next, the row
// number plus one, is 0 where a slot is free; a flag of its own would make slots
// a third larger.
type slot struct {
	word   uint64
	next   int64
	offset int64
}

func (s *slot) taken() bool { return s.next != 0 }
func (s *slot) row() int64  { return s.next - 1 }

// reset empties the table and makes it large enough for n entries or for most
// slots, whichever is less. most is a power of two.
func (t *table) reset(n, most int) {
	size := 16
	for size < most && size*3/4 < n {
		size *= 2
	}
	if cap(t.slots) < size {
		t.slots = make([]slot, size)
	} else {
		t.slots = t.slots[:size]
		clear(t.slots)
	}
	t.used, t.room = 0, size*3/4
	t.shift = 64 - bits.Len(uint(size-1))
}

// first returns the slot of the entry's hash, having put the entry there if it
// is the first one; nil if there is no room for it.
func (t *table) first(e entry) *slot {
	mask := len(t.slots) - 1
	for i := int(e.word * t.mul >> t.shift); ; i = (i + 1) & mask {
		s := &t.slots[i]
		switch {
		case s.taken() && s.word == e.word:
			return s
		case s.taken():
			continue
		case t.used == t.room:
			return nil
		}
		*s = slot{e.word, e.row + 1, e.offset}
		t.used++
		return s
	}
}
