// Package health watches what a node works on – room on its disks, a database
// that takes writes, a file store that answers – and says when the node should
// hold: take nothing on, and go on by itself once all is well again.
//
// It knows conditions and how long they must be so. What does not belong here:
// how a database or a file store is asked (their own packages), and what holding
// means for jobs and uploads (cmd/tallyman).
package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// Condition is something that must be well for a node to work.
type Condition struct {
	// Name is a word for the log.
	Name string
	// Check returns nil if it is well. What it returns else is for the log alone,
	// but for a *Bad.
	Check func(ctx context.Context) error
	// Timeout is how long a check may take before it counts as bad; 5 s if 0.
	Timeout time.Duration
	// Sentence tells people what is bad. It holds no secret: anybody may read it.
	Sentence string
}

// Bad is the error of a check that has a sentence of its own for people.
type Bad struct{ Sentence string }

func (b *Bad) Error() string { return b.Sentence }

// Config is what a Guard is made of.
type Config struct {
	Conditions []Condition
	Log        *slog.Logger
	// Every is how often the conditions are looked at; 2 s if 0.
	Every time.Duration
	// Hold makes the node hold, Go lets it go on; one of them is called whenever
	// that changes, and again after Every where it returned an error.
	Hold func(ctx context.Context, reason string) error
	Go   func(ctx context.Context) error
}

// How many looks in a row must agree before a condition counts as bad, and as
// well again, so that one answer that is late stops nobody. At the first look
// there is nothing to agree with.
const (
	badAfter  = 2
	wellAfter = 2
)

const (
	defaultEvery   = 2 * time.Second
	defaultTimeout = 5 * time.Second
)

// Guard watches the conditions of a node. Held is safe for concurrent use; Look
// and Run are for one goroutine.
type Guard struct {
	cfg     Config
	watched []*watched
	held    atomic.Pointer[string]
	holds   bool // what Hold and Go have brought about
	unsure  bool // the last of them did not come to its end
}

// New returns a guard that has not looked yet: nothing is held.
func New(cfg Config) *Guard {
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	g := &Guard{cfg: cfg}
	g.held.Store(new(string))
	for _, c := range cfg.Conditions {
		if c.Timeout == 0 {
			c.Timeout = defaultTimeout
		}
		g.watched = append(g.watched, &watched{Condition: c})
	}
	return g
}

// Held says in a sentence why the node takes nothing on just now; "" for nothing.
func (g *Guard) Held() string { return *g.held.Load() }

// Run looks at the conditions until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	tick := time.NewTicker(g.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.Look(ctx)
		if ctx.Err() == nil {
			g.act(ctx)
		}
	}
}

// Look checks every condition once. What it finds shows in Held; it neither holds
// nor lets go.
func (g *Guard) Look(ctx context.Context) {
	results := make([]<-chan error, len(g.watched))
	for i, w := range g.watched {
		results[i] = w.begin(ctx)
	}
	var sentences []string
	for i, w := range g.watched {
		err := w.end(<-results[i])
		if ctx.Err() != nil {
			return // it says nothing about the condition
		}
		w.judge(err, g.cfg.Log)
		if w.bad != "" {
			sentences = append(sentences, w.bad)
		}
	}
	reason := strings.Join(sentences, " ")
	g.held.Store(&reason)
}

// act brings about what was found.
func (g *Guard) act(ctx context.Context) {
	reason := g.Held()
	var err error
	switch holds := reason != ""; {
	case holds == g.holds && !g.unsure:
		return
	case holds:
		g.cfg.Log.Warn("node holds", "reason", reason)
		err = g.cfg.Hold(ctx, reason)
	default:
		err = g.cfg.Go(ctx)
		if err == nil {
			g.cfg.Log.Info("node goes on")
		}
	}
	if err != nil && ctx.Err() == nil {
		g.cfg.Log.Warn("hold or go on", "error", err)
	}
	g.holds, g.unsure = reason != "", err != nil
}

// Begin looks for the first time, and says that the node was not set going if it
// is held.
func (g *Guard) Begin(ctx context.Context) (held bool) {
	g.Look(ctx)
	g.holds = g.Held() != ""
	if g.holds {
		g.cfg.Log.Warn("node holds", "reason", g.Held())
	}
	return g.holds
}

// watched is a condition with what is known of it.
type watched struct {
	Condition
	// bad is the sentence while it counts as bad; "" while it is well.
	bad string
	// agreed is how many looks in a row found it other than it counts.
	agreed int
	looked bool
	// busy is the check that has not returned from an earlier look.
	busy chan error
}

// begin starts a check whose result comes within the timeout, whatever becomes
// of the check: a call into a dead network file system never returns.
func (w *watched) begin(ctx context.Context) <-chan error {
	out := make(chan error, 1)
	if w.busy == nil {
		busy := make(chan error, 1)
		w.busy = busy
		bounded, cancel := context.WithTimeout(ctx, w.Timeout)
		go func() {
			defer cancel()
			busy <- w.Check(bounded)
		}()
	}
	busy := w.busy
	go func() {
		timer := time.NewTimer(w.Timeout)
		defer timer.Stop()
		select {
		case err := <-busy:
			out <- err
		case <-timer.C:
			out <- errSilent
		}
	}()
	return out
}

// errSilent says that a check did not return in time.
var errSilent = errors.New("no answer")

// end takes the result of a check.
func (w *watched) end(err error) error {
	if errors.Is(err, errSilent) {
		return fmt.Errorf("%w within %s", err, w.Timeout)
	}
	w.busy = nil
	return err
}

// judge decides whether the condition counts as bad after one more look.
func (w *watched) judge(err error, log *slog.Logger) {
	needed := badAfter
	switch {
	case !w.looked:
		needed = 1
	case w.bad != "":
		needed = wellAfter
	}
	w.looked = true
	if (err != nil) == (w.bad != "") {
		w.agreed = 0
		if err != nil {
			w.bad = w.sentence(err)
		}
		return
	}
	if w.agreed++; w.agreed < needed {
		return
	}
	w.agreed = 0
	if err == nil {
		log.Info("condition is well again", "condition", w.Name)
		w.bad = ""
		return
	}
	log.Warn("condition is bad", "condition", w.Name, "error", err)
	w.bad = w.sentence(err)
}

func (w *watched) sentence(err error) string {
	if b, ok := errors.AsType[*Bad](err); ok {
		return b.Sentence
	}
	return w.Sentence
}
