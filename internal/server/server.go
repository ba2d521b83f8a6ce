// Package server is the HTTP face of the program: it listens, gives every
// request an id, keeps slow and broken clients from hurting others, writes the
// access log, and passes each request to the door its path belongs to. rest/ and
// its siblings are the doors; upload/ is how a file comes in through any of them.
//
// What does not belong here: the words of a door (its paths, bodies and codes),
// and everything that happens to a file once it has arrived (package importer).
// A door translates words; it decides nothing.
package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
)

// Door is one network face, with a part of the paths to itself.
type Door struct {
	// Prefix is where the door's paths begin, such as "/api/v1": it answers the
	// prefix itself and everything below it, what it does not know included.
	// "" is the door for whatever no other one answers.
	Prefix string
	// Name is the door's in what is measured.
	Name    string
	Handler http.Handler
	// Fail answers a request with an error in the door's words, for errors that
	// happen outside of its handlers. err may be a *catalog.Fault; any other is
	// internal and is told to nobody but the log.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Config is what a handler is made of.
type Config struct {
	Doors []Door
	// Ready says why the program cannot serve just now, or nil: /readyz asks it.
	Ready func(context.Context) error
	// Holding, where set, names in a word each what keeps the program from taking
	// anything on; /readyz says it to anybody.
	Holding func() []string
	Log     *slog.Logger
	// Observe, where set, is told of every request when it has been answered, on
	// the goroutine that served it and with its context.
	Observe func(ctx context.Context, a Answer)
	// Metrics, where set, answers GET /metrics.
	Metrics http.Handler
	// Now is the clock.
	Now func() time.Time
	// StallTimeout ends a request whose body brings, or whose answer takes, next
	// to nothing for so long; 0 means DefaultStallTimeout. A transfer that is
	// slow but moves is never ended.
	StallTimeout time.Duration
	// TrustedProxies are the networks whose word is taken for whom they ask; none
	// means that the client is whoever connects.
	TrustedProxies []netip.Prefix
}

// DefaultStallTimeout is how long a transfer may stand still.
const DefaultStallTimeout = 30 * time.Second

// readyTimeout bounds the question whether the program is ready.
const readyTimeout = 2 * time.Second

// New returns the handler of every path: /livez, /readyz, /metrics where
// there are any, and the doors.
func New(cfg Config) http.Handler {
	if cfg.StallTimeout == 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	h := &handler{cfg: cfg, fallback: Door{Fail: failPlainly}}
	h.unready.Store("")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	for _, d := range cfg.Doors {
		if d.Prefix == "" {
			h.fallback = d
			continue
		}
		mux.Handle(d.Prefix, d.Handler)
		mux.Handle(d.Prefix+"/", d.Handler)
	}
	if h.fallback.Handler == nil {
		h.fallback.Handler = http.HandlerFunc(notFound)
	}
	mux.Handle("/", h.fallback.Handler)
	h.next = mux
	return h
}

// handler does for every request what is the same for all doors.
type handler struct {
	cfg      Config
	fallback Door
	next     http.Handler
	// unready is what /readyz said last of why it is not; "" for ready.
	unready atomic.Value
}

func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	start := h.cfg.Now()
	client := clientOf(r, h.cfg.TrustedProxies)
	x := &exchange{id: requestID(r.Header.Get(RequestIDHeader), start), remote: remoteOf(client, r)}
	ctx := audit.WithOrigin(r.Context(), audit.Origin{Address: client})
	r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	w := newResponse(rw, r, h.cfg.StallTimeout)
	defer w.letGo() // also where nothing was answered, or the handler panicked
	if w.body != nil {
		r.Body = w.body
	}
	secure(w.Header())
	w.Header().Set(RequestIDHeader, x.id)
	defer h.tell(w, r, x, start)
	defer h.log(w, r, x, start)
	defer h.recover(w, r)
	h.next.ServeHTTP(w, r)
}

// secure sets the headers that suit every answer that is no page; the doors of
// pages set their own.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// door finds the door that a path belongs to.
func (h *handler) door(path string) Door {
	for _, d := range h.cfg.Doors {
		if d.Prefix != "" && (path == d.Prefix || strings.HasPrefix(path, d.Prefix+"/")) {
			return d
		}
	}
	return h.fallback
}

func (h *handler) live(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "alive\n") }

func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := h.cfg.Ready(ctx); err != nil {
		said := notReady(err)
		Annotate(ctx, slog.Any("reason", err))
		exchangeOf(ctx).quiet = h.unready.Swap(said) == said
		plain(w, http.StatusServiceUnavailable, said)
		return
	}
	h.unready.Store("")
	if h.cfg.Holding != nil {
		if held := h.cfg.Holding(); len(held) > 0 {
			plain(w, http.StatusOK, "ready, holding: "+strings.Join(held, ", ")+"\n")
			return
		}
	}
	plain(w, http.StatusOK, "ready\n")
}

// notReady says why not where that is said for people: anybody may read it.
func notReady(err error) string {
	if f := catalog.AsFault(err); f != nil && f.Kind == catalog.KindUnavailable {
		return "not ready: " + f.Message + "\n"
	}
	return "not ready\n"
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func notFound(w http.ResponseWriter, r *http.Request) {
	answerPlainly(w, r, http.StatusNotFound, "not_found", "There is nothing at this address.")
}

// failPlainly answers what happens outside of every door.
func failPlainly(w http.ResponseWriter, r *http.Request, _ error) {
	answerPlainly(w, r, http.StatusInternalServerError, "internal_error", "Something went wrong on our side.")
}

func answerPlainly(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	body, err := json.Marshal(map[string]string{"error": code, "message": message, "request_id": RequestID(r.Context())})
	if err != nil {
		panic(err) // three strings always marshal
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
