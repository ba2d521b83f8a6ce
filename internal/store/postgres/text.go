package postgres

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// free is text that may hold anything. PostgreSQL takes neither NUL nor bytes
// that are not UTF-8, so these stand in the database as escapeMark and a rune that
// says which byte it was; so does the mark itself. All other text, which is nearly
// all there is, stands there as it is.
type free string

const escapeMark = "\x01"

// escape returns text as it stands in the database. Different texts stay
// different.
func escape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r <= 1:
			b.WriteString(escapeMark)
			b.WriteRune(r + 1)
		case r == utf8.RuneError && n == 1:
			b.WriteString(escapeMark)
			b.WriteRune(rune(s[0]))
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// plain reports whether text needs no escape.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= 1 {
			return false
		}
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && strings.IndexByte(s[i:], 0) < 0 && strings.IndexByte(s[i:], 1) < 0
		}
	}
	return true
}

// unescape is escape's inverse.
func unescape(s string) string {
	at := strings.Index(s, escapeMark)
	if at < 0 {
		return s
	}
	var b strings.Builder
	for at >= 0 && at+1 < len(s) {
		b.WriteString(s[:at])
		r, n := utf8.DecodeRuneInString(s[at+1:])
		if r <= 2 {
			r--
		}
		b.WriteByte(byte(r))
		s = s[at+1+n:]
		at = strings.Index(s, escapeMark)
	}
	b.WriteString(s)
	return b.String()
}

// TextValue and ScanText are how pgx writes and reads it.

func (f free) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: escape(string(f)), Valid: true}, nil
}

func (f *free) ScanText(v pgtype.Text) error {
	if !v.Valid {
		return fmt.Errorf("cannot read NULL as text")
	}
	*f = free(unescape(v.String))
	return nil
}
