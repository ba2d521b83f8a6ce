package keyset

import (
	"context"
	"fmt"
	"math/rand/v2"

	"tallyman/internal/files"
)

// limits bound a search's memory; tests make them small.
type limits struct {
	slots  int // slots of the table of first entries, a power of two
	pairs  int // pairs held before they are sorted to scratch
	buffer int // bytes read ahead, over all blocks
}

// defaultLimits are 12 MiB of slots, 10 MiB of pairs and 16 MiB of buffers. A
// partition has room for 390,000 different keys, so up to about 100 million keys
// every partition is read once.
var defaultLimits = limits{slots: 1 << 19, pairs: 1 << 18, buffer: 16 << 20}

const (
	minBuffer = 4 << 10
	maxBuffer = 256 << 10
)

// finder goes through the partitions of all segments.
type finder struct {
	limits  limits
	scratch string
	files   []files.Reader
	blocks  []blockReader
	table   table
	pairs   pairSorter
}

// open opens the segments and checks that they come in the order of rows.
func (f *finder) open(ctx context.Context, st files.Store, segments []string) error {
	f.pairs = pairSorter{dir: f.scratch, limit: f.limits.pairs, buffer: f.limits.buffer}
	f.table.mul = rand.Uint64() | 1
	for _, key := range segments {
		file, blocks, err := openSegment(ctx, st, key)
		if err != nil {
			return err
		}
		f.files = append(f.files, file)
		f.blocks = append(f.blocks, blocks...)
	}
	for i := 1; i < len(f.blocks); i++ {
		if f.blocks[i].firstRow < f.blocks[i-1].lastRow {
			return fmt.Errorf("key segments are out of order: row %d comes after row %d",
				f.blocks[i].firstRow, f.blocks[i-1].lastRow)
		}
	}
	f.allotBuffers()
	return nil
}

// allotBuffers divides the read-ahead among the blocks.
func (f *finder) allotBuffers() {
	share := min(max(f.limits.buffer/max(len(f.blocks), 1), minBuffer), maxBuffer)
	for i := range f.blocks {
		b := &f.blocks[i]
		b.buf = make([]byte, min(int64(share), b.end-b.off))
	}
}

func (f *finder) close() {
	for _, file := range f.files {
		file.Close()
	}
	f.pairs.close()
}

// find collects the pairs of every partition.
func (f *finder) find(ctx context.Context) error {
	for part := range partitions {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.findIn(ctx, part); err != nil {
			return err
		}
	}
	// What the search needed is of no use to the sorting that follows.
	f.table.slots = nil
	for i := range f.blocks {
		if err := f.blocks[i].check(); err != nil {
			return err
		}
		f.blocks[i].buf = nil
	}
	return nil
}

// findIn collects the pairs of one partition. Entries come in the order of rows,
// so the first one seen of a hash is the first row's. A hash for which the table
// has no room goes with all its entries to another round, in the same order.
func (f *finder) findIn(ctx context.Context, part int) error {
	overflow, err := f.round(f.count(part), func(fn func(entry) error) error {
		for i := range f.blocks {
			if err := f.blocks[i].each(part, fn); err != nil {
				return err
			}
		}
		return nil
	})
	for err == nil && overflow != nil {
		if err := ctx.Err(); err != nil {
			overflow.close()
			return err
		}
		round := overflow
		overflow, err = f.round(round.count, round.each)
		round.close()
	}
	return err
}

// count returns how many entries a partition has.
func (f *finder) count(part int) int {
	n := 0
	for i := range f.blocks {
		n += int(f.blocks[i].parts[part].entries)
	}
	return n
}

// round goes through n entries and returns those for which the table had no
// room, nil if there were none.
func (f *finder) round(n int, each func(func(entry) error) error) (overflow *spill, err error) {
	f.table.reset(n, f.limits.slots)
	err = each(func(e entry) error {
		s := f.table.first(e)
		if s == nil {
			if overflow == nil {
				if overflow, err = newSpill(f.scratch); err != nil {
					return err
				}
			}
			return overflow.add(e)
		}
		if s.row() == e.row {
			return nil
		}
		return f.pairs.add(Pair{Tag: e.tag(), Row: e.row, Offset: e.offset, FirstRow: s.row(), FirstOffset: s.offset})
	})
	if err != nil && overflow != nil {
		overflow.close()
		return nil, err
	}
	return overflow, err
}
