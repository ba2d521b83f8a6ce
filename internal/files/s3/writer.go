package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
)

// The id of a write is kept with its object, as metadata of this name.
const (
	writeMeta   = "tallyman-write"
	writeHeader = "X-Amz-Meta-Tallyman-Write"
)

// abortTime is how long Abort tries to remove what was sent already.
const abortTime = 10 * time.Second

// errFinished answers whoever uses a writer after Commit or Abort.
var errFinished = errors.New("file is already committed or aborted")

// writer writes one new file. It is for one goroutine.
type writer struct {
	store  *Store
	key    string
	id     string          // of this write
	ctx    context.Context // of Create, and ended by Abort
	cancel context.CancelFunc
	hash   hash.Hash
	size   int64
	ended  bool
	err    error // of the first part that failed; the file is not whole then

	buf    []byte // the part that fills
	spare  []byte // the buffer of the part before
	upload string // the server's name for what was sent; "" before the first part
	parts  []minio.CompletePart
	sent   chan sentPart // the part that is on its way; nil if none is
}

// sentPart is what became of a part.
type sentPart struct {
	part minio.CompletePart
	err  error
}

var _ files.Writer = (*writer)(nil)

func newWriter(ctx context.Context, s *Store, key string) *writer {
	w := &writer{store: s, key: key, id: rand.Text(), hash: sha256.New()}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w
}

// Write adds bytes to the file. It waits for the server where that is slower
// than the writer by two parts.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.ended:
		return 0, fmt.Errorf("write file %q: %w", w.key, errFinished)
	case w.err == nil:
		w.err = w.ctx.Err()
	}
	n := 0
	for n < len(p) && w.err == nil {
		n += w.add(p[n:])
	}
	w.hash.Write(p[:n])
	w.size += int64(n)
	if w.err != nil {
		return n, fmt.Errorf("write file %q: %w", w.key, w.err)
	}
	return n, nil
}

// add takes as many bytes as the part has room for. A full part is sent once
// there is more, so that a file of just one part goes in one request.
func (w *writer) add(p []byte) int {
	if len(w.buf) == w.store.cfg.PartBytes {
		if w.err = w.send(); w.err != nil {
			return 0
		}
	}
	n := min(len(p), w.store.cfg.PartBytes-len(w.buf))
	w.buf = append(grow(w.buf, n, w.store.cfg.PartBytes), p[:n]...)
	return n
}

// grow makes room for n bytes more, in a buffer that never has more than limit.
func grow(buf []byte, n, limit int) []byte {
	need := len(buf) + n
	if need <= cap(buf) {
		return buf
	}
	larger := make([]byte, len(buf), min(max(2*cap(buf), need), limit))
	copy(larger, buf)
	return larger
}

// send gives the full part away, once the one before has arrived.
func (w *writer) send() error {
	if err := w.await(w.ctx); err != nil {
		return err
	}
	number := len(w.parts) + 1
	if number == maxParts {
		return fmt.Errorf("the file is larger than %d parts of %d MiB; set a larger part_mib in the file store's URL", maxParts, w.store.cfg.PartBytes>>20)
	}
	if err := w.begin(); err != nil {
		return err
	}
	body, sent := w.buf, make(chan sentPart, 1)
	w.buf, w.spare, w.sent = w.spare[:0], body, sent
	go func() {
		part, err := w.store.sendPart(w.ctx, w.key, w.upload, number, body)
		sent <- sentPart{part, err}
	}()
	return nil
}

// begin begins the upload that the parts belong to.
func (w *writer) begin() error {
	if w.upload != "" {
		return nil
	}
	return w.store.try(w.ctx, requestTime, func(ctx context.Context) (err error) {
		w.upload, err = w.store.client.NewMultipartUpload(ctx, w.store.cfg.Bucket, w.store.object(w.key), w.options())
		return err
	})
}

func (w *writer) options() minio.PutObjectOptions {
	return minio.PutObjectOptions{UserMetadata: map[string]string{writeMeta: w.id}, DisableContentSha256: true}
}

// await waits for the part that is on its way.
func (w *writer) await(ctx context.Context) error {
	if w.sent == nil {
		return nil
	}
	select {
	case r := <-w.sent:
		w.sent = nil
		w.parts = append(w.parts, r.part)
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendPart sends one part. The server checks it against its hash.
func (s *Store) sendPart(ctx context.Context, key, upload string, number int, body []byte) (minio.CompletePart, error) {
	sum := sha256.Sum256(body)
	opts := minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum[:]), DisableContentSha256: true}
	var part minio.ObjectPart
	err := s.try(ctx, transferTime, func(ctx context.Context) (err error) {
		loan := lend(body)
		defer loan.takeBack()
		part, err = s.client.PutObjectPart(ctx, s.cfg.Bucket, s.object(key), upload, number, loan, int64(len(body)), opts)
		return err
	})
	if err != nil {
		return minio.CompletePart{}, fmt.Errorf("send part %d: %w", number, err)
	}
	return minio.CompletePart{PartNumber: number, ETag: part.ETag}, nil
}

// Commit makes the file durable and visible. Its time is this machine's. After an
// error the key shows what it showed before, except when the answer to the last
// request was lost for good: then it may show the new file.
func (w *writer) Commit(ctx context.Context) (files.Info, error) {
	defer w.Abort()
	if err := w.commit(ctx); err != nil {
		return files.Info{}, fmt.Errorf("commit file %q: %w", w.key, err)
	}
	w.ended, w.upload = true, ""
	return files.Info{
		Key:     w.key,
		Size:    w.size,
		SHA256:  hex.EncodeToString(w.hash.Sum(nil)),
		ModTime: w.store.opts.Now(),
	}, nil
}

func (w *writer) commit(ctx context.Context) error {
	switch {
	case w.ended:
		return errFinished
	case w.err != nil:
		return w.err
	case ctx.Err() != nil:
		return ctx.Err()
	case w.upload == "":
		return w.putWhole(ctx)
	}
	if err := w.await(ctx); err != nil {
		return err
	}
	last, err := w.store.sendPart(ctx, w.key, w.upload, len(w.parts)+1, w.buf)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, last)
	return w.publish(ctx)
}

// putWhole sends a file of one part. To send it twice does no harm.
func (w *writer) putWhole(ctx context.Context) error {
	sum := hex.EncodeToString(w.hash.Sum(nil))
	return w.store.try(ctx, transferTime, func(ctx context.Context) error {
		loan := lend(w.buf)
		defer loan.takeBack()
		_, err := w.store.client.PutObject(ctx, w.store.cfg.Bucket, w.store.object(w.key), loan, w.size, "", sum, w.options())
		return err
	})
}

// publish makes the object of the parts. An attempt whose answer was lost may
// have done it, and the next one then finds no upload any more; the object's id
// tells.
func (w *writer) publish(ctx context.Context) error {
	err := w.store.try(ctx, publishTime, func(ctx context.Context) error {
		_, err := w.store.client.CompleteMultipartUpload(ctx, w.store.cfg.Bucket, w.store.object(w.key), w.upload, w.parts, minio.PutObjectOptions{})
		return err
	})
	if err == nil || ctx.Err() != nil || !w.published(ctx) {
		return err
	}
	return nil
}

func (w *writer) published(ctx context.Context) bool {
	o, err := w.store.head(ctx, w.key)
	return err == nil && o.Metadata.Get(writeHeader) == w.id
}

// Abort throws the bytes away. While the server does not answer it waits for some
// seconds; what it then leaves there is never seen, and a later Open removes it.
func (w *writer) Abort() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTime)
	defer cancel()
	w.settle(ctx)
	w.ended, w.buf, w.spare = true, nil, nil
	if w.upload == "" {
		return
	}
	if err := w.store.removeUpload(ctx, w.store.object(w.key), w.upload); err != nil {
		w.store.opts.Log.Warn("an unfinished upload stays behind; a later start removes it", "key", w.key, "error", err)
	}
	w.upload = ""
}

// settle lets the part that is on its way arrive, or cuts it off when the context
// ends. A part of which the server still holds something when its upload is
// removed may bring the upload back.
func (w *writer) settle(ctx context.Context) {
	defer w.cancel()
	if w.sent == nil {
		return
	}
	select {
	case <-w.sent:
	case <-ctx.Done():
		w.cancel()
		<-w.sent
	}
	w.sent = nil
}
