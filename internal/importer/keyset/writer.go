package keyset

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"tallyman/internal/files"
)

const (
	chunkSize = 4 << 10
	// blockChunks bounds a block, and with it the writer's memory, to 16 MiB.
	blockChunks = 16 << 20 / chunkSize
)

// Writer writes one segment. It holds at most about 16 MiB, and what it does not
// hold is already with the file store. It is not safe for concurrent use.
type Writer struct {
	// ctx is kept because Add is called for every key and a context for each
	// call would say nothing new.
	ctx    context.Context
	file   files.Writer
	out    *bufio.Writer
	parts  [partitions]partition
	free   [][]byte // empty chunks of chunkSize
	chunks int      // allocated so far
	limit  int      // most chunks to allocate

	blocks  []block
	entries int64 // in the block under way
	total   int64
	first   int64 // first row of the block under way
	last    int64 // last row added
	err     error
}

// partition is what one partition of the block under way has so far.
type partition struct {
	full    [][]byte
	tail    []byte
	entries uint32
	// The entry before, from which the next one's row and offset are counted.
	row, offset int64
}

// NewWriter begins the segment of this key in the file store; a segment of that
// key is replaced when the new one is sealed. ctx bounds the writing up to Seal.
func NewWriter(ctx context.Context, st files.Store, key string) (*Writer, error) {
	return newWriter(ctx, st, key, blockChunks)
}

func newWriter(ctx context.Context, st files.Store, key string, limit int) (*Writer, error) {
	file, err := st.Create(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("create key segment: %w", err)
	}
	w := &Writer{ctx: ctx, file: file, out: bufio.NewWriterSize(file, 64<<10), limit: max(limit, partitions)}
	_, w.err = w.out.WriteString(magic)
	return w, nil
}

// Add adds one key of a row, by its Hash. tag is the kind of key and stands in
// the pairs; offset is where the row's record begins, as the caller will want it
// back. Rows must not descend; a row may have any number of keys. An error is
// returned by every later call too, so a caller may look at Seal's alone.
func (w *Writer) Add(tag byte, hash uint64, row, offset int64) error {
	if w.err != nil {
		return w.err
	}
	if row < w.last {
		return w.fail(fmt.Errorf("add key: row %d comes after row %d", row, w.last))
	}
	p := &w.parts[hash>>wordBits]
	if cap(p.tail)-len(p.tail) < maxEntry {
		if err := w.extend(p); err != nil {
			return w.fail(err)
		}
	}
	if w.entries == 0 {
		w.first = row
	}
	p.tail = binary.LittleEndian.AppendUint64(p.tail, uint64(tag)<<wordBits|hash&wordMask)
	p.tail = binary.AppendUvarint(p.tail, uint64(row-p.row))
	p.tail = binary.AppendVarint(p.tail, offset-p.offset)
	p.row, p.offset = row, offset
	p.entries++
	w.entries++
	w.total++
	w.last = row
	return nil
}

// Len returns the number of keys added.
func (w *Writer) Len() int64 { return w.total }

// Seal makes the segment durable and visible.
func (w *Writer) Seal(ctx context.Context) error {
	if w.err == nil && w.entries > 0 {
		w.err = w.flush()
	}
	if w.err == nil {
		_, w.err = w.out.Write(appendIndex(nil, w.blocks))
	}
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("write key segment: %w", w.err)
	}
	if _, err := w.file.Commit(ctx); err != nil {
		return w.fail(fmt.Errorf("seal key segment: %w", err))
	}
	w.err = errors.New("segment is sealed")
	return nil
}

// Abort throws an unsealed segment away. After Seal it does nothing, so that it
// can be deferred.
func (w *Writer) Abort() { w.file.Abort() }

func (w *Writer) fail(err error) error {
	w.err = err
	return err
}

// extend gives the partition an empty chunk; where there is none left the block
// is written out first.
func (w *Writer) extend(p *partition) error {
	if len(w.free) == 0 && w.chunks == w.limit {
		if err := w.flush(); err != nil {
			return fmt.Errorf("write key segment: %w", err)
		}
	}
	if p.tail != nil {
		p.full = append(p.full, p.tail)
	}
	if n := len(w.free); n > 0 {
		p.tail, w.free = w.free[n-1], w.free[:n-1]
		return nil
	}
	p.tail = make([]byte, 0, chunkSize)
	w.chunks++
	return nil
}

// flush writes the entries held as one block and frees their chunks.
func (w *Writer) flush() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	b := block{firstRow: w.first, lastRow: w.last}
	for i := range w.parts {
		size, err := w.flushPartition(&w.parts[i], &b.crc)
		if err != nil {
			return err
		}
		b.parts[i] = extent{w.parts[i].entries, size}
		w.parts[i] = partition{full: w.parts[i].full[:0]}
	}
	w.blocks = append(w.blocks, b)
	w.entries = 0
	return nil
}

// flushPartition writes a partition's chunks and returns how many bytes they had.
func (w *Writer) flushPartition(p *partition, crc *uint32) (size uint32, err error) {
	if p.tail != nil {
		p.full = append(p.full, p.tail)
	}
	for _, c := range p.full {
		if _, err := w.out.Write(c); err != nil {
			return 0, err
		}
		*crc = crc32.Update(*crc, castagnoli(), c)
		size += uint32(len(c))
		w.free = append(w.free, c[:0])
	}
	return size, nil
}
