package catalog

import (
	"math/bits"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func hashOf(text string) int64 {
	return (&Hasher{Seed: "s"}).Sum(&Change{Kind: KindProduct, Keys: []Key{{KeySKU, "A-1"}},
		Ops: []Op{{Field: &Field{Name: "title"}, Kind: OpSet, Value: Value{Type: Text, Text: text}}}})
}

// Items outlive the program that wrote them, so hashes may never change.
func TestHashIsStable(t *testing.T) {
	for text, want := range map[string]uint64{
		"":                          0xc30359b1ba8dd9e3,
		"a":                         0x32c7083dd2ff31cc,
		"12345678":                  0x83e90d98d7f393b6,
		"Ein Titel, der länger ist": 0x14330ae628699738,
	} {
		if got := uint64(hashOf(text)); got != want {
			t.Errorf("%q: %#x, want %#x", text, got, want)
		}
	}
}

// One changed bit of a value changes half of the hash.
func TestHashAvalanche(t *testing.T) {
	text := []byte("29.90 EUR, and more than a word")
	h := hashOf(string(text))
	for i := range len(text) * 8 {
		text[i/8] ^= 1 << (i % 8)
		if n := bits.OnesCount64(uint64(h ^ hashOf(string(text)))); n < 12 || n > 52 {
			t.Errorf("bit %d changes %d bits", i, n)
		}
		text[i/8] ^= 1 << (i % 8)
	}
}

// Where one text ends and the next begins is a part of what is hashed.
func TestHashTellsWhereTextsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := func(name string) []string {
			return rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00")), 0, 20, -1), 0, 4).Draw(t, name)
		}
		sum := func(list []string) int64 {
			return (&Hasher{}).Sum(&Change{Kind: KindProduct, Ops: []Op{{Field: &Field{Name: "tags"}, Kind: OpSet, Value: Value{Type: Text, IsList: true, List: list}}}})
		}
		a, b := list("a"), list("b")
		if same := len(a) == len(b) && strings.Join(a, "|") == strings.Join(b, "|"); same != (sum(a) == sum(b)) {
			t.Fatalf("%q and %q: %#x, %#x", a, b, sum(a), sum(b))
		}
	})
}

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
