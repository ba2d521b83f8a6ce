package catalog

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is looked at eight bytes at a time is what is found byte by byte.
func TestPlainBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOfN(rapid.OneOf(rapid.ByteRange(0x20, 0x7f), rapid.Byte(), rapid.SampledFrom([]byte("\x00\x1f !\"#[\\]\x7f\x80\xa0\xff"))), 0, 40).Draw(t, "s"))
		plain := strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r >= 0x80 })
		if plain < 0 {
			plain = len(s) / 8 * 8
		}
		if got := plainBytes(s); got != min(plain, len(s)/8*8) {
			t.Fatalf("%q: %d, want %d", s, got, plain)
		}
	})
}
