package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestASeason runs a short season of small feeds: what must hold holds there, and
// each of it is said.
func TestASeason(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(context.Background(), []string{"-rows", "2000", "-feeds", "6", "-dir", t.TempDir()}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	for _, want := range []string{"grown KiB", "growth of a feed", "0 differ", "undo is refused"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing is said of %q:\n%s", want, stdout.Bytes())
		}
	}
}

func TestWhole(t *testing.T) {
	created, updated := step{Outcome: "created", Version: 1}, step{Outcome: "updated", Version: 2}
	for name, c := range map[string]struct {
		history []step
		whole   bool
	}{
		"empty":         {nil, false},
		"created":       {[]step{created}, true},
		"written twice": {[]step{updated, created}, true},
		"beginning cut": {[]step{updated}, false},
		"gap":           {[]step{{Outcome: "updated", Version: 3}, created}, false},
	} {
		if err := whole(c.history); (err == nil) != c.whole {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGrowthIsCompared(t *testing.T) {
	const mb = 1 << 20
	s := season{feeds: 3, out: &bytes.Buffer{}, nights: []night{{database: 1 * mb}, {database: 2 * mb}, {database: 3 * mb}, {database: 3*mb + mb*116/100}}}
	if err := s.bounded(); err != nil {
		t.Errorf("growth of 1.16 MiB after 1 MiB: %v", err)
	}
	s.nights[3].database = 3*mb + mb*117/100
	if err := s.bounded(); err == nil {
		t.Error("growth of 1.17 MiB after 1 MiB is taken for bounded")
	}
}
