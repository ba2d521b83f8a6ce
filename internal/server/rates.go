package server

import (
	"sync"
	"time"
)

// Rates are the requests that one key may make; 0 sets no limit.
type Rates struct {
	PerMinute int
	PerDay    int
}

// RateLimiter counts requests by key in fixed windows: calendar minutes and UTC
// days. Fixed windows are what a client can be told in three numbers (limit,
// remaining, reset) and needs nothing but two counters a key; the price is that
// up to twice the rate may pass around a window's edge. Counts live in this
// process: with several nodes behind one address each grants the rates anew.
type RateLimiter struct {
	rates Rates
	mu    sync.Mutex
	keys  map[string]*usage // as many as there are keys
}

type usage struct{ minute, day window }

type window struct {
	start time.Time
	used  int
}

// NewRateLimiter returns a limiter, or nil when no rate is set.
func NewRateLimiter(r Rates) *RateLimiter {
	if r.PerMinute <= 0 && r.PerDay <= 0 {
		return nil
	}
	return &RateLimiter{rates: r, keys: make(map[string]*usage)}
}

// Quota is what a key has left in the window that will be used up first.
type Quota struct {
	Limit     int
	Remaining int
	// Reset is when the window ends.
	Reset time.Time
}

// Take counts one request of a key. It returns the key's quota after it, and
// whether the request may go on; one that may not is not counted.
func (l *RateLimiter) Take(key string, now time.Time) (Quota, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.keys[key]
	if u == nil {
		u = &usage{}
		l.keys[key] = u
	}
	minute := u.minute.at(now, time.Minute)
	day := u.day.at(now, 24*time.Hour)
	ok := minute.room(l.rates.PerMinute) && day.room(l.rates.PerDay)
	if ok {
		minute.used++
		day.used++
	}
	return tighter(minute.quota(l.rates.PerMinute, time.Minute), day.quota(l.rates.PerDay, 24*time.Hour)), ok
}

// at moves the window on to the one that now is in.
func (w *window) at(now time.Time, length time.Duration) *window {
	if start := now.UTC().Truncate(length); !start.Equal(w.start) {
		w.start, w.used = start, 0
	}
	return w
}

func (w *window) room(limit int) bool { return limit <= 0 || w.used < limit }

func (w *window) quota(limit int, length time.Duration) Quota {
	return Quota{Limit: limit, Remaining: max(limit-w.used, 0), Reset: w.start.Add(length)}
}

// tighter returns the quota that hurts first; of two that are used up, the one
// that lasts longer.
func tighter(minute, day Quota) Quota {
	switch {
	case minute.Limit <= 0:
		return day
	case day.Limit > 0 && day.Remaining <= minute.Remaining:
		return day
	}
	return minute
}
