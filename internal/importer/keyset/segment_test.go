package keyset

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"tallyman/internal/files"
)

// memory is a files.Reader over bytes.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func segmentBytes(t testing.TB, chunks int, keys []key) []byte {
	t.Helper()
	st := openStore(t)
	seal(t, st, "1/keys/1", chunks, keys)
	r, err := st.Open(t.Context(), "1/keys/1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// scan reads a segment through and returns how many entries it has.
func scan(data []byte) (entries int, err error) {
	var file files.Reader = memory{bytes.NewReader(data)}
	blocks, err := readIndex(file)
	if err != nil {
		return 0, err
	}
	off := int64(len(magic))
	for _, b := range blocks {
		r := blockReader{block: b, from: file, off: off, end: off + b.size(), buf: make([]byte, min(minBuffer, b.size()))}
		off = r.end
		for part := range partitions {
			err := r.each(part, func(entry) error { entries++; return nil })
			if err != nil {
				return entries, err
			}
		}
		if err := r.check(); err != nil {
			return entries, err
		}
	}
	return entries, nil
}

func testKeys(n int) []key {
	keys := make([]key, n)
	for i := range keys {
		keys[i] = key{1, string(rune(i)), int64(i), int64(i) * 100}
	}
	return keys
}

// Every single flipped bit of a segment is noticed.
func TestSegmentNoticesDamage(t *testing.T) {
	data := segmentBytes(t, blockChunks, testKeys(50))
	if n, err := scan(data); n != 50 || err != nil {
		t.Fatalf("whole segment: %d entries, %v", n, err)
	}
	for i := range data {
		data[i] ^= 1 << (i % 8)
		if _, err := scan(data); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d of %d: %v", i, len(data), err)
		}
		data[i] ^= 1 << (i % 8)
	}
	for n := range data {
		if _, err := scan(data[:n]); !errors.Is(err, errDamaged) {
			t.Errorf("cut after %d of %d bytes: %v", n, len(data), err)
		}
	}
}

func TestSegmentOfManyBlocks(t *testing.T) {
	data := segmentBytes(t, partitions, testKeys(500_000))
	blocks, err := readIndex(memory{bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) < 3 {
		t.Errorf("%d blocks", len(blocks))
	}
	if n, err := scan(data); n != 500_000 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

// A segment's bytes, whatever they are, never make the reader panic, nor read
// entries that the bytes have no room for.
func FuzzSegment(f *testing.F) {
	f.Add(segmentBytes(f, blockChunks, nil))
	f.Add(segmentBytes(f, blockChunks, testKeys(3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, _ := scan(data); n*minEntry > len(data) {
			t.Errorf("%d entries in %d bytes", n, len(data))
		}
	})
}

// The index is behind a checksum that fuzzing of whole segments does not pass.
func FuzzIndex(f *testing.F) {
	b := block{firstRow: 2, lastRow: 9}
	b.parts[7] = extent{entries: 3, bytes: 34}
	index := appendIndex(nil, []block{b})
	f.Add(index[:len(index)-footerSize], int64(34))
	f.Fuzz(func(t *testing.T, index []byte, data int64) {
		blocks, err := parseIndex(index, data)
		if err != nil {
			return
		}
		for _, b := range blocks {
			data -= b.size()
		}
		if data != 0 {
			t.Errorf("%d bytes are in no block", data)
		}
	})
}

// Entries of any kind come out of any window as they went in, or not at all.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e entry
		if n := decodeEntry(b, &e); n != 0 && (n < minEntry || n > min(maxEntry, len(b))) {
			t.Errorf("an entry of %d bytes out of %d", n, len(b))
		}
	})
}
