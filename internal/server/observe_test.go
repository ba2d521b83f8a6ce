package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// observed is a handler with a door, and the answers that its observer was told of.
func observed(door Door, metrics http.Handler) (http.Handler, *[]Answer) {
	var answers []Answer
	return New(Config{Doors: []Door{door}, Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler), Metrics: metrics,
		Now:     func() time.Time { return time.Unix(1, 0) },
		Observe: func(_ context.Context, a Answer) { answers = append(answers, a) }}), &answers
}

// What is measured of a request is of a small set, whatever its path is.
func TestObserve(t *testing.T) {
	door := testDoor(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/door/things/17":
			Routed(r.Context(), "POST /door/things/{id}")
			w.WriteHeader(http.StatusCreated)
		case "/door/broken":
			Routed(r.Context(), "GET /door/broken")
			panic("broken")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(append(body, '!'))
	})
	door.Name = "door"
	h, answers := observed(door, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "m 1\n") }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/door/things/17", strings.NewReader("abc")))
	for _, path := range []string{"/door/secret", "/door/broken", "/livez", "/readyz", "/metrics", "/a/b?c=d"} {
		get(h, path)
	}
	want := []Answer{
		{Door: "door", Route: "POST /door/things/{id}", Status: 201, Received: 3, Sent: 4},
		{Door: "door", Route: "none", Status: 404, Sent: 1},
		{Door: "door", Route: "GET /door/broken", Status: 500, Sent: int64(len("door: *server.panicError"))},
		{Door: "none", Route: "GET /livez", Status: 200, Sent: int64(len("alive\n"))},
		{Door: "none", Route: "GET /readyz", Status: 200, Sent: int64(len("ready\n"))},
		{Door: "none", Route: "GET /metrics", Status: 200, Sent: int64(len("m 1\n"))},
	}
	if diff := cmp.Diff(want, (*answers)[:len(want)]); diff != "" {
		t.Errorf("measured (-want +got):\n%s", diff)
	}
	last := (*answers)[len(want)]
	if last.Door != None || last.Route != None || last.Status != 404 {
		t.Errorf("a path that is nowhere is measured as %+v", last)
	}
}

func TestNoMetricsIsNotFound(t *testing.T) {
	h, _ := observed(testDoor(http.NotFound), nil)
	if w := get(h, "/metrics"); w.Code != http.StatusNotFound {
		t.Errorf("without metrics: %d", w.Code)
	}
}

func TestTheLogNamesTheImport(t *testing.T) {
	var log bytes.Buffer
	h := newTestHandler(&log, testDoor(func(_ http.ResponseWriter, r *http.Request) {
		AboutImport(r.Context(), "imp_1")
		if r.URL.Path == "/door/undo" {
			AboutImport(r.Context(), "imp_2")
		}
	}))
	get(h, "/door/show")
	get(h, "/door/undo")
	dec := json.NewDecoder(&log)
	for _, want := range []string{"", "imp_2"} {
		var line struct {
			Import string
			New    string `json:"new_import"`
		}
		if err := dec.Decode(&line); err != nil || line.Import != "imp_1" || line.New != want {
			t.Errorf("the line has %+v, %v; want imp_1 and %q", line, err, want)
		}
	}
}
