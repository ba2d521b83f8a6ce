package catalog

// isbnPrefix goes before the nine digits of an ISBN-10 to make an ISBN-13.
// Books numbered under the other prefix, 979, have no ISBN-10.
const isbnPrefix = "978"

// ISBN10CheckDigit returns the check character, '0' to '9' or 'X', that belongs
// after the nine digits of an ISBN-10: weights 10 to 2, modulo 11 (ISO 2108).
func ISBN10CheckDigit(body string) byte {
	sum := 0
	for i := 0; i < len(body); i++ {
		sum += int(body[i]-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	if check == 10 {
		return 'X'
	}
	return '0' + byte(check)
}

// IsISBN10 reports whether s is an ISBN-10 without separators: nine digits and
// the check character that belongs to them, X in upper case.
func IsISBN10(s string) bool {
	return len(s) == 10 && isDigits(s[:9]) && s[9] == ISBN10CheckDigit(s[:9])
}

// ISBN13 returns the ISBN-13 of an ISBN-10 without separators. It is false for
// what is not a valid ISBN-10.
func ISBN13(isbn10 string) (string, bool) {
	if !IsISBN10(isbn10) {
		return "", false
	}
	body := isbnPrefix + isbn10[:9]
	return body + string(rune(CheckDigit(body))), true
}

// ISBN10 returns the ISBN-10 of an ISBN-13 without separators. It is false for
// what is not a valid ISBN-13, and for those under 979, which have none.
func ISBN10(isbn13 string) (string, bool) {
	if len(isbn13) != 13 || !isDigits(isbn13) || isbn13[:3] != isbnPrefix || !checkDigitHolds(isbn13) {
		return "", false
	}
	body := isbn13[3:12]
	return body + string(rune(ISBN10CheckDigit(body))), true
}
