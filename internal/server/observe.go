package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// LogRequest is the key of a request's id in the log.
const LogRequest = "request_id"

// Answer is what is measured of a request. Door and Route are of a small set,
// whatever is asked for.
type Answer struct {
	// Door is the name of the door that answered, Route the method and path pattern
	// that the request was for; "none" where there is none.
	Door, Route string
	// Status is that of the answer; 0 where the connection was cut instead.
	Status int
	Took   time.Duration
	// Received and Sent are the bytes of the two bodies.
	Received, Sent int64
}

// None is the door and the route of requests that have none.
const None = "none"

// Routed notes which route of its door a request is for: a pattern, never what
// stands in a path. "" is none. It is for the goroutine that serves the request.
func Routed(ctx context.Context, pattern string) {
	if x := exchangeOf(ctx); x != nil {
		x.route = pattern
	}
}

// AboutImport notes which import a request is about; a second one is the one that
// it makes of the first. It is for the goroutine that serves the request.
func AboutImport(ctx context.Context, id string) {
	if x := exchangeOf(ctx); x != nil {
		x.about = append(x.about, id)
	}
}

func aboutAttrs(ids []string) (attrs []slog.Attr) {
	for i, key := range []string{"import", "new_import"} {
		if i < len(ids) {
			attrs = append(attrs, slog.String(key, ids[i]))
		}
	}
	return attrs
}

// probes are asked every few seconds by whoever watches the program.
var probes = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true}

// tell tells the observer of the answer.
func (h *handler) tell(w *response, r *http.Request, x *exchange, start time.Time) {
	if h.cfg.Observe == nil {
		return
	}
	a := Answer{Door: None, Route: x.route, Status: w.status, Took: h.cfg.Now().Sub(start), Sent: w.sent}
	if w.body != nil {
		a.Received = w.body.received
	}
	if d := h.door(r.URL.Path); d.Name != "" {
		a.Door = d.Name
	} else if a.Route == "" && probes[r.URL.Path] {
		a.Route = r.Pattern
	}
	if a.Route == "" {
		a.Route = None
	}
	h.cfg.Observe(r.Context(), a)
}
