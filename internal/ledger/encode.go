package ledger

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"tallyman/internal/catalog"
)

// Encoder writes the bodies of pages and counts them. It keeps its memory from
// page to page and is not safe for concurrent use; each goroutine has its own.
type Encoder struct {
	zstd   *zstd.Encoder
	buf    []byte
	marked []int
	probs  []*catalog.Problem
	idents []*catalog.Key
	shape  []uint64 // of each problem, its index in shapes
	shapes []shape
	known  map[shape]uint64
	moved  []*Image
	fields map[string]uint64
	names  []string
	tokens []string
}

// shape is what problems with one cause have in common; a page keeps each
// once. A message that names a row or a value makes a shape of its own.
type shape struct {
	code     catalog.Code
	severity catalog.Severity
	column   string
	message  string
}

// zstdWindow bounds how far back a body's compression looks, and with it what a
// reader must hold to undo it.
const zstdWindow = 4 << 20

// NewEncoder returns an encoder.
func NewEncoder() *Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
	if err != nil {
		panic(fmt.Sprintf("ledger: the encoder's fixed options are refused: %v", err))
	}
	return &Encoder{zstd: z, known: make(map[shape]uint64), fields: make(map[string]uint64)}
}

// Encode fills a page from what a chunk did: its row bounds and count, its
// tally and codes, its format and its two bodies. The page's key (import, pass,
// batch, sequence) is the caller's to set.
//
// Entries and images are sorted by row in place, those of one row staying in
// the order given. Outcomes is nil for a page without entries. Images is nil
// for a page without images on which no row was written either; so a reader
// can tell images that never were from images that retention took.
func (e *Encoder) Encode(p *Page, entries []Entry, images []Image) {
	sortByRow(entries, func(x *Entry) int64 { return x.Row })
	sortByRow(images, func(x *Image) int64 { return x.Row })
	p.Format, p.Rows = FormatVersion, len(entries)
	p.FirstRow, p.LastRow = 0, 0
	if n := len(entries); n > 0 {
		p.FirstRow, p.LastRow = entries[0].Row, entries[n-1].Row
	}
	p.Tally, p.Codes = count(entries)
	p.Outcomes, p.Images = nil, nil
	if len(entries) > 0 {
		p.Outcomes = e.compress(e.appendEntries(e.buf[:0], entries))
	}
	if len(images) > 0 || writes(&p.Tally) {
		p.Images = e.compress(e.appendImages(e.buf[:0], images))
	}
	e.release()
}

func sortByRow[T any](s []T, row func(*T) int64) {
	for i := 1; i < len(s); i++ {
		if row(&s[i]) < row(&s[i-1]) {
			slices.SortStableFunc(s, func(a, b T) int { return cmp.Compare(row(&a), row(&b)) })
			return
		}
	}
}

// writes reports whether rows that a tally counts have written items.
func writes(t *catalog.Tally) bool { return t.Created != 0 || t.Updated != 0 || t.Deleted != 0 }

func count(entries []Entry) (t catalog.Tally, codes map[catalog.Code]int64) {
	for i := range entries {
		ps := entries[i].Problems
		t.Count(entries[i].Outcome, ps)
		for j := range ps {
			if codes == nil {
				codes = make(map[catalog.Code]int64)
			}
			codes[ps[j].Code]++
		}
	}
	return t, codes
}

// compress returns the body in memory of its own and keeps b's for the next.
func (e *Encoder) compress(b []byte) []byte {
	e.buf = b
	return e.zstd.EncodeAll(b, make([]byte, 0, len(b)/2+64))
}

// release lets go of what the chunk lent.
func (e *Encoder) release() {
	clear(e.probs)
	clear(e.idents)
	clear(e.shapes)
	clear(e.known)
	clear(e.moved)
	clear(e.fields)
	clear(e.names)
	clear(e.tokens)
}

// appendEntries appends the outcomes body. decodeEntries reads the same columns
// in the same order.
func (e *Encoder) appendEntries(b []byte, entries []Entry) []byte {
	n := len(entries)
	b = binary.AppendUvarint(b, uint64(n))
	b = appendIDs(b, n, func(i int) string { return entries[i].ItemID })
	b = appendSteps(b, n, func(i int) int64 { return entries[i].Row })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(entries[i].Outcome) })
	e.mark(entries)
	b = appendRuns(b, n, func(i int) uint64 { return marked(&entries[i]) })
	m := len(e.marked)
	b = appendSteps(b, m, func(i int) int64 { x := &entries[e.marked[i]]; return x.Line - x.Row })
	b = appendRuns(b, m, func(i int) uint64 { return uint64(len(entries[e.marked[i]].Problems)) })
	b = appendRuns(b, m, func(i int) uint64 { return uint64(len(entries[e.marked[i]].Ident)) })
	b = e.appendProblems(b)
	b = appendRuns(b, len(e.idents), func(i int) uint64 { return uint64(e.idents[i].Field) })
	return appendTexts(b, len(e.idents), func(i int) string { return e.idents[i].Value })
}

// marked is 1 for an entry with more than a row, an outcome and an item.
func marked(x *Entry) uint64 {
	if x.Line != 0 || len(x.Problems) > 0 || len(x.Ident) > 0 {
		return 1
	}
	return 0
}

// mark collects the marked entries, their problems and identifying cells.
func (e *Encoder) mark(entries []Entry) {
	e.marked, e.probs, e.idents = e.marked[:0], e.probs[:0], e.idents[:0]
	e.shape, e.shapes = e.shape[:0], e.shapes[:0]
	for i := range entries {
		x := &entries[i]
		if marked(x) == 0 {
			continue
		}
		e.marked = append(e.marked, i)
		for j := range x.Problems {
			e.problem(&x.Problems[j])
		}
		for j := range x.Ident {
			e.idents = append(e.idents, &x.Ident[j])
		}
	}
}

func (e *Encoder) problem(p *catalog.Problem) {
	s := shape{p.Code, p.Severity, p.Column, p.Message}
	at, ok := e.known[s]
	if !ok {
		at = uint64(len(e.shapes))
		e.known[s] = at
		e.shapes = append(e.shapes, s)
	}
	e.probs = append(e.probs, p)
	e.shape = append(e.shape, at)
}

func (e *Encoder) appendProblems(b []byte) []byte {
	n := len(e.shapes)
	b = binary.AppendUvarint(b, uint64(n))
	b = appendTexts(b, n, func(i int) string { return string(e.shapes[i].code) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(e.shapes[i].severity) })
	b = appendTexts(b, n, func(i int) string { return e.shapes[i].column })
	b = appendTexts(b, n, func(i int) string { return e.shapes[i].message })
	b = appendRuns(b, len(e.shape), func(i int) uint64 { return e.shape[i] })
	return appendTexts(b, len(e.probs), func(i int) string { return e.probs[i].Value })
}

// appendImages appends the body of before-images. decodeImages reads the same
// columns in the same order.
func (e *Encoder) appendImages(b []byte, images []Image) []byte {
	n := len(images)
	b = binary.AppendUvarint(b, uint64(n))
	b = appendIDs(b, n, func(i int) string { return images[i].ItemID })
	b = appendSteps(b, n, func(i int) int64 { return images[i].Row })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(images[i].Kind) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(images[i].Outcome) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(hasBefore(&images[i])) })
	e.moved = e.moved[:0]
	for i := range images {
		if hasBefore(&images[i]) == 1 {
			e.moved = append(e.moved, &images[i])
		}
	}
	return e.appendBefore(b, e.moved)
}

// hasBefore is 1 for an image that says anything of the item before.
func hasBefore(x *Image) uint64 {
	if x.Version != 0 || x.ImportNo != 0 || x.LastRow != 0 || x.Hash != 0 || len(x.Changes) > 0 ||
		x.Doc != "" || x.Live != (catalog.Live{}) || x.LiveChanged {
		return 1
	}
	return 0
}

func (e *Encoder) appendBefore(b []byte, moved []*Image) []byte {
	n := len(moved)
	b = appendSteps(b, n, func(i int) int64 { return moved[i].Version })
	b = appendSteps(b, n, func(i int) int64 { return moved[i].ImportNo })
	// A file imported again writes its items in the order of the rows that wrote
	// them before, so the distance between the two rows hardly changes.
	b = appendSteps(b, n, func(i int) int64 { return moved[i].LastRow - moved[i].Row })
	for _, x := range moved {
		b = binary.LittleEndian.AppendUint64(b, uint64(x.Hash))
	}
	b = appendTexts(b, n, func(i int) string { return string(moved[i].Doc) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(moved[i].Live.State)<<1 | flag(moved[i].LiveChanged) })
	b = appendTexts(b, n, func(i int) string { return string(moved[i].Live.Doc) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(len(moved[i].Changes)) })
	return e.appendChanges(b, moved)
}

// appendChanges appends the changed fields: their names once, then which name
// each has, then the tokens, old beside new because they are much alike.
func (e *Encoder) appendChanges(b []byte, moved []*Image) []byte {
	e.names, e.tokens, e.shape = e.names[:0], e.tokens[:0], e.shape[:0]
	for _, x := range moved {
		for i := range x.Changes {
			c := &x.Changes[i]
			at, ok := e.fields[c.Field]
			if !ok {
				at = uint64(len(e.names))
				e.fields[c.Field] = at
				e.names = append(e.names, c.Field)
			}
			e.shape = append(e.shape, at)
			e.tokens = append(e.tokens, c.Old, c.New)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(e.names)))
	b = appendTexts(b, len(e.names), func(i int) string { return e.names[i] })
	b = appendRuns(b, len(e.shape), func(i int) uint64 { return e.shape[i] })
	return appendTexts(b, len(e.tokens), func(i int) string { return e.tokens[i] })
}

func flag(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}
