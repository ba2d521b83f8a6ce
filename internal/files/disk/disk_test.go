package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tallyman/internal/files"
	"tallyman/internal/files/filestest"
)

func TestContract(t *testing.T) {
	filestest.Run(t, func(t *testing.T) files.Store { return mustOpenStore(t, t.TempDir(), Options{}) })
}

func mustOpenStore(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustPut(t *testing.T, s *Store, key, content string) {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// paths lists everything below dir but the lock, folders with a slash.
func paths(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if entry.IsDir() {
			name += "/"
		}
		if name != "./" && name != lockName {
			found = append(found, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestKeyIsThePath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := mustOpenStore(t, dir, Options{})
	mustPut(t, s, "1/imports/file.csv", "content")
	path := filepath.Join(dir, "1", "imports", "file.csv")
	content, err := os.ReadFile(path)
	if err != nil || string(content) != "content" {
		t.Fatalf("file = %q, %v", content, err)
	}
	for path, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, dir: 0o700} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", path, fi.Mode().Perm(), err, want)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	s := mustOpenStore(t, dir, Options{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, end := range map[string]func(files.Writer){
		"abort":            func(w files.Writer) { w.Abort() },
		"cancelled commit": func(w files.Writer) { w.Commit(cancelled) },
		"delete":           func(w files.Writer) { w.Commit(t.Context()); s.Delete(t.Context(), "1/deep/file") },
	} {
		w, err := s.Create(t.Context(), "1/deep/file")
		if err != nil {
			t.Fatal(err)
		}
		end(w)
		if left := paths(t, dir); len(left) != 0 {
			t.Errorf("%s left %q", name, left)
		}
	}
}

func TestReaderKeepsItsVersion(t *testing.T) {
	s := mustOpenStore(t, t.TempDir(), Options{})
	mustPut(t, s, "file", "before")
	r, err := s.Open(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustPut(t, s, "file", "after!")
	if err := s.Delete(t.Context(), "file"); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 6)
	if _, err := r.ReadAt(p, 0); err != nil || string(p) != "before" {
		t.Errorf("read %q, %v", p, err)
	}
}

func TestOpenRemovesLeftovers(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	for _, c := range []struct {
		name      string
		others    bool // another store has the folder open
		age       time.Duration
		wantThere bool
	}{
		{"alone", false, 0, false},
		{"alone, from the future", false, -time.Hour, false},
		{"with others, fresh", true, time.Hour, true},
		{"with others, at the bound", true, 2 * time.Hour, true},
		{"with others, old", true, 2*time.Hour + time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.others {
				mustOpenStore(t, dir, Options{})
			}
			leftover := filepath.Join(dir, "1", tempPrefix+"123")
			if err := os.MkdirAll(filepath.Dir(leftover), folderMode); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(leftover, now.Add(-c.age), now.Add(-c.age)); err != nil {
				t.Fatal(err)
			}
			s := mustOpenStore(t, dir, Options{LeftoverAge: 2 * time.Hour, Now: clock})
			_, err := os.Stat(leftover)
			if (err == nil) != c.wantThere {
				t.Errorf("leftover is there: %v, want %v", err == nil, c.wantThere)
			}
			mustPut(t, s, "1/file", "content")
		})
	}
}

// TestOpenLeavesLiveWritersAlone opens a folder that others have open, also
// after the one that was first to open it is gone.
func TestOpenLeavesLiveWritersAlone(t *testing.T) {
	dir := t.TempDir()
	first := mustOpenStore(t, dir, Options{})
	second := mustOpenStore(t, dir, Options{})
	w, err := second.Create(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	mustOpenStore(t, dir, Options{}).Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	last := mustOpenStore(t, dir, Options{})
	if _, err := io.WriteString(w, "content"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := last.Stat(t.Context(), "file"); err != nil || info.Size != 7 {
		t.Errorf("Stat = %+v, %v", info, err)
	}
}

func TestErrorsNameTheKey(t *testing.T) {
	s := mustOpenStore(t, t.TempDir(), Options{})
	mustPut(t, s, "1/file", "content")
	for _, c := range []struct {
		key  string
		want error
	}{
		{"1/file/below", syscall.ENOTDIR},
		{"1/" + strings.Repeat("x", 256), nil},
		{strings.Repeat("x/", 512) + "x", nil},
	} {
		_, err := s.Create(t.Context(), c.key)
		if err == nil || !strings.Contains(err.Error(), `"`+c.key+`"`) || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("Create(%.20q…): %v, want an error that names the key and wraps %v", c.key, err, c.want)
		}
	}
	w, err := s.Create(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), `commit file "1"`) {
		t.Errorf("Commit over a folder: %v, want an error that names the key", err)
	}
	if got := paths(t, s.dir); len(got) != 2 {
		t.Errorf("left %q, want the first file alone", got)
	}
}

func TestOpenRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		if s, err := Open(dir, Options{}); err == nil {
			s.Close()
			t.Errorf("Open(%q) was allowed", dir)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for name, size := range map[string]int{"4KB": 4 << 10, "64MB": 64 << 20} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			content := make([]byte, size)
			for b.Loop() {
				w, err := s.Create(b.Context(), "1/imports/imp/file")
				if err != nil {
					b.Fatal(err)
				}
				// Only the Write, so that io.Copy uses its own buffer as for an upload.
				if _, err := io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(content)}); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
