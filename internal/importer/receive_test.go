package importer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer"
)

// fullStore is a file store whose writers fail past so many bytes.
type fullStore struct {
	files.Store
	room int64
}

func (s fullStore) Create(ctx context.Context, key string) (files.Writer, error) {
	w, err := s.Store.Create(ctx, key)
	return &fullWriter{w, s.room}, err
}

type fullWriter struct {
	files.Writer
	room int64
}

func (w *fullWriter) Write(p []byte) (int, error) {
	if w.room -= int64(len(p)); w.room < 0 {
		return 0, fmt.Errorf("write: %w", files.ErrUnavailable)
	}
	return w.Writer.Write(p)
}

// storedFiles are the keys of every file of the stack.
func (s *stack) storedFiles() (keys []string) {
	s.t.Helper()
	err := s.files.List(context.Background(), "", func(info files.Info) error {
		keys = append(keys, info.Key)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// What fails is told as what it is, the body's fault or the store's, and of the
// file nothing is left.
func TestReceiveOfWhatFails(t *testing.T) {
	broken := errors.New("the connection broke")
	file := products(30000, "a")
	for _, c := range []struct {
		name  string
		rest  io.Reader // of the body, after the file
		room  int64     // of the store; 0 is enough
		check func(error) bool
	}{
		{"the body breaks off", iotest.ErrReader(broken), 0, func(err error) bool { return errors.Is(err, broken) && !errors.Is(err, files.ErrUnavailable) }},
		{"the body is cut short", iotest.ErrReader(io.ErrUnexpectedEOF), 0, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"the body is too large", strings.NewReader(file + file), 0, func(err error) bool {
			f := catalog.AsFault(err)
			return f != nil && f.Code == "file_too_large"
		}},
		{"the store fails", strings.NewReader(""), int64(len(file) / 2), func(err error) bool { return errors.Is(err, files.ErrUnavailable) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newIdleStack(t, func(cfg *importer.Config) {
				cfg.MaxUploadBytes = int64(len(file)) * 2
				if c.room > 0 {
					cfg.Files = fullStore{cfg.Files, c.room}
				}
			})
			_, err := s.svc.Receive(context.Background(), s.ws, "test", "", "a.csv", io.MultiReader(strings.NewReader(file), c.rest))
			if err == nil || !c.check(err) {
				t.Errorf("Receive: %v", err)
			}
			if left := s.storedFiles(); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

// standing is a body that stands still until it is closed.
type standing struct {
	asked  sync.Once
	reads  chan struct{} // closed when somebody waits for more
	closed chan struct{}
}

func (s *standing) Read([]byte) (int, error) {
	s.asked.Do(func() { close(s.reads) })
	<-s.closed
	return 0, context.Canceled
}

// A body is never read once Receive has returned: it may be a request's, which is
// over then. So Receive ends when the body does, whatever its context says.
func TestReceiveOfABodyThatStandsStill(t *testing.T) {
	s := newIdleStack(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	body := &standing{reads: make(chan struct{}), closed: make(chan struct{})}
	ended := make(chan error)
	go func() {
		_, err := s.svc.Receive(ctx, s.ws, "test", "", "a.csv", io.MultiReader(strings.NewReader(products(5000, "a")), body))
		ended <- err
	}()
	<-body.reads
	cancel()
	select {
	case err := <-ended:
		t.Errorf("Receive returned while its body was read: %v", err)
	case <-time.After(50 * time.Millisecond):
		close(body.closed)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Receive: %v", err)
		}
	}
	if left := s.storedFiles(); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// The hash is that of the bytes, in whatever pieces they come.
func TestReceivedBytes(t *testing.T) {
	s := newIdleStack(t, nil)
	content := []byte(products(20000, "a"))
	sum := sha256.Sum256(content)
	for name, body := range map[string]io.Reader{
		"at once":         bytes.NewReader(content),
		"byte for byte":   iotest.OneByteReader(bytes.NewReader(content)),
		"half of all":     iotest.HalfReader(bytes.NewReader(content)),
		"end with a read": iotest.DataErrReader(bytes.NewReader(content)),
	} {
		up, err := s.svc.Receive(context.Background(), s.ws, "test", "", "a.csv", body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.files.Open(context.Background(), up.Key)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		r.Close()
		if err != nil || !bytes.Equal(stored, content) || up.SHA256 != hex.EncodeToString(sum[:]) || up.Size != int64(len(content)) {
			t.Errorf("%s: %d bytes are stored, told are %d with hash %s, %v", name, len(stored), up.Size, up.SHA256, err)
		}
	}
}
