package importer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"pgregory.net/rapid"
)

var (
	errBody  = errors.New("the body broke off")
	errStore = errors.New("the store is full")
)

// shelf keeps what is written to it. It fails, or waits to be opened, once it
// holds more than room.
type shelf struct {
	kept []byte
	room int
	open chan struct{} // nil: it fails
}

func (s *shelf) Write(p []byte) (int, error) {
	if len(s.kept)+len(p) > s.room {
		if s.open == nil {
			n := s.room - len(s.kept)
			s.kept = append(s.kept, p[:n]...)
			return n, errStore
		}
		<-s.open
	}
	s.kept = append(s.kept, p...)
	return len(p), nil
}

const plenty = 1 << 30

func someBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// chopped hands a body out in pieces of drawn sizes, some of them empty, and ends
// it with the last of them or after it.
type chopped struct {
	t    *rapid.T
	left []byte
	most int
	err  error
}

func (c *chopped) Read(p []byte) (int, error) {
	n := rapid.IntRange(0, c.most).Draw(c.t, "bytes")
	n = copy(p[:min(n, len(p))], c.left)
	if c.left = c.left[n:]; len(c.left) == 0 && rapid.Bool().Draw(c.t, "at once") {
		return n, c.err
	}
	if n == 0 && len(c.left) == 0 {
		return 0, c.err
	}
	return n, nil
}

// However a body is chopped, and whether it comes whole or breaks off, what came
// of it is written in its order, and its own error is returned.
func TestCopyAheadOfAnyChopping(t *testing.T) {
	content := someBytes(5 * aheadPieceBytes)
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, len(content)),
			rapid.SampledFrom([]int{aheadPieceBytes - 1, aheadPieceBytes, aheadPieceBytes + 1, aheadPieces * aheadPieceBytes})).Draw(r, "size")
		end := rapid.SampledFrom([]error{io.EOF, io.ErrUnexpectedEOF, errBody}).Draw(r, "end")
		want := end
		if end == io.EOF {
			want = nil
		}
		body := &chopped{t: r, left: content[:size], most: max(size/20, rapid.IntRange(1, 2*aheadPieceBytes).Draw(r, "most")), err: end}
		dst := &shelf{room: plenty}
		n, err := copyAhead(dst, body)
		if n != int64(size) || err != want || !bytes.Equal(dst.kept, content[:size]) {
			r.Fatalf("copied %d of %d bytes, kept %d, %v, want %v", n, size, len(dst.kept), err, want)
		}
	})
}

// counted counts what is read of a body.
type counted struct {
	r    io.Reader
	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += n
	return n, err
}

// While the store stands still, a bounded part of the body is read, and the rest
// once it goes on.
func TestCopyAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := someBytes(20 * aheadPieceBytes)
		body := &counted{r: iotest.HalfReader(bytes.NewReader(content))}
		dst := &shelf{open: make(chan struct{})}
		done := make(chan error)
		go func() {
			_, err := copyAhead(dst, body)
			done <- err
		}()
		synctest.Wait()
		if body.read != aheadPieces*aheadPieceBytes {
			t.Errorf("%d bytes were read ahead, want %d", body.read, aheadPieces*aheadPieceBytes)
		}
		close(dst.open)
		if err := <-done; err != nil || !bytes.Equal(dst.kept, content) {
			t.Errorf("kept %d bytes, %v", len(dst.kept), err)
		}
	})
}

// A store that fails ends the copy with its error, also where the body breaks off
// behind what it failed with. No more of the body is read, and no goroutine is
// left: synctest would say so.
func TestCopyAheadWhenTheStoreFails(t *testing.T) {
	for name, rest := range map[string]io.Reader{
		"and the body goes on":   bytes.NewReader(make([]byte, 100*aheadPieceBytes)),
		"and the body breaks":    iotest.ErrReader(errBody),
		"and the body goes slow": iotest.OneByteReader(bytes.NewReader(make([]byte, 100*aheadPieceBytes))),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const room = 2*aheadPieceBytes + 1000
				body := &counted{r: io.MultiReader(bytes.NewReader(make([]byte, 3*aheadPieceBytes)), rest)}
				dst := &shelf{room: room}
				n, err := copyAhead(dst, body)
				if n != room || err != errStore {
					t.Errorf("copied %d bytes, %v, want %d and the store's error", n, err, room)
				}
				if most := room + (aheadPieces+1)*aheadPieceBytes; body.read > most {
					t.Errorf("%d bytes of the body were read, want %d at most", body.read, most)
				}
			})
		})
	}
}

// until is a body that stands still until its context ends, as a request's does.
type until struct{ ctx context.Context }

func (u until) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, u.ctx.Err()
}

// What has come of a body that stands still is stored meanwhile; once its context
// ends, so does the copy.
func TestCopyAheadOfABodyThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		content := someBytes(2*aheadPieceBytes + 10)
		dst := &shelf{room: plenty}
		done := make(chan error)
		go func() {
			_, err := copyAhead(dst, io.MultiReader(bytes.NewReader(content), until{ctx}))
			done <- err
		}()
		synctest.Wait()
		if len(dst.kept) != 2*aheadPieceBytes {
			t.Errorf("%d bytes are stored while the body stands still", len(dst.kept))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || !bytes.Equal(dst.kept, content) {
			t.Errorf("kept %d of %d bytes, %v", len(dst.kept), len(content), err)
		}
	})
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("body") }

// A body that panics leaves no goroutine either, and nothing is written later.
func TestCopyAheadOfABodyThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := &shelf{room: plenty}
		defer func() {
			if recover() == nil || len(dst.kept) != aheadPieceBytes {
				t.Errorf("kept %d bytes", len(dst.kept))
			}
		}()
		_, _ = copyAhead(dst, io.MultiReader(bytes.NewReader(make([]byte, aheadPieceBytes)), panicking{}))
	})
}
