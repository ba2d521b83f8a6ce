package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/oklog/ulid/v2"
)

// RequestIDHeader carries a request's id in both directions: a client that
// sends one finds it in the answer, in error bodies and in the log.
const RequestIDHeader = "X-Request-Id"

// exchange is what is known of one request and its answer.
type exchange struct {
	id     string
	remote string // the client's address
	attrs  []slog.Attr
	route  string
	about  []string
	// quiet says that the line is for who looks closely.
	quiet bool
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// RequestID returns the id of the request that ctx belongs to, "" for none.
func RequestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// Annotate adds attributes to the request's line in the access log. It is for
// the goroutine that serves the request alone.
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	if x := exchangeOf(ctx); x != nil {
		x.attrs = append(x.attrs, attrs...)
	}
}

// maxRequestID bounds an id that a client chose.
const maxRequestID = 128

// requestID takes the client's id where it is fit for headers and logs, and
// makes one otherwise.
func requestID(given string, now time.Time) string {
	if fitID(given) {
		return given
	}
	return "req_" + ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}

func fitID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
		if !ok {
			return false
		}
	}
	return true
}

// log writes the request's line in the access log: where it went and how it
// ended, never what was in it.
func (h *handler) log(w *response, r *http.Request, x *exchange, start time.Time) {
	level := slog.LevelInfo
	if x.quiet || probes[r.URL.Path] && w.status == http.StatusOK {
		level = slog.LevelDebug
	}
	attrs := append([]slog.Attr{
		slog.String(LogRequest, x.id),
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.Int("status", w.status),
		slog.Int64("sent", w.sent),
		slog.Float64("took_ms", float64(h.cfg.Now().Sub(start).Microseconds())/1000),
		slog.String("remote", x.remote),
	}, x.attrs...)
	attrs = append(attrs, aboutAttrs(x.about)...)
	if w.body != nil {
		attrs = append(attrs, slog.Int64("received", w.body.received))
	}
	h.cfg.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// panicError is a panic that ended a request.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// recover turns a panic into the door's internal error; where the answer has
// begun, the connection is cut so that the client does not take it for whole.
func (h *handler) recover(w *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // the very value is panicked with
		panic(v)
	}
	err := &panicError{value: v, stack: debug.Stack()}
	if w.status != 0 {
		h.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String(LogRequest, RequestID(r.Context())), slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
	h.door(r.URL.Path).Fail(w, r, err)
}
