package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
)

// headBytes come with the request that opens a file: they are all of most files,
// and what detection looks at.
const headBytes = 64 << 10

// pieceBytes is the most that one request asks for.
const pieceBytes = 8 << 20

// errReplaced ends a reader whose file is another one now.
var errReplaced = errors.New("the file was replaced while it was read")

// reader reads one version of one object.
type reader struct {
	store  *Store
	key    string
	ctx    context.Context // of Open, and ended by Close
	cancel context.CancelCauseFunc
	version
	head  []byte
	ahead readAhead
}

// version is what all answers for one file have in common.
type version struct {
	size  int64
	etag  string
	write string // the id that its writer gave it; "" for an object of others
}

var _ files.Reader = (*reader)(nil)

func openReader(ctx context.Context, s *Store, key string) (*reader, error) {
	r := &reader{store: s, key: key}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.ahead = readAhead{budget: s.ahead, next: headBytes}
	if err := r.open(); err != nil {
		r.cancel(nil)
		return nil, err
	}
	return r, nil
}

// open reads the head. An empty object has no range that could be asked for.
func (r *reader) open() error {
	err := r.store.try(r.ctx, transferTime, func(ctx context.Context) error {
		head := make([]byte, headBytes)
		v, n, err := r.store.get(ctx, r.key, head, 0, version{})
		r.version, r.head = v, head[:n:n]
		return err
	})
	if codeOf(err) == "InvalidRange" {
		return r.openEmpty()
	}
	return err
}

func (r *reader) openEmpty() error {
	o, err := r.store.head(r.ctx, r.key)
	if err == nil && o.Size != 0 {
		err = errReplaced
	}
	return err
}

// Size returns the file's size in bytes.
func (r *reader) Size() int64 { return r.size }

// Close ends reading, also what is being read at the moment.
func (r *reader) Close() error {
	r.cancel(os.ErrClosed)
	r.ahead.release()
	return nil
}

// ReadAt reads as io.ReaderAt says. Where the file was replaced or removed after
// it was opened, it reads what it holds already and fails for the rest.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.readAt(p, off)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read file %q at byte %d: %w", r.key, off, notFound(err))
	}
	return n, err
}

func (r *reader) readAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, errors.New("the offset is negative")
	case r.ctx.Err() != nil:
		return 0, context.Cause(r.ctx)
	case off >= r.size:
		return 0, io.EOF
	}
	whole := p[:min(int64(len(p)), r.size-off)]
	n, err := r.fill(whole, off)
	if err == nil && len(whole) < len(p) {
		err = io.EOF
	}
	return n, err
}

// fill fills p, which lies within the file: from the head, from what was read
// ahead, and with requests for what is left.
func (r *reader) fill(p []byte, off int64) (n int, err error) {
	if off < int64(len(r.head)) {
		n = copy(p, r.head[off:])
	}
	for n < len(p) && err == nil {
		var got int
		got, err = r.ahead.read(p[n:], off+int64(n), r.size, r.fetch)
		n += got
	}
	return n, err
}

// fetch reads a range of the file in one request, or more where an answer broke
// off.
func (r *reader) fetch(p []byte, off int64) (n int, err error) {
	err = r.store.try(r.ctx, transferTime, func(ctx context.Context) error {
		_, got, err := r.store.get(ctx, r.key, p[n:], off+int64(n), r.version)
		n += got
		return err
	})
	return n, err
}

// get reads what lies at an offset into p: all of p, or as much as the file has.
// want is the version that it must be of, the zero one for any.
func (s *Store) get(ctx context.Context, key string, p []byte, off int64, want version) (version, int, error) {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, off+int64(len(p))-1); err != nil {
		return version{}, 0, err
	}
	if want.etag != "" {
		if err := opts.SetMatchETag(want.etag); err != nil {
			return version{}, 0, err
		}
	}
	body, info, header, err := s.client.GetObject(ctx, s.cfg.Bucket, s.object(key), opts)
	if codeOf(err) == "PreconditionFailed" {
		return version{}, 0, errReplaced
	}
	if err != nil {
		return version{}, 0, err
	}
	defer body.Close()
	got, length, err := answered(header, info.ETag, off)
	if err != nil {
		return version{}, 0, err
	}
	if want != (version{}) && got != want {
		return version{}, 0, errReplaced
	}
	n, err := io.ReadFull(body, p[:min(int64(len(p)), length)])
	return got, n, err
}

// answered reads the header of an answer with a range that begins at off: of
// which version it is, and how many bytes come.
func answered(header http.Header, etag string, off int64) (v version, length int64, err error) {
	text := header.Get("Content-Range")
	first, last, size, ok := parseContentRange(text)
	if !ok || first != off || last < first || last >= size {
		return version{}, 0, fmt.Errorf("the server does not send the range that was asked for (at %d, sent %q); it cannot be used as a file store", off, text)
	}
	return version{size: size, etag: etag, write: header.Get(writeHeader)}, last - first + 1, nil
}

// parseContentRange reads "bytes 0-65535/1000000".
func parseContentRange(text string) (first, last, size int64, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes ")
	span, total, okSize := strings.Cut(text, "/")
	from, to, okSpan := strings.Cut(span, "-")
	first, errFirst := strconv.ParseInt(from, 10, 64)
	last, errLast := strconv.ParseInt(to, 10, 64)
	size, errSize := strconv.ParseInt(total, 10, 64)
	return first, last, size, ok && okSize && okSpan && errors.Join(errFirst, errLast, errSize) == nil
}
