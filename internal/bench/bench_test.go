package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBenchRuns runs every case at a small size: the imports must end with the
// right counts and the loader's table like ours. How long it took is no matter.
func TestBenchRuns(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(context.Background(), []string{"-rows", "400", "-runs", "1", "-dir", t.TempDir()}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	imports, passes, _ := strings.Cut(stdout.String(), "\n\n")
	checkTable(t, imports, allCases[:len(allCases)-1])
	checkTable(t, passes, allPasses)
}

// checkTable holds that a table has a line with numbers for each name.
func checkTable(t *testing.T, table string, names []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 1+len(names) {
		t.Fatalf("a table of %d lines:\n%s", len(lines), table)
	}
	for i, name := range names {
		cells := strings.Fields(lines[i+1])
		if !strings.HasPrefix(strings.TrimSpace(lines[i+1]), name) || slices.Contains(cells, "-") || slices.Contains(cells, "0.00") {
			t.Errorf("%s was not measured: %s", name, lines[i+1])
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-rows", "10,2000", "-cases", "create,bad"}, &bytes.Buffer{})
	if err != nil || !slices.Equal(o.rows, []uint64{10, 2000}) || !slices.Equal(o.cases, []string{"create", "bad"}) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-rows", "many"}, {"-rows", "0"}, {"-rows", ""}, {"-cases", "delete"}, {"-no-such-flag"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestMedians(t *testing.T) {
	trials := [][]result{{{ours: 3, loader: 10}}, {{ours: 9, loader: 30}}, {{ours: 6, loader: 20}}}
	if got := medians(trials)[0]; got.ours != 6*time.Nanosecond || got.loader != 20*time.Nanosecond {
		t.Errorf("medians %+v", got)
	}
}
