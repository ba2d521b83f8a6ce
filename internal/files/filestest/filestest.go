// Package filestest is the suite that every files.Store passes. A store's own
// tests call Run; what is special to one store stays in its tests.
package filestest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"tallyman/internal/files"
)

// Run puts a store through the contract. open returns a new, empty store that
// lives until the test ends.
func Run(t *testing.T, open func(t *testing.T) files.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, files.Store)
	}{
		{"a file is read back as written", testRoundTrip},
		{"an empty file is a file", testEmpty},
		{"a large file keeps its hash", testLarge},
		{"a file in any pieces", testPieces},
		{"reads side by side", testParallelReads},
		{"nothing is seen before commit", testInvisibleBeforeCommit},
		{"abort leaves nothing", testAbort},
		{"a writer ends once", testWriterEndsOnce},
		{"commit replaces", testReplace},
		{"the last commit wins", testLastCommitWins},
		{"a reader sees one version", testReaderSeesOneVersion},
		{"writers and readers of one key", testContention},
		{"writers and deleters of one folder", testFolderContention},
		{"a missing file is not found", testNotFound},
		{"delete removes once and for all", testDelete},
		{"every allowed character", testAllowedKeys},
		{"other keys are refused", testRefusedKeys},
		{"list by prefix, in order", testList},
		{"list is the sorted set of keys", testListProperty},
		{"list stops at an error", testListStops},
		{"a list may delete what it lists", testListDelete},
		{"a cancelled context stops every method", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func testRoundTrip(t *testing.T, s files.Store) {
	content := body(100_000, 1)
	info := put(t, s, "1/uploads/file.csv", content)
	if want := (files.Info{Key: "1/uploads/file.csv", Size: 100_000, SHA256: sum(content), ModTime: info.ModTime}); info != want {
		t.Errorf("Commit returned %+v, want %+v", info, want)
	}
	if info.ModTime.IsZero() {
		t.Error("Commit returned no time")
	}
	stat, err := s.Stat(t.Context(), "1/uploads/file.csv")
	if err != nil || stat.Key != info.Key || stat.Size != info.Size || stat.ModTime.IsZero() {
		t.Errorf("Stat = %+v, %v", stat, err)
	}
	if stat.SHA256 != "" && stat.SHA256 != info.SHA256 {
		t.Errorf("Stat has hash %s, want %s or none", stat.SHA256, info.SHA256)
	}
	r := mustOpen(t, s, "1/uploads/file.csv")
	if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), content); err != nil {
		t.Error(err)
	}
	testEdges(t, r, content)
}

// testEdges checks what io.ReaderAt says about reads at and past the end.
func testEdges(t *testing.T, r files.Reader, content []byte) {
	t.Helper()
	end := int64(len(content))
	for _, c := range []struct {
		off   int64
		bytes int
		wantN int
		eof   bool
	}{{0, 5, 5, false}, {end - 5, 10, 5, true}, {end, 1, 0, true}, {end + 1000, 1, 0, true}} {
		p := make([]byte, c.bytes)
		n, err := r.ReadAt(p, c.off)
		if n != c.wantN || (err == io.EOF) != c.eof || (err != nil && err != io.EOF) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v; want %d, end of file %v", c.bytes, c.off, n, err, c.wantN, c.eof)
		} else if n > 0 && !bytes.Equal(p[:n], content[c.off:c.off+int64(n)]) {
			t.Errorf("ReadAt(%d bytes, %d) read other bytes", c.bytes, c.off)
		}
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt before the start: %v, want an error", err)
	}
}

func testEmpty(t *testing.T, s files.Store) {
	info := put(t, s, "1/empty", nil)
	if info.Size != 0 || info.SHA256 != sum(nil) {
		t.Errorf("Commit returned %+v", info)
	}
	if got := get(t, s, "1/empty"); len(got) != 0 {
		t.Errorf("read %d bytes", len(got))
	}
	if got := keys(t, s, ""); len(got) != 1 || got[0] != "1/empty" {
		t.Errorf("List = %q", got)
	}
}

func testLarge(t *testing.T, s files.Store) {
	content := body(20_000_000, 2)
	info := put(t, s, "1/large", content)
	if info.Size != 20_000_000 || info.SHA256 != sum(content) {
		t.Fatalf("Commit returned %+v, want hash %s", info, sum(content))
	}
	r := mustOpen(t, s, "1/large")
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, r.Size())); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != info.SHA256 {
		t.Errorf("read back hash %s, want %s", got, info.SHA256)
	}
}

// testPieces writes one content in pieces of any sizes, from one buffer that is
// overwritten after each Write: a writer may not go on reading it.
func testPieces(t *testing.T, s files.Store) {
	content := body(1_000_000, 4)
	rapid.Check(t, func(r *rapid.T) {
		w, err := s.Create(t.Context(), "1/file")
		if err != nil {
			r.Fatal(err)
		}
		defer w.Abort()
		most := rapid.SampledFrom([]int{50_000, 200_000, 1_000_000}).Draw(r, "most")
		buf := make([]byte, most)
		for left := content; len(left) > 0; {
			n := copy(buf[:rapid.IntRange(1, most).Draw(r, "bytes")], left)
			if m, err := w.Write(buf[:n]); m != n || err != nil {
				r.Fatalf("Write of %d bytes = %d, %v", n, m, err)
			}
			clear(buf[:n])
			left = left[n:]
		}
		info, err := w.Commit(t.Context())
		if err != nil || info.Size != int64(len(content)) || info.SHA256 != sum(content) {
			r.Fatalf("Commit = %+v, %v, want hash %s", info, err, sum(content))
		}
		if !bytes.Equal(get(t, s, "1/file"), content) {
			r.Fatal("the file reads otherwise than it was written")
		}
	})
}

func testParallelReads(t *testing.T, s files.Store) {
	const parts, part = 8, 10_000
	content := body(parts*part, 3)
	put(t, s, "1/file", content)
	r := mustOpen(t, s, "1/file")
	done := make(chan error, parts)
	for i := range parts {
		go func() {
			p := make([]byte, part)
			_, err := r.ReadAt(p, int64(i*part))
			if err == io.EOF && i == parts-1 {
				err = nil // the last byte was read; a reader may say so at once
			}
			if err == nil && !bytes.Equal(p, content[i*part:(i+1)*part]) {
				err = errors.New("read other bytes")
			}
			done <- err
		}()
	}
	for range parts {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func testNotFound(t *testing.T, s files.Store) {
	put(t, s, "1/folder/file", body(10, 1))
	for _, key := range []string{"1/none", "none", "1/folder", "1/folder/file/below", "1/folder/fil"} {
		if _, err := s.Open(t.Context(), key); !errors.Is(err, files.ErrNotFound) {
			t.Errorf("Open(%q): %v, want ErrNotFound", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, files.ErrNotFound) {
			t.Errorf("Stat(%q): %v, want ErrNotFound", key, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
	get(t, s, "1/folder/file")
}

func testDelete(t *testing.T, s files.Store) {
	put(t, s, "1/a/file", body(10, 1))
	put(t, s, "1/a/other", body(10, 2))
	for range 2 {
		if err := s.Delete(t.Context(), "1/a/file"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Stat(t.Context(), "1/a/file"); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("Stat after Delete: %v", err)
	}
	if got := keys(t, s, "1/"); len(got) != 1 || got[0] != "1/a/other" {
		t.Errorf("List after Delete = %q", got)
	}
	if got := get(t, s, "1/a/other"); !bytes.Equal(got, body(10, 2)) {
		t.Errorf("the other file reads %q", got)
	}
	put(t, s, "1/a/file", body(20, 3))
	if got := get(t, s, "1/a/file"); !bytes.Equal(got, body(20, 3)) {
		t.Errorf("the file written again reads %q", got)
	}
}

func testCancelled(t *testing.T, s files.Store) {
	put(t, s, "1/file", body(10, 1))
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "1/new")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, commit := w.Commit(ctx)
	_, create := s.Create(ctx, "1/new")
	_, open := s.Open(ctx, "1/file")
	_, stat := s.Stat(ctx, "1/file")
	for name, err := range map[string]error{
		"Commit": commit, "Create": create, "Open": open, "Stat": stat,
		"Delete": s.Delete(ctx, "1/file"),
		"List":   s.List(ctx, "", func(files.Info) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	if got := keys(t, s, ""); len(got) != 1 || got[0] != "1/file" {
		t.Errorf("List = %q, want only the file from before", got)
	}
}
