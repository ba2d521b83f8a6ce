package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRun measures a small catalog on two nodes: every import has to end with the
// counts it should, and the loader's table has to be ours.
func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-rows", "3000", "-nodes", "2", "-dir", t.TempDir()}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	for _, name := range []string{caseCreate, caseSame, caseUpdate, caseWatched} {
		if got := len(regexp.MustCompile(`(?m)^ +2 +`+name+` +3?0?0?0?`).FindAllString(stdout.String(), -1)); got != 2 {
			t.Errorf("the case %s stands in %d lines, not 2:\n%s", name, got, &stdout)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, fault string }{
		{"-nodes 1,2,3", ""},
		{"-nodes 0", "numbers from 1 to 16"},
		{"-nodes two", "numbers from 1 to 16"},
		{"-rows 0", "above zero"},
	} {
		_, err := parse(strings.Fields(c.args), &bytes.Buffer{})
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v, not %q", c.args, err, c.fault)
		}
	}
}

func TestMediansKeepWhatBelongsTogether(t *testing.T) {
	trial := func(ours, small, loader int) []result {
		return []result{{name: caseCreate, ours: time.Duration(ours), small: time.Duration(small), loader: time.Duration(loader)}}
	}
	got := medians([][]result{trial(3, 30, 7), trial(1, 10, 9), trial(2, 20, 8)})[0]
	if d := cmp.Diff([]time.Duration{2, 20, 8}, []time.Duration{got.ours, got.small, got.loader}); d != "" {
		t.Errorf("median (-want +got):\n%s", d)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 6, 0.99: 10, 1: 10} {
		if got := quantile(sorted, share); got != want {
			t.Errorf("quantile %v is %d, not %d", share, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("nothing has a quantile")
	}
}
