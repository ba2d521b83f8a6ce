package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestStalledBodiesAreAnsweredAndLetGo: whatever the handler does about a body
// that stops coming, its sender gets an answer and the connection ends.
func TestStalledBodiesAreAnsweredAndLetGo(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"reads": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusRequestTimeout)
			}
		},
		"reads and closes": func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if err != nil {
				w.WriteHeader(http.StatusRequestTimeout)
			}
		},
		"refuses":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"answers":        func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") },
		"flushes":        func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here"); w.(http.Flusher).Flush() },
		"says nothing":   func(http.ResponseWriter, *http.Request) {},
		"gives up":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"breaks":         func(http.ResponseWriter, *http.Request) { panic("a fault of ours") },
		"breaks halfway": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "half"); panic("a fault of ours") },
	}
	cut := map[string]bool{"gives up": true, "breaks halfway": true}
	bodies := map[string]string{
		"counted": "Content-Length: 100\r\n\r\nab",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
		"unasked": "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
	}
	for name, do := range handlers {
		t.Run(name, func(t *testing.T) {
			addr := serveStalling(t, do)
			conns := make(map[string]net.Conn)
			for _, method := range []string{"POST", "GET", "DELETE"} {
				for kind, body := range bodies {
					conn := dial(t, addr)
					conn.SetDeadline(time.Now().Add(time.Minute)) // past it something hangs
					fmt.Fprintf(conn, "%s /door HTTP/1.1\r\nHost: x\r\n%s", method, body)
					conns[method+" "+kind] = conn
				}
			}
			for kind, conn := range conns {
				got, err := io.ReadAll(conn)
				if err != nil {
					t.Errorf("%s: after %q: %v", kind, got, err)
				}
				if len(got) > 0 == cut[name] || len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 ") {
					t.Errorf("%s: got %q", kind, got)
				}
			}
		})
	}
}

// TestConnectionStaysAfterWholeBodies: a body that came whole, read or not, costs
// no connection.
func TestConnectionStaysAfterWholeBodies(t *testing.T) {
	for name, do := range map[string]http.HandlerFunc{
		"read":   func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); fmt.Fprint(w, "here") },
		"unread": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, serveStalling(t, do))
			conn.SetDeadline(time.Now().Add(time.Minute))
			in := bufio.NewReader(conn)
			for _, body := range []string{"Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "\r\n"} {
				fmt.Fprintf(conn, "POST /door HTTP/1.1\r\nHost: x\r\n%s", body)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("%q: %v", body, err)
				}
				io.Copy(io.Discard, res.Body)
				if res.Close {
					t.Errorf("%q cost the connection", body)
				}
			}
		})
	}
}

// serveStalling serves a door behind a listener, gives up on stalls soon, and
// returns its address.
func serveStalling(t *testing.T, do http.HandlerFunc) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	h := New(Config{Doors: []Door{testDoor(do)}, Log: log, Now: time.Now, StallTimeout: 500 * time.Millisecond})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- NewServer(h, log).Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}
