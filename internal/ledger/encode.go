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
	marked []*Entry
	probs  []*catalog.Problem
	idents []*catalog.Key
	shape  []uint64 // of each problem, its index in shapes
	shapes []shape
	known  map[shape]uint64
	again  []*Entry // those that take the place of others
	wases  []uint64 // of each problem that they had, its index in shapes
	links  []byte
	prior  []*Image
	others []string // ids of items that are not their entry's
	moved  []*Image
	fields map[string]uint64
	names  []string
	tokens []string
	causes causeCounts
	counts fieldCounts
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
	return &Encoder{zstd: z, known: make(map[shape]uint64), fields: make(map[string]uint64),
		causes: make(causeCounts), counts: make(fieldCounts)}
}

// Encode fills a page from what a chunk did: its row bounds and count, its
// tally, causes and field counts, its format and its two bodies. The page's key
// (import, pass, batch, sequence) and its digest are the caller's to set.
//
// Entries and images are sorted by row in place, those of one row staying in
// the order given. Outcomes is nil for a page without entries and images. Images
// is nil for a page without images on which no row was written either; so a
// reader can tell images that never were from images that retention took.
func (e *Encoder) Encode(p *Page, entries []Entry, images []Image) {
	sortByRow(entries, func(x *Entry) int64 { return x.Row })
	sortByRow(images, func(x *Image) int64 { return x.Row })
	p.Format, p.Rows = FormatVersion, len(entries)
	p.FirstRow, p.LastRow = 0, 0
	if n := len(entries); n > 0 {
		p.FirstRow, p.LastRow = entries[0].Row, entries[n-1].Row
	}
	n := counter{causes: e.causes}
	n.add(entries)
	p.Tally, p.Causes, p.Fields = n.tally(), n.causes.list(), e.counts.of(images)
	p.Outcomes, p.Images = nil, nil
	if len(entries)+len(images) > 0 {
		p.Outcomes = e.compress(e.appendOutcomes(e.buf[:0], entries, images))
	}
	if len(images) > 0 || n.wrote() {
		p.Images = e.compress(e.appendValues(e.buf[:0], images))
	}
	e.release()
}

// sortByRow sorts by row, and keeps what belongs to one row in its order. Nearly
// always the rows come sorted, or, from an undo, the last one first.
func sortByRow[T any](s []T, row func(*T) int64) {
	rising, falling := true, true
	for i := 1; i < len(s); i++ {
		a, b := row(&s[i-1]), row(&s[i])
		rising, falling = rising && a <= b, falling && a >= b
	}
	switch {
	case rising:
	case falling:
		slices.Reverse(s)
		for i := 0; i < len(s); {
			n := i + 1
			for n < len(s) && row(&s[n]) == row(&s[i]) {
				n++
			}
			slices.Reverse(s[i:n])
			i = n
		}
	default:
		slices.SortStableFunc(s, func(a, b T) int { return cmp.Compare(row(&a), row(&b)) })
	}
}

// compress returns the body in memory of its own and keeps b's for the next.
func (e *Encoder) compress(b []byte) []byte {
	e.buf = b
	return e.zstd.EncodeAll(b, make([]byte, 0, len(b)/2+64))
}

// release lets go of what the chunk lent.
func (e *Encoder) release() {
	clear(e.marked)
	clear(e.probs)
	clear(e.idents)
	clear(e.shapes)
	clear(e.known)
	clear(e.again)
	clear(e.prior)
	clear(e.others)
	clear(e.moved)
	clear(e.fields)
	clear(e.names)
	clear(e.tokens)
}

// appendOutcomes appends the outcomes body: what became of the rows, and behind
// it, led by its length, which items they wrote. Whoever reads rows alone stops
// there. outcomes reads the same columns in the same order.
func (e *Encoder) appendOutcomes(b []byte, entries []Entry, images []Image) []byte {
	b = e.appendEntries(b, entries)
	b = e.appendWas(b)
	e.links = e.appendLinks(e.links[:0], entries, images)
	b = binary.AppendUvarint(b, uint64(len(e.links)))
	return append(b, e.links...)
}

func (e *Encoder) appendEntries(b []byte, entries []Entry) []byte {
	n := len(entries)
	b = binary.AppendUvarint(b, uint64(n))
	b = appendIDs(b, n, func(i int) string { return entries[i].ItemID })
	b = appendSteps(b, n, func(i int) int64 { return entries[i].Row })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(entries[i].Outcome) })
	e.mark(entries)
	b = appendRuns(b, n, func(i int) uint64 { return marks(&entries[i]) })
	m := len(e.marked)
	b = appendSteps(b, m, func(i int) int64 { return e.marked[i].Line - e.marked[i].Row })
	b = appendRuns(b, m, func(i int) uint64 { return uint64(len(e.marked[i].Problems)) })
	b = appendRuns(b, m, func(i int) uint64 { return uint64(len(e.marked[i].Ident)) })
	b = e.appendProblems(b)
	b = appendRuns(b, len(e.idents), func(i int) uint64 { return uint64(e.idents[i].Field) })
	return appendTexts(b, len(e.idents), func(i int) string { return e.idents[i].Value })
}

// What an entry has beside a row, an outcome and an item.
const (
	markDetails = 1 << iota // a line, problems or identifying cells
	markWas                 // an earlier entry
)

func marks(x *Entry) uint64 {
	var m uint64
	if x.Line != 0 || len(x.Problems) > 0 || len(x.Ident) > 0 {
		m |= markDetails
	}
	if x.Was != nil {
		m |= markWas
	}
	return m
}

// mark collects the marked entries, their problems and identifying cells.
func (e *Encoder) mark(entries []Entry) {
	e.marked, e.probs, e.idents = e.marked[:0], e.probs[:0], e.idents[:0]
	e.shape, e.shapes = e.shape[:0], e.shapes[:0]
	e.again, e.wases = e.again[:0], e.wases[:0]
	for i := range entries {
		x := &entries[i]
		m := marks(x)
		if m&markDetails != 0 {
			e.markDetails(x)
		}
		if m&markWas != 0 {
			e.markWas(x)
		}
	}
}

func (e *Encoder) markDetails(x *Entry) {
	e.marked = append(e.marked, x)
	for i := range x.Problems {
		p := &x.Problems[i]
		e.probs = append(e.probs, p)
		e.shape = append(e.shape, e.shapeOf(shape{p.Code, p.Severity, p.Column, p.Message}))
	}
	for i := range x.Ident {
		e.idents = append(e.idents, &x.Ident[i])
	}
}

func (e *Encoder) markWas(x *Entry) {
	e.again = append(e.again, x)
	for i := range x.Was.Problems {
		p := &x.Was.Problems[i]
		e.wases = append(e.wases, e.shapeOf(shape{code: p.Code, severity: p.Severity, column: p.Column}))
	}
}

// shapeOf returns the index of a shape in the page's.
func (e *Encoder) shapeOf(s shape) uint64 {
	at, ok := e.known[s]
	if !ok {
		at = uint64(len(e.shapes))
		e.known[s] = at
		e.shapes = append(e.shapes, s)
	}
	return at
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

// appendWas appends what the entries take the place of. Each problem takes a
// byte at least, which bounds what a reader has to believe.
func (e *Encoder) appendWas(b []byte) []byte {
	b = appendRuns(b, len(e.again), func(i int) uint64 { return uint64(e.again[i].Was.Outcome) })
	b = appendRuns(b, len(e.again), func(i int) uint64 { return uint64(len(e.again[i].Was.Problems)) })
	for _, at := range e.wases {
		b = binary.AppendUvarint(b, at)
	}
	return b
}

func flag(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}
