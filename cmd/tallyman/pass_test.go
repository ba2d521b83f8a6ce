package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestPassProgress checks that what is shown is that of the pass at work.
func TestPassProgress(t *testing.T) {
	plan := &planCounts{Created: 3, Failed: 1}
	for _, c := range []struct {
		name     string
		v        view
		progress string
		listed   string
	}{
		{"import", view{State: "running", Pass: "apply", TotalRows: 10, ProcessedRows: 4, ErrorRows: 2}, "4 of 10 rows, 2 failed", "4/10"},
		{"one row", view{State: "running", Pass: "apply", TotalRows: 1}, "0 of 1 row", "0/1"},
		{"full feed", view{State: "running", Pass: "apply", TotalRows: 10, MissingRows: 2, ProcessedRows: 4}, "4 of 12 rows", "4/12"},
		{"plan", view{State: "planning", Pass: "plan", TotalRows: 10, Plan: plan}, "planned 4 of 10 rows, 1 failed", "4/10"},
		{"its last frame", view{State: "planned", Pass: "plan", TotalRows: 4, Plan: plan}, "planned 4 of 4 rows, 1 failed", "4/4"},
		{"plan paused", view{State: "paused", Pass: "plan", TotalRows: 10, Plan: plan}, "planned 4 of 10 rows, 1 failed", "4/10"},
		{"plan paused at its beginning", view{State: "paused", Pass: "plan", TotalRows: 10}, "planned 0 of 10 rows", "0/10"},
		{"plan being applied", view{State: "running", Pass: "apply", TotalRows: 4, ProcessedRows: 2, Plan: plan}, "2 of 4 rows", "2/4"},
		{"retry being cut", view{State: "slicing", Pass: "slice", Round: 1, TotalRows: 10, ProcessedRows: 10, ErrorRows: 4}, "0 of 0 rows", "0/0"},
		{"retry", view{State: "running", Pass: "retry-1", Round: 1, RoundRows: 4, RoundDone: 1, TotalRows: 10, ProcessedRows: 10, ErrorRows: 4}, "1 of 4 rows", "1/4"},
		{"retry planned", view{State: "planned", Pass: "plan-1", Round: 1, RoundRows: 4, TotalRows: 10, ProcessedRows: 10, ErrorRows: 4, Plan: plan}, "planned 4 of 4 rows, 1 failed", "4/4"},
		{"retry done", view{State: "done", Pass: "retry-1", Round: 1, RoundRows: 4, RoundDone: 4, TotalRows: 10, ProcessedRows: 10, ErrorRows: 1}, "4 of 4 rows, 1 failed", "10/10"},
		{"rolling back", view{State: "rolling_back", Pass: "apply", TotalRows: 10, ProcessedRows: 4}, "rolling back", "4/10"},
	} {
		if got := c.v.progress(); got != c.progress {
			t.Errorf("%s: %q, not %q", c.name, got, c.progress)
		}
		if got := c.v.soFar(); got != c.listed {
			t.Errorf("%s: listed as %q, not %q", c.name, got, c.listed)
		}
	}
}

// TestBarOfPlan checks that a plan that is there is the whole of the bar, that of a
// retry too.
func TestBarOfPlan(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, func() time.Time { return time.Unix(0, 0) })
	plan := &planCounts{Created: 3, Failed: 1}
	b.show(view{State: "slicing", Round: 1, TotalRows: 10, ProcessedRows: 10})
	b.show(view{State: "planning", Pass: "plan-1", Round: 1, RoundRows: 4, TotalRows: 10, ProcessedRows: 10, Plan: plan})
	b.show(view{State: "planned", Pass: "plan-1", Round: 1, RoundRows: 4, TotalRows: 10, ProcessedRows: 10, Plan: plan})
	b.close()
	for _, want := range []string{"100%", "planned 4 of 4 rows, 1 failed"} {
		if !strings.Contains(strings.ReplaceAll(out.String(), " %", "%"), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}

func TestPlanHeadline(t *testing.T) {
	for _, c := range []struct {
		v    view
		want string
	}{
		{view{State: "planned", TotalRows: 4}, "planned; nothing of it is written yet"},
		{view{State: "paused", Pass: "plan", TotalRows: 4}, "paused while it is planned; nothing of it is written yet"},
		{view{State: "paused", Pass: "apply", TotalRows: 4}, "paused"},
		{view{State: "planned", Round: 1, RoundRows: 2, TotalRows: 4, ProcessedRows: 4}, "done; a retry of 2 rows is planned"},
		{view{State: "planned", Round: 1, RoundRows: 1, TotalRows: 4, ProcessedRows: 3}, "3 of 4 rows done; a retry of 1 row is planned"},
		{view{State: "paused", Pass: "plan-2", Round: 2, RoundRows: 2, TotalRows: 4, ProcessedRows: 4}, "done; paused while a retry of 2 rows is planned"},
	} {
		if got := c.v.headline(); got != c.want {
			t.Errorf("%+v: %q, not %q", c.v, got, c.want)
		}
	}
}

func TestPausedWords(t *testing.T) {
	for _, c := range []struct {
		v    view
		want string
	}{
		{view{ID: "a", State: "paused", Pass: "apply", TotalRows: 1}, "Import a is paused after 0 of 1 row."},
		{view{ID: "a", State: "paused", Pass: "plan", TotalRows: 4, Plan: &planCounts{Updated: 2}}, "Import a is paused after 2 of 4 rows were planned."},
		{view{ID: "a", State: "paused", Pass: "retry-1", Round: 1, RoundRows: 3, RoundDone: 2, TotalRows: 9, ProcessedRows: 9}, "Import a is paused after 2 of 3 rows."},
		{view{ID: "a", State: "paused", Pass: "slice", TotalRows: 0}, "Import a is paused."},
	} {
		if got := c.v.pausedWords(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
