package account

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestNewSecret(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		secret, err := newSecret(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !wellFormed(secret) || len(secret) != 43 || !strings.HasPrefix(secret, "tm_") {
			t.Fatalf("secret %q is not well formed", secret)
		}
		if seen[secret] {
			t.Fatalf("secret %q came twice", secret)
		}
		seen[secret] = true
	}
}

// TestNewSecretIsEven makes a secret of each byte there is: each character must
// come of as many bytes as any other, and the bytes left over of none.
func TestNewSecretIsEven(t *testing.T) {
	count := map[byte]int{}
	for b := range 256 {
		secret, err := newSecret(bytes.NewReader(bytes.Repeat([]byte{byte(b)}, secretChars)))
		if err == nil {
			count[secret[len(secretPrefix)]]++
		}
	}
	for _, c := range []byte(base62) {
		if count[c] != 4 {
			t.Errorf("character %q comes of %d bytes, want 4 of 256", c, count[c])
		}
	}
}

func TestNewSecretNeedsRandomBytes(t *testing.T) {
	broken := errors.New("broken")
	if _, err := newSecret(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("newSecret = %v, want the reader's error", err)
	}
}

func TestWellFormed(t *testing.T) {
	good := "tm_" + strings.Repeat("aZ09", 10)
	for secret, want := range map[string]bool{
		good: true, "": false, "tm_": false, good[3:]: false, good + "a": false, good[:42]: false,
		"tm_" + strings.Repeat("-", 40): false, "tm_" + strings.Repeat("é", 20): false,
		"tm_" + strings.Repeat("a", 39) + " ": false, "TM_" + good[3:]: false,
	} {
		if got := wellFormed(secret); got != want {
			t.Errorf("wellFormed(%q) = %v", secret, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`tm_[0-9A-Za-z]{40}`).Draw(t, "secret")
		if !wellFormed(secret) {
			t.Fatalf("wellFormed(%q) = false", secret)
		}
	})
}

func TestHashSecret(t *testing.T) {
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, appendix B.1
	if got := hashSecret("abc"); got != want {
		t.Errorf("hashSecret = %s, want %s", got, want)
	}
}
