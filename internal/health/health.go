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
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Condition is something that must be well for a node to work.
type Condition struct {
	// Name is a word for the log, probes and metrics. Several may have the same.
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
type Bad struct {
	Sentence string
	// Cause is what the log is told in its place; nil for nothing else.
	Cause error
}

func (b *Bad) Error() string {
	if b.Cause != nil {
		return b.Cause.Error()
	}
	return b.Sentence
}

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

// remindEvery is how often the log hears of what is still so.
const remindEvery = time.Minute

const (
	defaultEvery   = 2 * time.Second
	defaultTimeout = 5 * time.Second
)

// Guard watches the conditions of a node. Held is safe for concurrent use; Look
// and Run are for one goroutine.
type Guard struct {
	cfg     Config
	watched []*watched
	held    atomic.Pointer[holding]
	found   holding    // what the last look found
	holds   bool       // what Hold and Go have brought about
	unsure  bool       // the last of them did not come to its end
	acting  chan error // ends the one that is under way; nil for none
	toHold  bool       // it is Hold
	// since is when the node began to hold, said when the log last heard of it, failed
	// when it last heard that Hold or Go did not come to its end.
	since, said, failed time.Time
}

// New returns a guard that has not looked yet: nothing is held.
func New(cfg Config) *Guard {
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	g := &Guard{cfg: cfg}
	g.held.Store(&holding{})
	for _, c := range cfg.Conditions {
		if c.Timeout == 0 {
			c.Timeout = defaultTimeout
		}
		g.watched = append(g.watched, &watched{Condition: c})
	}
	return g
}

// holding is why a node holds.
type holding struct {
	reason string   // in sentences; "" where it does not
	names  []string // of the conditions that are bad, each once
}

// Held says in a sentence why the node takes nothing on just now; "" for nothing.
// A node that is well again is held until it goes on.
func (g *Guard) Held() string { return g.held.Load().reason }

// Names returns the names of the conditions for which the node is held, each once
// and in the order of Config. The caller must not change it.
func (g *Guard) Names() []string { return g.held.Load().names }

// Run looks at the conditions until ctx ends. It looks on while Hold or Go is under
// way.
func (g *Guard) Run(ctx context.Context) {
	tick := time.NewTicker(g.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if g.acting != nil {
				<-g.acting
			}
			return
		case err := <-g.acting:
			g.acted(ctx, err)
			continue
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
	results := make([]<-chan result, len(g.watched))
	for i, w := range g.watched {
		results[i] = w.begin(ctx)
	}
	var sentences, names []string
	for i, w := range g.watched {
		err := w.end(<-results[i])
		if ctx.Err() != nil {
			return // it says nothing about the condition
		}
		w.judge(err, g.cfg.Log)
		if w.bad != "" {
			sentences = append(sentences, w.bad)
			if !slices.Contains(names, w.Name) {
				names = append(names, w.Name)
			}
		}
	}
	g.found = holding{strings.Join(sentences, " "), names}
	g.show()
	g.remind()
}

// remind tells the log now and then why the node still holds: whoever looks into the
// last of it need not know when that began.
func (g *Guard) remind() {
	now := time.Now()
	switch reason := g.Held(); {
	case reason == "":
		g.since = time.Time{}
	case g.since.IsZero():
		g.since, g.said = now, now
	case now.Sub(g.said) >= remindEvery:
		g.said = now
		g.cfg.Log.Warn("node still holds", "reason", reason, "for", now.Sub(g.since).Round(time.Second).String())
	}
}

// show lets Held say what was found, and, until the node goes on, why it does not.
func (g *Guard) show() {
	if g.found.reason != "" || !g.holds && !g.unsure && g.acting == nil {
		found := g.found
		g.held.Store(&found)
	}
}

// act begins to bring about what was found.
func (g *Guard) act(ctx context.Context) {
	bad := g.found.reason != ""
	if g.acting != nil || bad == g.holds && !g.unsure {
		return
	}
	g.toHold = bad
	reason, do := g.found.reason, g.cfg.Go
	if bad {
		g.cfg.Log.Warn("node holds", "reason", reason)
		do = func(ctx context.Context) error { return g.cfg.Hold(ctx, reason) }
	}
	acting := make(chan error, 1)
	g.acting = acting
	go func() { acting <- do(ctx) }()
}

// acted takes note of what was brought about.
func (g *Guard) acted(ctx context.Context, err error) {
	switch {
	case err != nil && ctx.Err() == nil:
		if now := time.Now(); now.Sub(g.failed) >= remindEvery {
			g.failed = now
			g.cfg.Log.Warn("hold or go on", "error", err)
		}
	case err == nil && !g.toHold:
		g.cfg.Log.Info("node goes on")
	}
	g.holds, g.unsure, g.acting = g.toHold, err != nil, nil
	g.show()
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

// result is what a look got of a check.
type result struct {
	err error
	// busy is the check that is still under way.
	busy chan error
}

// begin starts a check whose result comes within the timeout, whatever becomes
// of the check: a call into a dead network file system never returns. What comes
// after its time has counted as no answer already, and only lets the next one begin.
func (w *watched) begin(ctx context.Context) <-chan result {
	out := make(chan result, 1)
	late := w.busy
	go func() {
		timer := time.NewTimer(w.Timeout)
		defer timer.Stop()
		if late != nil {
			select {
			case <-late:
			case <-timer.C:
				out <- result{errSilent, late}
				return
			}
			timer.Reset(w.Timeout)
		}
		busy := w.start(ctx)
		select {
		case err := <-busy:
			out <- result{err: err}
		case <-timer.C:
			out <- result{errSilent, busy}
		}
	}()
	return out
}

// start starts a check, whose answer stays for whoever asks for it.
func (w *watched) start(ctx context.Context) chan error {
	busy := make(chan error, 1)
	bounded, cancel := context.WithTimeout(ctx, w.Timeout)
	go func() {
		defer cancel()
		busy <- w.Check(bounded)
	}()
	return busy
}

// errSilent says that a check did not return in time.
var errSilent = errors.New("no answer")

// end takes the result of a check.
func (w *watched) end(r result) error {
	w.busy = r.busy
	if r.busy != nil {
		return fmt.Errorf("%w within %s", r.err, w.Timeout)
	}
	return r.err
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
