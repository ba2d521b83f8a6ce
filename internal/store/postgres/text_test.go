package postgres

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Any text comes back, different texts stay different, and the database takes
// all of them.
func TestEscape(t *testing.T) {
	bytes := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOf(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0x7f, 0x80, 0xc3, 0xbf, 0xff})).Draw(t, "bytes"))
	})
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(bytes, rapid.String()).Draw(t, "text")
		stored := escape(s)
		if !utf8.ValidString(stored) || strings.IndexByte(stored, 0) >= 0 {
			t.Fatalf("%q is stored as %q", s, stored)
		}
		if back := unescape(stored); back != s {
			t.Fatalf("%q came back as %q by way of %q", s, back, stored)
		}
		if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x01") && stored != s {
			t.Fatalf("%q is stored as %q", s, stored)
		}
	})
}
