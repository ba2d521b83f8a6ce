package catalog

import (
	"testing"

	"pgregory.net/rapid"
)

func TestISBN(t *testing.T) {
	for isbn10, isbn13 := range map[string]string{
		"0306406152": "9780306406157",
		"080442957X": "9780804429573",
	} {
		if got, ok := ISBN13(isbn10); !ok || got != isbn13 {
			t.Errorf("ISBN13(%s) = %s %v, want %s", isbn10, got, ok, isbn13)
		}
		if got, ok := ISBN10(isbn13); !ok || got != isbn10 {
			t.Errorf("ISBN10(%s) = %s %v, want %s", isbn13, got, ok, isbn10)
		}
	}
	for _, wrong := range []string{"", "0306406153", "080442957x", "08044295X7", "X306406152", "030640615", "03064061522"} {
		if got, ok := ISBN13(wrong); ok || got != "" {
			t.Errorf("ISBN13(%s) = %s, want none", wrong, got)
		}
	}
	for _, wrong := range []string{"", "9780306406158", "9791034304745", "6291041500213", "978030640615X"} {
		if got, ok := ISBN10(wrong); ok || got != "" {
			t.Errorf("ISBN10(%s) = %s, want none", wrong, got)
		}
	}
}

func TestISBNRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[0-9]{9}`).Draw(t, "body")
		isbn10 := body + string(rune(ISBN10CheckDigit(body)))
		isbn13, ok := ISBN13(isbn10)
		if !ok || !checkDigitHolds(isbn13) {
			t.Fatalf("%s has no ISBN-13 (%s)", isbn10, isbn13)
		}
		if back, _ := ISBN10(isbn13); back != isbn10 {
			t.Fatalf("%s became %s, and that %s", isbn10, isbn13, back)
		}
	})
}

// Any single wrong digit must be found, which is what the check is for.
func TestISBN10FindsAWrongDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[0-9]{9}`).Draw(t, "body")
		isbn := []byte(body + string(rune(ISBN10CheckDigit(body))))
		at := rapid.IntRange(0, 8).Draw(t, "at")
		isbn[at] = '0' + (isbn[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if IsISBN10(string(isbn)) {
			t.Fatalf("%s passes", isbn)
		}
	})
}
