package marker_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"tallyman/internal/files"
	"tallyman/internal/files/disk"
	"tallyman/internal/files/marker"
)

var one, two = strings.Repeat("1a", 16), strings.Repeat("2b", 16)

func open(t *testing.T) *disk.Store {
	t.Helper()
	s, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s files.Store, content string) {
	t.Helper()
	w, err := s.Create(t.Context(), marker.Key)
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

func wantOther(t *testing.T, err error, theirs, mine string) {
	t.Helper()
	var other *marker.Other
	if !errors.As(err, &other) || other.Theirs != theirs || other.Mine != mine {
		t.Fatalf("it said %v", err)
	}
}

func TestClaim(t *testing.T) {
	s := open(t)
	if err := marker.Check(t.Context(), s, one); err != nil {
		t.Fatalf("a store of nobody: %v", err)
	}
	if owner, err := marker.Owner(t.Context(), s); owner != "" || err != nil {
		t.Fatalf("it was marked by a look: %q, %v", owner, err)
	}
	for range 2 {
		if err := marker.Claim(t.Context(), s, one); err != nil {
			t.Fatal(err)
		}
		if err := marker.Check(t.Context(), s, one); err != nil {
			t.Fatal(err)
		}
	}
	wantOther(t, marker.Check(t.Context(), s, two), one, two)
	wantOther(t, marker.Claim(t.Context(), s, two), one, two)
	if owner, err := marker.Owner(t.Context(), s); owner != one || err != nil {
		t.Errorf("it belongs to %q, %v", owner, err)
	}
}

func TestTake(t *testing.T) {
	s, three := open(t), strings.Repeat("3c", 16)
	for _, c := range []struct{ mine, from, left string }{
		{one, two, one}, {one, two, one}, {two, three, one}, {two, one, two}, {one, "", two},
	} {
		err := marker.Take(t.Context(), s, c.mine, c.from)
		if owner, err := marker.Owner(t.Context(), s); owner != c.left || err != nil {
			t.Fatalf("it belongs to %q, %v; want %q", owner, err, c.left)
		}
		if c.mine != c.left {
			wantOther(t, err, c.left, c.mine)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// What cannot be understood is not written over.
func TestMarkersThatAreNone(t *testing.T) {
	for _, content := range []string{"", "\n", "x", strings.Repeat("g", 32), one + "1", strings.ToUpper(one), strings.Repeat(one, 100)} {
		s := open(t)
		put(t, s, content)
		wantOther(t, marker.Claim(t.Context(), s, one), "", one)
		wantOther(t, marker.Check(t.Context(), s, one), "", one)
	}
}

// late is a store in which another database is quicker: it marks the store
// between the look and the end of this one's writing.
type late struct {
	files.Store
	t *testing.T
}

type lateWriter struct {
	files.Writer
	s late
}

func (l late) Create(ctx context.Context, key string) (files.Writer, error) {
	w, err := l.Store.Create(ctx, key)
	return lateWriter{w, l}, err
}

func (w lateWriter) Commit(ctx context.Context) (files.Info, error) {
	info, err := w.Writer.Commit(ctx)
	put(w.s.t, w.s.Store, two+"\n")
	return info, err
}

func TestTwoAtOnce(t *testing.T) {
	wantOther(t, marker.Claim(t.Context(), late{open(t), t}, one), two, one)
}

// silent is a store that does not answer.
type silent struct{ files.Store }

func (silent) Open(context.Context, string) (files.Reader, error) { return nil, files.ErrUnavailable }

func TestAStoreThatIsAwayIsNobodyElses(t *testing.T) {
	for _, err := range []error{marker.Check(t.Context(), silent{}, one), marker.Claim(t.Context(), silent{}, one)} {
		var other *marker.Other
		if !errors.Is(err, files.ErrUnavailable) || errors.As(err, &other) {
			t.Errorf("it said %v", err)
		}
	}
}
