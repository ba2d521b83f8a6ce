package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/audit"
	"tallyman/internal/store"
)

// notes is a log in memory.
type notes struct {
	entries []note
	err     error
}

type note struct {
	WS             store.WS
	Action, Object string
	Who            store.Actor
	Address, Why   string
	Count          int64
}

func (l *notes) AppendAudit(_ context.Context, ws store.WS, e *store.AuditEntry) error {
	n := note{WS: ws, Action: e.Action, Object: e.Object, Who: e.Actor}
	if err := json.Unmarshal(e.Detail, &n); err != nil {
		return err
	}
	l.entries = append(l.entries, n)
	return l.err
}

// taken returns the entries written since the last call.
func (l *notes) taken() []note {
	all := l.entries
	l.entries = nil
	return all
}

// from is a request at a door from an address.
func from(address string) context.Context {
	ctx := store.WithActor(context.Background(), store.Actor{Door: "rest", RequestID: "req_1"})
	return audit.WithOrigin(ctx, audit.Origin{Address: netip.MustParseAddr(address)})
}

func TestRefusals(t *testing.T) {
	clock := now
	log := &notes{}
	r := audit.NewRefusals(log, func() time.Time { return clock })
	refused := audit.Refusal{WS: 7, Action: audit.KeyRefuse, Why: "revoked", Object: "key_1"}
	entry := func(address string, count int64) note {
		return note{WS: 7, Action: audit.KeyRefuse, Object: "key_1", Who: store.Actor{Name: "nobody", Door: "rest"}, Address: address, Why: "revoked", Count: count}
	}
	tries := func(address string, n int) {
		t.Helper()
		for range n {
			if err := r.Note(from(address), refused); err != nil {
				t.Fatal(err)
			}
		}
	}
	step := func(what string, want ...note) {
		t.Helper()
		if diff := cmp.Diff(want, log.taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	tries("203.0.113.7", 5)
	step("the first is noted at once, the others wait", entry("203.0.113.7", 1))
	tries("203.0.113.8", 1)
	step("another address", entry("203.0.113.8", 1))
	tries("2001:db8::1", 1)
	tries("2001:db8::2", 1)
	step("a network of IPv6 is one client", entry("2001:db8::/64", 1))
	clock = clock.Add(time.Minute)
	tries("203.0.113.7", 1)
	step("a minute later what waited", entry("2001:db8::/64", 1), entry("203.0.113.7", 4))
	if err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	step("the end", entry("203.0.113.7", 1))
	clock = clock.Add(2 * time.Minute)
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	step("nothing is left")
	tries("203.0.113.7", 1)
	step("after a while it is the first again", entry("203.0.113.7", 1))
}

// TestRefusalsAreBoundedAndLoseNothing: however many come from however many
// addresses, few entries are written, and their counts are how many there were.
func TestRefusalsAreBoundedAndLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := now
		log := &notes{}
		r := audit.NewRefusals(log, func() time.Time { return clock })
		minutes := rapid.IntRange(1, 4).Draw(t, "minutes")
		tries := rapid.IntRange(0, 500).Draw(t, "tries")
		for m := range minutes {
			for i := range tries {
				ctx := from(fmt.Sprintf("10.0.%d.%d", i/250, i%250))
				if err := r.Note(ctx, audit.Refusal{WS: 1, Action: audit.UserRefuse, Why: "unknown"}); err != nil {
					t.Fatal(err)
				}
			}
			if most := 101 * (m + 1) * 2; len(log.entries) > most {
				t.Fatalf("%d entries after %d minutes", len(log.entries), m+1)
			}
			clock = clock.Add(time.Minute)
		}
		if err := r.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, n := range log.entries {
			sum += n.Count
		}
		if sum != int64(minutes*tries) {
			t.Fatalf("%d refusals are noted of %d", sum, minutes*tries)
		}
	})
}

func TestRefusalsSayWhatTheLogSays(t *testing.T) {
	full := errors.New("disk is full")
	r := audit.NewRefusals(&notes{err: full}, func() time.Time { return now })
	if err := r.Note(from("203.0.113.7"), audit.Refusal{WS: 1, Action: audit.KeyRefuse, Why: "unknown"}); !errors.Is(err, full) {
		t.Errorf("Note = %v, want the log's error", err)
	}
}
