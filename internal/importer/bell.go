package importer

import "sync"

// bell wakes whoever waits for an import of this process. It is a hint: what other
// processes end is found by looking.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// heard returns a channel that is closed when the bell rings next.
func (b *bell) heard() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
