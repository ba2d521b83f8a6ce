// Package tabulartest holds what every decoder of package tabular must do, as a
// suite that a format's tests run on their files and fuzzers on any bytes.
//
// What the records of a format are does not belong here: that is each format's
// own tests. Here stands what makes them safe to cut, resume and scan.
package tabulartest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/tabular"
)

// T is what the suite needs of a test; *testing.T, *testing.B and *rapid.T are.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// File is a file and how it is to be read.
type File struct {
	Data   []byte
	Layout *tabular.Layout
	// Section is what to read; the zero value means from the layout's first
	// record to the end.
	Section tabular.Section
	Limits  tabular.Limits
}

// Row is a record that was read, with the position behind it.
type Row struct {
	tabular.Record
	Next Position
}

// Position is what a decoder's Position returns.
type Position struct {
	Offset, Number, Line int64
}

// Run runs the suite on a file and returns its records as one pass reads them.
func Run(t T, f File) []Row {
	t.Helper()
	if f.Section == (tabular.Section{}) {
		l := f.Layout
		f.Section = tabular.Section{Offset: l.DataOffset, Length: -1, FirstRow: l.DataRow, FirstLine: l.DataLine}
	}
	s := suite{File: f, t: t, rand: rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE(f.Data)), 1))}
	rows := s.read(f.Section, f.Limits, nil)
	s.positionsRise(rows)
	s.windowsDoNotMatter(rows)
	s.cutsDoNotMatter(rows)
	s.positionsAreTrue(rows)
	s.columnsAreTheSame(rows)
	s.readErrorsAreTold()
	return rows
}

type suite struct {
	File
	t    T
	rand *rand.Rand
}

func (s *suite) open(src tabular.Source, sec tabular.Section, lim tabular.Limits, columns []int) tabular.Decoder {
	s.t.Helper()
	dec, err := tabular.Open(src, s.Layout, sec, lim, columns)
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	return dec
}

// read reads a section and checks that no string changes while later records
// are read, and that the end stays the end.
func (s *suite) read(sec tabular.Section, lim tabular.Limits, columns []int) []Row {
	s.t.Helper()
	dec := s.open(bytes.NewReader(s.Data), sec, lim, columns)
	var rows []Row
	var copies [][]string
	var rec tabular.Record
	for {
		err := dec.Next(&rec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.t.Fatalf("next: %v", err)
		}
		if len(rows) > len(s.Data) {
			s.t.Fatalf("more records than bytes: the decoder does not end")
		}
		row := Row{Record: rec, Next: position(dec)}
		row.Cells = slices.Clone(rec.Cells)
		rows = append(rows, row)
		copies = append(copies, cloneAll(rec.Cells))
	}
	if err := dec.Next(&rec); err != io.EOF {
		s.t.Fatalf("next after the end: got %v, want io.EOF", err)
	}
	for i := range rows {
		if !slices.Equal(rows[i].Cells, copies[i]) {
			s.t.Fatalf("record %d changed while later ones were read: %q, then %q", rows[i].Number, copies[i], rows[i].Cells)
		}
	}
	return rows
}

func position(dec tabular.Decoder) (p Position) {
	p.Offset, p.Number, p.Line = dec.Position()
	return p
}

func cloneAll(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = strings.Clone(c)
	}
	return out
}

func (s *suite) same(what string, got, want []Row) {
	s.t.Helper()
	if !slices.EqualFunc(got, want, equal) {
		s.t.Fatalf("%s: records differ from one pass (-one pass +this):\n%s", what, cmp.Diff(want, got))
	}
}

func equal(a, b Row) bool {
	if (a.Problem == nil) != (b.Problem == nil) || a.Problem != nil && *a.Problem != *b.Problem {
		return false
	}
	return a.Number == b.Number && a.Line == b.Line && a.Offset == b.Offset && a.Quoted == b.Quoted &&
		a.Next == b.Next && slices.Equal(a.Cells, b.Cells)
}

func (s *suite) positionsRise(rows []Row) {
	s.t.Helper()
	at := Position{s.Section.Offset, s.Section.FirstRow, s.Section.FirstLine}
	for _, r := range rows {
		if r.Offset < at.Offset || r.Number < at.Number || r.Next.Offset <= r.Offset || r.Next.Number != r.Number+1 || r.Next.Line < r.Line {
			s.t.Fatalf("record %d at byte %d, line %d does not fit between %+v and %+v", r.Number, r.Offset, r.Line, at, r.Next)
		}
		at = r.Next
	}
}

func (s *suite) windowsDoNotMatter(rows []Row) {
	s.t.Helper()
	for _, window := range []int{1, 2, 5, 63, 4099, 1 << 20} {
		if len(s.Data)/window > 1<<14 {
			continue
		}
		lim := s.Limits
		lim.WindowBytes = window
		s.same(fmt.Sprintf("windows of %d bytes", window), s.read(s.Section, lim, nil), rows)
	}
}

// cutsDoNotMatter cuts the file at record boundaries into sections.
func (s *suite) cutsDoNotMatter(rows []Row) {
	s.t.Helper()
	for range 4 {
		var got []Row
		start := Position{s.Section.Offset, s.Section.FirstRow, s.Section.FirstLine}
		for i := 0; i <= len(rows); i++ {
			end := int64(-1)
			if i < len(rows) {
				if s.rand.IntN(4) > 0 {
					continue
				}
				end = rows[i].Next.Offset - start.Offset
			}
			sec := tabular.Section{Offset: start.Offset, Length: end, FirstRow: start.Number, FirstLine: start.Line}
			lim := s.Limits
			lim.WindowBytes = 1 + s.rand.IntN(300)
			if got = append(got, s.read(sec, lim, nil)...); len(got) > len(rows) {
				s.t.Fatalf("sections up to %+v give %d records, one pass gives %d in all", sec, len(got), len(rows))
			}
			if i < len(rows) {
				start = rows[i].Next
			}
		}
		s.same("sections", got, rows)
	}
}

// positionsAreTrue goes on with a new decoder at positions of the first.
func (s *suite) positionsAreTrue(rows []Row) {
	s.t.Helper()
	for range min(8, len(rows)) {
		i := s.rand.IntN(len(rows))
		p := rows[i].Next
		rest := s.read(tabular.Section{Offset: p.Offset, Length: -1, FirstRow: p.Number, FirstLine: p.Line}, s.Limits, nil)
		s.same(fmt.Sprintf("from %+v", p), rest, slices.Clip(rows[i+1:]))
	}
}

// columnsAreTheSame reads only some of the cells.
func (s *suite) columnsAreTheSame(rows []Row) {
	s.t.Helper()
	for range 3 {
		columns := []int{}
		for c := range 6 {
			if s.rand.IntN(2) == 0 {
				columns = append(columns, c)
			}
		}
		s.same(fmt.Sprintf("columns %v", columns), s.read(s.Section, s.Limits, columns), onlyColumns(rows, columns))
	}
}

// onlyColumns is what a decoder is to return when it is asked for some columns.
func onlyColumns(rows []Row, columns []int) []Row {
	var out []Row
	width := 0
	if len(columns) > 0 {
		width = slices.Max(columns) + 1
	}
	for _, r := range rows {
		cells := make([]string, min(len(r.Cells), width))
		for _, c := range columns {
			if c < len(cells) {
				cells[c] = r.Cells[c]
			}
		}
		r.Cells = cells
		out = append(out, r)
	}
	return out
}

var errBroken = errors.New("the disk is broken")

// brokenSource cannot be read from a byte on.
type brokenSource struct {
	*bytes.Reader
	from int64
}

func (b brokenSource) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= b.from {
		return b.Reader.ReadAt(p, off)
	}
	return 0, errBroken
}

// readErrorsAreTold checks that a file that cannot be read is not taken for one
// that ends early.
func (s *suite) readErrorsAreTold() {
	s.t.Helper()
	size := int64(len(s.Data))
	if size <= s.Section.Offset || s.Section.Length >= 0 {
		return
	}
	from := s.Section.Offset + s.rand.Int64N(size-s.Section.Offset)
	lim := s.Limits
	lim.WindowBytes = 16
	dec := s.open(brokenSource{bytes.NewReader(s.Data), from}, s.Section, lim, nil)
	var rec tabular.Record
	for {
		before := position(dec)
		err := dec.Next(&rec)
		if err == nil {
			continue
		}
		if !errors.Is(err, errBroken) {
			s.t.Fatalf("a file broken at byte %d of %d: got %v, want the error of the disk", from, size, err)
		}
		if after := position(dec); after.Offset < before.Offset {
			s.t.Fatalf("a read error moved the position from %+v back to %+v", before, after)
		}
		return
	}
}
