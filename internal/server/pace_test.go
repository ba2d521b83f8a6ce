package server

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a connection in fake time: a body that brings chunk bytes every
// pause, and ends at the read deadline.
type wire struct {
	*httptest.ResponseRecorder
	chunk    int
	pause    time.Duration
	left     int
	deadline time.Time
}

func (w *wire) SetReadDeadline(t time.Time) error { w.deadline = t; return nil }
func (w *wire) SetWriteDeadline(time.Time) error  { return nil }
func (w *wire) Close() error                      { return nil }

func (w *wire) Read(p []byte) (int, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	arrives := time.Now().Add(w.pause)
	if !w.deadline.IsZero() && arrives.After(w.deadline) {
		time.Sleep(time.Until(w.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(w.pause)
	n := min(w.chunk, len(p), w.left)
	w.left -= n
	return n, nil
}

func TestBodyMustKeepComing(t *testing.T) {
	const stall = 30 * time.Second
	for _, c := range []struct {
		name  string
		chunk int
		pause time.Duration
		lives bool
	}{
		{"fast", 32 << 10, time.Millisecond, true},
		{"slow but steady", 1 << 10, 5 * time.Second, true},
		{"standing still", 1 << 20, time.Hour, false},
		{"a byte now and then", 1, 10 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size = 256 << 10
				conn := &wire{ResponseRecorder: httptest.NewRecorder(), chunk: c.chunk, pause: c.pause, left: size}
				r := httptest.NewRequest(http.MethodPost, "/", nil)
				r.Body = conn
				w := newResponse(conn, r, stall)
				n, err := io.Copy(io.Discard, w.body)
				if c.lives && (err != nil || n != size) {
					t.Errorf("got %d bytes, %v", n, err)
				}
				if !c.lives && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %d bytes, %v; want a deadline exceeded", n, err)
				}
				// One left behind by a body that came whole would end the request while its
				// handler works; without one after a stall the server would wait for the rest.
				if c.lives != conn.deadline.IsZero() {
					t.Errorf("the deadline is %v", conn.deadline)
				}
			})
		})
	}
}

func TestSlowReaderOfBodyIsNotTheClientsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &wire{ResponseRecorder: httptest.NewRecorder(), chunk: 1 << 10, pause: time.Second, left: 8 << 10}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body = conn
		w := newResponse(conn, r, 10*time.Second)
		buf := make([]byte, 1<<10)
		for range 8 {
			if _, err := w.body.Read(buf); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // the program is busy
		}
	})
}

func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &wire{ResponseRecorder: httptest.NewRecorder(), chunk: 1 << 10, pause: time.Second, left: 1 << 30}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body = conn
		w := newResponse(conn, r, time.Minute)
		start := time.Now()
		w.WriteHeader(http.StatusUnprocessableEntity)
		if took := time.Since(start); took > drainTime {
			t.Errorf("drained for %s", took)
		}
		if conn.Code != http.StatusUnprocessableEntity {
			t.Errorf("status %d", conn.Code)
		}
	})
}
