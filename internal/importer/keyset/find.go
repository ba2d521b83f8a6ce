package keyset

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/files"
)

// Found is a key in a segment that has a hash looked for.
type Found struct {
	Tag         byte
	Hash        uint64
	Row, Offset int64
}

// findBuffer is how many bytes Find reads ahead.
const findBuffer = 64 << 10

// Find calls fn with every key in the segments that has one of the hashes, which
// must be sorted and distinct. Keys come segment by segment, in no order of rows
// within one.
//
// It goes once through the segments, and only through those parts in which a hash
// can be: few hashes read little of them. Memory stays below 1 MiB beside the
// hashes. An error of fn ends the search and is returned, wrapped.
func Find(ctx context.Context, st files.Store, segments []string, hashes []uint64, fn func(Found) error) error {
	if len(hashes) == 0 {
		return nil
	}
	buf := make([]byte, findBuffer)
	for _, key := range segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := findInSegment(ctx, st, key, hashes, buf, fn); err != nil {
			return err
		}
	}
	return nil
}

func findInSegment(ctx context.Context, st files.Store, key string, hashes []uint64, buf []byte, fn func(Found) error) error {
	file, blocks, err := openSegment(ctx, st, key)
	if err != nil {
		return err
	}
	defer file.Close()
	for i := range blocks {
		blocks[i].buf = buf
		if err := blocks[i].find(hashes, fn); err != nil {
			return fmt.Errorf("look keys up in segment %s: %w", key, err)
		}
	}
	return nil
}

// find calls fn with the block's entries that have one of the hashes.
func (r *blockReader) find(hashes []uint64, fn func(Found) error) error {
	begin, whole := r.off, true
	for part := range partitions {
		var wanted []uint64
		wanted, hashes = cutPartition(hashes, part)
		if len(wanted) > 0 {
			r.seek(begin)
			err := r.each(part, func(e entry) error {
				hash := uint64(part)<<wordBits | e.word&wordMask
				if _, ok := slices.BinarySearch(wanted, hash); !ok {
					return nil
				}
				return fn(Found{Tag: e.tag(), Hash: hash, Row: e.row, Offset: e.offset})
			})
			if err != nil {
				return err
			}
		}
		whole = whole && len(wanted) > 0
		begin += int64(r.parts[part].bytes)
	}
	if whole {
		return r.check()
	}
	return nil
}

// cutPartition cuts the hashes of a partition off the front of sorted ones.
func cutPartition(hashes []uint64, part int) (of, rest []uint64) {
	n, _ := slices.BinarySearchFunc(hashes, part, func(h uint64, part int) int {
		if h>>wordBits <= uint64(part) {
			return -1
		}
		return 1
	})
	return hashes[:n], hashes[n:]
}

// seek makes the byte at an offset the next one to be decoded. What is read ahead
// stays where it can.
func (r *blockReader) seek(offset int64) {
	if r.off-int64(r.hi-r.lo) != offset {
		r.off, r.lo, r.hi = offset, 0, 0
	}
}
