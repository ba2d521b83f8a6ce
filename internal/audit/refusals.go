package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tallyman/internal/store"
)

// Log takes entries; store.Store is one.
type Log interface {
	AppendAudit(ctx context.Context, ws store.WS, e *store.AuditEntry) error
}

// Refusal is somebody who was not let in.
type Refusal struct {
	// WS is the workspace whose log notes it; 0 where none is known.
	WS store.WS
	// Action is KeyRefuse or UserRefuse, Why a word for the cause.
	Action, Why string
	// Object is the id of the key or user that was tried, "" for none there is.
	Object string
}

// Refusals notes refusals so that nobody can fill the log with them: of one
// address and cause at most one entry a minute, with how many there were since the
// last one. It is safe for concurrent use.
type Refusals struct {
	log Log
	now func() time.Time

	mu   sync.Mutex
	open map[refusalKey]*refusalCount
}

// NewRefusals returns Refusals that write to a log.
func NewRefusals(log Log, now func() time.Time) *Refusals {
	return &Refusals{log: log, now: now, open: make(map[refusalKey]*refusalCount)}
}

// refusalEvery is how often refusals of one address and cause are noted, and
// maxRefusals how many addresses and causes are told apart within that time. Those
// beyond it are counted together, without an address.
const (
	refusalEvery = time.Minute
	maxRefusals  = 100
)

// refusalKey is what refusals are counted by.
type refusalKey struct {
	ws          store.WS
	action, why string
	door, from  string
}

// refusalCount is what there was since an entry was written.
type refusalCount struct {
	noted  time.Time
	more   int64
	object string // of the newest
}

// Note counts a refusal of whoever ctx belongs to, and writes an entry where it is
// the first or the last one is a minute old.
func (r *Refusals) Note(ctx context.Context, f Refusal) error {
	key := refusalKey{ws: f.WS, action: f.Action, why: f.Why, door: store.ActorOf(ctx).Door, from: network(OriginOf(ctx).Address)}
	now := r.now()
	return r.write(ctx, append(r.due(now, refusalEvery), r.count(key, f.Object, now)...))
}

// Flush writes what has been counted for a minute and not been noted.
func (r *Refusals) Flush(ctx context.Context) error {
	return r.write(ctx, r.due(r.now(), refusalEvery))
}

// Close writes all that has been counted and not been noted.
func (r *Refusals) Close(ctx context.Context) error { return r.write(ctx, r.due(r.now(), 0)) }

// count counts one refusal and returns the entry that is to be written for it, if
// any.
func (r *Refusals) count(key refusalKey, object string, now time.Time) []counted {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key] == nil && len(r.open) >= maxRefusals {
		key.from = "others"
	}
	if c := r.open[key]; c != nil {
		c.more, c.object = c.more+1, object
		return nil
	}
	r.open[key] = &refusalCount{noted: now}
	return []counted{{key: key, n: 1, object: object, at: now}}
}

// counted is an entry to be written.
type counted struct {
	key    refusalKey
	n      int64
	object string
	at     time.Time
}

// due takes out what is to be noted at a moment, because the last entry is so old,
// in a fixed order.
func (r *Refusals) due(now time.Time, age time.Duration) []counted {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []counted
	for key, c := range r.open {
		switch {
		case now.Sub(c.noted) < age:
		case c.more == 0:
			delete(r.open, key)
		default:
			all = append(all, counted{key: key, n: c.more, object: c.object, at: now})
			c.noted, c.more, c.object = now, 0, ""
		}
	}
	slices.SortFunc(all, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.key.ws, b.key.ws), cmp.Compare(a.key.action, b.key.action),
			cmp.Compare(a.key.why, b.key.why), cmp.Compare(a.key.door, b.key.door), cmp.Compare(a.key.from, b.key.from))
	})
	return all
}

func (r *Refusals) write(ctx context.Context, all []counted) error {
	var errs []error
	for _, c := range all {
		by := store.WithActor(ByItself(ctx), store.Actor{Name: Nobody, Door: c.key.door})
		e, err := Entry(by, c.at, c.key.action, c.object, Detail{"address": c.key.from, "why": c.key.why, "count": c.n})
		if err == nil {
			err = r.log.AppendAudit(ctx, c.key.ws, e)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("note %s: %w", c.key.action, err))
		}
	}
	return errors.Join(errs...)
}

// network is what an address is counted under: of IPv6 the network of which
// anybody has all addresses.
func network(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return ""
	case a.Unmap().Is4():
		return a.Unmap().String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return "" // an address of IPv6 has a network of 64 bits
	}
	return p.String()
}
