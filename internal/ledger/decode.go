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
func DecodeImages(p Page) (images []Image, gone bool, err error) { return NewDecoder().Images(p) }

// Entries returns the rows of a page, in order. Its errors are ErrNoBody,
// ErrNewerFormat and ErrCorrupt, wrapped with the page's key.
func (d *Decoder) Entries(p Page) ([]Entry, error) {
	r, err := d.outcomes(p)
	if err != nil || r == nil {
		return nil, err
	}
	entries := r.outcomes(p.Rows, p.Format)
	if r.err != nil {
		return nil, damaged(p, "outcomes", r.err)
	}
	return entries, nil
}

// Images returns what the page's chunk did to items, in order of rows. gone says
// that the images have their links alone (row, kind, item, outcome, and the
// version, import and row before), because the page has no body of images: it
// was read without, or retention took it. Of a page of format 1 the links say
// row, item and outcome then. The page must have its outcomes; the errors are
// those of Entries.
func (d *Decoder) Images(p Page) (images []Image, gone bool, err error) {
	c, err := d.contents(p)
	return c.images, c.gone, err
}

// contents is all that the bodies of a page hold.
type contents struct {
	entries []Entry
	images  []Image
	gone    bool // the images have no values
}

func (d *Decoder) contents(p Page) (c contents, err error) {
	r, err := d.outcomes(p)
	if err != nil || r == nil {
		return c, err
	}
	c.entries = r.outcomes(p.Rows, p.Format)
	if p.Format >= 2 {
		c.images = r.links(c.entries)
	}
	if r.err != nil {
		return contents{}, damaged(p, "outcomes", r.err)
	}
	if p.Images == nil {
		if p.Format < 2 {
			c.images = links1(c.entries)
		}
		c.gone = len(c.images) > 0
		return c, nil
	}
	if r, err = d.open(p, p.Images); err != nil {
		return contents{}, wrap(p, "images", err)
	}
	if p.Format < 2 {
		c.images = r.images1()
	} else {
		r.values(c.images)
	}
	if r.err != nil {
		return contents{}, damaged(p, "images", r.err)
	}
	return c, nil
}

// outcomes opens the outcomes of a page; nil for a page that has no rows.
func (d *Decoder) outcomes(p Page) (*reader, error) {
	if p.Rows == 0 && p.Outcomes == nil && p.Images == nil {
		return nil, nil
	}
	r, err := d.open(p, p.Outcomes)
	if err != nil {
		return nil, wrap(p, "outcomes", err)
	}
	return r, nil
}

func damaged(p Page, what string, err error) error {
	return wrap(p, what, fmt.Errorf("%w: %w", ErrCorrupt, err))
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

// outcomes reads what appendOutcomes wrote, up to the links.
func (r *reader) outcomes(rows, format int) []Entry {
	n := r.count()
	if n != rows {
		r.fail("it holds %d rows and the page counts %d", n, rows)
	}
	if r.err != nil {
		return nil
	}
	entries := make([]Entry, n)
	shapes, again := r.entries(entries, format)
	if format < 2 {
		r.end()
		return entries
	}
	r.was(again, shapes)
	if n := r.count(); n != len(r.s) {
		r.fail("%d bytes stand where the links have %d", len(r.s), n)
	}
	return entries
}

// entries reads what appendEntries wrote. It returns the page's shapes and the
// entries that take the place of others.
func (r *reader) entries(entries []Entry, format int) (shapes []shape, again []*Entry) {
	n := len(entries)
	r.ids(n, func(i int, v string) { entries[i].ItemID = v })
	r.steps(n, func(i int, v int64) { entries[i].Row = v })
	r.small(n, "outcome", catalog.Outcomes-1, func(i int, v uint64) { entries[i].Outcome = catalog.Outcome(v) })
	var marked []*Entry
	most := uint64(markDetails | markWas)
	if format < 2 {
		most = markDetails
	}
	r.small(n, "mark", most, func(i int, v uint64) {
		if v&markDetails != 0 {
			marked = append(marked, &entries[i])
		}
		if v&markWas != 0 {
			again = append(again, &entries[i])
		}
	})
	m := len(marked)
	r.steps(m, func(i int, v int64) { marked[i].Line = v + marked[i].Row })
	problemCounts, problems := r.counts(m)
	identCounts, idents := r.counts(m)
	shapes = r.shapes()
	ps := r.problems(problems, shapes)
	ks := r.keys(idents)
	if r.err != nil {
		return nil, nil
	}
	for i, x := range marked {
		x.Problems, ps = cut(ps, problemCounts[i])
		x.Ident, ks = cut(ks, identCounts[i])
	}
	return shapes, again
}

// was reads what appendWas wrote.
func (r *reader) was(again []*Entry, shapes []shape) {
	n := len(again)
	was := make([]Was, n)
	r.small(n, "outcome", catalog.Outcomes-1, func(i int, v uint64) { was[i].Outcome = catalog.Outcome(v) })
	counts, problems := r.counts(n)
	ps := make([]catalog.Problem, problems)
	for i := range ps {
		if s := r.shape(r.uvarint(), shapes); s != nil {
			ps[i] = catalog.Problem{Code: s.code, Severity: s.severity, Column: s.column}
		}
	}
	if r.err != nil {
		return
	}
	for i, x := range again {
		was[i].Problems, ps = cut(ps, counts[i])
		x.Was = &was[i]
	}
}

// cut returns the first n of s, nil for none, and the rest.
func cut[T any](s []T, n int) (head, rest []T) {
	if n == 0 {
		return nil, s
	}
	return s[:n:n], s[n:]
}

func (r *reader) shapes() []shape {
	shapes := make([]shape, r.count())
	r.texts(len(shapes), func(i int, v string) { shapes[i].code = catalog.Code(v) })
	r.small(len(shapes), "severity", uint64(catalog.Error), func(i int, v uint64) { shapes[i].severity = catalog.Severity(v) })
	r.texts(len(shapes), func(i int, v string) { shapes[i].column = v })
	r.texts(len(shapes), func(i int, v string) { shapes[i].message = v })
	return shapes
}

// shape returns the shape with this index, nil where the page has none such.
func (r *reader) shape(at uint64, shapes []shape) *shape {
	if at >= uint64(len(shapes)) {
		r.fail("a problem's cause %d is not among the page's %d", at, len(shapes))
		return nil
	}
	return &shapes[at]
}

func (r *reader) problems(n int, shapes []shape) []catalog.Problem {
	if n > len(r.s) {
		r.fail("%d problems do not fit the body", n)
		return nil
	}
	ps := make([]catalog.Problem, n)
	r.runs(n, func(i int, v uint64) {
		if s := r.shape(v, shapes); s != nil {
			ps[i] = catalog.Problem{Code: s.code, Severity: s.severity, Column: s.column, Message: s.message}
		}
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
