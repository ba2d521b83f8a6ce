package keyset

import (
	"fmt"
	"math/bits"
	"testing"
)

// Segments outlive the program that wrote them, so hashes may never change.
func TestHashIsStable(t *testing.T) {
	tests := []struct {
		tag  byte
		key  string
		want uint64
	}{
		{0, "", 0x832ff0d450935050},
		{1, "", 0xca9df55c70fbb518},
		{1, "a", 0x8e4fb37011ba9786},
		{2, "a", 0x278487885f384316},
		{1, "ABC-1234", 0xc9b1f5bcff70cb03},
		{1, "04006381333931", 0x41283e88697cee2e},
		{255, "a rather long key, of more than two words", 0xe4faa049dd70d92f},
	}
	for _, tt := range tests {
		if got := Hash(tt.tag, tt.key); got != tt.want {
			t.Errorf("Hash(%d, %q) = %#x, want %#x", tt.tag, tt.key, got, tt.want)
		}
	}
}

// Keys that differ little, as SKUs counted upward do, must fall evenly on the
// partitions and must not collide.
func TestHashSpreads(t *testing.T) {
	const n = 1 << 18
	for _, format := range []string{"%d", "SKU-%08d", "%014d", "prefix/of/many/letters/%d/and-a-suffix"} {
		seen := make(map[uint64]struct{}, n)
		var parts [partitions]int
		for i := range n {
			h := Hash(1, fmt.Sprintf(format, i))
			seen[h&wordMask] = struct{}{}
			parts[h>>wordBits]++
		}
		if len(seen) != n {
			t.Errorf("%s: %d keys have %d hashes", format, n, len(seen))
		}
		for p, got := range parts {
			// Seven standard deviations from the mean of 1024.
			if got < 1024-224 || got > 1024+224 {
				t.Errorf("%s: partition %d has %d keys of %d", format, p, got, n)
			}
		}
	}
}

// One changed bit of a key changes half of the hash.
func TestHashAvalanche(t *testing.T) {
	key := []byte("04006381333931")
	h := Hash(3, string(key))
	for i := range len(key) * 8 {
		key[i/8] ^= 1 << (i % 8)
		if n := bits.OnesCount64(h ^ Hash(3, string(key))); n < 12 || n > 52 {
			t.Errorf("bit %d changes %d bits", i, n)
		}
		key[i/8] ^= 1 << (i % 8)
	}
}

// The zeros that fill up the last word are no part of the key.
func TestHashTellsLengths(t *testing.T) {
	seen := map[uint64]string{}
	for n := range 40 {
		key := string(make([]byte, n))
		h := Hash(0, key)
		if other, ok := seen[h]; ok {
			t.Errorf("%d and %d zeros have one hash", n, len(other))
		}
		seen[h] = key
	}
}

func BenchmarkHash(b *testing.B) {
	for _, key := range []string{"SKU-1", "04006381333931", "a rather long key, of more than two words"} {
		b.Run(fmt.Sprint(len(key)), func(b *testing.B) {
			var sum uint64
			for b.Loop() {
				sum += Hash(1, key)
			}
			if sum == 0 {
				b.Fatal("no hash")
			}
		})
	}
}
