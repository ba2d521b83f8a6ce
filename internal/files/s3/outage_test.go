package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"tallyman/internal/files"
)

// bytesKB are the sizes at which the tests below kill the server, in thousands of
// bytes: in the first request, in each part, near the end.
var bytesKB = []int64{0, 1, 700, 5000, 6000, 10_500, 15_900, 17_990}

// TestUploadOutlivesTheServer kills the server in the middle of an upload; it
// comes back after twenty seconds.
func TestUploadOutlivesTheServer(t *testing.T) {
	content := body(18_000_000, 1)
	o := newOutage(t, 20*time.Second)
	for _, at := range bytesKB {
		bucket := o.server.Bucket(t)
		s := mustOpenStore(t, o.url(bucket), o.options())
		before := o.kills.Load()
		o.after.Store(at*1000 + 1)
		info := mustPut(t, s, "1/file", content)
		if o.kills.Load() != before+1 {
			t.Fatalf("the server was killed %d times, want once", o.kills.Load()-before)
		}
		if info.Size != int64(len(content)) || !bytes.Equal(mustGet(t, s, "1/file"), content) {
			t.Errorf("killed after %d kB: the file reads otherwise than it was written", at)
		}
		if n := o.server.Uploads(t, bucket); n > 1 {
			t.Errorf("killed after %d kB: %d uploads were left", at, n)
		}
	}
}

// TestReadOutlivesTheServer kills the server in the middle of a read.
func TestReadOutlivesTheServer(t *testing.T) {
	content := body(18_000_000, 1)
	o := newOutage(t, 20*time.Second)
	s := mustOpenStore(t, o.url(o.server.Bucket(t)), o.options())
	mustPut(t, s, "1/file", content)
	for _, at := range bytesKB {
		before := o.kills.Load()
		o.after.Store(at*1000 + 1)
		if !bytes.Equal(mustGet(t, s, "1/file"), content) {
			t.Errorf("killed after %d kB: the file reads otherwise than it was written", at)
		}
		if o.kills.Load() != before+1 {
			t.Fatalf("the server was killed %d times, want once", o.kills.Load()-before)
		}
	}
}

// TestEveryMethodOutlivesTheServer begins each method while there is none.
func TestEveryMethodOutlivesTheServer(t *testing.T) {
	o := newOutage(t, 20*time.Second)
	s := mustOpenStore(t, o.url(o.server.Bucket(t)), o.options())
	mustPut(t, s, "1/file", []byte("content"))
	for name, call := range map[string]func() error{
		"Create": func() error { mustPut(t, s, "1/file", []byte("content")); return nil },
		"Open":   func() error { mustGet(t, s, "1/file"); return nil },
		"Stat":   func() error { _, err := s.Stat(t.Context(), "1/file"); return err },
		"Delete": func() error { return s.Delete(t.Context(), "1/none") },
		"List":   func() error { return s.List(t.Context(), "", func(files.Info) error { return nil }) },
		"Check":  func() error { return s.Check(t.Context()) },
	} {
		o.kill()
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPatienceEnds has an outage that is longer than the store waits: every
// method says so, nothing is seen, and the store works once the server is back.
func TestPatienceEnds(t *testing.T) {
	o := newOutage(t, time.Hour)
	s := mustOpenStore(t, o.url(o.server.Bucket(t)), o.options())
	mustPut(t, s, "1/file", body(3*headBytes, 1))
	r, err := s.Open(t.Context(), "1/file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	small, large := newWriter(t.Context(), s, "1/small"), newWriter(t.Context(), s, "1/large")
	if _, err := large.Write(body(6<<20, 1)); err != nil {
		t.Fatal(err)
	}
	if err := large.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.kill()
	for name, call := range map[string]func() error{
		"ReadAt":       func() error { _, err := r.ReadAt(make([]byte, 10), 2*headBytes); return err },
		"small Commit": func() error { _, err := small.Commit(t.Context()); return err },
		"large Commit": func() error { _, err := large.Commit(t.Context()); return err },
		"Open":         func() error { _, err := s.Open(t.Context(), "1/file"); return err },
		"Stat":         func() error { _, err := s.Stat(t.Context(), "1/file"); return err },
		"Delete":       func() error { return s.Delete(t.Context(), "1/file") },
		"List":         func() error { return s.List(t.Context(), "", func(files.Info) error { return nil }) },
	} {
		err := call()
		if err == nil || errors.Is(err, files.ErrNotFound) || errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "gave up") {
			t.Errorf("%s: %v, want that it gave up", name, err)
		} else if !strings.Contains(err.Error(), "attempts in") {
			t.Errorf("%s: %v, want how long it tried", name, err)
		}
	}
	if err := o.server.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s, ""); len(got) != 1 || got[0] != "1/file" {
		t.Errorf("List = %q, want the file from before", got)
	}
}

// TestNobodyIsThere asks a port where no server was ever.
func TestNobodyIsThere(t *testing.T) {
	o := newOutage(t, time.Hour)
	if err := o.server.Kill(); err != nil {
		t.Fatal(err)
	}
	cfg, err := ParseURL(o.server.URL("bucket"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), cfg, o.options())
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "correct endpoint") || !strings.Contains(err.Error(), o.server.Endpoint) {
		t.Errorf("Open: %v, want where nobody is and what to do", err)
	}
}

// TestOpenGivesUpSoon: whoever waits for a start hears within seconds of a server
// that is not there, however long the store's requests are made again later.
func TestOpenGivesUpSoon(t *testing.T) {
	now := time.Unix(0, 0)
	opt := Options{Patience: time.Hour, Now: func() time.Time { return now },
		Wait: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }}
	cfg, err := ParseURL("s3://bucket?endpoint=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	began := now
	if _, err := Open(t.Context(), cfg, opt); err == nil || !strings.Contains(err.Error(), "no server is there") {
		t.Errorf("got %v", err)
	}
	if took := now.Sub(began); took > 10*time.Second {
		t.Errorf("it tried for %s", took)
	}
}
