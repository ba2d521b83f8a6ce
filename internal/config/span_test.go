package config

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 30 * day, "400d": 400 * day, "1d": day, "0d": 0, "24h": day, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, " 2d ": 2 * day, "5ms": 5 * time.Millisecond,
	} {
		var s Span
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Duration(s) != want {
			t.Errorf("%q: %v, %v, not %v", text, time.Duration(s), err, want)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "-3d", "30", "30 days", "9999999999999999d"} {
		var s Span
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %v", text, s)
		}
	}
	for want, s := range map[string]time.Duration{"30d": 30 * day, "24h": day, "90m": 90 * time.Minute, "1m30s": 90 * time.Second, "0s": 0} {
		if got := Span(s).String(); got != want {
			t.Errorf("%v is written %q, not %q", s, got, want)
		}
	}
}

// TestSpanRoundTrip checks that what is printed is read back.
func TestSpanRoundTrip(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, time.Second, 61 * time.Minute, 23 * time.Hour, day, 25 * time.Hour, 30 * day} {
		var s Span
		if err := s.UnmarshalText([]byte(Span(d).String())); err != nil || time.Duration(s) != d {
			t.Errorf("%v came back as %v, %v", d, time.Duration(s), err)
		}
	}
}
