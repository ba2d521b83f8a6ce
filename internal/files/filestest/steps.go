package filestest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"testing"

	"tallyman/internal/files"
)

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func put(t fataler, s files.Store, key string, content []byte) files.Info {
	t.Helper()
	w, err := s.Create(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// tryPut is put for a goroutine that is not the test's own.
func tryPut(t *testing.T, s files.Store, key string, content []byte) error {
	w, err := s.Create(t.Context(), key)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		return err
	}
	_, err = w.Commit(t.Context())
	return err
}

func get(t *testing.T, s files.Store, key string) []byte {
	t.Helper()
	r := mustOpen(t, s, key)
	content, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func keys(t *testing.T, s files.Store, prefix string) []string {
	t.Helper()
	return keysOf(t, s, prefix)
}

func keysOf(t fataler, s files.Store, prefix string) []string {
	t.Helper()
	var found []string
	err := s.List(context.Background(), prefix, func(info files.Info) error {
		found = append(found, info.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func mustOpen(t *testing.T, s files.Store, key string) files.Reader {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func mustCreate(t *testing.T, s files.Store, key string) files.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustWrite(t *testing.T, w files.Writer, content []byte) {
	t.Helper()
	if n, err := w.Write(content); err != nil || n != len(content) {
		t.Fatalf("Write = %d, %v, want %d", n, err, len(content))
	}
}

func mustCommit(t *testing.T, w files.Writer) files.Info {
	t.Helper()
	info, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// body returns size bytes that a seed decides.
func body(size int, seed byte) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{seed})
	_, _ = source.Read(content) // never fails
	return content
}

func sum(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}
