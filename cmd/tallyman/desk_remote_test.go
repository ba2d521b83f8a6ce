package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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
