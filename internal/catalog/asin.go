package catalog

import "strings"

const asinLength = 10

// ParseASIN reads an Amazon Standard Identification Number: B and nine letters
// or digits, or the ISBN-10 of a book. Lower case is raised, and the ASIN is
// taken out of a product page's address. Whether it exists cannot be known
// here. Source of the rules: contract sources.md 2.1.
func ParseASIN(cell string, ps []Problem) (string, []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", ps
	}
	asin, ok := asinOfAddress(text)
	if !ok {
		return "", refuse(ps, CodeInvalidASIN, cell, "The address holds no ASIN; give the 10 characters after /dp/.")
	}
	if !hasASINForm(asin) {
		if isScientific(asin) {
			return "", refuseDamaged(ps, cell)
		}
		return "", refuse(ps, CodeInvalidASIN, cell, "An ASIN is B and nine letters or digits, or the ten digits of a book's ISBN-10.")
	}
	asin = strings.ToUpper(asin)
	if asin[0] != 'B' && !IsISBN10(asin) {
		return "", refuse(ps, CodeInvalidASIN, cell,
			"The ASIN of a book is its ISBN-10, and the check digit is wrong (expected "+string(rune(ISBN10CheckDigit(asin[:9])))+").")
	}
	return asin, ps
}

// asinOfAddress returns the characters of a product page's address that are
// its ASIN, or s itself when it is no address.
func asinOfAddress(s string) (string, bool) {
	if strings.IndexByte(s, '/') < 0 {
		return s, true
	}
	for _, mark := range [...]string{"/dp/", "/gp/product/"} {
		_, rest, found := strings.Cut(s, mark)
		if !found || len(rest) < asinLength {
			continue
		}
		if len(rest) == asinLength || strings.IndexByte("/?#&", rest[asinLength]) >= 0 {
			return rest[:asinLength], true
		}
	}
	return "", false
}

// hasASINForm reports whether s has the form of an ASIN, in either case.
func hasASINForm(s string) bool {
	if len(s) != asinLength {
		return false
	}
	if s[0] != 'B' && s[0] != 'b' {
		return isDigits(s[:9]) && (isDigits(s[9:]) || s[9] == 'X' || s[9] == 'x')
	}
	for i := 1; i < len(s); i++ {
		if c := s[i] | 0x20; s[i]-'0' > 9 && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
