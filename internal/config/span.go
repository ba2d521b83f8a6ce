package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Span is a time that may be long, written as people do: 90s, 24h, 30d.
type Span time.Duration

const day = 24 * time.Hour

// UnmarshalText reads whole days (30d), or what time.ParseDuration reads.
func (s *Span) UnmarshalText(text []byte) error {
	given := strings.TrimSpace(string(text))
	if days, ok := strings.CutSuffix(given, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(day) {
			return notASpan(text)
		}
		*s = Span(time.Duration(n) * day)
		return nil
	}
	d, err := time.ParseDuration(given)
	if err != nil {
		return notASpan(text)
	}
	*s = Span(d)
	return nil
}

func notASpan(text []byte) error {
	return fmt.Errorf("time %q is none such as 90s, 24h or 30d", text)
}

// String writes the time exactly, in days where it has several whole ones, and
// without units that are zero.
func (s Span) String() string {
	d := time.Duration(s)
	switch {
	case d > day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d != 0 && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d != 0 && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}
