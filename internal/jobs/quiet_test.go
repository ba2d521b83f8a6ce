package jobs

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// recorder keeps what is logged.
type recorder struct{ records *[]slog.Record }

func (r recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r recorder) Handle(_ context.Context, rec slog.Record) error {
	*r.records = append(*r.records, rec)
	return nil
}
func (r recorder) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r recorder) WithGroup(string) slog.Handler      { return r }

// TestAWarningThatRepeatsIsWrittenOnceAMinute logs as River does while the database
// is away, through loggers that its parts derive.
func TestAWarningThatRepeatsIsWrittenOnceAMinute(t *testing.T) {
	var records []slog.Record
	h := quiet(slog.New(recorder{&records})).Handler()
	began := time.Unix(0, 0)
	for i := range 360 {
		r := slog.NewRecord(began.Add(time.Duration(i)*500*time.Millisecond), slog.LevelError, "producer: Error fetching jobs", 0)
		r.AddAttrs(slog.String("err", "away"), slog.Int("no", i))
		if err := h.WithAttrs(nil).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if len(records) != 3 {
		t.Fatalf("%d lines in three minutes, want 3", len(records))
	}
	var keys []string
	records[0].Attrs(func(a slog.Attr) bool { keys = append(keys, a.Key); return true })
	if len(keys) != 2 || keys[0] != "error" || keys[1] != "no" {
		t.Errorf("the keys are %v, want error and no", keys)
	}
	info := slog.NewRecord(began, slog.LevelInfo, "hello", 0)
	for range 2 {
		if err := h.Handle(t.Context(), info); err != nil {
			t.Fatal(err)
		}
	}
	if len(records) != 5 || records[3].Level != slog.LevelDebug {
		t.Errorf("what is no warning: %v", records[3:])
	}
}
