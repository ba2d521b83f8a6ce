package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

// These tests are about words: what the door says to what it is told. What the
// parts behind it do is tested with the parts themselves in e2e_test.go.

// told is an importer that says what it is told to. Methods that are not told
// anything panic.
type told struct {
	importer.API
	imp       store.Import
	err       error
	problems  []importer.RowProblem
	filter    importer.ProblemFilter // that Problems was asked for
	span      store.Range
	received  string
	options   importer.Options
	discarded int
	until     time.Time
	waiting   string
	wait      func(ctx context.Context, version int64) (store.Import, error)
}

func (f *told) Receive(_ context.Context, _ store.Workspace, _, _, name string, body io.Reader) (*importer.Upload, error) {
	b, err := io.ReadAll(body)
	f.received = string(b)
	return &importer.Upload{Name: name}, err
}
func (f *told) Discard(context.Context, *importer.Upload) { f.discarded++ }
func (f *told) Start(_ context.Context, _ store.Workspace, _ *importer.Upload, opt importer.Options) (store.Import, error) {
	f.options = opt
	return f.imp, f.err
}
func (f *told) Import(context.Context, store.Workspace, string) (store.Import, error) {
	return f.imp, f.err
}
func (f *told) UndoableUntil(*store.Import) time.Time            { return f.until }
func (f *told) WaitingFor(context.Context, *store.Import) string { return f.waiting }
func (f *told) Pause(context.Context, store.Workspace, string) (store.Import, error) {
	return f.imp, f.err
}
func (f *told) Wait(ctx context.Context, _ store.Workspace, _ string, version int64) (store.Import, error) {
	return f.wait(ctx, version)
}
func (f *told) EachProblem(_ context.Context, _ store.Workspace, _ string, flt importer.ProblemFilter, fn func(importer.RowProblem) error) error {
	for _, p := range f.problems {
		if flt.Severities != ledger.ErrorsAndWarnings && (flt.Severities == ledger.WarningsOnly) != (p.Severity == catalog.Warning) {
			continue
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	return f.err
}
func (f *told) Problems(_ context.Context, _ store.Workspace, _ string, flt importer.ProblemFilter, r store.Range) ([]importer.RowProblem, int, error) {
	f.filter, f.span = flt, r
	return f.problems, 5, f.err
}

var acme = store.Workspace{WS: 7, Name: "acme"}

// unlimitedKey opens the door as the operator's own commands do.
const unlimitedKey = "own"

// keyring knows three keys, named by their roles, and the operator's own.
type keyring struct{}

func (keyring) Authenticate(_ context.Context, secret string) (account.Principal, error) {
	switch secret {
	case "":
		return account.Principal{}, catalog.Faultf(catalog.KindUnauthorized, "authentication_required", "An API key is required.")
	case unlimitedKey:
		return account.Principal{WS: acme, KeyID: unlimitedKey, Role: account.Admin}, nil
	case "read", "import", "admin":
		return account.Principal{WS: acme, KeyID: "key_" + secret, Role: account.Role(secret)}, nil
	case "broken":
		return account.Principal{}, errors.New("database is gone")
	}
	return account.Principal{}, catalog.Faultf(catalog.KindUnauthorized, "invalid_api_key", "The API key is not valid.")
}

// newDoor returns the server with the door alone, and its log.
func newDoor(t *testing.T, imports importer.API, rates server.Rates) (http.Handler, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	now := func() time.Time { return time.Date(2026, 3, 15, 12, 0, 30, 0, time.UTC) }
	d, err := New(Config{Imports: imports, Accounts: keyring{}, Rates: rates, Unlimited: unlimitedKey, Log: logger, Now: now, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return server.New(server.Config{Doors: []server.Door{d}, Log: logger, Now: now, Ready: func(context.Context) error { return nil }}), log
}

type answer struct {
	*httptest.ResponseRecorder
	body map[string]any
}

// ask sends a request with a key; header is name, value, name, value.
func ask(t *testing.T, h http.Handler, method, path, key string, body io.Reader, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, path, body)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{ResponseRecorder: w}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return a
}

func asMap(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEveryErrorHasTheDoorsBody(t *testing.T) {
	for _, c := range []struct {
		name              string
		method, path, key string
		header            []string
		err               error
		status            int
		code              string
	}{
		{"no key", "GET", "/imports", "", nil, nil, 401, "authentication_required"},
		{"another scheme", "GET", "/imports", "", []string{"Authorization", "Basic YTpi"}, nil, 401, "authentication_required"},
		{"not a key", "GET", "/imports", "nobody", nil, nil, 401, "invalid_api_key"},
		{"no key, no such path", "GET", "/nothing", "", nil, nil, 401, "authentication_required"},
		{"another's tenant", "GET", "/imports", "read", []string{"X-Tenant-ID", "globex"}, nil, 404, "not_found"},
		{"the right is missing", "POST", "/imports/x/pause", "read", nil, nil, 403, "permission_denied"},
		{"the right to upload is missing", "POST", "/imports", "read", nil, nil, 403, "permission_denied"},
		{"no such path", "GET", "/nothing", "read", nil, nil, 404, "not_found"},
		{"no such method", "DELETE", "/imports/x", "admin", nil, nil, 405, "method_not_allowed"},
		{"not there", "GET", "/imports/x", "read", nil, catalog.Faultf(catalog.KindNotFound, "not_found", "No such import."), 404, "not_found"},
		{"not there in the store", "GET", "/imports/x", "read", nil, fmt.Errorf("read import: %w", store.ErrNotFound), 404, "not_found"},
		{"not in this state", "POST", "/imports/x/pause", "import", nil, catalog.Faultf(catalog.KindConflict, "import_ended", "It has ended."), 409, "import_ended"},
		{"too large", "GET", "/imports/x", "read", nil, catalog.Faultf(catalog.KindTooLarge, "file_too_large", "Too large."), 413, "file_too_large"},
		{"refused", "GET", "/imports/x", "read", nil, catalog.Faultf(catalog.KindRefused, "header_mismatch", "Mismatch."), 422, "header_mismatch"},
		{"database away", "GET", "/imports/x", "read", nil, fmt.Errorf("find import: %w", store.ErrUnavailable), 503, "unavailable"},
		{"file store away", "GET", "/imports/x", "read", nil, fmt.Errorf("open file: %w", files.ErrUnavailable), 503, "unavailable"},
		{"not now", "GET", "/imports/x", "read", nil, catalog.Faultf(catalog.KindUnavailable, "shutting_down", "Later."), 503, "shutting_down"},
		{"page zero", "GET", "/imports?page=0", "read", nil, nil, 422, "validation_error"},
		{"no number", "GET", "/imports?page=two", "read", nil, nil, 422, "validation_error"},
		{"too many a page", "GET", "/imports?per_page=101", "read", nil, nil, 422, "validation_error"},
		{"no status", "GET", "/imports?status=open", "read", nil, nil, 422, "validation_error"},
		{"no time", "GET", "/imports/x?wait=soon", "read", nil, nil, 422, "validation_error"},
		{"no severity", "GET", "/imports/x/errors.csv?severity=fatal", "read", nil, nil, 422, "validation_error"},
		{"our fault", "GET", "/imports/x", "read", nil, errors.New("open /secret/path"), 500, "internal_error"},
		{"our fault at the door", "GET", "/imports/x", "broken", nil, nil, 500, "internal_error"},
		{"not a form", "POST", "/imports", "import", []string{"Content-Type", "text/html"}, nil, 415, "unsupported_media_type"},
		{"no boundary", "POST", "/imports", "import", []string{"Content-Type", "multipart/form-data"}, nil, 400, "malformed_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, log := newDoor(t, &told{err: c.err}, server.Rates{})
			a := ask(t, h, c.method, Prefix+c.path, c.key, strings.NewReader("x"), append(c.header, server.RequestIDHeader, "req-1")...)
			if a.Code != c.status || a.body["error"] != c.code {
				t.Errorf("got %d %s, want %d %s", a.Code, a.Body, c.status, c.code)
			}
			if a.body["message"] == "" || a.body["request_id"] != "req-1" {
				t.Errorf("the body says %s", a.Body)
			}
			if c.code == "validation_error" && a.body["details"] == nil {
				t.Errorf("no field is blamed in %s", a.Body)
			}
			if strings.Contains(a.Body.String(), "secret") || strings.Contains(a.Body.String(), "database") {
				t.Errorf("an internal matter is told: %s", a.Body)
			}
			outage := errors.Is(c.err, store.ErrUnavailable) || errors.Is(c.err, files.ErrUnavailable)
			if (c.status == 500 || outage) != strings.Contains(log.String(), "request failed") {
				t.Errorf("the log says %s", log)
			}
			if c.status == 401 && a.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if c.status == 405 && a.Header().Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func TestEveryKindHasAStatus(t *testing.T) {
	for k := catalog.KindInternal; k <= catalog.KindUnavailable; k++ {
		if kinds[k].status == 0 || kinds[k].code == "" {
			t.Errorf("kind %d has no status or word", k)
		}
	}
}

func TestValidationNamesTheParameter(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	a := ask(t, h, "GET", Prefix+"/imports?page=0&per_page=500", "read", nil)
	details, _ := a.body["details"].(map[string]any)
	if len(details) != 2 || details["page"] == nil || details["per_page"] == nil {
		t.Errorf("details are %v", details)
	}
	if got := a.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

func TestRateLimit(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{PerMinute: 2})
	reset := strconv.FormatInt(time.Date(2026, 3, 15, 12, 1, 0, 0, time.UTC).Unix(), 10)
	for i, want := range []struct {
		status    int
		remaining string
	}{{200, "1"}, {200, "0"}, {429, "0"}} {
		a := ask(t, h, "GET", Prefix+"/imports/x", "read", nil)
		got := []string{strconv.Itoa(a.Code), a.Header().Get("X-RateLimit-Limit"), a.Header().Get("X-RateLimit-Remaining"), a.Header().Get("X-RateLimit-Reset")}
		if d := cmp.Diff([]string{strconv.Itoa(want.status), "2", want.remaining, reset}, got); d != "" {
			t.Errorf("request %d: %s", i+1, d)
		}
		if want.status == 429 && (a.Header().Get("Retry-After") != "30" || a.body["retry_after"] != 30.0 || a.body["error"] != "rate_limit_exceeded") {
			t.Errorf("429 says %v %s", a.Header(), a.Body)
		}
	}
	if a := ask(t, h, "GET", Prefix+"/imports/x", "import", nil); a.Code != 200 {
		t.Errorf("another key's request: %d", a.Code)
	}
	for range 3 {
		if a := ask(t, h, "GET", Prefix+"/imports/x", unlimitedKey, nil); a.Code != 200 || a.Header().Get("X-RateLimit-Limit") != "" {
			t.Errorf("a request of the operator's own: %d %v", a.Code, a.Header())
		}
	}
	h, _ = newDoor(t, &told{}, server.Rates{})
	if got := ask(t, h, "GET", Prefix+"/imports/x", "read", nil).Header().Get("X-RateLimit-Limit"); got != "" {
		t.Errorf("no rate is set, and the limit is %q", got)
	}
}

func TestOwnTenantIsTaken(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	if a := ask(t, h, "GET", Prefix+"/imports/x", "read", nil, "X-Tenant-ID", "acme"); a.Code != 200 {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

// form writes a multipart body: name, value, name, value; the part named file
// is a file.
func form(t *testing.T, parts ...string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for i := 0; i < len(parts); i += 2 {
		var dst io.Writer
		var err error
		if parts[i] == partFile {
			dst, err = w.CreateFormFile(partFile, "catalog.csv")
		} else {
			dst, err = w.CreateFormField(parts[i])
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(dst, parts[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

func TestCreateImport(t *testing.T) {
	f := &told{imp: store.Import{ID: "imp_01HQ", State: store.Received, Format: "csv", CreatedAt: time.Date(2024, 3, 15, 9, 0, 0, 0, time.UTC)}}
	h, _ := newDoor(t, f, server.Rates{})
	body, contentType := form(t, "file", "EAN,Titre\n1,a\n", "format", "csv", "update_existing", "false", "mapping", `{"EAN":"ean"}`)
	a := ask(t, h, "POST", Prefix+"/imports", "import", body, "Content-Type", contentType)
	if a.Code != 201 || a.Header().Get("Location") != Prefix+"/imports/imp_01HQ" {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	for k, want := range map[string]any{"id": "imp_01HQ", "status": "pending", "format": "csv", "total_rows": 0.0, "created_at": "2024-03-15T09:00:00Z"} {
		if a.body[k] != want {
			t.Errorf("%s is %v, want %v", k, a.body[k], want)
		}
	}
	if f.received != "EAN,Titre\n1,a\n" || !f.options.MappingOnly || f.options.Mode != catalog.Create || f.options.Door != "rest" || f.options.CreatedBy != "key_import" {
		t.Errorf("received %q with %+v", f.received, f.options)
	}
	if f.discarded != 0 {
		t.Error("an upload that was started was discarded")
	}
}

func TestRefusedImportIsNamed(t *testing.T) {
	fault := &catalog.Fault{Kind: catalog.KindInvalid, Code: "unknown_field",
		Message: "The request is not valid.", Fields: map[string][]string{"mapping": {"There is no product field named colour."}}}
	f := &told{err: &importer.Refusal{Import: store.Import{ID: "imp_02", State: store.Refused}, Fault: fault}}
	h, _ := newDoor(t, f, server.Rates{})
	body, contentType := form(t, "file", "EAN\n1\n", "mapping", `{"EAN":"colour"}`)
	a := ask(t, h, "POST", Prefix+"/imports", "import", body, "Content-Type", contentType)
	want := map[string]any{"error": "validation_error", "message": "The request is not valid.", "import_id": "imp_02", "request_id": a.body["request_id"],
		"details": map[string]any{"mapping": []any{"There is no product field named colour."}}}
	if d := cmp.Diff(want, a.body); a.Code != 422 || d != "" {
		t.Errorf("status %d, %s", a.Code, d)
	}
}

func TestUploadThatIsNotStartedIsDiscarded(t *testing.T) {
	for name, parts := range map[string][]string{
		"wrong option":  {"file", "EAN\n1\n", "mode", "merge"},
		"unknown field": {"file", "EAN\n1\n", "modus", "create"},
	} {
		f := &told{}
		h, _ := newDoor(t, f, server.Rates{})
		body, contentType := form(t, parts...)
		a := ask(t, h, "POST", Prefix+"/imports", "import", body, "Content-Type", contentType)
		if a.Code != 422 || f.discarded != 1 {
			t.Errorf("%s: %d %s, discarded %d times", name, a.Code, a.Body, f.discarded)
		}
	}
}

func TestFileIsNeeded(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	body, contentType := form(t, "format", "csv")
	a := ask(t, h, "POST", Prefix+"/imports", "import", body, "Content-Type", contentType)
	if details, _ := a.body["details"].(map[string]any); a.Code != 422 || details["file"] == nil {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

func TestBareFile(t *testing.T) {
	f := &told{imp: store.Import{ID: "imp_01HQ", State: store.Received}}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "POST", Prefix+"/imports?name=a.csv&mode=create", "import", strings.NewReader("EAN\n1\n"), "Content-Type", "text/csv; charset=utf-8")
	if a.Code != 201 || f.received != "EAN\n1\n" || f.options.Mode != catalog.Create {
		t.Errorf("got %d %s; received %q with %+v", a.Code, a.Body, f.received, f.options)
	}
}

func TestWait(t *testing.T) {
	running := store.Import{State: store.Running, Version: 4}
	t.Run("answers at the change", func(t *testing.T) {
		asked := []int64{}
		f := &told{imp: running, wait: func(_ context.Context, version int64) (store.Import, error) {
			asked = append(asked, version)
			if version == 4 { // a change of the record that is none of the state
				return store.Import{State: store.Running, Version: 5}, nil
			}
			return store.Import{State: store.Paused, Version: 6}, nil
		}}
		h, _ := newDoor(t, f, server.Rates{})
		a := ask(t, h, "GET", Prefix+"/imports/x?wait=30s", "read", nil)
		if a.body["state"] != "paused" || !slices.Equal(asked, []int64{4, 5}) {
			t.Errorf("got %s after asking for changes past %v", a.Body, asked)
		}
	})
	t.Run("answers when the time is up", func(t *testing.T) {
		f := &told{imp: running, wait: func(ctx context.Context, _ int64) (store.Import, error) {
			<-ctx.Done()
			return running, nil
		}}
		h, _ := newDoor(t, f, server.Rates{})
		if a := ask(t, h, "GET", Prefix+"/imports/x?wait=1ms", "read", nil); a.body["state"] != "running" {
			t.Errorf("got %d %s", a.Code, a.Body)
		}
	})
	t.Run("does not wait for what has ended", func(t *testing.T) {
		h, _ := newDoor(t, &told{imp: store.Import{State: store.Done}}, server.Rates{})
		if a := ask(t, h, "GET", Prefix+"/imports/x?wait=30", "read", nil); a.body["state"] != "done" {
			t.Errorf("got %d %s", a.Code, a.Body)
		}
	})
}

func TestWaitEndsWithTheServer(t *testing.T) {
	waiting, ended := make(chan struct{}), make(chan error, 1)
	f := &told{imp: store.Import{State: store.Running}, wait: func(ctx context.Context, _ int64) (store.Import, error) {
		close(waiting)
		<-ctx.Done()
		ended <- ctx.Err()
		return store.Import{State: store.Running}, nil
	}}
	h, _ := newDoor(t, f, server.Rates{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	srv := server.NewServer(h, slog.New(slog.DiscardHandler))
	srv.Grace = time.Hour // what waits must end by itself
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	status := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest(http.MethodGet, "http://"+ln.Addr().String()+Prefix+"/imports/x?wait=60s", nil)
		r.Header.Set("Authorization", "Bearer read")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-waiting
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it waited until %v", err)
	}
	if got := <-status; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestErrorsCSV(t *testing.T) {
	f := &told{imp: store.Import{ID: "imp_01HQ"}, problems: []importer.RowProblem{
		{Row: 42, Line: 44, Ident: []catalog.Key{{Field: catalog.KeyGTIN, Value: "invalid-ean"}},
			Problem: catalog.Problem{Code: catalog.CodeInvalidGTIN, Severity: catalog.Error, Column: "EAN", Value: "invalid-ean", Message: "Invalid EAN format."}},
		{Row: 43, Ident: []catalog.Key{{Field: catalog.KeySKU, Value: "=cmd()"}},
			Problem: catalog.Problem{Code: catalog.CodeTextGuardRemoved, Severity: catalog.Warning, Message: "Removed."}},
	}}
	h, _ := newDoor(t, f, server.Rates{})
	const head = "\ufeffrow,line,ean,sku,column,value,severity,error,code,message\r\n"
	const failed = "42,44,invalid-ean,,EAN,invalid-ean,error,validation_error,invalid_gtin,Invalid EAN format.\r\n"
	const warned = "43,,,'=cmd(),,,warning,text_guard_removed,text_guard_removed,Removed.\r\n"
	for query, want := range map[string]string{"": head + failed, "?severity=all": head + failed + warned, "?severity=warning": head + warned} {
		a := ask(t, h, "GET", Prefix+"/imports/imp_01HQ/errors.csv"+query, "read", nil)
		if a.Body.String() != want {
			t.Errorf("%q: got %q, want %q", query, a.Body, want)
		}
		if got := a.Header().Get("Content-Disposition"); got != `attachment; filename="imp_01HQ-errors.csv"` {
			t.Errorf("content disposition %q", got)
		}
	}
}

func TestErrorsArePagedBySeverity(t *testing.T) {
	for query, want := range map[string]ledger.Severities{
		"": ledger.ErrorsOnly, "&severity=error": ledger.ErrorsOnly, "&severity=warning": ledger.WarningsOnly, "&severity=all": ledger.ErrorsAndWarnings,
	} {
		f := &told{problems: []importer.RowProblem{{Row: 21, Problem: catalog.Problem{Code: catalog.CodeSKUCaseTwin, Severity: catalog.Warning}}}}
		h, _ := newDoor(t, f, server.Rates{})
		a := ask(t, h, "GET", Prefix+"/imports/x/errors?per_page=2&page=2"+query, "read", nil)
		if f.filter != (importer.ProblemFilter{Severities: want}) || f.span != (store.Range{Offset: 2, Limit: 2}) {
			t.Errorf("%q: asked for %+v of %+v", query, f.span, f.filter)
		}
		meta := map[string]any{"page": 2.0, "per_page": 2.0, "total": 5.0, "total_pages": 3.0}
		if d := cmp.Diff(meta, a.body["meta"]); d != "" {
			t.Errorf("%q: %s", query, d)
		}
		data, _ := a.body["data"].([]any)
		if len(data) != 1 || data[0].(map[string]any)["row"] != 21.0 || data[0].(map[string]any)["severity"] != "warning" {
			t.Errorf("%q: %v", query, data)
		}
	}
}
