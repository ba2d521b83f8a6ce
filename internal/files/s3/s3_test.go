package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
	"tallyman/internal/files/filestest"
	"tallyman/internal/files/s3/s3test"
)

// server is what all tests share; those that kill one start their own.
var server *s3test.Server

func TestMain(m *testing.M) {
	minio.DefaultRetryUnit = time.Millisecond // it waits once more after the last attempt
	os.Exit(s3test.Run(m, func(s *s3test.Server) { server = s }))
}

func TestContract(t *testing.T) {
	filestest.Run(t, func(t *testing.T) files.Store { return mustOpenStore(t, server.URL(server.Bucket(t)), Options{}) })
}

func mustOpenStore(t *testing.T, url string, opts Options) *Store {
	t.Helper()
	cfg, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustPut(t *testing.T, s *Store, key string, content []byte) files.Info {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func mustGet(t *testing.T, s *Store, key string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func body(size int, seed byte) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{seed})
	_, _ = source.Read(content) // never fails
	return content
}

func list(t *testing.T, s *Store, prefix string) []string {
	t.Helper()
	var keys []string
	err := s.List(t.Context(), prefix, func(info files.Info) error {
		keys = append(keys, info.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestPrefixesAreStoresOfTheirOwn(t *testing.T) {
	bucket := server.Bucket(t)
	one := mustOpenStore(t, server.URL(bucket+"/one"), Options{})
	other := mustOpenStore(t, server.URL(bucket+"/one-other/deep"), Options{})
	whole := mustOpenStore(t, server.URL(bucket), Options{})
	mustPut(t, one, "1/a", []byte("one"))
	mustPut(t, other, "1/a", []byte("other"))
	if got := string(mustGet(t, one, "1/a")) + " " + string(mustGet(t, other, "1/a")); got != "one other" {
		t.Errorf("the files read %q", got)
	}
	for s, want := range map[*Store][]string{one: {"1/a"}, other: {"1/a"}, whole: {"one-other/deep/1/a", "one/1/a"}} {
		if got := list(t, s, ""); !slices.Equal(got, want) {
			t.Errorf("List of %s = %q, want %q", s.cfg, got, want)
		}
	}
	if err := one.Delete(t.Context(), "1/a"); err != nil {
		t.Fatal(err)
	}
	if got := list(t, whole, ""); !slices.Equal(got, []string{"one-other/deep/1/a"}) {
		t.Errorf("List = %q after one store's file was deleted", got)
	}
}

func TestListGoesOverPages(t *testing.T) {
	s := mustOpenStore(t, server.URL(server.Bucket(t)), Options{})
	const n = pageKeys + 5
	var want []string
	for i := range n {
		key := fmt.Sprintf("1/%05d", i)
		want = append(want, key)
		mustPut(t, s, key, nil)
	}
	if got := list(t, s, "1/"); !slices.Equal(got, want) {
		t.Errorf("List gave %d keys, want %d", len(got), n)
	}
}

// TestPartsAtTheirBounds writes files that end just before, at and behind the end
// of a part, in pieces of several sizes.
func TestPartsAtTheirBounds(t *testing.T) {
	bucket := server.Bucket(t)
	s := mustOpenStore(t, server.URL(bucket)+"&part_mib=5", Options{})
	const part = 5 << 20
	for _, size := range []int{part - 1, part, part + 1, 2 * part, 2*part + 1} {
		for _, piece := range []int{100_003, part, 3 * part} {
			content := body(size, byte(piece))
			w := newWriter(t.Context(), s, "1/file")
			for from := 0; from < size; from += piece {
				if _, err := w.Write(content[from:min(from+piece, size)]); err != nil {
					t.Fatal(err)
				}
				if held := cap(w.buf) + cap(w.spare); held > 2*part {
					t.Fatalf("the writer holds %d bytes", held)
				}
			}
			info, err := w.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if info.Size != int64(size) || !bytes.Equal(mustGet(t, s, "1/file"), content) {
				t.Errorf("%d bytes in pieces of %d read otherwise", size, piece)
			}
		}
	}
	if n := server.Uploads(t, bucket); n != 0 {
		t.Errorf("%d uploads were left", n)
	}
}

func TestAbortRemovesWhatWasSent(t *testing.T) {
	bucket := server.Bucket(t)
	s := mustOpenStore(t, server.URL(bucket), Options{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, end := range map[string]func(files.Writer){
		"abort":            func(w files.Writer) { w.Abort() },
		"cancelled commit": func(w files.Writer) { w.Commit(cancelled) },
	} {
		w, err := s.Create(t.Context(), "1/file")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body(20<<20, 1)); err != nil {
			t.Fatal(err)
		}
		if n := server.Uploads(t, bucket); n != 1 {
			t.Errorf("%s: %d uploads are under way, want 1", name, n)
		}
		end(w)
		if n := server.Uploads(t, bucket); n != 0 {
			t.Errorf("%s left %d uploads", name, n)
		}
	}
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("List = %q", got)
	}
}

// Leftovers are swept where they are old and certainly ours, and by nobody who
// does not ask for it.
func TestSweepRemovesLeftovers(t *testing.T) {
	bucket := server.Bucket(t)
	s := mustOpenStore(t, server.URL(bucket+"/mine"), Options{})
	w := newWriter(t.Context(), s, "1/file")
	defer w.Abort()
	if _, err := w.Write(body(9<<20, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	ours, none := func(key string) bool { return key == "1/file" }, func(string) bool { return false }
	for _, c := range []struct {
		path string
		age  time.Duration
		ours func(string) bool
		want int
	}{{"/mine", 0, ours, 1}, {"/mine", 23 * time.Hour, ours, 1}, {"/other", 48 * time.Hour, ours, 1}, {"", 48 * time.Hour, ours, 1},
		{"/mine", 48 * time.Hour, none, 1}, {"/mine", 48 * time.Hour, nil, 1}, {"/mine", 25 * time.Hour, ours, 0}} {
		sweeper := mustOpenStore(t, server.URL(bucket+c.path), Options{Now: func() time.Time { return time.Now().Add(c.age) }})
		if c.ours != nil { // else it is only opened
			if err := sweeper.Sweep(t.Context(), c.ours); err != nil {
				t.Fatal(err)
			}
		}
		if n := server.Uploads(t, bucket); n != c.want {
			t.Errorf("%d uploads are left after %s was swept %s later, want %d", n, c.path, c.age, c.want)
		}
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("a file was committed whose parts are gone")
	}
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("List = %q", got)
	}
}

// TestReaderEndsWhenReplaced replaces a file by one of the same bytes, which only
// the id of the write tells apart.
func TestReaderEndsWhenReplaced(t *testing.T) {
	s := mustOpenStore(t, server.URL(server.Bucket(t)), Options{})
	content := body(3*headBytes, 1)
	mustPut(t, s, "1/file", content)
	r, err := s.Open(t.Context(), "1/file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustPut(t, s, "1/file", content)
	if _, err := r.ReadAt(make([]byte, 10), 2*headBytes); !errors.Is(err, errReplaced) {
		t.Errorf("ReadAt of a replaced file: %v", err)
	}
	if err := s.Delete(t.Context(), "1/file"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 10), 2*headBytes); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("ReadAt of a removed file: %v", err)
	}
}

func TestReaderEnds(t *testing.T) {
	s := mustOpenStore(t, server.URL(server.Bucket(t)), Options{})
	mustPut(t, s, "1/file", body(3*headBytes, 1))
	for _, c := range []struct {
		name string
		end  func(files.Reader, context.CancelFunc)
		want error
	}{
		{"reader", func(r files.Reader, _ context.CancelFunc) { r.Close() }, os.ErrClosed},
		{"context", func(_ files.Reader, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := s.Open(ctx, "1/file")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c.end(r, cancel)
		for _, off := range []int64{0, 2 * headBytes} {
			if _, err := r.ReadAt(make([]byte, 10), off); !errors.Is(err, c.want) {
				t.Errorf("ReadAt(%d) after the end of its %s: %v, want %v", off, c.name, err, c.want)
			}
		}
	}
}
