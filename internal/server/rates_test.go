package server

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRateLimiter(t *testing.T) {
	noon := time.Date(2026, 3, 15, 12, 0, 30, 0, time.UTC)
	type step struct {
		at        time.Duration // after noon
		ok        bool
		remaining int
		reset     time.Time
	}
	minute, day := noon.Truncate(time.Minute).Add(time.Minute), time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		rates Rates
		steps []step
	}{
		{"a minute's worth, and the next minute", Rates{PerMinute: 2}, []step{
			{0, true, 1, minute}, {time.Second, true, 0, minute}, {2 * time.Second, false, 0, minute},
			{30 * time.Second, true, 1, minute.Add(time.Minute)},
		}},
		{"a day's worth", Rates{PerDay: 1}, []step{
			{0, true, 0, day}, {time.Hour, false, 0, day}, {12 * time.Hour, true, 0, day.Add(24 * time.Hour)},
		}},
		{"the tighter of the two is told", Rates{PerMinute: 5, PerDay: 3}, []step{
			{0, true, 2, day}, {1, true, 1, day}, {2, true, 0, day}, {3, false, 0, day},
		}},
		{"the minute while the day has more", Rates{PerMinute: 1, PerDay: 3}, []step{
			{0, true, 0, minute}, {1, false, 0, minute}, {time.Minute, true, 0, minute.Add(time.Minute)},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := NewRateLimiter(c.rates)
			for i, s := range c.steps {
				q, ok := l.Take("k", noon.Add(s.at))
				if ok != s.ok || q.Remaining != s.remaining || !q.Reset.Equal(s.reset) {
					t.Errorf("step %d: %v, %+v; want %+v", i, ok, q, s)
				}
			}
		})
	}
}

func TestNoRatesNoLimiter(t *testing.T) {
	if NewRateLimiter(Rates{}) != nil {
		t.Error("a limiter without a limit")
	}
}

func TestKeysDoNotShareTheirRate(t *testing.T) {
	l := NewRateLimiter(Rates{PerMinute: 1})
	now := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	for _, k := range []string{"a", "b"} {
		if _, ok := l.Take(k, now); !ok {
			t.Errorf("the first request of %s was refused", k)
		}
	}
}

func TestRateLimiterNeverGrantsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := Rates{PerMinute: rapid.IntRange(0, 5).Draw(t, "minute"), PerDay: rapid.IntRange(1, 20).Draw(t, "day")}
		l := NewRateLimiter(rates)
		now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
		granted := make(map[string]int)
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 120).Draw(t, "pause")) * time.Second)
			q, ok := l.Take("k", now)
			if q.Remaining < 0 || !q.Reset.After(now) {
				t.Fatalf("quota %+v at %s", q, now)
			}
			if !ok {
				if q.Remaining != 0 {
					t.Fatalf("refused with %d remaining", q.Remaining)
				}
				continue
			}
			granted["m"+now.Format("02 15:04")]++
			granted["d"+now.Format("02")]++
		}
		for w, n := range granted {
			limit := rates.PerDay
			if w[0] == 'm' {
				limit = rates.PerMinute
			}
			if limit > 0 && n > limit {
				t.Fatalf("%d requests in window %s, limits %+v", n, w, rates)
			}
		}
	})
}
