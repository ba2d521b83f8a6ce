package importer

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/oklog/ulid/v2"
)

// idSource makes item ids: UUIDs of version 7 (RFC 9562) that rise one by one
// within a run, so that new items go to the end of the store's index and a
// page's ids compress to nothing.
type idSource struct{ now func() time.Time }

func newIDSource(now func() time.Time) *idSource { return &idSource{now: now} }

// runLength is how many ids are counted up before time and random bits are
// drawn anew.
const runLength = 4096

// run returns a function that gives rising ids and is not safe for concurrent
// use; each chunk takes its own.
func (s *idSource) run() func() string {
	var high, low uint64
	left := 0
	return func() string {
		if left == 0 {
			high, low = s.draw()
			left = runLength
		}
		left--
		low++
		return formatUUID(high, low)
	}
}

// draw returns the halves of a run's first id: timestamp, version and 12 random
// bits; variant and 61 random bits, which leaves room to count up.
func (s *idSource) draw() (high, low uint64) {
	var b [10]byte
	// crypto/rand.Read never fails on the platforms Go supports.
	_, _ = rand.Read(b[:])
	ms := uint64(s.now().UnixMilli())
	high = ms<<16 | 0x7000 | uint64(binary.BigEndian.Uint16(b[:2]))&0x0fff
	low = 0x8000000000000000 | binary.BigEndian.Uint64(b[2:])>>3
	return high, low
}

func formatUUID(high, low uint64) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], high)
	binary.BigEndian.PutUint64(raw[8:], low)
	var out [36]byte
	hex.Encode(out[0:8], raw[0:4])
	out[8] = '-'
	hex.Encode(out[9:13], raw[4:6])
	out[13] = '-'
	hex.Encode(out[14:18], raw[6:8])
	out[18] = '-'
	hex.Encode(out[19:23], raw[8:10])
	out[23] = '-'
	hex.Encode(out[24:36], raw[10:16])
	return string(out[:])
}

// newImportID returns "imp_" and a ULID (seed of the REST door).
func newImportID(now time.Time) string {
	return "imp_" + ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}
