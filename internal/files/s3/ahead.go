package s3

import "sync"

// readAheadTotal bounds what all readers of a store hold of what they read ahead.
// A reader that gets no share of it asks for what it needs at the moment.
const readAheadTotal = 64 << 20

// firstAhead is how much is read ahead once a reader has gone on where it
// stopped; each time it goes on doubles that, up to pieceBytes. So no more is
// read in vain than was read in earnest.
const firstAhead = 512 << 10

// readAhead holds what was read behind the last read of a file that is read from
// front to back. Reads elsewhere pass it by and ask for exactly what they need.
type readAhead struct {
	budget *budget

	mu    sync.Mutex
	next  int64  // where the last read ended
	buf   []byte // what was read ahead
	off   int64  // where buf begins in the file
	share int64  // of the budget
	busy  bool   // a buffer is being filled
	done  bool
}

type fetchFunc func(p []byte, off int64) (int, error)

// read reads some of p, at least a byte unless it fails. p lies within a file of
// size bytes.
func (a *readAhead) read(p []byte, off, size int64, fetch fetchFunc) (int, error) {
	if n := a.held(p, off); n > 0 {
		return n, nil
	}
	buf := a.take(len(p), off, size)
	if buf == nil {
		p = p[:min(len(p), pieceBytes)]
		n, err := fetch(p, off)
		a.stopped(off + int64(n))
		return n, err
	}
	got, err := fetch(buf, off)
	n := copy(p, buf[:got])
	a.keep(buf[:got], off, n)
	if n == len(p) {
		err = nil // what is missing was not asked for
	}
	return n, err
}

// held copies what was read ahead.
func (a *readAhead) held(p []byte, off int64) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if off < a.off || off >= a.off+int64(len(a.buf)) {
		return 0
	}
	n := copy(p, a.buf[off-a.off:])
	a.next = off + int64(n)
	return n
}

// take returns a buffer that is larger than what is needed, nil where the file is
// not read from front to back or there is no room. The buffer of before is given
// up: what it held has been read.
func (a *readAhead) take(need int, off, size int64) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done || a.busy || off != a.next {
		return nil
	}
	want := min(max(2*int64(len(a.buf)), 2*int64(need), firstAhead), pieceBytes, size-off)
	a.drop()
	if want <= int64(need) || !a.budget.take(want) {
		return nil
	}
	a.share, a.busy = want, true
	return make([]byte, want)
}

// keep makes buf what was read ahead, of which n bytes have been read.
func (a *readAhead) keep(buf []byte, off int64, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next, a.busy = off+int64(n), false
	if a.buf, a.off = buf, off; a.done {
		a.drop()
	}
}

func (a *readAhead) stopped(off int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = off
}

// drop gives the buffer up, and its share of the budget back.
func (a *readAhead) drop() {
	a.budget.give(a.share)
	a.buf, a.off, a.share = nil, 0, 0
}

// release ends reading ahead.
func (a *readAhead) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = true
	if !a.busy {
		a.drop()
	}
}

// budget is a number of bytes that many share.
type budget struct {
	mu   sync.Mutex
	free int64
}

func newBudget(n int64) *budget { return &budget{free: n} }

func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
}
