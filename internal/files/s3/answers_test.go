package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// between puts a handler between a store and the server. It answers in the
// server's place, or calls pass.
func between(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)) (endpoint string) {
	t.Helper()
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which is signed
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, proxy.ServeHTTP) }))
	t.Cleanup(s.Close)
	return s.URL
}

// hasty does not wait between attempts: only its clock goes on.
func hasty() Options {
	var passed atomic.Int64
	begin := time.Now()
	return Options{
		Now:  func() time.Time { return begin.Add(time.Duration(passed.Load())) },
		Wait: func(ctx context.Context, d time.Duration) error { passed.Add(int64(d)); return ctx.Err() },
	}
}

func openAt(t *testing.T, endpoint string) *Store {
	t.Helper()
	return mustOpenStore(t, "s3://"+server.Bucket(t)+"?part_mib=5&endpoint="+endpoint, hasty())
}

// TestPassingAnswers gives each request a passing failure, several times: files
// are written, read, listed and deleted as if nothing were.
func TestPassingAnswers(t *testing.T) {
	answer := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, "<Error><Code>"+code+"</Code><Message>m</Message></Error>")
		}
	}
	for name, fail := range map[string]http.HandlerFunc{
		"busy":          answer(503, "SlowDown"),
		"broken":        answer(500, "InternalError"),
		"too many":      answer(429, "TooManyRequests"),
		"no body":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"a page":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504); io.WriteString(w, "<html>gateway") },
		"cut":           func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut in answer": cutAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if requests.Add(1)%4 != 0 {
					fail(w, r)
					return
				}
				pass(w, r)
			}))
			for key, content := range map[string][]byte{"1/small": body(1000, 1), "1/large": body(11<<20, 2), "1/empty": nil} {
				mustPut(t, s, key, content)
				if !bytes.Equal(mustGet(t, s, key), content) {
					t.Errorf("%s reads otherwise than it was written", key)
				}
				if got := list(t, s, ""); len(got) != 1 || got[0] != key {
					t.Errorf("List = %q", got)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// cutAnswer begins a listing, and breaks off; nothing else gets an answer.
// TestBodiesAreCut cuts files.
func cutAnswer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("list-type") {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "<?xml version=\"1.0\"?><ListBucketResult><Contents>")
		w.(http.Flusher).Flush()
	}
	panic(http.ErrAbortHandler)
}

// TestBodiesAreCut has every answer with a range end in its middle: reading goes
// on where it broke off.
func TestBodiesAreCut(t *testing.T) {
	s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if r.Method != http.MethodGet || r.Header.Get("Range") == "" {
			pass(w, r)
			return
		}
		pass(&cutWriter{ResponseWriter: w, left: 1 << 20}, r)
	}))
	content := body(20<<20, 1)
	mustPut(t, s, "1/file", content)
	if !bytes.Equal(mustGet(t, s, "1/file"), content) {
		t.Error("the file reads otherwise than it was written")
	}
}

// cutWriter breaks the connection after some bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left])
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

// TestLostAnswers drops the answer to what was done already.
func TestLostAnswers(t *testing.T) {
	for name, lose := range map[string]func(*http.Request) bool{
		"of the upload's end":       func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
		"of the upload's beginning": func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploads") },
		"of a part":                 func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.Query().Has("partNumber") },
		"of a small file":           func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.RawQuery == "" },
		"of a delete":               func(r *http.Request) bool { return r.Method == http.MethodDelete && r.URL.RawQuery == "" },
	} {
		t.Run(name, func(t *testing.T) {
			var lost atomic.Bool
			s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if !lose(r) || !lost.CompareAndSwap(false, true) {
					pass(w, r)
					return
				}
				pass(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}))
			for key, content := range map[string][]byte{"1/small": body(1000, 1), "1/large": body(11<<20, 2)} {
				mustPut(t, s, key, content)
				if !bytes.Equal(mustGet(t, s, key), content) {
					t.Errorf("%s reads otherwise than it was written", key)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
			if !lost.Load() {
				t.Error("no answer was lost")
			}
			if got := list(t, s, ""); len(got) != 0 {
				t.Errorf("List = %q", got)
			}
		})
	}
}

// TestUploadIsGone loses the answer to the end of an upload, or the request, and
// says after that that there is no such upload: the object's id tells which.
func TestUploadIsGone(t *testing.T) {
	for name, arrives := range map[string]bool{"the answer is lost": true, "the request is lost": false} {
		t.Run(name, func(t *testing.T) {
			var ends atomic.Int64
			s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				switch {
				case r.Method != http.MethodPost || !r.URL.Query().Has("uploadId"):
					pass(w, r)
				case ends.Add(1) > 1:
					w.WriteHeader(http.StatusNotFound)
					io.WriteString(w, "<Error><Code>NoSuchUpload</Code><Message>m</Message></Error>")
				default:
					if arrives {
						pass(httptest.NewRecorder(), r)
					}
					panic(http.ErrAbortHandler)
				}
			}))
			before, after := []byte("before"), body(11<<20, 1)
			mustPut(t, s, "1/file", before)
			w := newWriter(t.Context(), s, "1/file")
			if _, err := w.Write(after); err != nil {
				t.Fatal(err)
			}
			_, err := w.Commit(t.Context())
			if (err == nil) != arrives {
				t.Errorf("Commit: %v", err)
			}
			if got := mustGet(t, s, "1/file"); bytes.Equal(got, after) != arrives || bytes.Equal(got, before) == arrives {
				t.Errorf("the file has %d bytes", len(got))
			}
		})
	}
}

// TestUploadEndsForGood has the end of an upload refused: Commit fails, and the
// file of before stays.
func TestUploadEndsForGood(t *testing.T) {
	s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
			// This answer begins well.
			io.WriteString(w, "<Error><Code>InvalidPart</Code><Message>a part is missing</Message></Error>")
			return
		}
		pass(w, r)
	}))
	mustPut(t, s, "1/file", []byte("before"))
	w := newWriter(t.Context(), s, "1/file")
	if _, err := w.Write(body(11<<20, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "a part is missing") {
		t.Errorf("Commit: %v", err)
	}
	if got := string(mustGet(t, s, "1/file")); got != "before" {
		t.Errorf("the file reads %.20q", got)
	}
	if n := server.Uploads(t, s.cfg.Bucket); n != 0 {
		t.Errorf("%d uploads were left", n)
	}
}

// TestRangesAreNotHeeded reads from a server that sends the whole file whatever
// is asked for.
func TestRangesAreNotHeeded(t *testing.T) {
	s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if r.Header.Get("Range") != "" {
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			io.WriteString(w, "the whole file")
			return
		}
		pass(w, r)
	}))
	if _, err := s.Open(t.Context(), "1/file"); err == nil || !strings.Contains(err.Error(), "does not send the range") {
		t.Errorf("Open: %v", err)
	}
}

// TestSlowIsNotTheCallersEnd: an attempt that takes too long is made again, and
// does not look as if the caller's own time were over.
func TestSlowIsNotTheCallersEnd(t *testing.T) {
	err := attempt(t.Context(), time.Millisecond, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, errSlow) || !temporary(err) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("attempt = %v", err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	bucket := server.Bucket(t)
	refuse := func(status int, code string) string {
		return between(t, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(status)
			io.WriteString(w, "<Error><Code>"+code+"</Code><Message>m</Message></Error>")
		})
	}
	for _, c := range []struct {
		name, url string
		env       map[string]string
		want      string
	}{
		{"bucket", server.URL("no-such-bucket"), nil, "the bucket does not exist; create it"},
		{"bucket's name", server.URL("Not_A_Bucket"), nil, "correct the bucket"},
		{"access key", server.URL(bucket), map[string]string{"AWS_ACCESS_KEY_ID": "nobody"}, "check AWS_ACCESS_KEY_ID"},
		{"secret", server.URL(bucket), map[string]string{"AWS_SECRET_ACCESS_KEY": "wrong"}, "check AWS_SECRET_ACCESS_KEY"},
		{"none", server.URL(bucket), map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": t.TempDir()}, "set AWS_ACCESS_KEY_ID"},
		{"denied", "s3://bucket?endpoint=" + refuse(403, "AccessDenied"), nil, "grant s3:GetObject"},
		{"region", "s3://bucket?endpoint=" + refuse(400, "AuthorizationHeaderMalformed"), nil, "correct region"},
		{"clock", "s3://bucket?endpoint=" + refuse(403, "RequestTimeTooSkewed"), nil, "clock"},
		{"another", "s3://bucket?endpoint=" + refuse(418, "Teapot"), nil, "Teapot, status 418"},
		{"TLS", strings.Replace(server.URL(bucket), "http://", "https://", 1), nil, "correct http or https"},
		{"certificates", server.URL(bucket), map[string]string{"AWS_CA_BUNDLE": "/dev/null"}, "no certificate in PEM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			cfg, err := ParseURL(c.url)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), cfg, hasty())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "s3://"+cfg.Bucket) {
				t.Errorf("Open: %v, want %q and the bucket", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "test-secret") {
				t.Errorf("Open shows the secret: %v", err)
			}
		})
	}
}
