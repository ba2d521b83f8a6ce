package tabular

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// charset is how the bytes of a decoder's text stand for characters. All of
// them have ASCII in common, so records are cut before anything is decoded.
type charset uint8

const (
	utf8Text charset = iota
	windows1252Text
)

// charsetOf returns the charset that a layout's records are in.
func charsetOf(layout *Layout) (charset, error) {
	switch {
	case layout.Spooled || layout.Encoding == UTF8 || layout.Encoding == "":
		return utf8Text, nil
	case layout.Encoding == Windows1252:
		return windows1252Text, nil
	}
	return 0, fmt.Errorf("text in %s must be read from a spool", layout.Encoding)
}

// inspect looks at a window once, so that its records need not be looked at one
// by one: suspect says that it may hold bytes that are no text, decodes that it
// holds cells to be turned into UTF-8. Unless the window is the file's last, its
// last character may be cut.
func (c charset) inspect(window string, last bool) (suspect, decodes bool) {
	if c == windows1252Text {
		decodes = !isASCII(window)
	} else if !last {
		window = withoutCutRune(window)
	}
	return !c.valid(window), decodes
}

// valid reports whether s is text: in its encoding, and without NUL.
func (c charset) valid(s string) bool {
	if strings.IndexByte(s, 0) >= 0 {
		return false
	}
	if c == windows1252Text {
		return isASCII(s) || firstUndefined1252(s) < 0
	}
	return utf8.ValidString(s)
}

// invalidAt returns the index of the first byte of s that is no text, or -1.
func (c charset) invalidAt(s string) int {
	nul := strings.IndexByte(s, 0)
	if nul >= 0 {
		s = s[:nul]
	}
	bad := -1
	switch {
	case c == windows1252Text:
		bad = firstUndefined1252(s)
	case !utf8.ValidString(s):
		bad = firstInvalidUTF8(s)
	}
	if bad < 0 {
		return nul
	}
	return bad
}

func firstUndefined1252(s string) int {
	for i := 0; i < len(s); i++ {
		if undefined1252(s[i]) {
			return i
		}
	}
	return -1
}

func firstInvalidUTF8(s string) int {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
			return i
		}
	}
	return -1
}

// undefined1252 reports whether windows-1252 leaves a byte without a character.
func undefined1252(b byte) bool {
	switch b {
	case 0x81, 0x8D, 0x8F, 0x90, 0x9D:
		return true
	}
	return false
}

func isASCII(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		if eightBytes(s)&highBits != 0 {
			return false
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// withoutCutRune drops up to three bytes at the end of s that begin a rune
// which s does not hold whole.
func withoutCutRune(s string) string {
	for i := len(s) - 1; i >= 0 && i >= len(s)-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			return s
		}
	}
	return s
}

// decode turns cells into UTF-8. What stands for no character becomes U+FFFD.
func (a *arena) decode(cells []string, from charset) {
	for i, s := range cells {
		cells[i] = a.decodeText(s, from)
	}
}

func (a *arena) decodeText(s string, from charset) string {
	switch {
	case isASCII(s):
		return s
	case from == windows1252Text:
		return a.decode1252(s)
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// decode1252 returns s, which is in windows-1252, as UTF-8.
func (a *arena) decode1252(s string) string {
	a.room(3 * len(s)) // no character of windows-1252 takes more in UTF-8
	start := a.b.Len()
	for i := 0; i < len(s); i++ {
		r := charmap.Windows1252.DecodeByte(s[i])
		if undefined1252(s[i]) {
			r = utf8.RuneError
		}
		a.b.WriteRune(r)
	}
	return a.b.String()[start:]
}
