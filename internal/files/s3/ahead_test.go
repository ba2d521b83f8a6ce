package s3

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// memory serves ranges of content and notes what was asked for.
type memory struct {
	content []byte
	asked   []string
}

func (m *memory) fetch(p []byte, off int64) (int, error) {
	m.asked = append(m.asked, fmt.Sprintf("%d+%d", off>>10, len(p)>>10)) // in KiB
	return copy(p, m.content[off:]), nil
}

// read reads p whole.
func (m *memory) read(a *readAhead, p []byte, off int64) error {
	for n := 0; n < len(p); {
		got, err := a.read(p[n:], off+int64(n), int64(len(m.content)), m.fetch)
		if err != nil {
			return err
		}
		n += got
	}
	return nil
}

// TestReadAheadReadsTheFile reads anywhere, and on from where it stopped, with
// room for all and for little: the bytes are the file's and the room is given back.
func TestReadAheadReadsTheFile(t *testing.T) {
	content := body(9<<20, 1)
	rapid.Check(t, func(r *rapid.T) {
		room := rapid.SampledFrom([]int64{0, firstAhead, 3 << 20, 64 << 20}).Draw(r, "room")
		m := &memory{content: content}
		a := &readAhead{budget: newBudget(room)}
		at := 0
		for range rapid.IntRange(1, 12).Draw(r, "reads") {
			if rapid.IntRange(0, 3).Draw(r, "jump") == 0 {
				at = rapid.IntRange(0, len(content)-1).Draw(r, "at")
			}
			p := make([]byte, min(rapid.IntRange(1, 2<<20).Draw(r, "bytes"), len(content)-at))
			if err := m.read(a, p, int64(at)); err != nil {
				r.Fatal(err)
			}
			if !bytes.Equal(p, content[at:at+len(p)]) {
				r.Fatalf("read other bytes at %d", at)
			}
			if at += len(p); at == len(content) {
				at = 0
			}
		}
		if a.budget.free < 0 {
			r.Fatal("more was taken than there is")
		}
		a.release()
		if a.budget.free != room {
			r.Fatalf("%d of %d bytes were given back", a.budget.free, room)
		}
	})
}

func TestReadAheadGrows(t *testing.T) {
	for _, c := range []struct {
		name  string
		room  int64
		at    []int64 // of reads of 256 KiB, in KiB
		asked []string
	}{
		{"front to back", 64 << 20, []int64{0, 256, 512, 768, 1024, 1280, 1536, 1792, 2048},
			[]string{"0+512", "512+1024", "1536+2048"}},
		{"from the middle", 64 << 20, []int64{1000, 1256, 1512, 1768}, []string{"1000+256", "1256+512", "1768+1024"}},
		{"anywhere", 64 << 20, []int64{3000, 1000, 5000, 2000}, []string{"3000+256", "1000+256", "5000+256", "2000+256"}},
		{"no room", 0, []int64{0, 256, 512}, []string{"0+256", "256+256", "512+256"}},
		{"the end of the file", 64 << 20, []int64{9000 - 256 - 256 - 256, 9000 - 256 - 256, 9000 - 256},
			[]string{"8232+256", "8488+512"}},
	} {
		m := &memory{content: make([]byte, 9000<<10)}
		a := &readAhead{budget: newBudget(c.room)}
		for _, at := range c.at {
			if err := m.read(a, make([]byte, 256<<10), at<<10); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(m.asked, c.asked) {
			t.Errorf("%s: asked for %q, want %q", c.name, m.asked, c.asked)
		}
	}
}

// TestReadAheadIsBounded reads a file from front to back: no request is larger
// than a piece, and few are made.
func TestReadAheadIsBounded(t *testing.T) {
	m := &memory{content: make([]byte, 100<<20)}
	a := &readAhead{budget: newBudget(readAheadTotal)}
	p := make([]byte, 32<<10)
	for off := int64(0); off < int64(len(m.content)); off += int64(len(p)) {
		if err := m.read(a, p, off); err != nil {
			t.Fatal(err)
		}
		if len(a.buf) > pieceBytes || a.budget.free != readAheadTotal-int64(len(a.buf)) {
			t.Fatalf("%d bytes are held and %d free", len(a.buf), a.budget.free)
		}
	}
	if len(m.asked) > 17 {
		t.Errorf("%d requests were made for 100 MiB: %q", len(m.asked), m.asked)
	}
}
