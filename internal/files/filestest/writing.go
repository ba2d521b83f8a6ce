package filestest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"tallyman/internal/files"
)

func testInvisibleBeforeCommit(t *testing.T, s files.Store) {
	w := mustCreate(t, s, "1/file")
	defer w.Abort()
	mustWrite(t, w, body(1000, 1))
	if _, err := s.Open(t.Context(), "1/file"); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("Open before Commit: %v", err)
	}
	if _, err := s.Stat(t.Context(), "1/file"); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("Stat before Commit: %v", err)
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("List before Commit = %q", got)
	}
	mustCommit(t, w)
	if got := get(t, s, "1/file"); !bytes.Equal(got, body(1000, 1)) {
		t.Error("the file reads otherwise than it was written")
	}
}

func testAbort(t *testing.T, s files.Store) {
	w := mustCreate(t, s, "1/new")
	mustWrite(t, w, body(1000, 1))
	w.Abort()
	w.Abort()
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("List after Abort = %q", got)
	}
	put(t, s, "1/old", body(10, 1))
	w = mustCreate(t, s, "1/old")
	mustWrite(t, w, body(20, 2))
	w.Abort()
	if got := get(t, s, "1/old"); !bytes.Equal(got, body(10, 1)) {
		t.Errorf("after an aborted replacement the file reads %q", got)
	}
}

func testWriterEndsOnce(t *testing.T, s files.Store) {
	for _, c := range []struct {
		name string
		end  func(files.Writer)
	}{
		{"commit", func(w files.Writer) { mustCommit(t, w); w.Abort() }},
		{"abort", func(w files.Writer) { w.Abort() }},
	} {
		w := mustCreate(t, s, "1/"+c.name)
		c.end(w)
		if _, err := w.Write([]byte("more")); err == nil {
			t.Errorf("Write after %s was allowed", c.name)
		}
		if _, err := w.Commit(t.Context()); err == nil {
			t.Errorf("Commit after %s was allowed", c.name)
		}
		if got := keys(t, s, ""); len(got) != 1 || got[0] != "1/commit" {
			t.Errorf("List after %s = %q, want the committed file", c.name, got)
		}
	}
}

func testReplace(t *testing.T, s files.Store) {
	for i := range 3 {
		content := body(1000*(3-i), byte(i))
		if info := put(t, s, "1/file", content); info.SHA256 != sum(content) {
			t.Errorf("Commit returned %+v", info)
		}
		if got := get(t, s, "1/file"); !bytes.Equal(got, content) {
			t.Errorf("version %d reads otherwise than it was written", i)
		}
	}
	if got := keys(t, s, ""); len(got) != 1 {
		t.Errorf("List = %q, want one file", got)
	}
}

func testLastCommitWins(t *testing.T, s files.Store) {
	first, second := mustCreate(t, s, "1/file"), mustCreate(t, s, "1/file")
	mustWrite(t, first, body(10, 1))
	mustWrite(t, second, body(20, 2))
	mustCommit(t, second)
	if got := get(t, s, "1/file"); !bytes.Equal(got, body(20, 2)) {
		t.Errorf("after the first commit the file reads %q", got)
	}
	mustCommit(t, first)
	if got := get(t, s, "1/file"); !bytes.Equal(got, body(10, 1)) {
		t.Errorf("after the last commit the file reads %q", got)
	}
}

// testReaderSeesOneVersion replaces a file between two reads of it. A store may
// keep the old bytes or end the reader with an error; it may not mix versions.
func testReaderSeesOneVersion(t *testing.T, s files.Store) {
	const size = 200_000
	before, after := body(size, 1), body(size, 2)
	put(t, s, "1/file", before)
	r := mustOpen(t, s, "1/file")
	p := make([]byte, size)
	if _, err := r.ReadAt(p[:size/2], 0); err != nil {
		t.Fatal(err)
	}
	put(t, s, "1/file", after)
	n, err := r.ReadAt(p[size/2:], size/2)
	if !bytes.Equal(p[:size/2+n], before[:size/2+n]) {
		t.Error("a reader saw bytes of two versions")
	}
	if n != size/2 && err == nil {
		t.Errorf("ReadAt read %d of %d bytes without an error", n, size/2)
	}
	if got := get(t, s, "1/file"); !bytes.Equal(got, after) {
		t.Error("a new reader does not see the new version")
	}
}

// testContention has writers replace one key while readers read it: each reader
// sees a version of one writer, whole.
func testContention(t *testing.T, s files.Store) {
	const writers, rounds = 4, 10
	put(t, s, "1/file", declared(0))
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for round := range rounds {
				if err := tryPut(t, s, "1/file", declared(i*rounds+round)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range rounds * 2 {
				if err := checkDeclared(t, s, "1/file"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, s, ""); len(got) != 1 {
		t.Errorf("List = %q, want one file", got)
	}
}

// declared returns content that says what it is: a number and as many
// kilobytes of a byte made from it.
func declared(n int) []byte {
	return append(fmt.Appendf(nil, "%04d", n), bytes.Repeat([]byte{byte(n)}, 1000*(n+1))...)
}

func checkDeclared(t *testing.T, s files.Store, key string) error {
	r, err := s.Open(t.Context(), key)
	if err != nil {
		return err
	}
	defer r.Close()
	content, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscanf(string(content[:min(4, len(content))]), "%04d", &n); err != nil {
		return fmt.Errorf("file of %d bytes: %w", len(content), err)
	}
	if !bytes.Equal(content, declared(n)) {
		return fmt.Errorf("file says that it is version %d and is not it, or not whole", n)
	}
	return nil
}

// testFolderContention begins, ends and deletes the only files of one folder,
// side by side: none of them may miss a folder that another one took away.
func testFolderContention(t *testing.T, s files.Store) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key := fmt.Sprintf("1/deep/folder/file%d", i)
			for round := range 200 {
				if err := beginAndEnd(t, s, key, round%10 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("List = %q", got)
	}
}

// beginAndEnd leaves no file: it aborts one, or commits and deletes it.
func beginAndEnd(t *testing.T, s files.Store, key string, commit bool) error {
	w, err := s.Create(t.Context(), key)
	if err != nil {
		return err
	}
	defer w.Abort()
	if !commit {
		return nil
	}
	if _, err := w.Commit(t.Context()); err != nil {
		return err
	}
	return s.Delete(t.Context(), key)
}
