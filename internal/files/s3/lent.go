package s3

import (
	"io"
	"sync"
)

// lent is a buffer that a request reads. A request that failed may go on sending
// for a while; once the buffer is taken back, it finds nothing there any more.
type lent struct {
	mu  sync.Mutex
	buf []byte
}

func lend(buf []byte) *lent { return &lent{buf: buf} }

// Read reads what was not read yet.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.buf)
	l.buf = l.buf[n:]
	return n, nil
}

// takeBack ends the loan.
func (l *lent) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = nil
}
