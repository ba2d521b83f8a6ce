package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestComplaints hears a sweep every two seconds while the database is away for
// three minutes.
func TestComplaints(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	c := complaint{log: slog.New(slog.NewTextHandler(&out, nil)), what: "sweep", now: func() time.Time { return now }}
	away := errors.New("away\nand away")
	for range 90 {
		c.hear(away)
		now = now.Add(2 * time.Second)
	}
	c.hear(nil)
	c.hear(nil)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), &out)
	}
	for i, want := range []string{`msg=sweep error="away; and away"`, "failures=31 for=1m0s", "failures=61 for=2m0s", `msg="sweep: well again" failures=90`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, want %q in it", i, lines[i], want)
		}
	}
}
