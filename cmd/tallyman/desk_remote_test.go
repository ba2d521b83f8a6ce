package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tallyman/internal/config"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// TestServerGone checks that a command whose server dies tells what becomes of
// the import, and where it is seen.
func TestServerGone(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	var said bytes.Buffer
	p := &program{stderr: &said, now: time.Now}
	d := newRemoteDesk(srv.URL, "key", sightsAt(srv.URL), time.Now)
	_, err := p.follow(context.Background(), d, view{ID: "imp_1", State: "running"}, nothing{})
	if code := p.report(err); code != exitOther {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"follow import imp_1: the server is gone; the import goes on when it is back", "See: " + srv.URL + "/api/v1/imports/imp_1\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q does not say %q", said.String(), want)
		}
	}
}

// TestFollowingWaitsOutAnOutage checks that an import is followed on past a server
// that cannot answer for a while, and that this is shown.
func TestFollowingWaitsOutAnOutage(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 3 {
			fmt.Fprint(w, `{"id": "imp_1", "state": "done", "waiting_for": null}`)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error": "unavailable", "message": "The database is away.", "retry_after": 5}`)
	}))
	defer srv.Close()
	d := newRemoteDesk(srv.URL, "key", sightsAt(srv.URL), time.Now)
	var rests []time.Duration
	d.rest = func(_ context.Context, rest time.Duration) error {
		rests = append(rests, rest)
		return nil
	}
	v, err := d.wait(t.Context(), view{ID: "imp_1", State: "running"})
	if err != nil || v.WaitingFor != "The database is away." || v.State != "running" {
		t.Fatalf("%+v, %v", v, err)
	}
	v, err = (&program{now: time.Now}).follow(t.Context(), d, v, nothing{})
	if err != nil || v.State != "done" || v.WaitingFor != "" || len(rests) != 2 || rests[0] != 5*time.Second {
		t.Errorf("%+v after %v, %v", v, rests, err)
	}
}

// TestQuestionsWaitOutARateLimit checks that an import is followed on past a
// rate limit, and that an upload, which cannot be sent twice, is not repeated.
func TestQuestionsWaitOutARateLimit(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if tenant := r.Header.Get("X-Tenant-ID"); tenant != "acme" {
			t.Errorf("tenant %q", tenant)
		}
		if asked > 2 && r.Method == http.MethodGet {
			fmt.Fprint(w, `{"id": "imp_1", "state": "done"}`)
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error": "rate_limit_exceeded", "message": "Too many requests.", "retry_after": 7}`)
	}))
	defer srv.Close()
	d := newRemoteDesk(srv.URL, "key", sightsAt(srv.URL), time.Now)
	d.tenant = "acme"
	var rests []time.Duration
	d.rest = func(_ context.Context, rest time.Duration) error {
		rests = append(rests, rest)
		return nil
	}

	v, err := d.wait(context.Background(), view{ID: "imp_1"})
	if err != nil || v.State != "done" || fmt.Sprint(rests) != "[7s 7s]" {
		t.Errorf("%+v, %v after rests of %v", v, err, rests)
	}
	asked, rests = 0, nil
	_, err = d.start(context.Background(), upload{name: "x.csv", body: strings.NewReader("sku,title\n")})
	if err == nil || asked != 1 || len(rests) != 0 {
		t.Errorf("an upload: %v after %d requests and rests of %v", err, asked, rests)
	}
}

// TestSameContentAtAServer looks for a file's content at a real server, past
// imports of it that wrote nothing.
func TestSameContentAtAServer(t *testing.T) {
	ctx := context.Background()
	p, _, _ := atTerminal("")
	d := realServer(t, p)
	imported := func(up upload) view {
		t.Helper()
		v, err := d.start(ctx, up)
		if err == nil {
			v, err = p.follow(ctx, d, v, nothing{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	file := func(plan bool) upload { return upload{name: "rows.csv", body: strings.NewReader(rows(3)), plan: plan} }
	sum := sha256.Sum256([]byte(rows(3)))
	content := hex.EncodeToString(sum[:])
	look := func(content, source, want string) view {
		t.Helper()
		v, found, err := d.sameContent(ctx, content, source)
		if err != nil || found != (want != "") || v.ID != want {
			t.Errorf("%s of %q: %s, %v, %v, want %q", content, source, v.ID, found, err, want)
		}
		return v
	}

	look(content, "", "")
	imported(file(true)) // a plan writes nothing
	look(content, "", "")
	first := imported(file(false))
	for range perPage + 1 {
		if v, err := d.start(ctx, upload{name: "rows.csv", body: strings.NewReader(rows(3)), source: "none"}); err == nil || v.State != "refused" {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	look(content, "", first.ID)
	look(content, first.Source, first.ID)
	look(content, importer.SourceEdit, "")
	look(strings.Repeat("0", len(content)), "", "")
	undo, err := d.undo(ctx, first.ID, undoing{})
	if err != nil {
		t.Fatal(err)
	}
	if v := look(content, "", first.ID); v.UndoneBy != undo.ID {
		t.Errorf("undone by %q, not %s", v.UndoneBy, undo.ID)
	}
}

// realServer serves a new folder and returns a desk at the server.
func realServer(t *testing.T, p *program) *remoteDesk {
	t.Helper()
	ctx := context.Background()
	set, err := (&place{Storage: config.Storage{Data: t.TempDir()}, Workspace: store.DefaultWorkspace}).settings(p)
	if err != nil {
		t.Fatal(err)
	}
	n, err := openOwner(ctx, p, set, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.close() })
	local := newLocalToken(n.accounts)
	handler, err := n.handler(local)
	if err == nil {
		err = n.start(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return newRemoteDesk(srv.URL, localKey(local.token, store.DefaultWorkspace), sightsAt(srv.URL), time.Now)
}
