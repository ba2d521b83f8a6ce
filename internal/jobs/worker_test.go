package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"tallyman/internal/store"
)

type handlerFunc func(ctx context.Context, job store.Job, id int64) error

func (f handlerFunc) Work(ctx context.Context, job store.Job, id int64) error {
	return f(ctx, job, id)
}

func testJob() store.Job {
	return store.Job{
		Format: store.JobFormat,
		WS:     7,
		Batch:  store.BatchRef{ImportNo: 12, Pass: "apply", No: 3},
		Small:  true,
	}
}

// Every field of a job comes back from the database.
func TestArgsRoundTrip(t *testing.T) {
	want := testJob()
	assertNoZero(t, reflect.ValueOf(want), "Job")
	data, err := json.Marshal(args{want})
	if err != nil {
		t.Fatal(err)
	}
	var got args
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.job != want {
		t.Errorf("got %+v, want %+v", got.job, want)
	}
}

// assertNoZero makes sure that a field that is added to a job is in the test.
func assertNoZero(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	if v.Kind() != reflect.Struct {
		if v.IsZero() {
			t.Errorf("%s is zero, so that its loss would not be seen", name)
		}
		return
	}
	for i := range v.NumField() {
		assertNoZero(t, v.Field(i), name+"."+v.Type().Field(i).Name)
	}
}

// The JSON of format 1 stands in databases.
func TestArgsFormat1(t *testing.T) {
	const stored = `{"format":1,"ws":7,"import":12,"pass":"apply","batch":3,"small":true}`
	data, err := json.Marshal(args{testJob()})
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != stored {
		t.Errorf("got %s, want %s", data, stored)
	}
}

func TestArgsUnreadable(t *testing.T) {
	for _, data := range []string{`[]`, `{"format":"x"}`, `{"format":1,"ws":"x"}`} {
		var a args
		if err := json.Unmarshal([]byte(data), &a); err == nil {
			t.Errorf("%s was read as %+v", data, a.job)
		}
	}
}

func TestWorkLeavesNewerJobs(t *testing.T) {
	var a args
	newer := fmt.Sprintf(`{"format":%d,"ws":{"other":"shape"},"batch":[]}`, store.JobFormat+1)
	if err := json.Unmarshal([]byte(newer), &a); err != nil {
		t.Fatal(err)
	}
	err := work(t.Context(), a, func(context.Context, store.Job, int64) error {
		t.Error("the handler was called")
		return nil
	})
	var snooze *river.JobSnoozeError
	if !errors.As(err, &snooze) || snooze.Duration != newerWait {
		t.Errorf("got %v", err)
	}
}

func work(ctx context.Context, a args, h handlerFunc) error {
	w := worker{handler: h, log: slog.New(slog.DiscardHandler), stop: newStopSignal(), now: time.Now}
	return w.Work(ctx, &river.Job[args]{JobRow: &rivertype.JobRow{ID: 5, Attempt: 2}, Args: a})
}

func TestWorkOutcome(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"done", nil, nil},
		{"stale", fmt.Errorf("start batch: %w", store.ErrStale), nil},
		{"fenced", fmt.Errorf("check batch: %w", store.ErrFenced), nil},
		{"failed", boom, boom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := work(t.Context(), args{testJob()}, func(ctx context.Context, job store.Job, id int64) error {
				if job != testJob() || id != 5 || Attempt(ctx) != 2 || Stopping(ctx) {
					t.Errorf("called with %+v, %d, attempt %d, stopping %t", job, id, Attempt(ctx), Stopping(ctx))
				}
				return tt.err
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestWorkCatchesPanic(t *testing.T) {
	err := work(t.Context(), args{testJob()}, func(context.Context, store.Job, int64) error { panic("boom") })
	var p *panicError
	if !errors.As(err, &p) || !strings.Contains(string(p.stack), "TestWorkCatchesPanic") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "import 12, apply batch 3: panic: boom") {
		t.Errorf("got %q", err)
	}
}

// A statement that was cancelled may report it in the database's own words.
func TestWorkShowsCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := work(ctx, args{testJob()}, func(context.Context, store.Job, int64) error {
		cancel()
		return errors.New("interrupted")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOutsideOfAJob(t *testing.T) {
	if Stopping(t.Context()) || StopSignal(t.Context()) != nil || Attempt(t.Context()) != 0 {
		t.Error("a context without a job knows of one")
	}
}

func TestBackoff(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 30, 7: 30, 1000: 30}
	for attempt, seconds := range want {
		got := backoff{func() time.Time { return now }}.NextRetry(&rivertype.JobRow{Attempt: attempt})
		if got != now.Add(seconds*time.Second) {
			t.Errorf("attempt %d is retried after %s, want %ds", attempt, got.Sub(now), seconds)
		}
	}
}

func TestClientID(t *testing.T) {
	long := strings.Repeat("n", 300)
	if id := clientID(long); len(id) > 100 {
		t.Errorf("%d characters", len(id))
	}
	if one, other := clientID("node"), clientID("node"); one == other {
		t.Error("two processes of one node have one id")
	}
}

func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	log := quiet(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With("a", 1).WithGroup("g")
	log.Debug("below")
	log.Info("info")
	log.Warn("warning")
	log.Error("error")
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{"level=DEBUG msg=info", "level=WARN msg=warning", "level=ERROR msg=error"}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) || !strings.Contains(got[i], "a=1") {
			t.Errorf("line %d is %q, want %q", i, got[i], want[i])
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Handler: handlerFunc(nil), Log: slog.New(slog.DiscardHandler), Workers: 1}
	if err := good.withDefaults().validate(); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*Config){
		"Handler":      func(c *Config) { c.Handler = nil },
		"Log":          func(c *Config) { c.Log = nil },
		"Workers":      func(c *Config) { c.Workers = 0 },
		"SmallWorkers": func(c *Config) { c.SmallWorkers = -1 },
		"RescueAfter":  func(c *Config) { c.JobTimeout = time.Hour },
	}
	for field, spoil := range tests {
		bad := good
		spoil(&bad)
		if err := bad.withDefaults().validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A database that is away for three minutes puts every batch off again and again. Of
// each import the log hears that once a minute, of another cause at once.
func TestWhatIsPutOffIsSaidOnceAMinute(t *testing.T) {
	var records []slog.Record
	now := time.Unix(0, 0)
	var cause error
	w := worker{log: slog.New(recorder{&records}), stop: newStopSignal(), now: func() time.Time { return now },
		handler: handlerFunc(func(context.Context, store.Job, int64) error { return PutOff(3*time.Second, cause) })}
	try := func(importNo int64) {
		for batch := range 10 {
			job := testJob()
			job.Batch.ImportNo, job.Batch.No = importNo, batch+1
			err := w.Work(t.Context(), &river.Job[args]{JobRow: &rivertype.JobRow{ID: int64(batch)}, Args: args{job}})
			if snooze, ok := errors.AsType[*river.JobSnoozeError](err); !ok || snooze.Duration != 3*time.Second {
				t.Fatalf("got %v", err)
			}
		}
	}
	away := errors.New("away")
	for i := range 60 {
		cause = errors.Join(fmt.Errorf("chunk %d: %w", i, away), errors.New("give batch back"))
		try(1)
		try(2)
		now = now.Add(3 * time.Second)
	}
	if len(records) != 2*3 {
		t.Errorf("%d lines of two imports in three minutes, want 6", len(records))
	}
	cause = errors.New("full")
	try(1)
	if len(records) != 2*3+1 {
		t.Errorf("of another cause %d lines, want 1", len(records)-2*3)
	}
}
