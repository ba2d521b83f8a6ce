package importer

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// Receive implements API.
func (s *Service) Receive(ctx context.Context, ws store.Workspace, door, createdBy, name string, body io.Reader) (*Upload, error) {
	if err := s.accepts(); err != nil {
		return nil, err
	}
	began := time.Now()
	up, head, err := s.storeUpload(ctx, ws, name, body)
	if err == nil {
		up.received = Reception{Began: began, Took: time.Since(began), Bytes: up.Size}
		s.cfg.Observer.UploadReceived(ctx, up.received)
		err = incurable(head, up)
	}
	if f := catalog.AsFault(err); f != nil {
		err = s.refuse(ctx, ws, up, Options{Door: door, CreatedBy: createdBy}, f)
	}
	if err != nil {
		return nil, err
	}
	return up, nil
}

// Discard implements API.
func (s *Service) Discard(ctx context.Context, up *Upload) {
	for _, key := range []string{up.Key, spoolKey(up.Key)} {
		if err := s.cfg.Files.Delete(ctx, key); err != nil {
			s.cfg.Log.WarnContext(ctx, "delete upload", "key", key, "error", err)
		}
	}
}

// storeUpload copies the body into the file store and keeps its first bytes.
func (s *Service) storeUpload(ctx context.Context, ws store.Workspace, name string, body io.Reader) (*Upload, []byte, error) {
	up := &Upload{Name: name, Key: uploadFolder(ws.WS) + ulid.MustNew(ulid.Timestamp(s.now()), rand.Reader).String()}
	w, err := s.cfg.Files.Create(ctx, up.Key)
	if err != nil {
		return up, nil, fmt.Errorf("create upload: %w", err)
	}
	defer w.Abort()
	head := &headKeeper{}
	n, err := copyAhead(io.MultiWriter(w, head), s.bounded(body))
	up.Size = n
	if err != nil {
		if f := catalog.AsFault(err); f != nil {
			return up, nil, f
		}
		return up, nil, fmt.Errorf("receive upload: %w", err)
	}
	info, err := w.Commit(ctx)
	if err != nil {
		return up, nil, fmt.Errorf("store upload: %w", err)
	}
	up.SHA256 = info.SHA256
	return up, head.b, nil
}

// bounded returns a reader that ends with a fault past the operator's limit.
func (s *Service) bounded(r io.Reader) io.Reader {
	if s.cfg.MaxUploadBytes <= 0 {
		return r
	}
	return &boundedReader{r: r, max: s.cfg.MaxUploadBytes, left: s.cfg.MaxUploadBytes}
}

type boundedReader struct {
	r         io.Reader
	max, left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, catalog.Faultf(catalog.KindTooLarge, "file_too_large",
			"The file is larger than the %d bytes that this server takes; split it, or ask its operator for a higher limit.", b.max)
	}
	return n, err
}

// headKeeper keeps the first SniffBytes of what is written to it.
type headKeeper struct{ b []byte }

func (h *headKeeper) Write(p []byte) (int, error) {
	if room := tabular.SniffBytes - len(h.b); room > 0 {
		h.b = append(h.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// incurable reports a file that no option sent after it could make importable.
func incurable(head []byte, up *Upload) error {
	_, err := tabular.Detect(head, up.Size, up.Name, tabular.DetectOptions{})
	if f := catalog.AsFault(err); f != nil && (f.Code == "empty_file" || f.Code == "unknown_format") {
		return f
	}
	return nil
}
