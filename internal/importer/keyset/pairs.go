package keyset

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

const pairSize = 33

// pairSorter puts any number of pairs in order: it holds up to limit of them,
// and writes them to scratch as a sorted run whenever there are more.
type pairSorter struct {
	dir    string
	limit  int
	buffer int // bytes read ahead when merging, over all runs
	held   []Pair
	file   *tempFile // nil while everything is held
	out    *bufio.Writer
	runs   []int64 // pairs in each run; they lie one behind the other
}

func (s *pairSorter) add(p Pair) error {
	if len(s.held) == s.limit {
		if err := s.writeRun(); err != nil {
			return err
		}
	}
	s.held = append(s.held, p)
	return nil
}

// each calls fn with every pair in order, with equal ones once. None can be
// added afterwards. It looks at ctx now and then.
func (s *pairSorter) each(ctx context.Context, fn func(Pair) error) error {
	next, err := s.sorted()
	if err != nil {
		return err
	}
	last := Pair{Row: -1}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if comparePairs(last, p) == 0 {
			continue
		}
		last = p
		if err := fn(p); err != nil {
			return err
		}
	}
}

func (s *pairSorter) close() {
	if s.file != nil {
		s.file.close()
	}
}

// sorted returns what reads the pairs in order up to io.EOF.
func (s *pairSorter) sorted() (next func() (Pair, error), err error) {
	if s.file == nil {
		slices.SortFunc(s.held, comparePairs)
		return func() (Pair, error) {
			if len(s.held) == 0 {
				return Pair{}, io.EOF
			}
			p := s.held[0]
			s.held = s.held[1:]
			return p, nil
		}, nil
	}
	if err := s.writeRun(); err != nil {
		return nil, err
	}
	if err := s.out.Flush(); err != nil {
		return nil, fmt.Errorf("write scratch file: %w", err)
	}
	s.held = nil
	m, err := s.merge()
	if err != nil {
		return nil, err
	}
	return m.next, nil
}

// writeRun sorts the pairs held and appends them to the scratch file.
func (s *pairSorter) writeRun() error {
	if s.file == nil {
		f, err := newTempFile(s.dir)
		if err != nil {
			return err
		}
		s.file, s.out = &f, bufio.NewWriterSize(f, 64<<10)
	}
	slices.SortFunc(s.held, comparePairs)
	for _, p := range s.held {
		if _, err := s.out.Write(appendPair(s.out.AvailableBuffer(), p)); err != nil {
			return fmt.Errorf("write scratch file: %w", err)
		}
	}
	s.runs = append(s.runs, int64(len(s.held)))
	s.held = s.held[:0]
	return nil
}

// merge opens every run.
func (s *pairSorter) merge() (*merger, error) {
	m := &merger{}
	share := min(max(s.buffer/len(s.runs), minBuffer), maxBuffer)
	var off int64
	for _, n := range s.runs {
		size := n * pairSize
		r := &run{in: bufio.NewReaderSize(io.NewSectionReader(s.file, off, size), share)}
		off += size
		switch err := r.advance(); {
		case errors.Is(err, io.EOF):
		case err != nil:
			return nil, err
		default:
			m.runs = append(m.runs, r)
		}
	}
	for i := len(m.runs)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
	return m, nil
}

// run is a sorted run with its first unread pair.
type run struct {
	in   *bufio.Reader
	head Pair
}

// advance reads the next pair; io.EOF at the end.
func (r *run) advance() error {
	var b [pairSize]byte
	switch _, err := io.ReadFull(r.in, b[:]); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return fmt.Errorf("read scratch file: %w", err)
	}
	r.head = parsePair(b[:])
	return nil
}

// merger is a heap of runs, the one with the least head on top.
type merger struct{ runs []*run }

func (m *merger) next() (Pair, error) {
	if len(m.runs) == 0 {
		return Pair{}, io.EOF
	}
	p := m.runs[0].head
	switch err := m.runs[0].advance(); {
	case errors.Is(err, io.EOF):
		last := len(m.runs) - 1
		m.runs[0] = m.runs[last]
		m.runs = m.runs[:last]
	case err != nil:
		return Pair{}, err
	}
	m.sink(0)
	return p, nil
}

func (m *merger) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(m.runs) {
			return
		}
		if child+1 < len(m.runs) && comparePairs(m.runs[child+1].head, m.runs[child].head) < 0 {
			child++
		}
		if comparePairs(m.runs[i].head, m.runs[child].head) <= 0 {
			return
		}
		m.runs[i], m.runs[child] = m.runs[child], m.runs[i]
		i = child
	}
}

// comparePairs orders pairs; offsets follow from rows.
func comparePairs(a, b Pair) int {
	if c := cmp.Compare(a.Row, b.Row); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Tag, b.Tag); c != 0 {
		return c
	}
	return cmp.Compare(a.FirstRow, b.FirstRow)
}

func appendPair(dst []byte, p Pair) []byte {
	dst = append(dst, p.Tag)
	for _, v := range [...]int64{p.Row, p.Offset, p.FirstRow, p.FirstOffset} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

func parsePair(b []byte) Pair {
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[1+8*i:])) }
	return Pair{Tag: b[0], Row: at(0), Offset: at(1), FirstRow: at(2), FirstOffset: at(3)}
}
