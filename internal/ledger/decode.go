package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"tallyman/internal/catalog"
)

// Errors of reading a page.
var (
	// ErrNoBody: the page has rows but not the body asked for. Either it was
	// read without, or retention took it.
	ErrNoBody = errors.New("the page's body was not read or is no longer kept")
	// ErrNewerFormat: a newer program wrote the page.
	ErrNewerFormat = errors.New("the page was written by a newer version of this program")
	// ErrCorrupt: the body is not what an Encoder writes.
	ErrCorrupt = errors.New("the page's body is damaged")
)

// maxBody bounds a body once decompressed, in bytes. A page is one chunk, and
// a chunk is held in memory when it is written.
const maxBody = 1 << 30

// Decoder reads the bodies of pages. It keeps its memory from page to page and
// is not safe for concurrent use.
type Decoder struct {
	zstd *zstd.Decoder
	buf  bytes.Buffer
}

// NewDecoder returns a decoder.
func NewDecoder() *Decoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(2*zstdWindow))
	if err != nil {
		panic(fmt.Sprintf("ledger: the decoder's fixed options are refused: %v", err))
	}
	return &Decoder{zstd: z}
}

// DecodeEntries is Decoder.Entries for a single page.
func DecodeEntries(p Page) ([]Entry, error) { return NewDecoder().Entries(p) }

// DecodeImages is Decoder.Images for a single page.
func DecodeImages(p Page) ([]Image, error) { return NewDecoder().Images(p) }

// Entries returns the rows of a page, in order. Its errors are ErrNoBody,
// ErrNewerFormat and ErrCorrupt, wrapped with the page's key.
func (d *Decoder) Entries(p Page) ([]Entry, error) {
	if p.Rows == 0 && p.Outcomes == nil {
		return nil, nil
	}
	r, err := d.open(p, p.Outcomes)
	if err != nil {
		return nil, wrap(p, "outcomes", err)
	}
	entries := decodeEntries(r)
	if r.err == nil && len(entries) != p.Rows {
		r.fail("it holds %d rows and the page counts %d", len(entries), p.Rows)
	}
	if r.err != nil {
		return nil, wrap(p, "outcomes", fmt.Errorf("%w: %w", ErrCorrupt, r.err))
	}
	return entries, nil
}

// Images returns what the page's chunk did to items, in order of rows. Its
// errors are those of Entries. A page on which nothing was written has none.
func (d *Decoder) Images(p Page) ([]Image, error) {
	if p.Images == nil && !writes(&p.Tally) {
		return nil, nil
	}
	r, err := d.open(p, p.Images)
	if err != nil {
		return nil, wrap(p, "images", err)
	}
	images := decodeImages(r)
	if r.err != nil {
		return nil, wrap(p, "images", fmt.Errorf("%w: %w", ErrCorrupt, r.err))
	}
	return images, nil
}

func wrap(p Page, what string, err error) error {
	return fmt.Errorf("read %s of page %d of batch %d, pass %s, import %d: %w", what, p.Seq, p.Batch, p.Pass, p.ImportNo, err)
}

func (d *Decoder) open(p Page, body []byte) (*reader, error) {
	switch {
	case body == nil:
		return nil, ErrNoBody
	case p.Format > FormatVersion:
		return nil, fmt.Errorf("%w (format %d; this one knows %d)", ErrNewerFormat, p.Format, FormatVersion)
	}
	s, err := d.decompress(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &reader{s: s}, nil
}

// decompress reads the body as a stream, so that memory grows with what is
// really there and not with what a damaged frame says of itself.
func (d *Decoder) decompress(body []byte) (string, error) {
	if err := d.zstd.Reset(bytes.NewReader(body)); err != nil {
		return "", err
	}
	d.buf.Reset()
	if _, err := d.buf.ReadFrom(io.LimitReader(d.zstd, maxBody+1)); err != nil {
		return "", err
	}
	if d.buf.Len() > maxBody {
		return "", fmt.Errorf("it is longer than %d bytes", maxBody)
	}
	return d.buf.String(), nil
}

// end checks that the columns end where the body does.
func (r *reader) end() {
	if len(r.s) > 0 {
		r.fail("%d bytes stand behind the last column", len(r.s))
	}
}

// decodeEntries reads what appendEntries wrote.
func decodeEntries(r *reader) []Entry {
	entries := make([]Entry, r.count())
	n := len(entries)
	r.ids(n, func(i int, v string) { entries[i].ItemID = v })
	r.steps(n, func(i int, v int64) { entries[i].Row = v })
	r.small(n, "outcome", catalog.Outcomes-1, func(i int, v uint64) { entries[i].Outcome = catalog.Outcome(v) })
	var marked []*Entry
	r.small(n, "mark", 1, func(i int, v uint64) {
		if v == 1 {
			marked = append(marked, &entries[i])
		}
	})
	m := len(marked)
	r.steps(m, func(i int, v int64) { marked[i].Line = v + marked[i].Row })
	problemCounts, problems := r.counts(m)
	identCounts, idents := r.counts(m)
	ps := r.problems(problems)
	ks := r.keys(idents)
	r.end()
	if r.err != nil {
		return nil
	}
	for i, x := range marked {
		x.Problems, ps = cut(ps, problemCounts[i])
		x.Ident, ks = cut(ks, identCounts[i])
	}
	return entries
}

// cut returns the first n of s, nil for none, and the rest.
func cut[T any](s []T, n int) (head, rest []T) {
	if n == 0 {
		return nil, s
	}
	return s[:n:n], s[n:]
}

func (r *reader) problems(n int) []catalog.Problem {
	shapes := make([]shape, r.count())
	r.texts(len(shapes), func(i int, v string) { shapes[i].code = catalog.Code(v) })
	r.small(len(shapes), "severity", uint64(catalog.Error), func(i int, v uint64) { shapes[i].severity = catalog.Severity(v) })
	r.texts(len(shapes), func(i int, v string) { shapes[i].column = v })
	r.texts(len(shapes), func(i int, v string) { shapes[i].message = v })
	if n > len(r.s) {
		r.fail("%d problems do not fit the body", n)
		return nil
	}
	ps := make([]catalog.Problem, n)
	r.runs(n, func(i int, v uint64) {
		if v >= uint64(len(shapes)) {
			r.fail("a problem's cause %d is not among the page's %d", v, len(shapes))
			return
		}
		s := &shapes[v]
		ps[i] = catalog.Problem{Code: s.code, Severity: s.severity, Column: s.column, Message: s.message}
	})
	r.texts(n, func(i int, v string) { ps[i].Value = v })
	return ps
}

func (r *reader) keys(n int) []catalog.Key {
	if n > len(r.s) {
		r.fail("%d identifying cells do not fit the body", n)
		return nil
	}
	ks := make([]catalog.Key, n)
	r.small(n, "key field", uint64(catalog.KeySlug), func(i int, v uint64) { ks[i].Field = catalog.KeyField(v) })
	r.texts(n, func(i int, v string) { ks[i].Value = v })
	return ks
}

// decodeImages reads what appendImages wrote.
func decodeImages(r *reader) []Image {
	images := make([]Image, r.count())
	n := len(images)
	r.ids(n, func(i int, v string) { images[i].ItemID = v })
	r.steps(n, func(i int, v int64) { images[i].Row = v })
	r.small(n, "kind", uint64(catalog.KindListing), func(i int, v uint64) { images[i].Kind = catalog.Kind(v) })
	r.small(n, "outcome", catalog.Outcomes-1, func(i int, v uint64) { images[i].Outcome = catalog.Outcome(v) })
	var moved []*Image
	r.small(n, "mark", 1, func(i int, v uint64) {
		if v == 1 {
			moved = append(moved, &images[i])
		}
	})
	r.before(moved)
	r.end()
	if r.err != nil {
		return nil
	}
	return images
}

func (r *reader) before(moved []*Image) {
	n := len(moved)
	r.steps(n, func(i int, v int64) { moved[i].Version = v })
	r.steps(n, func(i int, v int64) { moved[i].ImportNo = v })
	r.steps(n, func(i int, v int64) { moved[i].LastRow = v + moved[i].Row })
	for i := 0; i < n && r.err == nil; i++ {
		moved[i].Hash = r.fixed64()
	}
	r.texts(n, func(i int, v string) { moved[i].Doc = catalog.Doc(v) })
	r.small(n, "live state", uint64(catalog.LiveDeleting)<<1|1, func(i int, v uint64) {
		moved[i].Live.State, moved[i].LiveChanged = catalog.LiveState(v>>1), v&1 == 1
	})
	r.texts(n, func(i int, v string) { moved[i].Live.Doc = catalog.Doc(v) })
	perImage, all := r.counts(n)
	changes := r.changes(all)
	if r.err != nil {
		return
	}
	for i, x := range moved {
		x.Changes, changes = cut(changes, perImage[i])
	}
}

func (r *reader) changes(n int) []catalog.FieldChange {
	names := make([]string, r.count())
	r.texts(len(names), func(i int, v string) { names[i] = v })
	if n > len(r.s) {
		r.fail("%d changed fields do not fit the body", n)
		return nil
	}
	cs := make([]catalog.FieldChange, n)
	r.runs(n, func(i int, v uint64) {
		if v >= uint64(len(names)) {
			r.fail("a changed field %d is not among the page's %d", v, len(names))
			return
		}
		cs[i].Field = names[v]
	})
	r.texts(2*n, func(i int, v string) {
		if i%2 == 0 {
			cs[i/2].Old = v
		} else {
			cs[i/2].New = v
		}
	})
	return cs
}
