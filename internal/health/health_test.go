package health_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tallyman/internal/health"
)

// node is what a guard watches over: a condition that may be bad.
type node struct {
	bad   atomic.Bool
	fails atomic.Int32 // how many calls of Hold and Go fail yet

	mu    sync.Mutex
	calls []string
}

func (n *node) check(context.Context) error {
	if n.bad.Load() {
		return errors.New("a detail that is nobody's business")
	}
	return nil
}

func (n *node) called(what string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, what)
	if n.fails.Add(-1) >= 0 {
		return errors.New("not now")
	}
	return nil
}

// told returns what was called so far.
func (n *node) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.calls)
}

func (n *node) guard(t *testing.T) *health.Guard {
	return health.New(health.Config{
		Log:        slog.New(slog.NewTextHandler(t.Output(), nil)),
		Conditions: []health.Condition{{Name: "database", Check: n.check, Sentence: "The database takes no writes."}},
		Hold:       func(_ context.Context, reason string) error { return n.called("hold: " + reason) },
		Go:         func(context.Context) error { return n.called("go") },
	})
}

// watch runs a guard while do goes on.
func (n *node) watch(t *testing.T, do func(g *health.Guard)) {
	synctest.Test(t, func(t *testing.T) {
		g := n.guard(t)
		if g.Begin(t.Context()) {
			t.Error("held from the beginning")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.Run(ctx) }()
		do(g)
		cancel()
		<-done
	})
}

const held = "hold: The database takes no writes."

func TestHoldsAndGoesOn(t *testing.T) {
	n := &node{}
	n.watch(t, func(g *health.Guard) {
		n.bad.Store(true)
		time.Sleep(10 * time.Second)
		if g.Held() != "The database takes no writes." || !slices.Equal(g.Names(), []string{"database"}) {
			t.Errorf("held: %q, %q", g.Held(), g.Names())
		}
		n.bad.Store(false)
		time.Sleep(10 * time.Second)
		if g.Held() != "" || len(g.Names()) != 0 {
			t.Errorf("still held: %q, %q", g.Held(), g.Names())
		}
	})
	if want := []string{held, "go"}; !slices.Equal(n.told(), want) {
		t.Errorf("calls %q, want %q", n.told(), want)
	}
}

// One bad answer between good ones, and one good one between bad ones, change
// nothing.
func TestOneAnswerIsNone(t *testing.T) {
	n := &node{}
	n.watch(t, func(g *health.Guard) {
		time.Sleep(time.Second) // between two looks
		for i := range 12 {
			n.bad.Store(i%2 == 0)
			time.Sleep(2 * time.Second)
		}
		if len(n.told()) != 0 || g.Held() != "" {
			t.Errorf("now and then bad: %q, %q", n.told(), g.Held())
		}
		n.bad.Store(true)
		time.Sleep(6 * time.Second)
		for i := range 12 {
			n.bad.Store(i%2 == 0)
			time.Sleep(2 * time.Second)
		}
		if want := []string{held}; !slices.Equal(n.told(), want) {
			t.Errorf("now and then well: %q, want %q", n.told(), want)
		}
	})
}

// What could not be brought about is tried again.
func TestTriesAgain(t *testing.T) {
	n := &node{}
	n.fails.Store(2)
	n.watch(t, func(*health.Guard) {
		n.bad.Store(true)
		time.Sleep(20 * time.Second)
		n.fails.Store(1)
		n.bad.Store(false)
		time.Sleep(20 * time.Second)
	})
	if want := []string{held, held, held, "go", "go"}; !slices.Equal(n.told(), want) {
		t.Errorf("calls %q, want %q", n.told(), want)
	}
}

// A hold that did not come to its end is undone, though the node never held.
func TestAHoldThatFailedIsUndone(t *testing.T) {
	n := &node{}
	n.fails.Store(1)
	n.watch(t, func(*health.Guard) {
		n.bad.Store(true)
		time.Sleep(5 * time.Second)
		n.fails.Store(100)
		time.Sleep(5 * time.Second)
		n.bad.Store(false)
		time.Sleep(5 * time.Second)
		n.fails.Store(0)
		time.Sleep(5 * time.Second)
	})
	if calls := n.told(); len(calls) == 0 || calls[len(calls)-1] != "go" {
		t.Errorf("calls %q, want the last to let it go on", calls)
	}
}

func TestHeldFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{}
		n.bad.Store(true)
		g := n.guard(t)
		if !g.Begin(t.Context()) || g.Held() == "" {
			t.Error("not held")
		}
		n.bad.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.Run(ctx) }()
		time.Sleep(10 * time.Second)
		cancel()
		<-done
		if want := []string{"go"}; !slices.Equal(n.told(), want) {
			t.Errorf("calls %q, want %q", n.told(), want)
		}
	})
}

// A check that never returns is bad, and is not begun again and again.
func TestACheckThatHangs(t *testing.T) {
	var begun atomic.Int32
	synctest.Test(t, func(t *testing.T) {
		calls := make(chan string, 10)
		g := health.New(health.Config{
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
			Conditions: []health.Condition{{Name: "files", Sentence: "The file store does not answer.", Timeout: time.Second,
				Check: func(context.Context) error {
					if begun.Add(1) == 1 {
						time.Sleep(time.Minute)
					}
					return nil
				}}},
			Hold: func(context.Context, string) error { calls <- "hold"; return nil },
			Go:   func(context.Context) error { calls <- "go"; return nil },
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.Run(ctx) }()
		time.Sleep(30 * time.Second)
		if g.Held() != "The file store does not answer." || begun.Load() != 1 {
			t.Errorf("held %q, %d checks begun", g.Held(), begun.Load())
		}
		time.Sleep(40 * time.Second)
		if g.Held() != "" {
			t.Errorf("still held: %q", g.Held())
		}
		cancel()
		<-done
		if a, b := <-calls, <-calls; a != "hold" || b != "go" {
			t.Errorf("%s, %s", a, b)
		}
	})
}

// An answer that comes after its time has counted already.
func TestOneLateAnswerIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		g := health.New(health.Config{Log: slog.New(slog.DiscardHandler), Conditions: []health.Condition{{Name: "database", Sentence: "It is bad.", Timeout: time.Second,
			Check: func(ctx context.Context) error {
				if asked++; asked != 2 {
					return nil
				}
				<-ctx.Done()
				time.Sleep(time.Second) // a cancel takes a while
				return ctx.Err()
			}}}})
		for range 2 {
			g.Look(t.Context())
		}
		time.Sleep(500 * time.Millisecond)
		g.Look(t.Context()) // begins while the late one is under way
		if g.Held() != "" || asked != 3 {
			t.Errorf("held %q after %d checks", g.Held(), asked)
		}
	})
}

// Going on takes a while: it is held until then, and looked after.
func TestHeldUntilItGoesOn(t *testing.T) {
	n := &node{}
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		slow := make(chan struct{})
		g := health.New(health.Config{
			Log: slog.New(slog.DiscardHandler),
			Conditions: []health.Condition{{Name: "database", Sentence: "The database takes no writes.",
				Check: func(ctx context.Context) error { looks.Add(1); return n.check(ctx) }}},
			Hold: func(_ context.Context, reason string) error { return n.called("hold: " + reason) },
			Go:   func(context.Context) error { <-slow; return n.called("go") },
		})
		n.bad.Store(true)
		g.Begin(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.Run(ctx) }()
		n.bad.Store(false)
		time.Sleep(20 * time.Second)
		if g.Held() == "" || looks.Load() < 10 {
			t.Errorf("while it stands still: held %q, %d looks", g.Held(), looks.Load())
		}
		n.bad.Store(true)
		time.Sleep(20 * time.Second)
		close(slow)
		time.Sleep(20 * time.Second)
		n.bad.Store(false)
		time.Sleep(20 * time.Second)
		if g.Held() != "" {
			t.Errorf("at the end: held %q", g.Held())
		}
		cancel()
		<-done
	})
	if want := []string{"go", held, "go"}; !slices.Equal(n.told(), want) {
		t.Errorf("calls %q, want %q", n.told(), want)
	}
}

// Conditions of one name are one reason.
func TestNamesAreToldOnce(t *testing.T) {
	bad := func(context.Context) error { return errors.New("bad") }
	well := func(context.Context) error { return nil }
	g := health.New(health.Config{Log: slog.New(slog.DiscardHandler), Conditions: []health.Condition{
		{Name: "database", Check: well}, {Name: "files", Check: bad, Sentence: "A."},
		{Name: "disk", Check: bad, Sentence: "B."}, {Name: "disk", Check: bad, Sentence: "C."},
	}})
	g.Look(t.Context())
	if g.Held() != "A. B. C." || !slices.Equal(g.Names(), []string{"files", "disk"}) {
		t.Errorf("held: %q, %q", g.Held(), g.Names())
	}
}

func TestRoom(t *testing.T) {
	var free int64
	check := health.Room("the data folder", 100<<20, func() (int64, error) { return free << 20, nil })
	for _, c := range []struct {
		free int64
		well bool
	}{{100, true}, {99, false}, {110, false}, {124, false}, {125, true}, {101, true}, {0, false}} {
		free = c.free
		err := check(t.Context())
		if (err == nil) != c.well {
			t.Errorf("%d MiB free: %v", c.free, err)
		}
		var bad *health.Bad
		if err != nil && (!errors.As(err, &bad) || !strings.Contains(bad.Sentence, "data folder") || !strings.Contains(bad.Sentence, "100.0 MiB")) {
			t.Errorf("the sentence is %q", err)
		}
	}
	check = health.Room("the data folder", 900<<30, func() (int64, error) { return 512, nil })
	if err := check(t.Context()); err == nil || !strings.Contains(err.Error(), "512 B left of the 900.0 GiB") {
		t.Errorf("the sentence is %q", err)
	}
	lost := errors.New("no such folder")
	check = health.Room("the data folder", 1, func() (int64, error) { return 0, lost })
	if err := check(t.Context()); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

// TestTheLogIsReminded: of a hold of three minutes and a half whose end does not come
// about the log hears when it begins, once a minute, and when it ends.
func TestTheLogIsReminded(t *testing.T) {
	n := &node{}
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		g := health.New(health.Config{
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			Conditions: []health.Condition{{Name: "files", Check: func(ctx context.Context) error {
				if n.check(ctx) != nil {
					return &health.Bad{Sentence: "They are another's.", Cause: errors.New("whose they are")}
				}
				return nil
			}}},
			Hold: func(context.Context, string) error { return n.called("hold") },
			Go:   func(context.Context) error { return n.called("go") },
		})
		g.Begin(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.Run(ctx) }()
		n.bad.Store(true)
		time.Sleep(10 * time.Second)
		n.fails.Store(1 << 20)
		time.Sleep(170 * time.Second)
		n.bad.Store(false)
		time.Sleep(30 * time.Second)
		n.fails.Store(0)
		time.Sleep(3 * time.Minute)
		cancel()
		<-done
	})
	count := func(want int, words string) {
		t.Helper()
		if got := strings.Count(log.String(), words); got != want {
			t.Errorf("%d lines with %q, want %d", got, words, want)
		}
	}
	count(1, "condition is bad")
	count(1, "error=\"whose they are\"")
	count(1, "node holds")
	count(3, "node still holds")
	count(3, "reason=\"They are another's.\" for=")
	count(1, "for=2m0s")
	count(1, "hold or go on")
	count(1, "node goes on")
	if t.Failed() {
		t.Log(log.String())
	}
}
