package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestLines checks that a pipe gets a line about every second, and none while
// nothing moves.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := &lines{w: &out, now: func() time.Time { return now }}
	at := func(ms int64, v view) {
		now = time.UnixMilli(ms)
		l.show(v)
	}
	at(0, view{State: "received"})
	at(1100, view{State: "slicing"})
	at(2200, view{State: "slicing"})
	at(3300, view{State: "running", TotalRows: 4000, ProcessedRows: 1100})
	at(3400, view{State: "running", TotalRows: 4000, ProcessedRows: 1200})
	at(4300, view{State: "running", TotalRows: 4000, ProcessedRows: 2100, ErrorRows: 1000})
	at(9000, view{State: "running", TotalRows: 4000, ProcessedRows: 2100, ErrorRows: 1000})
	at(9900, view{State: "done", TotalRows: 4000, ProcessedRows: 4000})
	want := strings.Join([]string{
		"slicing",
		"1,100 of 4,000 rows, 333 rows/s, 9s left",
		"2,100 of 4,000 rows, 1,000 failed, 488 rows/s, 4s left",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// TestLinesOfAnImportThatStandsStill checks that a pipe is told once why nothing
// moves, though there is nothing yet to tell of rows.
func TestLinesOfAnImportThatStandsStill(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := &lines{w: &out, now: func() time.Time { return now }}
	still := view{State: "slicing", WaitingFor: "No node is at work; the import goes on when one is."}
	for _, v := range []view{still, still, {State: "running", TotalRows: 4000, ProcessedRows: 1100}} {
		l.show(v)
		now = now.Add(2 * time.Second)
	}
	want := "slicing, but it stands still. No node is at work; the import goes on when one is.\n1,100 of 4,000 rows, 275 rows/s, 11s left\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int64]string{0: "0 rows", 1: "1 row", 1234: "1,234 rows"} {
		if got := counted(n, "row"); got != want {
			t.Errorf("%d: %q, not %q", n, got, want)
		}
	}
}

// TestMeterForgets checks that an old standstill does not slow the rate down
// for ever.
func TestMeterForgets(t *testing.T) {
	var m meter
	at := func(s, rows int64) { m.add(time.Unix(s, 0), rows) }
	at(0, 0)
	if m.perSecond() != 0 {
		t.Errorf("a rate of one sample: %f", m.perSecond())
	}
	at(100, 0)
	for s := int64(101); s <= 120; s++ {
		at(s, (s-100)*50)
	}
	if got := m.perSecond(); got != 50 {
		t.Errorf("%f rows/s, not 50", got)
	}
}

// TestBar draws the bar once and checks that it shows what lines show.
func TestBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	b := newBar(&out, func() time.Time { now = now.Add(time.Second); return now })
	b.show(view{State: "running", TotalRows: 4000, ProcessedRows: 1000})
	b.show(view{State: "done", TotalRows: 4000, ProcessedRows: 4000, ErrorRows: 7})
	b.close()
	b.close()
	for _, want := range []string{"100%", "4,000 of 4,000 rows, 7 failed, 3,000 rows/s"} {
		if !strings.Contains(strings.ReplaceAll(out.String(), " %", "%"), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12345: "-12,345", 100000: "100,000"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, not %q", n, got, want)
		}
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("byteSize(%d) = %q, not %q", n, got, want)
		}
	}
}
