package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/server/upload"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// maker is an importer that only makes imports, and counts them.
type maker struct {
	importer.API
	mu      sync.Mutex
	made    []store.Import
	stored  []string // bytes received
	err     error    // of the next Start, once
	entered chan struct{}
	hold    chan struct{} // Start waits for it where it is set
	refuse  bool          // what is started

	discarded int
}

func (m *maker) Receive(_ context.Context, _ store.Workspace, _, _, name string, body io.Reader) (*importer.Upload, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stored = append(m.stored, string(b))
	return &importer.Upload{Name: name, SHA256: sha(string(b))}, nil
}
func (m *maker) Discard(context.Context, *importer.Upload) { m.discarded++ }
func (m *maker) Start(_ context.Context, _ store.Workspace, up *importer.Upload, opt importer.Options) (store.Import, error) {
	if m.hold != nil {
		m.entered <- struct{}{}
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.err; err != nil {
		m.err = nil
		return store.Import{}, err
	}
	imp := store.Import{SHA256: up.SHA256, SourceName: up.Name, RequestKey: opt.RequestKey}
	if m.refuse {
		imp.State, imp.FaultCode, imp.FaultMessage = store.Refused, "header_mismatch", "No."
	}
	imp = m.add(imp)
	return imp, asRefusal(&imp)
}
func (m *maker) add(imp store.Import) store.Import {
	imp.ID = fmt.Sprintf("imp_%d", len(m.made)+1)
	if imp.CreatedAt.IsZero() {
		imp.CreatedAt = noon
	}
	if imp.State == "" {
		imp.State = store.Received
	}
	m.made = append(m.made, imp)
	return imp
}
func (m *maker) Undo(_ context.Context, _ store.Workspace, id string, opt importer.Options) (store.Import, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(store.Import{UndoOf: id, RequestKey: opt.RequestKey}), nil
}
func (m *maker) ImportByRequest(_ context.Context, _ store.Workspace, key string) (store.Import, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, imp := range m.made {
		if imp.RequestKey == key {
			return imp, nil
		}
	}
	return store.Import{}, store.ErrNotFound
}
func (m *maker) Pause(context.Context, store.Workspace, string) (store.Import, error) {
	panic("a fault of ours")
}
func (m *maker) Resume(context.Context, store.Workspace, string) (store.Import, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.err; err != nil {
		m.err = nil
		return store.Import{}, err
	}
	return store.Import{ID: "imp_1", State: store.Running}, nil
}
func (*maker) UndoableUntil(*store.Import) time.Time            { return time.Time{} }
func (*maker) WaitingFor(context.Context, *store.Import) string { return "" }

func sha(s string) string {
	sum, _ := sumOf(strings.NewReader(s))
	return sum
}

var noon = time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)

// counter is a door with a store of requests behind it.
type counter struct {
	t *testing.T
	http.Handler
	db       *sqlite.DB
	requests *Mortal
	ws       store.Workspace
	now      time.Time
}

// Mortal is a store of requests whose process may die: between doing what a
// request asks and keeping its answer.
type Mortal struct {
	Requests
	// Dying loses the answers of requests from now on. For the next process, when it
	// is unset again, what is in flight is dead.
	Dying bool
	died  bool
}

var errKilled = errors.New("killed")

func (m *Mortal) BeginRequest(ctx context.Context, ws store.WS, r store.Request, dead time.Time) (store.Request, bool, error) {
	if m.died {
		dead = r.At.Add(time.Hour)
	}
	return m.Requests.BeginRequest(ctx, ws, r, dead)
}
func (m *Mortal) EndRequest(ctx context.Context, ws store.WS, r store.Request) error {
	if m.Dying && r.Status != 0 {
		m.died = true
		return errKilled
	}
	return m.Requests.EndRequest(ctx, ws, r)
}
func (m *Mortal) BeatRequest(ctx context.Context, ws store.WS, key string, began, now time.Time) error {
	if m.Dying {
		return errKilled
	}
	return m.Requests.BeatRequest(ctx, ws, key, began, now)
}
func (m *Mortal) DropRequest(ctx context.Context, ws store.WS, key string, began time.Time) error {
	if m.Dying {
		return errKilled
	}
	return m.Requests.DropRequest(ctx, ws, key, began)
}

func newCounter(t *testing.T, imports importer.API) *counter {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &counter{t: t, db: db, requests: &Mortal{Requests: db}, now: noon}
	if c.ws, err = db.CreateWorkspace(t.Context(), store.Workspace{Name: "acme", CreatedAt: noon}); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	now := func() time.Time { return c.now }
	d, err := New(Config{Imports: imports, Accounts: keysOf{c.ws}, Requests: c.requests, MaxUploadBytes: 1 << 20, Log: logger, Now: now, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	c.Handler = server.New(server.Config{Doors: []server.Door{d}, Log: logger, Now: now, Ready: func(context.Context) error { return nil }})
	return c
}

// keysOf is the keyring of a workspace that is in a store.
type keysOf struct{ ws store.Workspace }

// send uploads a file under a key; the boundary is another one each time.
func (c *counter) send(key string, parts ...string) answer {
	c.t.Helper()
	body, contentType := form(c.t, parts...)
	return c.post("/imports", key, body, "Content-Type", contentType)
}

func (c *counter) post(path, key string, body io.Reader, header ...string) answer {
	c.t.Helper()
	return ask(c.t, c, "POST", Prefix+path, "import", body, append(header, keyHeader, key)...)
}

func (k keysOf) Authenticate(ctx context.Context, secret string) (p account.Principal, err error) {
	p, err = keyring{}.Authenticate(ctx, secret)
	p.WS = k.ws
	return p, err
}

func (c *counter) expect(a answer, status int, code string) {
	c.t.Helper()
	if word, _ := a.body["error"].(string); a.Code != status || word != code {
		c.t.Errorf("got %d %s, want %d %s", a.Code, a.Body, status, code)
	}
	if a.Code == http.StatusConflict && code == codeRequestInFlight && a.Header().Get("Retry-After") == "" {
		c.t.Error("409 without Retry-After")
	}
}

func TestTwiceIsOnce(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	first := c.send("k1", "file", "SKU\nA\n", "mode", "create", "format", "csv")
	c.expect(first, 201, "")
	// The same parts in another order, between other boundaries.
	again := c.send("k1", "format", "csv", "mode", "create", "file", "SKU\nA\n")
	c.expect(again, 201, "")
	if again.Body.String() != first.Body.String() || again.Header().Get("Location") != first.Header().Get("Location") ||
		again.Header().Get(replayedHeader) != "true" || first.Header().Get(replayedHeader) != "" {
		t.Errorf("%v %s, again %v %s", first.Header(), first.Body, again.Header(), again.Body)
	}
	c.expect(c.send("k1", "file", "SKU\nB\n", "mode", "create", "format", "csv"), 409, codeKeyReused)
	c.expect(c.send("k1", "file", "SKU\nA\n", "mode", "update", "format", "csv"), 409, codeKeyReused)
	c.expect(c.send("k1", "file", "SKU\nA\n"), 409, codeKeyReused)
	c.expect(c.post("/imports/imp_1/resume", "k1", nil), 409, codeKeyReused)
	c.expect(c.send("k1", "file", "SKU\nA\n", "mode", "create", "format", "csv"), 201, "")
	if len(m.made) != 1 || len(m.stored) != 1 || !strings.HasPrefix(m.made[0].RequestKey, "key_import\nk1\n") {
		t.Errorf("%d imports of %d files, by %q", len(m.made), len(m.stored), m.made[0].RequestKey)
	}
	c.expect(c.send("k2", "file", "SKU\nA\n"), 201, "")
	// Another client's key is another key.
	body, contentType := form(t, "file", "SKU\nC\n")
	c.expect(ask(t, c, "POST", Prefix+"/imports", "admin", body, keyHeader, "k1", "Content-Type", contentType), 201, "")
	if len(m.made) != 3 {
		t.Errorf("%d imports", len(m.made))
	}
}

func TestBareBodiesAreOnceToo(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	bare := func(query, body string) answer {
		return c.post("/imports"+query, "k1", strings.NewReader(body), "Content-Type", "text/csv")
	}
	c.expect(bare("?name=a.csv&mode=create", "SKU\nA\n"), 201, "")
	c.expect(bare("?mode=create&name=a.csv", "SKU\nA\n"), 201, "")
	c.expect(bare("?mode=create&name=b.csv", "SKU\nA\n"), 409, codeKeyReused)
	c.expect(bare("?mode=create&name=a.csv", "SKU\nB\n"), 409, codeKeyReused)
	if len(m.made) != 1 {
		t.Errorf("%d imports", len(m.made))
	}
}

func TestFirstStillInFlight(t *testing.T) {
	m := &maker{entered: make(chan struct{}), hold: make(chan struct{})}
	c := newCounter(t, m)
	done := make(chan answer)
	go func() { done <- c.send("k1", "file", "SKU\nA\n") }()
	<-m.entered
	c.expect(c.send("k1", "file", "SKU\nA\n"), 409, codeRequestInFlight)
	close(m.hold)
	c.expect(<-done, 201, "")
	m.hold = nil
	again := c.send("k1", "file", "SKU\nA\n")
	c.expect(again, 201, "")
	if len(m.made) != 1 || again.Header().Get(replayedHeader) == "" {
		t.Errorf("%d imports", len(m.made))
	}
}

// TestAnswerLostInACrash: what was asked for was done, and nobody was told. The
// key is good for that request alone, which is not done again.
func TestAnswerLostInACrash(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	crash := func(do func()) {
		t.Helper()
		c.requests.Dying = true
		do()
		c.requests.Dying = false
	}
	upload := func(key string, parts ...string) func() { return func() { c.send(key, parts...) } }
	is := func(a answer, id string, made int) {
		t.Helper()
		c.expect(a, 201, "")
		if a.body["id"] != id || len(m.made) != made {
			t.Errorf("%d imports; %s", len(m.made), a.Body)
		}
	}

	crash(upload("k1", "file", "SKU\nA\n", "plan", "true"))
	for range 2 { // what came under the key stays what it stands for
		c.expect(c.send("k1", "file", "SKU\nB\n", "plan", "true"), 409, codeKeyReused)
		c.expect(c.send("k1", "file", "SKU\nA\n", "plan", "false"), 409, codeKeyReused)
		c.expect(c.post("/imports/imp_1/undo", "k1", nil), 409, codeKeyReused)
		c.expect(c.post("/imports/imp_1/resume", "k1", nil), 409, codeKeyReused)
		c.expect(c.send("k1", "file", "SKU\nA\n", "no_such_field", "x"), 422, "validation_error")
	}
	is(c.send("k1", "file", "SKU\nA\n", "plan", "true"), "imp_1", 1)
	if a := c.send("k1", "plan", "true", "file", "SKU\nA\n"); a.Header().Get(replayedHeader) == "" {
		t.Errorf("not from the store: %s", a.Body)
	}

	crash(func() { c.post("/imports/imp_1/undo", "k2", strings.NewReader(`{"plan":true}`)) })
	c.expect(c.post("/imports/imp_2/undo", "k2", strings.NewReader(`{"plan":true}`)), 409, codeKeyReused)
	c.expect(c.post("/imports/imp_1/undo", "k2", strings.NewReader(`{"force":true}`)), 409, codeKeyReused)
	is(c.post("/imports/imp_1/undo", "k2", strings.NewReader(`{"plan":true}`)), "imp_2", 2)

	m.refuse = true // and is so again, by the same import
	crash(upload("k3", "file", "x\n"))
	a := c.send("k3", "file", "x\n")
	c.expect(a, 422, "header_mismatch")
	if a.body["import_id"] != "imp_3" || len(m.made) != 3 {
		t.Errorf("%d imports; %s", len(m.made), a.Body)
	}
	if kept := len(m.stored) - m.discarded; kept != 2 {
		t.Errorf("%d files are kept for two imports of files", kept)
	}
}

// TestCrashBeforeAnythingWasDone: the key is free for whatever comes.
func TestCrashBeforeAnythingWasDone(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	if _, ok, err := c.requests.BeginRequest(t.Context(), c.ws.WS, store.Request{Key: "key_import\nk1", At: noon, Beat: noon}, noon); err != nil || !ok {
		t.Fatal(ok, err)
	}
	c.now = noon.Add(time.Minute)
	c.expect(c.send("k1", "file", "SKU\nB\n"), 201, "")
	if len(m.made) != 1 {
		t.Errorf("%d imports", len(m.made))
	}
}

// TestNotKnownWhetherDone: after a fault of ours the key stays the request's own.
func TestNotKnownWhetherDone(t *testing.T) {
	m := &maker{err: errors.New("the disk is full")}
	c := newCounter(t, m)
	c.expect(c.send("k1", "file", "SKU\nA\n"), 500, "internal_error")
	c.expect(c.send("k1", "file", "SKU\nB\n"), 409, codeKeyReused)
	c.expect(c.send("k1", "file", "SKU\nA\n"), 201, "")
	c.expect(c.post("/imports/imp_1/pause", "k2", nil), 500, "internal_error") // a panic
	c.expect(c.post("/imports/imp_1/resume", "k2", nil), 409, codeKeyReused)
	c.expect(c.post("/imports/imp_1/pause", "k2", nil), 500, "internal_error")
	if len(m.made) != 1 {
		t.Errorf("%d imports", len(m.made))
	}
}

// TestTakenOverBeforeItKnewWhatToDo: a process that was taken for dead goes on,
// and finds that the request is another one's by now.
func TestTakenOverBeforeItKnewWhatToDo(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	body, contentType := form(t, "file", "SKU\nA\n")
	reading := &onceRead{r: body, do: func() {
		c.now = c.now.Add(time.Minute)
		c.expect(c.send("k1", "file", "SKU\nA\n"), 201, "")
	}}
	c.expect(c.post("/imports", "k1", reading, "Content-Type", contentType), 409, codeRequestInFlight)
	if len(m.made) != 1 || m.discarded != 1 {
		t.Errorf("%d imports, %d discarded", len(m.made), m.discarded)
	}
}

// onceRead does something before it is read.
type onceRead struct {
	r  io.Reader
	do func()
}

func (o *onceRead) Read(p []byte) (int, error) {
	if do := o.do; do != nil {
		o.do = nil
		do()
	}
	return o.r.Read(p)
}

// TestOtherTryWasQuicker: a process that was taken for dead went on after all.
func TestOtherTryWasQuicker(t *testing.T) {
	m := &quick{}
	c := newCounter(t, m)
	a := c.send("k1", "file", "SKU\nA\n")
	c.expect(a, 201, "")
	if a.body["id"] != "imp_1" || len(m.made) != 1 || m.discarded != 1 {
		t.Errorf("%d imports, %d discarded; %s", len(m.made), m.discarded, a.Body)
	}
}

// quick makes each import twice, so that the second is a conflict.
type quick struct{ maker }

func (q *quick) Start(ctx context.Context, ws store.Workspace, up *importer.Upload, opt importer.Options) (store.Import, error) {
	if _, err := q.maker.Start(ctx, ws, up, opt); err != nil {
		return store.Import{}, err
	}
	return store.Import{}, catalog.Faultf(catalog.KindConflict, "request_in_flight", "It is there.")
}

// TestKeysAgeOut: after its time a key is a new one, though an import carries it.
func TestKeysAgeOut(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	for day := range 3 {
		c.now = noon.Add(time.Duration(day) * 25 * time.Hour)
		if err := c.db.PurgeRequests(t.Context(), c.now.Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c.expect(c.send("k1", "file", "SKU\nA\n"), 201, "")
		}
		if len(m.made) != day+1 {
			t.Fatalf("%d imports on day %d", len(m.made), day)
		}
		m.made[day].CreatedAt = c.now
	}
	first := m.made[0].RequestKey
	for i, want := range []string{first, first + "\nimp_1", first + "\nimp_2"} {
		if m.made[i].RequestKey != want {
			t.Errorf("import %d is by %q, want %q", i+1, m.made[i].RequestKey, want)
		}
	}
}

func TestWhatIsKept(t *testing.T) {
	refused := &importer.Refusal{Import: store.Import{ID: "imp_7", State: store.Refused}, Fault: catalog.Faultf(catalog.KindRefused, "header_mismatch", "No.")}
	for _, c := range []struct {
		name   string
		err    error
		status int
		kept   bool
	}{
		{"refused", refused, 422, true},
		{"not valid", catalog.Faultf(catalog.KindInvalid, "validation_error", "No."), 422, true},
		{"too large", catalog.Faultf(catalog.KindTooLarge, "file_too_large", "No."), 413, true},
		{"not a form", catalog.Faultf(catalog.KindInvalid, "unsupported_media_type", "No."), 415, true},
		{"unreadable", catalog.Faultf(catalog.KindInvalid, "malformed_request", "No."), 400, true},
		{"wrong state", catalog.Faultf(catalog.KindConflict, "wrong_state", "No."), 409, false},
		{"plan changed", catalog.Faultf(catalog.KindConflict, "plan_changed", "No."), 409, false},
		{"another version", catalog.Faultf(catalog.KindConflict, "version_conflict", "No."), 412, false},
		{"not there", store.ErrNotFound, 404, false},
		{"stood still", catalog.Faultf(catalog.KindInvalid, "request_timeout", "No."), 408, false},
		{"too often", catalog.Faultf(catalog.KindRateLimited, "rate_limit_exceeded", "No."), 429, false},
		{"our fault", errors.New("the disk is full"), 500, false},
		{"not now", catalog.Faultf(catalog.KindUnavailable, "unavailable", "Later."), 503, false},
		{"given up", context.Canceled, 503, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &maker{err: c.err}
			s := newCounter(t, m)
			if a := s.send("k1", "file", "SKU\nA\n"); a.Code != c.status {
				t.Fatalf("got %d %s", a.Code, a.Body)
			}
			a := s.send("k1", "file", "SKU\nA\n")
			if kept := a.Header().Get(replayedHeader) != ""; kept != c.kept || !c.kept && a.Code != 201 || c.kept && a.Code != c.status {
				t.Errorf("again %d %s, from store: %v", a.Code, a.Body, kept)
			}
		})
	}
}

func TestWhatIsNotKept(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	t.Run("a panic", func(t *testing.T) {
		for range 2 {
			c.expect(c.post("/imports/x/pause", "k1", nil), 500, "internal_error")
		}
	})
	t.Run("an upload that broke off", func(t *testing.T) {
		body, contentType := form(t, "file", "SKU\nA\n")
		half := io.MultiReader(io.LimitReader(bytes.NewReader(body.Bytes()), int64(body.Len()-20)), iotest.ErrReader(io.ErrUnexpectedEOF))
		c.expect(c.post("/imports", "k2", half, "Content-Type", contentType), 400, "upload_incomplete")
		c.expect(c.post("/imports", "k2", body, "Content-Type", contentType), 201, "")
	})
	t.Run("a form without an end", func(t *testing.T) {
		for range 2 {
			half := strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\ncre")
			c.expect(c.post("/imports", "k3", half, "Content-Type", "multipart/form-data; boundary=b"), 400, "upload_incomplete")
		}
		c.expect(c.send("k3", "file", "SKU\nA\n"), 201, "")
	})
	t.Run("a right that is missing", func(t *testing.T) {
		for range 2 {
			a := ask(t, c, "POST", Prefix+"/imports/x/resume", "read", nil, keyHeader, "k4")
			if c.expect(a, 403, "permission_denied"); a.Header().Get(replayedHeader) != "" {
				t.Error("it was kept")
			}
		}
	})
	t.Run("a path that is not there", func(t *testing.T) {
		c.expect(c.post("/nothing", "k5", nil), 404, "not_found")
		c.expect(c.post("/imports/imp_1/resume", "k5", nil), 200, "")
	})
}

func TestJSONIsOnceToo(t *testing.T) {
	m := &maker{}
	c := newCounter(t, m)
	// A client asks under one key until the import can be resumed.
	m.err = catalog.Faultf(catalog.KindConflict, "wrong_state", "No.")
	c.expect(c.post("/imports/imp_1/resume", "k1", nil), 409, "wrong_state")
	first := c.post("/imports/imp_1/resume", "k1", nil)
	c.expect(first, 200, "")
	m.err = catalog.Faultf(catalog.KindConflict, "wrong_state", "No.")
	again := c.post("/imports/imp_1/resume", "k1", nil)
	c.expect(again, 200, "")
	if again.Header().Get(replayedHeader) != "true" || again.Body.String() != first.Body.String() {
		t.Errorf("%s, again %s", first.Body, again.Body)
	}
	c.expect(c.post("/imports/imp_1/undo", "k2", strings.NewReader(`{"plan":true}`)), 201, "")
	c.expect(c.post("/imports/imp_1/undo", "k2", strings.NewReader(`{"plan":true}`)), 201, "")
	c.expect(c.post("/imports/imp_1/undo", "k2", strings.NewReader(`{"plan":false}`)), 409, codeKeyReused)
	c.expect(c.post("/imports/imp_1/undo", "k2", nil), 409, codeKeyReused)
	if len(m.made) != 1 {
		t.Errorf("%d imports", len(m.made))
	}
}

func TestWrongKeys(t *testing.T) {
	c := newCounter(t, &maker{})
	for _, key := range []string{"", strings.Repeat("k", 256), "schlüssel", "a\tb"} {
		a := c.post("/imports/imp_1/resume", key, nil)
		c.expect(a, 422, "validation_error")
		if details, _ := a.body["details"].(map[string]any); details[keyHeader] == nil {
			t.Errorf("details are %v", details)
		}
	}
	c.expect(c.post("/imports/imp_1/resume", strings.Repeat("k", 255), nil), 200, "")
}

// TestRepeatedRequestsAreBounded: a body that comes again is read no further than
// an upload may be.
func TestRepeatedRequestsAreBounded(t *testing.T) {
	c := newCounter(t, &maker{})
	c.expect(c.send("k1", "file", "SKU\nA\n"), 201, "")
	read := &counting{}
	a := c.post("/imports", "k1", io.TeeReader(zeros{}, read), "Content-Type", "text/csv")
	c.expect(a, 413, codeBodyTooLarge)
	if most := int64(1<<20 + upload.MaxFieldsBytes + restBytes); read.n > most+1<<20 {
		t.Errorf("%d bytes were read", read.n)
	}
	c.expect(c.send("k1", "file", "SKU\nA\n"), 201, "")
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type counting struct{ n int64 }

func (c *counting) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// TestLongAnswerIsPassedOn: what is too long to be kept is sent all the same.
func TestLongAnswerIsPassedOn(t *testing.T) {
	w := &counted{}
	a := &heldAnswer{ResponseWriter: w}
	a.WriteHeader(201)
	chunk := bytes.Repeat([]byte("x"), maxKept/2+1)
	for range 3 {
		if n, err := a.Write(chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	a.send()
	if w.status != 201 || w.n != 3*len(chunk) || a.keepable() {
		t.Errorf("status %d, %d bytes, keepable %v", w.status, w.n, a.keepable())
	}
}

type counted struct {
	statusOnly
	n int
}

func (r *counted) Write(p []byte) (int, error) {
	r.n += len(p)
	return len(p), nil
}

// TestParts: what counts of a body is its parts.
func TestParts(t *testing.T) {
	write := func(boundary string, parts ...[3]string) (string, *bytes.Buffer) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.SetBoundary(boundary); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			var dst io.Writer
			if p[1] == "" {
				dst, _ = w.CreateFormField(p[0])
			} else {
				dst, _ = w.CreateFormFile(p[0], p[1])
			}
			io.WriteString(dst, p[2])
		}
		w.Close()
		return w.FormDataContentType(), &b
	}
	sum := func(boundary string, parts ...[3]string) string {
		contentType, body := write(boundary, parts...)
		r, _ := http.NewRequest(http.MethodPost, "/x", nil)
		found, err := readParts(contentType, iotest.HalfReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return hashRequest(r, found)
	}
	a, b, f := [3]string{"a", "", "1"}, [3]string{"b", "", "2"}, [3]string{"file", "x.csv", "SKU\n"}
	same := sum("one", a, b, f)
	for _, parts := range [][][3]string{{a, b, f}, {f, b, a}, {b, a, f}} {
		if sum("another", parts...) != same {
			t.Errorf("%v are other parts", parts)
		}
	}
	for _, parts := range [][][3]string{{a, b}, {a, b, f, f}, {a, {"b", "", "3"}, f}, {a, {"c", "", "2"}, f}, {a, b, {"file", "y.csv", "SKU\n"}},
		{a, b, {"file", "x.csv", "SKU"}}, {{"a", "", "2"}, {"b", "", "1"}, f}} {
		if sum("one", parts...) == same {
			t.Errorf("%v are the same parts", parts)
		}
	}
}

// beats is a store of requests that notes beats.
type beats struct {
	Requests
	at []time.Duration
}

func (b *beats) BeatRequest(_ context.Context, _ store.WS, _ string, began, now time.Time) error {
	b.at = append(b.at, now.Sub(began))
	return nil
}

func TestBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &beats{}
		d := &door{cfg: Config{Requests: b, Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
		f := &flight{d: d, ctx: t.Context(), request: store.Request{At: d.now()}}
		stop := f.beat()
		time.Sleep(35 * time.Second)
		stop()
		time.Sleep(time.Minute)
		if want := []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second}; !slices.Equal(b.at, want) {
			t.Errorf("beats at %v", b.at)
		}
	})
}
