package server

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// What a transfer must do to be alive, and how much of a refused upload is read
// so that its sender gets to see the refusal.
const (
	// minProgress bytes must arrive within the stall timeout.
	minProgress = 4 << 10
	// What is left of a body at the answer is drained for so long and so far; not
	// longer than it may stand still.
	drainTime  = 5 * time.Second
	drainBytes = 64 << 20
)

// response counts what is sent and keeps the deadlines of both directions.
//
// Deadlines are the network's, so they are reckoned by the system's clock and
// not by the injected one.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	body    *body // nil when the request has none
	status  int   // 0 until the header is written
	sent    int64
	moved   time.Time // when the write deadline was last set
}

func newResponse(w http.ResponseWriter, r *http.Request, stall time.Duration) *response {
	res := &response{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
	// The connection may have served a request before this one.
	_ = res.control.SetWriteDeadline(time.Time{})
	if r.Body != nil && r.Body != http.NoBody {
		res.body = &body{
			ReadCloser: r.Body,
			control:    res.control,
			stall:      stall,
			unasked:    strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
		}
	}
	return res
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header. Before it reads what the client is still
// sending, up to a bound: a client that writes its whole upload before it reads
// the answer would otherwise see a reset connection and no reason.
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status >= 200 {
		w.status = status
		if w.body != nil {
			w.body.drain()
		}
		w.letGo()
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.extend()
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Flush sends what is buffered.
func (w *response) Flush() {
	w.extend()
	_ = w.control.Flush()
}

// letGo ends the connection with this answer where the body has not come whole.
// The server would wait for the rest of it, before it sends the header and again
// before it reads the next request, and has no bound of its own for that.
func (w *response) letGo() {
	if w.body == nil || errors.Is(w.body.err, io.EOF) {
		return
	}
	w.Header().Set("Connection", "close")
	_ = w.control.SetReadDeadline(longAgo)
}

// longAgo is a deadline that is over for whatever clock.
var longAgo = time.Unix(1, 0)

// extend gives the client the stall timeout again. Deadlines are not supported
// by every ResponseWriter; then there is no connection to guard.
func (w *response) extend() {
	if now := time.Now(); now.Sub(w.moved) > w.stall/8 {
		_ = w.control.SetWriteDeadline(now.Add(w.stall))
		w.moved = now
	}
}

// body is a request's body that must keep coming: in each window of the stall
// timeout at least minProgress bytes, however many windows it takes.
type body struct {
	io.ReadCloser
	control  *http.ResponseController
	stall    time.Duration
	unasked  bool // the client waits to be asked for it, and was not yet
	received int64
	opened   time.Time     // when the window began
	deadline time.Time     // when it ends
	window   int           // bytes that came in it
	left     time.Time     // when the last Read returned
	busy     time.Duration // time of the window in which nobody was reading
	hardEnd  time.Time     // the end of draining; zero before
	err      error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.unasked = false
	b.extend()
	n, err := b.ReadCloser.Read(p)
	b.received += int64(n)
	b.window += n
	b.left = time.Now()
	b.err = err
	if errors.Is(err, io.EOF) {
		// A deadline left behind would end the request while its handler works,
		// for the server goes on reading to notice a client that leaves. Where there
		// is more to come it does not, and would wait for it without a deadline.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Close does nothing: the body belongs to the server, and what its handler leaves
// is still drained.
func (b *body) Close() error { return nil }

// extend opens a new window when this one has brought enough. Time in which
// nobody was reading does not count: the program's own slowness is not the
// client's.
func (b *body) extend() {
	if !b.hardEnd.IsZero() {
		return
	}
	now := time.Now()
	if b.opened.IsZero() || b.window >= minProgress && now.Sub(b.opened) >= b.stall/8 {
		b.opened, b.deadline, b.window, b.busy = now, now.Add(b.stall), 0, 0
		_ = b.control.SetReadDeadline(b.deadline)
		return
	}
	if b.busy += now.Sub(b.left); b.busy >= b.stall/8 {
		b.deadline, b.busy = b.deadline.Add(b.busy), 0
		_ = b.control.SetReadDeadline(b.deadline)
	}
}

// drain reads and forgets what is under way, up to a bound in bytes and time.
func (b *body) drain() {
	if b.err != nil || b.unasked {
		return
	}
	b.hardEnd = time.Now().Add(min(drainTime, b.stall))
	if b.control.SetReadDeadline(b.hardEnd) != nil {
		return // no deadline, no bound: leave it to the server
	}
	_, _ = io.CopyN(io.Discard, b, drainBytes)
}
