package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
)

// testDoor answers /door with h; its errors begin with "door:".
func testDoor(h http.HandlerFunc) Door {
	return Door{Prefix: "/door", Handler: h, Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "door: %T", err)
	}}
}

func newTestHandler(log io.Writer, doors ...Door) http.Handler {
	return New(Config{
		Doors: doors,
		Ready: func(context.Context) error { return nil },
		Log:   slog.New(slog.NewJSONHandler(log, nil)),
		Now:   time.Now,
	})
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequestID(t *testing.T) {
	var seen string
	h := newTestHandler(io.Discard, testDoor(func(_ http.ResponseWriter, r *http.Request) { seen = RequestID(r.Context()) }))
	for _, c := range []struct {
		name, given string
		kept        bool
	}{
		{"the client's own", "order-17.b_2", true},
		{"none", "", false},
		{"with a line break", "a\nb", false},
		{"with a blank", "a b", false},
		{"too long", strings.Repeat("x", maxRequestID+1), false},
		{"as long as allowed", strings.Repeat("x", maxRequestID), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := get(h, "/door", RequestIDHeader, c.given).Header().Get(RequestIDHeader)
			if got != seen || got == "" {
				t.Errorf("answer names request %q, handler saw %q", got, seen)
			}
			if (got == c.given) != c.kept {
				t.Errorf("given %q, got %q", c.given, got)
			}
		})
	}
}

func TestPathsGoToTheirDoor(t *testing.T) {
	h := newTestHandler(io.Discard, testDoor(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "in the door at "+r.URL.Path) }))
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/door":         {200, "in the door at /door"},
		"/door/a/b":     {200, "in the door at /door/a/b"},
		"/doorbell":     {404, "not_found"},
		"/":             {404, "not_found"},
		"/livez":        {200, "alive"},
		"/readyz":       {200, "ready"},
		"/door/%2e%2eX": {200, "in the door at /door/..X"},
	} {
		w := get(h, path)
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.body) {
			t.Errorf("GET %s: %d %q, want %d with %q", path, w.Code, w.Body, want.status, want.body)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: the answer may be sniffed", path)
		}
	}
}

func TestNotReady(t *testing.T) {
	h := New(Config{Ready: func(context.Context) error { return errors.New("store /secret/path: locked") },
		Log: slog.New(slog.DiscardHandler), Now: time.Now})
	w := get(h, "/readyz")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %q, want 503 without the reason", w.Code, w.Body)
	}
	if w := get(h, "/livez"); w.Code != http.StatusOK {
		t.Errorf("a program that is not ready is alive: got %d", w.Code)
	}
}

// What is said for people is told to whoever asks, without its cause.
// A program that holds is ready: it answers, and says in a word what it waits for.
func TestReadyWhileHolding(t *testing.T) {
	var held []string
	h := New(Config{Ready: func(context.Context) error { return nil }, Holding: func() []string { return held }, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	for _, c := range []struct {
		held []string
		want string
	}{{nil, "ready\n"}, {[]string{"files"}, "ready, holding: files\n"}, {[]string{"files", "disk"}, "ready, holding: files, disk\n"}} {
		held = c.held
		if w := get(h, "/readyz"); w.Code != http.StatusOK || w.Body.String() != c.want {
			t.Errorf("held by %q: %d %q", c.held, w.Code, w.Body)
		}
	}
}

func TestNotReadySaysWhatIsSaidForPeople(t *testing.T) {
	why := &catalog.Fault{Kind: catalog.KindUnavailable, Code: "held", Message: "The database takes no writes.", Err: errors.New("secret")}
	h := New(Config{Ready: func(context.Context) error { return why }, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if w := get(h, "/readyz"); w.Code != http.StatusServiceUnavailable || w.Body.String() != "not ready: The database takes no writes.\n" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

// Whoever waits for a node that holds asks often: that fills no log.
func TestFailingProbesAreLoggedWhenTheReasonChanges(t *testing.T) {
	held := func(why string) error {
		return &catalog.Fault{Kind: catalog.KindUnavailable, Code: "held", Message: why}
	}
	var now error
	var log bytes.Buffer
	h := New(Config{Ready: func(context.Context) error { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now})
	for _, now = range []error{held("No room."), held("No room."), held("No database."), held("No database."), nil, held("No database."), held("No database.")} {
		get(h, "/readyz")
	}
	if got := strings.Count(log.String(), "msg=request"); got != 3 {
		t.Errorf("%d lines, not 3:\n%s", got, log.String())
	}
}

func TestPanicIsAnsweredByTheDoor(t *testing.T) {
	h := newTestHandler(io.Discard, testDoor(func(http.ResponseWriter, *http.Request) { panic("secret") }))
	w := get(h, "/door")
	if w.Code != 500 || w.Body.String() != "door: *server.panicError" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestPanicAfterTheAnswerBeganCutsIt(t *testing.T) {
	var log bytes.Buffer
	srv := httptest.NewServer(newTestHandler(&log, testDoor(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half of")
		w.(http.Flusher).Flush()
		panic("secret")
	})))
	res, err := http.Get(srv.URL + "/door")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil {
		t.Errorf("the answer %q looks whole", body)
	}
	srv.Close() // the log is complete once it is closed
	if !strings.Contains(log.String(), "secret") {
		t.Errorf("the panic is not in the log: %s", &log)
	}
}

func TestAccessLog(t *testing.T) {
	var log bytes.Buffer
	h := newTestHandler(&log, testDoor(func(w http.ResponseWriter, r *http.Request) {
		Annotate(r.Context(), slog.String("key", "key_1"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "abc")
	}))
	get(h, "/door/x?token=hidden", RequestIDHeader, "r1")
	var line struct {
		Request           string `json:"request_id"`
		Method, Path, Key string
		Status, Sent      int
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("log %q: %v", &log, err)
	}
	if line.Request != "r1" || line.Method != "GET" || line.Path != "/door/x" || line.Key != "key_1" || line.Status != 418 || line.Sent != 3 {
		t.Errorf("log line %+v", line)
	}
	if strings.Contains(log.String(), "hidden") {
		t.Errorf("the query is in the log: %s", &log)
	}
}

func TestRefusalIsReadableWhileUploading(t *testing.T) {
	srv := httptest.NewServer(newTestHandler(io.Discard, testDoor(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, "refused")
	})))
	defer srv.Close()
	conn := dial(t, srv.URL)
	const size = 16 << 20
	fmt.Fprintf(conn, "POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
	// A client that reads nothing before it has written everything.
	if _, err := io.CopyN(conn, endless{}, size); err != nil {
		t.Fatalf("the upload was cut off: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer after the upload: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != 422 || string(body) != "refused" {
		t.Errorf("got %d %q (%v)", res.StatusCode, body, err)
	}
}

func TestRefusalAsksForNoBody(t *testing.T) {
	srv := httptest.NewServer(newTestHandler(io.Discard, testDoor(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})))
	defer srv.Close()
	conn := dial(t, srv.URL)
	fmt.Fprint(conn, "POST /door HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if !strings.HasPrefix(line, "HTTP/1.1 401") {
		t.Errorf("a client that waits to be asked for its body was told %q (%v)", line, err)
	}
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestServeEndsWaitingRequests(t *testing.T) {
	waiting := make(chan struct{})
	h := newTestHandler(io.Discard, testDoor(func(w http.ResponseWriter, r *http.Request) {
		close(waiting)
		<-Closing(r.Context())
		fmt.Fprint(w, "nothing happened")
	}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- NewServer(h, slog.New(slog.DiscardHandler)).Serve(ctx, ln) }()
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + ln.Addr().String() + "/door")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answered <- string(b)
	}()
	<-waiting
	stop()
	if got := <-answered; got != "nothing happened" {
		t.Errorf("the waiting request got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestServeCutsOffWhatDoesNotEnd(t *testing.T) {
	waiting := make(chan struct{})
	h := newTestHandler(io.Discard, testDoor(func(_ http.ResponseWriter, r *http.Request) {
		close(waiting)
		<-r.Context().Done()
	}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	srv := NewServer(h, slog.New(slog.DiscardHandler))
	srv.Grace = 1
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	go func() {
		if res, err := http.Get("http://" + ln.Addr().String() + "/door"); err == nil {
			res.Body.Close()
		}
	}()
	<-waiting
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}
