package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// atTerminal is a program that a person sits before who types these answers.
func atTerminal(answers string) (*program, *bytes.Buffer, *bytes.Buffer) {
	var out, said bytes.Buffer
	return &program{stdin: strings.NewReader(answers), stdout: &out, stderr: &said, now: time.Now, asks: true}, &out, &said
}

func TestAsk(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, " y \n": true, "n\n": false, "\n": false, "": false, "yeah\n": false} {
		p, _, said := atTerminal(answer)
		if got, err := p.ask(context.Background(), "Go on?"); err != nil || got != want {
			t.Errorf("%q: %v, %v", answer, got, err)
		}
		if said.String() != "Go on? [y/N] " {
			t.Errorf("asked %q", said.String())
		}
	}
	p, _, _ := atTerminal("")
	unread, w := io.Pipe()
	defer w.Close()
	p.stdin = unread
	ctx, interrupt := context.WithCancel(context.Background())
	interrupt()
	if _, err := p.ask(ctx, "Go on?"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestAskedBeforeTheSameContent imports a file twice at a terminal: the second
// time it is asked about, whatever the file is called, and pipes are not.
func TestAskedBeforeTheSameContent(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := filepath.Join(dir, "rows.csv")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, rows(3))
	for _, c := range []struct {
		name, answers, asked string
		args                 []string
		code                 int
	}{
		{"first", "", "", nil, exitComplete},
		{"no", "n\n", "Already imported as imp_", nil, exitOther},
		{"yes", "y\n", "Already imported as imp_", nil, exitComplete},
		{"--yes", "", "", []string{"--yes"}, exitComplete},
		{"--json", "", "", []string{"--json"}, exitComplete},
		{"plan", "", "", []string{"--plan"}, exitComplete},
		{"another source", "", "", []string{"--source", "edit"}, exitRefused},
	} {
		p, _, said := atTerminal(c.answers)
		args := append([]string{"import", file, "--data", data}, c.args...)
		if code := p.run(context.Background(), args); code != c.code {
			t.Fatalf("%s: exit code %d: %s", c.name, code, said)
		}
		if asked := strings.Contains(said.String(), "[y/N]"); asked != (c.asked != "") || !strings.Contains(said.String(), c.asked) {
			t.Errorf("%s: said %q", c.name, said)
		}
	}
}

// TestAskedAtGuardRails confirms a plan that ran into a rail at the terminal.
func TestAskedAtGuardRails(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := filepath.Join(dir, "rows.csv")
	for i, c := range []struct {
		text, answers string
		code          int
		says          string
	}{
		{"sku,title,stock\nA,A,1\n", "", exitComplete, "created"},
		{"sku,stock\nA,2\n", "n\n", exitOther, "Go on all the same: tallyman apply imp_"},
		{"sku,stock\nA,3\n", "y\n", exitComplete, "updated               1"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, out, said := atTerminal(c.answers)
		args := []string{"import", file, "--data", data, "--max-changed", "50"}
		if code := p.run(context.Background(), args); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%d: exit code %d: %s%s", i, code, out, said)
		}
		if asked := strings.Contains(said.String(), "Apply anyway? [y/N]"); asked != (c.answers != "") {
			t.Errorf("%d: said %q", i, said)
		}
	}
}

func TestPolicyFlags(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	w := func(s string) *string { return &s }
	for _, c := range []struct {
		flags  fileFlags
		policy importer.Policy
		after  int64
		wrong  bool
	}{
		{fileFlags{}, importer.PolicySkip, 0, false},
		{fileFlags{Policy: w("skip")}, importer.PolicySkip, 0, false},
		{fileFlags{Policy: w("stop")}, importer.PolicyStop, 1, false},
		{fileFlags{StopAfter: n(7)}, importer.PolicyStop, 7, false},
		{fileFlags{Policy: w("stop"), StopAfter: n(7)}, importer.PolicyStop, 7, false},
		{fileFlags{Policy: w("all-or-nothing")}, importer.PolicyAll, 0, false},
		{fileFlags{Policy: w("all-or-nothing"), StopAfter: n(7)}, "", 0, true},
		{fileFlags{StopAfter: n(0)}, "", 0, true},
	} {
		up, err := c.flags.upload()
		if (err != nil) != c.wrong || !c.wrong && (up.policy != c.policy || up.stopAfter != c.after) {
			t.Errorf("%+v: %q after %d, %v", c.flags, up.policy, up.stopAfter, err)
		}
	}
}

func TestPlanExit(t *testing.T) {
	for _, c := range []struct {
		name string
		v    view
		code int
	}{
		{"nothing", view{State: "planned", Plan: &planCounts{Unchanged: 3}}, exitComplete},
		{"changes", view{State: "planned", Plan: &planCounts{Updated: 1}}, exitErrors},
		{"new", view{State: "planned", Plan: &planCounts{Created: 1}}, exitErrors},
		{"gone", view{State: "planned", Plan: &planCounts{Deleted: 1}}, exitErrors},
		{"errors", view{State: "planned", Plan: &planCounts{Failed: 1}}, exitRefused},
		{"both", view{State: "planned", Plan: &planCounts{Updated: 1, Failed: 1}}, exitRefused},
		{"warnings", view{State: "planned", Plan: &planCounts{Unchanged: 1, Warnings: 1}}, exitComplete},
		{"refused", view{State: "refused"}, exitRefused},
		{"terminated", view{State: "terminated", Plan: &planCounts{Unchanged: 1}}, exitOther},
		{"paused", view{State: "paused"}, exitOther},
	} {
		p := &program{stderr: io.Discard}
		if code := p.report(c.v.planExit()); code != c.code {
			t.Errorf("%s: exit code %d, not %d", c.name, code, c.code)
		}
	}
}

func TestOutcomesOf(t *testing.T) {
	got, err := outcomesOf([]string{"kept", "failed", "reverted", "unprocessed", "held"})
	if err != nil || len(got) != 6 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := outcomesOf([]string{"pending"}); err == nil {
		t.Error("a word that people do not know is taken")
	}
}

// TestStatesAreKnown checks that every state either rests or moves here as it
// does in the store.
func TestStatesAreKnown(t *testing.T) {
	for _, s := range []store.State{store.Received, store.Slicing, store.Planning, store.Planned, store.Running, store.Pausing, store.Paused,
		store.Terminating, store.Terminated, store.Stopped, store.RollingBack, store.RolledBack, store.Done, store.Refused, store.FailedState} {
		v := view{State: string(s)}
		if v.ended() != s.Ended() {
			t.Errorf("%s: ended is %v", s, v.ended())
		}
		if want := s.Ended() || s == store.Paused || s == store.Planned; v.rests() != want {
			t.Errorf("%s: rests is %v", s, v.rests())
		}
	}
}
