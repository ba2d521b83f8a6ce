package catalog

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Type is the type of a property's values.
type Type uint8

const (
	Text      Type = 1  // any Unicode text
	RichText  Type = 2  // text with markup, kept as it is
	Integer   Type = 3  // whole number, canonical digits
	Decimal   Type = 4  // exact decimal, no exponent, no trailing zeros
	Money     Type = 5  // exact decimal and ISO 4217 code: "29.90 EUR"
	Boolean   Type = 6  // true, false
	Date      Type = 7  // ISO 8601 date: 2026-03-15
	Timestamp Type = 8  // RFC 3339 in UTC: 2026-03-15T09:00:00Z
	Enum      Type = 9  // one of the property's Options
	Reference Type = 10 // id or sku of an item of kind Property.Refers
	Image     Type = 11 // URL of an image
	GTINText  Type = 12 // a trade item number, kept as given and matched as 14 digits
)

var typeNames = [...]string{"", "text", "rich_text", "integer", "decimal", "money", "boolean", "date", "timestamp", "enum", "reference", "image", "gtin"}

// String returns the type's name.
func (t Type) String() string { return typeNames[t] }

// Value is one value of a property in canonical form: two values that mean the
// same have the same bytes. The zero Value is no value.
type Value struct {
	Type Type
	// IsList tells an empty list from a single value.
	IsList bool
	// Text is the canonical form of a single value: the text itself, the digits
	// of a number, "true", an ISO date, "29.90 EUR". A Money without a space
	// carries an amount alone, whose currency Decide supplies.
	Text string
	// List holds the elements of a list property; then Text is empty.
	List []string
}

// AppendJSON appends the value as canonical JSON: numbers and booleans bare,
// everything else a string, lists as arrays without blanks.
func (v Value) AppendJSON(b []byte) []byte {
	if !v.IsList {
		return appendScalar(b, v.Type, v.Text)
	}
	b = append(b, '[')
	for i, e := range v.List {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendScalar(b, v.Type, e)
	}
	return append(b, ']')
}

func appendScalar(b []byte, t Type, s string) []byte {
	switch t {
	case Integer, Decimal, Boolean:
		return append(b, s...)
	}
	return AppendQuoted(b, s)
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a canonical JSON string: only what RFC 8259 says
// must be escaped is escaped, and bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if i += plainBytes(s[i:]); i == len(s) {
			break
		}
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// plainBytes is how many bytes at the beginning of s, of those it looks at eight at
// a time, are ASCII that needs no escape.
func plainBytes(s string) (n int) {
	const (
		low  = 0x0101010101010101
		high = 0x8080808080808080
	)
	for ; n+8 <= len(s); n += 8 {
		x := eightBytes(s[n:])
		// The high bit of a byte that is below 0x20, a quote, a backslash or not
		// ASCII. Behind the first one others may be marked too.
		quote, slash := x^low*'"', x^low*'\\'
		if marked := (x | (x - low*0x20) | (quote - low) | (slash - low)) & high; marked != 0 {
			return n + bits.TrailingZeros64(marked)/8
		}
	}
	return n
}

// eightBytes is the beginning of s as a little-endian number; the compiler makes
// it one load.
func eightBytes(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// Unquote returns the text of a canonical JSON string token, or the token
// itself when it is a bare number, boolean or array.
func Unquote(token string) string {
	if len(token) < 2 || token[0] != '"' {
		return token
	}
	body := token[1 : len(token)-1]
	for i := 0; i < len(body); i++ {
		if body[i] == '\\' {
			return unescape(body, i)
		}
	}
	return body
}

func unescape(s string, from int) string {
	b := make([]byte, 0, len(s))
	b = append(b, s[:from]...)
	for i := from; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			if i+4 < len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
					b = utf8.AppendRune(b, rune(n))
				}
				i += 4
			}
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// Elements returns the elements of a canonical JSON array token as text; a
// single value is one element, an absent one none.
func Elements(token string) []string {
	if token == "" || token == "null" {
		return nil
	}
	if token[0] != '[' {
		return []string{Unquote(token)}
	}
	var out []string
	for i := 1; i < len(token)-1; {
		end := tokenEnd(token, i)
		out = append(out, Unquote(token[i:end]))
		i = end + 1
	}
	return out
}
