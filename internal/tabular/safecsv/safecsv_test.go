package safecsv

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRecord(t *testing.T) {
	for _, c := range []struct {
		cells []string
		want  string
	}{
		{[]string{"a", "b c", ""}, "a,b c,\r\n"},
		{[]string{`say "hi"`, "a,b", "x;y", "x|y"}, "\"say \"\"hi\"\"\",\"a,b\",\"x;y\",\"x|y\"\r\n"},
		{[]string{"two\nlines"}, "\"two\nlines\"\r\n"},
		{[]string{" padded "}, "\" padded \"\r\n"},
		{[]string{"=1+1", "@SUM(A1)", "+49 30", "-x"}, "'=1+1,'@SUM(A1),'+49 30,'-x\r\n"},
		{[]string{"\t=1", "\r=1", "\x00=1"}, "\"'\t=1\",\"'\r=1\",'\x00=1\r\n"},
		{[]string{"-5", "+3.25", "12"}, "-5,+3.25,12\r\n"},
		{[]string{"-1-2", "-.", "1e5", "-+5"}, "'-1-2,'-.,1e5,'-+5\r\n"},
		{[]string{"'=1", "'quoted'"}, "''=1,'quoted'\r\n"},
	} {
		var b bytes.Buffer
		w := NewWriter(&b)
		if err := errors.Join(w.Record(c.cells...), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(b.String(), BOM); got != c.want {
			t.Errorf("%q: got %q, want %q", c.cells, got, c.want)
		}
	}
}

// AppendRecord leaves the guard to its caller.
func TestAppendRecord(t *testing.T) {
	if got := string(AppendRecord([]byte("x"), []string{"=1+1", " a", ""})); got != "x=1+1,\" a\",\r\n" {
		t.Errorf("got %q", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestErrorsStick(t *testing.T) {
	w := NewWriter(broken{})
	var err error
	for range 10000 {
		if err = w.Record("some", "cells"); err != nil {
			break
		}
	}
	if err == nil || w.Flush() == nil {
		t.Error("writing to nowhere went well")
	}
}

// FuzzRecord: whatever a cell holds, a reader gets it back but for the guard,
// and no cell begins a formula.
func FuzzRecord(f *testing.F) {
	f.Add("a", "=b")
	f.Add("\"", "\r\n")
	f.Add("'-1", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		var buf bytes.Buffer
		w := NewWriter(&buf)
		if err := errors.Join(w.Record(a, b), w.Flush()); err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(buf.String(), BOM)))
		rec, err := r.Read()
		if a == "" && b == "" {
			return
		}
		if err != nil || len(rec) != 2 {
			t.Fatalf("%q, %q: written %q reads as %q, %v", a, b, &buf, rec, err)
		}
		for i, cell := range []string{a, b} {
			// encoding/csv reads CRLF in a cell as LF.
			want := strings.ReplaceAll(Guard(cell), "\r\n", "\n")
			if rec[i] != want {
				t.Errorf("%q reads as %q", cell, rec[i])
			}
			if rec[i] != "" && strings.IndexByte("=@\t\r\x00", rec[i][0]) >= 0 {
				t.Errorf("%q begins a formula", rec[i])
			}
		}
	})
}

func TestUnguardTakesWhatGuardGave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringOf(rapid.RuneFrom([]rune("'=+-@\t\r 19.a"))).Draw(t, "cell")
		if got := Unguard(Guard(cell)); got != cell {
			t.Fatalf("%q is guarded as %q and comes back as %q", cell, Guard(cell), got)
		}
	})
	for cell, want := range map[string]string{"'-5": "'-5", "'abc": "'abc", "'": "'", "'=1": "=1", "''=1": "'=1", "=1": "=1"} {
		if got := Unguard(cell); got != want {
			t.Errorf("Unguard(%q) = %q, want %q", cell, got, want)
		}
	}
}
