package account

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// A secret is secretPrefix and secretChars characters of base62. The prefix
// lets people and leak scanners tell what a stray string is.
const (
	secretPrefix = "tm_"
	secretChars  = 40 // 238 bits
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// newSecret makes a secret.
func newSecret(random io.Reader) (string, error) {
	return randomText(random, secretPrefix, secretChars)
}

// randomText makes a text of a prefix and n random characters, each as likely as
// any other.
func randomText(random io.Reader, prefix string, n int) (string, error) {
	// Bytes from here on would make the first characters likelier.
	const bound = 256 / len(base62) * len(base62)
	text := append(make([]byte, 0, len(prefix)+n), prefix...)
	buf := make([]byte, n)
	for len(text) < len(prefix)+n {
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", fmt.Errorf("read random bytes: %w", err)
		}
		for _, b := range buf {
			if int(b) < bound && len(text) < len(prefix)+n {
				text = append(text, base62[int(b)%len(base62)])
			}
		}
	}
	return string(text), nil
}

// wellFormed reports whether a string could be a secret, which spares the
// database what cannot.
func wellFormed(secret string) bool {
	chars, ok := strings.CutPrefix(secret, secretPrefix)
	return ok && len(chars) == secretChars && strings.Trim(chars, base62) == ""
}

// hashSecret returns what is stored of a secret: its SHA-256 in hex. A slow,
// salted hash protects passwords that can be guessed; a secret of 238 random
// bits cannot, so a plain hash is as safe and can be looked up by an index.
func hashSecret(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}
