package keyset

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"tallyman/internal/files"
)

// blockReader reads one block's partitions, one after the other.
type blockReader struct {
	block
	from     io.ReaderAt
	off, end int64 // what is still to be read from the segment
	buf      []byte
	lo, hi   int // what of buf is still to be decoded
	sum      uint32
}

// each calls fn with every entry of a partition, in the order they were added.
// Partitions must be asked for upward, each one once, and all of them.
func (r *blockReader) each(part int, fn func(entry) error) error {
	var e entry
	left := int(r.parts[part].bytes)
	for range r.parts[part].entries {
		if r.hi-r.lo < min(left, maxEntry) {
			if err := r.fill(); err != nil {
				return err
			}
		}
		n := decodeEntry(r.buf[r.lo:min(r.hi, r.lo+left)], &e)
		if n == 0 || e.row < r.firstRow || e.row > r.lastRow {
			return fmt.Errorf("%w: an entry does not fit", errDamaged)
		}
		r.lo += n
		left -= n
		if err := fn(e); err != nil {
			return err
		}
	}
	if left != 0 {
		return fmt.Errorf("%w: %d bytes too many", errDamaged, left)
	}
	return nil
}

// decodeEntry replaces e, the entry before, with the first one of b and returns
// its length; 0 if there is none.
func decodeEntry(b []byte, e *entry) int {
	if len(b) < minEntry {
		return 0
	}
	e.word = binary.LittleEndian.Uint64(b)
	row, n := binary.Uvarint(b[8:])
	if n <= 0 {
		return 0
	}
	offset, m := binary.Varint(b[8+n:])
	if m <= 0 {
		return 0
	}
	e.row += int64(row)
	e.offset += offset
	return 8 + n + m
}

// fill moves what is left in the buffer to its front and reads behind it.
func (r *blockReader) fill() error {
	r.hi = copy(r.buf, r.buf[r.lo:r.hi])
	r.lo = 0
	want := int(min(int64(len(r.buf)-r.hi), r.end-r.off))
	n, err := r.from.ReadAt(r.buf[r.hi:r.hi+want], r.off)
	if n < want {
		return fmt.Errorf("read segment: %w", err)
	}
	r.sum = crc32.Update(r.sum, castagnoli(), r.buf[r.hi:r.hi+n])
	r.hi += n
	r.off += int64(n)
	return nil
}

// check reports damage that decoding every entry did not show.
func (r *blockReader) check() error {
	if r.sum != r.crc {
		return fmt.Errorf("%w: block checksum", errDamaged)
	}
	return nil
}

// openSegment opens a segment and returns a reader, without a buffer yet, for
// each of its blocks.
func openSegment(ctx context.Context, st files.Store, key string) (files.Reader, []blockReader, error) {
	file, err := st.Open(ctx, key)
	if err != nil {
		return nil, nil, fmt.Errorf("open key segment: %w", err)
	}
	blocks, err := readIndex(file)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("open key segment %s: %w", key, err)
	}
	readers := make([]blockReader, len(blocks))
	off := int64(len(magic))
	for i, b := range blocks {
		end := off + b.size()
		readers[i] = blockReader{block: b, from: file, off: off, end: end}
		off = end
	}
	return file, readers, nil
}
