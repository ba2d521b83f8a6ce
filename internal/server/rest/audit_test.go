package rest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/account"
	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

var quiet = slog.New(slog.DiscardHandler)

// auditLog is a log in memory that says what it was asked for.
type auditLog struct {
	entries []store.AuditEntry
	ws      store.WS
	filter  store.AuditFilter
	limit   int
}

func (l *auditLog) Audit(_ context.Context, ws store.WS, f store.AuditFilter, limit int) ([]store.AuditEntry, error) {
	l.ws, l.filter, l.limit = ws, f, limit
	return l.entries[:min(limit, len(l.entries))], nil
}

// auditDoor returns the server with a door to the log alone.
func auditDoor(t *testing.T, log *auditLog) http.Handler {
	t.Helper()
	d, err := New(Config{Imports: &told{}, Accounts: keyring{}, Audit: log, Log: quiet, Now: time.Now, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return server.New(server.Config{Doors: []server.Door{d}, Log: quiet, Now: time.Now})
}

func TestAudit(t *testing.T) {
	at := time.Date(2026, 3, 15, 12, 0, 30, 500_000_000, time.UTC)
	log := &auditLog{entries: []store.AuditEntry{
		{No: 9, At: at, Actor: store.Actor{Name: "shop", ID: "key_1", Door: "rest", RequestID: "req_1"}, Action: "import.start", Object: "imp_1", Detail: []byte(`{"size":3}`)},
		{No: 7, At: at, Action: "import.age_out", Object: "imp_0"},
		{No: 4, At: at, Actor: store.Actor{Name: "cli", Door: "cli"}, Action: "workspace.set"},
	}}
	h := auditDoor(t, log)
	a := ask(t, h, "GET", Prefix+"/audit?limit=2&action=import.&actor=shop&object=imp_1&from=2026-03-15T00:00:00Z&until=2026-03-16T00:00:00Z&before=10", "admin", nil)
	want := store.AuditFilter{Action: "import.", Actor: "shop", Object: "imp_1", Before: 10,
		From: time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, log.filter); diff != "" || log.ws != acme.WS {
		t.Errorf("asked workspace %d for (-want +got):\n%s", log.ws, diff)
	}
	var body any
	if err := json.Unmarshal([]byte(`{"data": [
		{"number": 9, "at": "2026-03-15T12:00:30Z", "actor": {"name": "shop", "id": "key_1", "door": "rest"}, "action": "import.start", "object": "imp_1", "request_id": "req_1", "detail": {"size": 3}},
		{"number": 7, "at": "2026-03-15T12:00:30Z", "actor": {"name": "tallyman"}, "action": "import.age_out", "object": "imp_0", "detail": {}}
	], "meta": {"next_before": 7}}`), &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(body, any(a.body)); diff != "" || a.Code != 200 {
		t.Errorf("status %d (-want +got):\n%s", a.Code, diff)
	}
	if a := ask(t, h, "GET", Prefix+"/audit?limit=3", "admin", nil); a.body["meta"].(map[string]any)["next_before"] != nil || len(a.body["data"].([]any)) != 3 {
		t.Errorf("the end of the log: %s", a.Body)
	}
}

func TestAuditIsForAdmins(t *testing.T) {
	h := auditDoor(t, &auditLog{})
	for key, status := range map[string]int{"": 401, "nobody's": 401, "read": 403, "import": 403, "admin": 200} {
		if a := ask(t, h, "GET", Prefix+"/audit", key, nil); a.Code != status {
			t.Errorf("the key %q gets %d, want %d", key, a.Code, status)
		}
	}
	for _, query := range []string{"limit=0", "limit=201", "limit=many", "before=0", "from=yesterday"} {
		if a := ask(t, h, "GET", Prefix+"/audit?"+query, "admin", nil); a.Code != 422 || a.body["error"] != codeValidation {
			t.Errorf("%s: %d %s", query, a.Code, a.Body)
		}
	}
}

// acting tells who does what it is told to.
type acting struct {
	told
	by store.Actor
}

func (f *acting) Pause(ctx context.Context, _ store.Workspace, _ string) (store.Import, error) {
	f.by = store.ActorOf(ctx)
	return f.imp, nil
}

// namedKeys is a keyring whose keys have names; it tells who was asking before it
// was known.
type namedKeys struct{ before *store.Actor }

func (k namedKeys) Authenticate(ctx context.Context, secret string) (account.Principal, error) {
	*k.before = store.ActorOf(ctx)
	p, err := keyring{}.Authenticate(ctx, secret)
	p.Name = "shop"
	return p, err
}

func TestActor(t *testing.T) {
	f, before := &acting{}, store.Actor{}
	d, err := New(Config{Imports: f, Accounts: namedKeys{&before}, Unlimited: unlimitedKey, Log: quiet, Now: time.Now, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	h := server.New(server.Config{Doors: []server.Door{d}, Log: quiet, Now: time.Now})
	for key, id := range map[string]string{"import": "key_import", unlimitedKey: ""} {
		if a := ask(t, h, "POST", Prefix+"/imports/imp_1/pause", key, nil, server.RequestIDHeader, "order-17"); a.Code != 200 {
			t.Fatalf("status %d: %s", a.Code, a.Body)
		}
		if want := (store.Actor{Name: "shop", ID: id, Door: "rest", RequestID: "order-17"}); f.by != want {
			t.Errorf("with the key %q it is done by %+v, want %+v", key, f.by, want)
		}
	}
	if want := (store.Actor{Door: "rest", RequestID: "order-17"}); before != want {
		t.Errorf("before it is known who asks: %+v, want %+v", before, want)
	}
}

// TestLinksStayBelowTheProxysPath: addresses in answers have the path that clients
// use, and no host, whatever the request says that its host is.
func TestLinksStayBelowTheProxysPath(t *testing.T) {
	for base, path := range map[string]string{
		"":                                 "",
		"http://127.0.0.1:8080":            "",
		"https://shop.example/tallyman":    "/tallyman",
		"https://shop.example/a%20b/tally": "/a%20b/tally",
	} {
		f := &undoing{}
		f.imp = store.Import{ID: "imp_01", State: store.Planned, Findings: []byte(`{"tripped": [{"rail": "price_move_percent", "changes": {"plan": true}}]}`)}
		d, err := New(Config{Imports: f, Accounts: keyring{}, BaseURL: base, Log: quiet, Now: time.Now, Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		h := server.New(server.Config{Doors: []server.Door{d}, Log: quiet, Now: time.Now})
		elsewhere := []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher"}
		a := ask(t, h, "POST", Prefix+"/imports/imp_01/undo", "import", nil, elsewhere...)
		if want := path + Prefix + "/imports/imp_01"; a.Code != 201 || a.Header().Get("Location") != want {
			t.Errorf("%q: status %d, Location %q, want %q", base, a.Code, a.Header().Get("Location"), want)
		}
		findings, _ := a.body["findings"].([]any)
		if len(findings) != 1 || !strings.HasPrefix(findings[0].(map[string]any)["changes_url"].(string), path+Prefix+"/imports/imp_01/changes?") {
			t.Errorf("%q: findings %v", base, a.body["findings"])
		}
		servers, _ := document(t, h)["servers"].([]any)
		if len(servers) != 1 || servers[0].(map[string]any)["url"] != path+Prefix {
			t.Errorf("%q: the document names the servers %v", base, servers)
		}
		page := ask(t, h, "GET", Prefix+"/docs", "", nil, elsewhere...).Body.String()
		if shown := base + Prefix + "/imports"; base != "" && !strings.Contains(page, "curl -X POST "+shown) {
			t.Errorf("%q: the page does not show %s", base, shown)
		}
		if !strings.Contains(page, `href="openapi.json"`) || strings.Contains(page, `href="/`) || strings.Contains(page, "evil.example") {
			t.Errorf("%q: the page's links are not its own", base)
		}
	}
}

// undoing undoes whatever it is told to.
type undoing struct{ told }

func (f *undoing) Undo(context.Context, store.Workspace, string, importer.Options) (store.Import, error) {
	return f.imp, nil
}
