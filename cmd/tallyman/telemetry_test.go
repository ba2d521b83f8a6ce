package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/config"
	"tallyman/internal/store"
)

// servedNode starts a node on a folder of its own, its settings changed by mod, and
// returns it with the address that it serves everything on.
func servedNode(t *testing.T, log io.Writer, mod func(*config.Config)) (*node, string) {
	t.Helper()
	ctx := context.Background()
	p := &program{stderr: io.Discard, now: time.Now}
	set, err := (&place{Storage: config.Storage{Data: t.TempDir()}, Workspace: store.DefaultWorkspace}).settings(p)
	if err != nil {
		t.Fatal(err)
	}
	set.log = newLog(log, config.Logging{LogFormat: "json", LogLevel: slog.LevelInfo})
	if mod != nil {
		mod(&set.config)
	}
	n, err := openOwner(ctx, p, set, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := n.start(ctx); err != nil {
		t.Fatal(err)
	}
	handler, err := n.handler(newLocalToken(n.accounts))
	if err == nil {
		err = n.serveMetrics()
	}
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return n, srv.URL
}

// fetch is the status and the body of what an address answers.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// importOver sends a file through the API and waits for the import's end.
func importOver(t *testing.T, url, secret, content string) (id string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "items.csv")
	if err == nil {
		_, err = io.WriteString(part, content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string, body io.Reader) (object struct{ ID, Status string }) {
		req, err := http.NewRequest(method, url+"/api/v1/"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		if body != nil {
			req.Header.Set("Content-Type", w.FormDataContentType())
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode >= 300 {
			said, _ := io.ReadAll(res.Body)
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, said)
		}
		if err := json.NewDecoder(res.Body).Decode(&object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	id = ask(http.MethodPost, "imports", &form).ID
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		switch status := ask(http.MethodGet, "imports/"+id, nil).Status; {
		case strings.HasPrefix(status, "completed"):
			return id
		case time.Now().After(end):
			t.Fatalf("import %s is still %s", id, status)
		}
	}
}

// TestAServedNodeIsMeasured: after an import over the API the metrics say what its
// tally says, and which routes were asked for; the log names request and import.
func TestAServedNodeIsMeasured(t *testing.T) {
	var log logLines
	n, url := servedNode(t, &log, nil)
	ctx := context.Background()
	ws, err := n.store.Workspace(ctx, store.DefaultWorkspace)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := n.accounts.CreateKey(ctx, ws.WS, "test", account.Import)
	if err != nil {
		t.Fatal(err)
	}
	id := importOver(t, url, secret, "SKU,Title,Price\nA,Chair,1\nB,Table,2\nC,Lamp,dear\n")
	if status, _ := fetch(t, url+"/api/v1/imports/"+id); status != http.StatusUnauthorized {
		t.Errorf("without a key the API answers %d", status)
	}
	fetch(t, url+"/api/v1/nothing/at/all")
	fetch(t, url+"/elsewhere/"+id)
	status, text := fetch(t, url+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("the metrics are answered with %d", status)
	}
	for _, want := range []string{
		`tallyman_rows_total{outcome="created",pass="apply"} 2`,
		`tallyman_rows_total{outcome="failed",pass="apply"} 1`,
		`tallyman_imports{state="running"} 0`,
		`tallyman_imports_started_total{door="rest"} 1`,
		`tallyman_batches{state="queued"} 0`,
		`tallyman_store_healthy 1`,
		`tallyman_files_healthy 1`,
		`tallyman_http_requests_total{door="rest",route="POST /api/v1/imports",status="2xx"} 1`,
		`tallyman_http_requests_total{door="rest",route="GET /api/v1/imports/{id}",status="4xx"} 1`,
		`tallyman_http_requests_total{door="rest",route="none",status="4xx"} 1`,
		`tallyman_http_requests_total{door="none",route="none",status="4xx"} 1`,
		`tallyman_build_info{`, "go_goroutines ", "process_cpu_seconds_total ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics do not say %s", want)
		}
	}
	if strings.Contains(text, id) || strings.Contains(text, "nothing/at") || strings.Contains(text, store.DefaultWorkspace+`"`) {
		t.Error("a label has a value that somebody made")
	}
	for _, of := range []string{`"path":"/api/v1/imports",`, `"path":"/api/v1/imports/` + id + `",`} {
		if line := log.with(of); !strings.Contains(line, `"import":"`+id+`"`) || !strings.Contains(line, `"request_id":"req_`) {
			t.Errorf("the line of a request about the import is %q", line)
		}
	}
}

func TestMetricsAreWhereTheyAreAskedFor(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String()
	ln.Close()
	for name, c := range map[string]struct {
		set         func(*config.Config)
		here, there int // statuses of both addresses; 0: nobody listens
	}{
		"by themselves": {nil, http.StatusOK, 0},
		"off":           {func(c *config.Config) { c.Metrics = "off" }, http.StatusNotFound, 0},
		"elsewhere":     {func(c *config.Config) { c.MetricsListen = free }, http.StatusNotFound, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := servedNode(t, io.Discard, c.set)
			if status, _ := fetch(t, url+"/metrics"); status != c.here {
				t.Errorf("beside the API: %d, want %d", status, c.here)
			}
			if c.there == 0 {
				return
			}
			if status, text := fetch(t, "http://"+free+"/metrics"); status != c.there || !strings.Contains(text, "tallyman_rows_total") {
				t.Errorf("on their own address: %d", status)
			}
		})
	}
}

// A node that only works is measured where it answers about itself.
func TestAWorkingNodeIsMeasured(t *testing.T) {
	n, _ := servedNode(t, io.Discard, nil)
	srv := httptest.NewServer(n.about())
	defer srv.Close()
	if status, text := fetch(t, srv.URL+"/metrics"); status != http.StatusOK || !strings.Contains(text, "tallyman_jobs_running 0") {
		t.Errorf("the metrics are answered with %d: %s", status, text)
	}
}

// logLines is a log that can be looked into.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// with returns the first line that contains a text.
func (l *logLines) with(part string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
