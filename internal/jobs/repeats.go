package jobs

import (
	"fmt"
	"sync"
	"time"

	"tallyman/internal/store"
)

// repeatEvery is how often the same warning is written.
const repeatEvery = time.Minute

// mostHeard bounds what is remembered: a message may have a number in it.
const mostHeard = 1000

// Repeats knows which warnings were written a moment ago. Its zero value knows of
// none; it may be used concurrently.
type Repeats struct {
	mu sync.Mutex
	at map[string]time.Time
}

// Again reports whether the warning was written less than a minute ago.
func (r *Repeats) Again(message string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.at[message]; ok && now.Sub(at) < repeatEvery {
		return true
	}
	if r.at == nil || len(r.at) >= mostHeard {
		r.at = make(map[string]time.Time)
	}
	r.at[message] = now
	return false
}

// AgainOf is Again of what goes wrong with an import for one cause, in however many
// batches and words.
func (r *Repeats) AgainOf(ws store.WS, importNo int64, err error, now time.Time) bool {
	return r.Again(fmt.Sprintf("%d/%d %v", ws, importNo, root(err)), now)
}

// root is what an error began with, of several the first.
func root(err error) error {
	for {
		var in error
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			in = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				in = all[0]
			}
		}
		if in == nil {
			return err
		}
		err = in
	}
}
