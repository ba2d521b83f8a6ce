package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestBadRowsAreCountedExactly runs the whole of it at a small size. The bounds
// hold there all the more.
func TestBadRowsAreCountedExactly(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(context.Background(), []string{"-rows", "3000", "-dir", t.TempDir()}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	for _, want := range []string{"invalid_price", "exact", "database grown", "ok"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing is said of %q:\n%s", want, stdout.Bytes())
		}
	}
}

func TestWhatIsBrokenIsAnError(t *testing.T) {
	var stdout bytes.Buffer
	tr := newTrial(&stdout)
	tr.bound("memory", 301<<20, mostMemory)
	tr.exact("causes", map[cause]uint64{{"a", "b"}: 1}, map[cause]uint64{{"a", "b"}: 2})
	if len(tr.broken) != 2 {
		t.Errorf("%v", tr.broken)
	}
}
