package keyset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"tallyman/internal/files"
)

// A segment is
//
//	magic, blocks, index, footer
//
// A block holds the entries of partition 0, then of partition 1, and so on; the
// hash's top byte is the partition. Entries of a partition are in the order they
// were added, each
//
//	8 bytes, little endian: the tag on top of the hash's low 56 bits
//	uvarint: row, less the row before it in this partition and block
//	varint:  offset, less the offset before it
//
// The index has the number of blocks and for each one its first row, the rows to
// its last one (uvarints), the CRC-32C of its bytes (4 bytes, little endian) and
// for every partition the numbers of entries and of bytes (uvarints). The footer
// is the index's length (8 bytes), its CRC-32C (4 bytes) and the magic again.
//
// A reader that walks the partitions upward reads every block from its beginning
// to its end, so segments are read in large sequential pieces.
const (
	magic      = "keyset1\n"
	partitions = 256
	footerSize = 8 + 4 + len(magic)

	wordBits = 56
	wordMask = 1<<wordBits - 1

	minEntry = 8 + 1 + 1
	maxEntry = 8 + 2*binary.MaxVarintLen64
	// maxIndex bounds what a damaged footer can make a reader allocate; it is
	// far above the index of a segment of a billion keys.
	maxIndex = 64 << 20
)

var errDamaged = errors.New("segment is damaged")

// entry is one key of one row, as a partition holds it.
type entry struct {
	word        uint64 // tag and the hash's low 56 bits
	row, offset int64
}

func (e entry) tag() byte { return byte(e.word >> wordBits) }

// block is what the index says of one block.
type block struct {
	firstRow, lastRow int64
	crc               uint32
	parts             [partitions]extent
}

// extent is one partition within one block.
type extent struct{ entries, bytes uint32 }

func (b *block) size() int64 {
	var n int64
	for _, p := range b.parts {
		n += int64(p.bytes)
	}
	return n
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendIndex appends the index and the footer.
func appendIndex(dst []byte, blocks []block) []byte {
	start := len(dst)
	dst = binary.AppendUvarint(dst, uint64(len(blocks)))
	for i := range blocks {
		b := &blocks[i]
		dst = binary.AppendUvarint(dst, uint64(b.firstRow))
		dst = binary.AppendUvarint(dst, uint64(b.lastRow-b.firstRow))
		dst = binary.LittleEndian.AppendUint32(dst, b.crc)
		for _, p := range b.parts {
			dst = binary.AppendUvarint(dst, uint64(p.entries))
			dst = binary.AppendUvarint(dst, uint64(p.bytes))
		}
	}
	index := dst[start:]
	crc := crc32.Checksum(index, castagnoli())
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(index)))
	dst = binary.LittleEndian.AppendUint32(dst, crc)
	return append(dst, magic...)
}

// readIndex reads a segment's index and checks that it accounts for every byte
// of the segment.
func readIndex(r files.Reader) ([]block, error) {
	size := r.Size()
	if size < int64(len(magic)+footerSize) {
		return nil, fmt.Errorf("%w: %d bytes are too few", errDamaged, size)
	}
	footer, err := readAt(r, size-int64(footerSize), footerSize)
	if err != nil {
		return nil, err
	}
	head, err := readAt(r, 0, len(magic))
	if err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(footer)
	room := uint64(size) - uint64(len(magic)+footerSize)
	if string(head) != magic || !bytes.HasSuffix(footer, []byte(magic)) || length > min(room, maxIndex) {
		return nil, fmt.Errorf("%w: not a segment", errDamaged)
	}
	index, err := readAt(r, size-int64(footerSize)-int64(length), int(length))
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(index, castagnoli()) != binary.LittleEndian.Uint32(footer[8:]) {
		return nil, fmt.Errorf("%w: index checksum", errDamaged)
	}
	return parseIndex(index, int64(room-length))
}

// parseIndex decodes an index; data is the number of bytes its blocks must have.
func parseIndex(index []byte, data int64) ([]block, error) {
	p := indexParser{rest: index}
	n := p.uvarint()
	if n > uint64(len(index)) {
		return nil, fmt.Errorf("%w: %d blocks", errDamaged, n)
	}
	blocks := make([]block, 0, min(n, uint64(len(index)/(2*partitions))+1))
	for range n {
		b := p.block()
		if p.bad {
			break
		}
		data -= b.size()
		blocks = append(blocks, b)
	}
	if p.bad || len(p.rest) != 0 || data != 0 {
		return nil, fmt.Errorf("%w: index does not fit", errDamaged)
	}
	return blocks, nil
}

// indexParser takes an index apart; bad is set once something did not fit.
type indexParser struct {
	rest []byte
	bad  bool
}

func (p *indexParser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.bad = true
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *indexParser) uint32() uint32 {
	if len(p.rest) < 4 {
		p.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(p.rest)
	p.rest = p.rest[4:]
	return v
}

func (p *indexParser) block() block {
	var b block
	first := p.uvarint()
	last := first + p.uvarint()
	b.firstRow, b.lastRow = int64(first), int64(last)
	b.crc = p.uint32()
	p.bad = p.bad || b.firstRow < 0 || b.lastRow < b.firstRow
	for i := range b.parts {
		entries, size := p.uvarint(), p.uvarint()
		p.bad = p.bad || size > 1<<31 || entries*minEntry > size || entries > size || size > entries*uint64(maxEntry)
		b.parts[i] = extent{uint32(entries), uint32(size)}
	}
	return b
}

// readAt reads n bytes at an offset.
func readAt(r io.ReaderAt, off int64, n int) ([]byte, error) {
	buf := make([]byte, n)
	if got, err := r.ReadAt(buf, off); got < n {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	return buf, nil
}
