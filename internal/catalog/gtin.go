package catalog

import "strings"

// GTINHint is what a column's name says about its eight-digit numbers, which
// by themselves may be EAN-8 or UPC-E: about one in nine passes both checks.
type GTINHint uint8

const (
	GTINAny   GTINHint = 0 // nothing: EAN-8 when its check holds, else UPC-E
	GTINIsEAN GTINHint = 1 // always EAN-8
	GTINIsUPC GTINHint = 2 // UPC-E, unless the first digit rules that out
)

// GTINHintFor returns the hint that a column's name gives. What counts is its
// words: "EAN", "ean-13" and "Variant EAN" speak of EAN, "UPC code" and "P:UPC"
// of UPC; "GTIN", "barcode" and "UPC/EAN" say nothing.
func GTINHintFor(column string) GTINHint {
	var ean, upc bool
	for word := range strings.FieldsFuncSeq(strings.ToLower(column), isNotAlphanumeric) {
		switch word {
		case "ean", "ean8", "ean13", "jan":
			ean = true
		case "upc", "upca", "upce", "upccode":
			upc = true
		}
	}
	switch {
	case ean && !upc:
		return GTINIsEAN
	case upc && !ean:
		return GTINIsUPC
	}
	return GTINAny
}

func isNotAlphanumeric(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9')
}

// GTINCheck says what a wrong check digit is (contract sources.md 2.6).
type GTINCheck uint8

const (
	GTINStrict GTINCheck = 0 // an error on a new item, a warning on one that is there
	GTINWarn   GTINCheck = 1 // a warning
	GTINOff    GTINCheck = 2 // nothing
)

var gtinCheckNames = [...]string{"strict", "warn", "off"}

// String returns the check's name.
func (c GTINCheck) String() string { return gtinCheckNames[c] }

// ParseGTINCheck returns the check named s, and whether there is one; "" is
// strict.
func ParseGTINCheck(s string) (GTINCheck, bool) {
	for i, n := range gtinCheckNames {
		if n == s {
			return GTINCheck(i), true
		}
	}
	return GTINStrict, s == ""
}

// gtinKeyLength is the number of digits that trade item numbers are matched by.
const gtinKeyLength = 14

// ParseGTIN reads a trade item number: GTIN-8, -12, -13 or -14, UPC-E, ISBN-10
// or ISBN-13. given is the number as the document keeps it, with 8, 12, 13 or
// 14 digits; key is what it is matched by, 14 digits, always GTINKey(given).
//
// given is the number as the file has it, but for what would be ambiguous in a
// document, which has no column name to tell by: eight digits there are always
// GTIN-8, so a UPC-E is kept as the UPC-A of 12 digits that it stands for, and
// an ISBN-10 as its ISBN-13. Both are other spellings of the same number, so
// neither is a repair. Repairs (a text guard, blanks and hyphens, a lost zero)
// are warnings; digits that a spreadsheet lost are an error. A number of zeros
// alone is a placeholder and refused.
//
// A wrong check digit does not empty given and key: under GTINStrict it stops
// only a new item.
func ParseGTIN(cell string, hint GTINHint, check GTINCheck, ps []Problem) (given, key string, _ []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", "", ps
	}
	number := text
	if !isDigits(text) {
		if isDamagedGTIN(text) {
			return "", "", refuseDamaged(ps, cell)
		}
		number = joinDigits(text)
	}
	given, ambiguity := readGTIN(number, hint)
	if strings.Trim(given, "0") == "" {
		return "", "", refuse(ps, CodeInvalidGTIN, cell, "Invalid EAN format.")
	}
	if len(number) != len(text) {
		ps = repair(ps, CodeSeparatorsRemoved, text, given, "Blanks and hyphens were removed")
	}
	if len(number) == 11 {
		ps = repair(ps, CodeGTINLeadingZeroRestored, number, given, "The leading zero was restored")
	}
	if ambiguity != "" {
		ps = warn(ps, CodeGTINAmbiguousLength, cell, ambiguity)
	}
	ps = verifyGTIN(given, check, cell, ps)
	key = GTINKey(given)
	if isRestrictedGTIN(key) {
		ps = warn(ps, CodeGTINRestrictedPrefix, cell,
			"The number begins with a prefix for use inside a company, for coupons or for refunds; use the product's own number where it has one.")
	}
	return given, key, ps
}

// readGTIN returns the form of a number that the document keeps, or "" when it
// cannot be a trade item number. ambiguity says, where there is one, how else
// the number could have been read.
func readGTIN(number string, hint GTINHint) (given, ambiguity string) {
	if len(number) == 10 {
		return readISBN10(number)
	}
	if !isDigits(number) {
		return "", ""
	}
	switch len(number) {
	case 8:
		return readEightDigits(number, hint)
	case 11:
		if upc := "0" + number; checkDigitHolds(upc) {
			return upc, ""
		}
	case 12, 13, 14:
		return number, ""
	}
	return "", ""
}

// readISBN10 reads ten characters, which are an ISBN-10 or nothing. Ten digits
// may also be a UPC-A that lost two zeros; that is too little to go by.
func readISBN10(number string) (given, ambiguity string) {
	isbn, ok := ISBN13(number)
	if !ok {
		return "", ""
	}
	if upc := "00" + number; isDigits(upc) && checkDigitHolds(upc) {
		return isbn, "The number is read as the ISBN-10 of " + isbn + ", but with two zeros in front it would be the UPC " + upc + "; write all digits to decide."
	}
	return isbn, ""
}

// readEightDigits tells EAN-8 and UPC-E apart (contract sources.md 2.3).
func readEightDigits(number string, hint GTINHint) (given, ambiguity string) {
	upc, possible := expandUPCE(number)
	if !possible || hint == GTINIsEAN {
		return number, ""
	}
	if hint == GTINIsUPC {
		return string(upc[:]), ""
	}
	isEAN, isUPC := checkDigitHolds(number), checkDigitHolds(string(upc[:]))
	switch {
	case isEAN && isUPC:
		return number, "The number is read as an EAN-8, but it is also the UPC-E of " + string(upc[:]) + "; name the column EAN or UPC to decide."
	case isUPC:
		return string(upc[:]), ""
	}
	return number, ""
}

// expandUPCE returns the UPC-A that eight digits stand for as UPC-E, check
// digit included, and whether they can be one: the first must be 0 or 1.
func expandUPCE(s string) (upc [12]byte, ok bool) {
	if s[0] > '1' {
		return upc, false
	}
	copy(upc[:], "000000000000")
	switch s[6] {
	case '0', '1', '2':
		copy(upc[:], s[:3])
		upc[3] = s[6]
		copy(upc[8:], s[3:6])
	case '3':
		copy(upc[:], s[:4])
		copy(upc[9:], s[4:6])
	case '4':
		copy(upc[:], s[:5])
		upc[10] = s[5]
	default:
		copy(upc[:], s[:6])
		upc[10] = s[6]
	}
	upc[11] = s[7]
	return upc, true
}

func verifyGTIN(given string, check GTINCheck, cell string, ps []Problem) []Problem {
	last := len(given) - 1
	expected := CheckDigit(given[:last])
	if check == GTINOff || given[last] == expected {
		return ps
	}
	severity := ErrorOnCreate
	if check == GTINWarn {
		severity = Warning
	}
	return append(ps, Problem{Code: CodeGTINCheckDigit, Severity: severity, Value: Shorten(strings.TrimSpace(cell)),
		Message: "Invalid EAN check digit (expected " + string(rune(expected)) + ")."})
}

// GTINKey returns the 14 digits by which a number that a document holds is
// matched. Text that is not a trade item number is its own key.
func GTINKey(given string) string {
	if len(given) >= gtinKeyLength || !isDigits(given) {
		return given
	}
	return "00000000000000"[:gtinKeyLength-len(given)] + given
}

// CheckDigit returns the check digit, '0' to '9', that belongs after the digits
// of a GTIN of any length or of an ISBN-13: modulo 10 with weights 3, 1, 3, 1
// from the right.
func CheckDigit(body string) byte {
	sum, weight := 0, 3
	for i := len(body) - 1; i >= 0; i-- {
		sum += int(body[i]-'0') * weight
		weight = 4 - weight
	}
	return '0' + byte((10-sum%10)%10)
}

func checkDigitHolds(number string) bool {
	last := len(number) - 1
	return number[last] == CheckDigit(number[:last])
}

// isRestrictedGTIN reports whether the number behind a key lies in a range that
// GS1 keeps for use inside companies, coupons and refund receipts. GTIN-8 has
// prefixes of its own, of which those beginning with 0 and 2 are restricted.
func isRestrictedGTIN(key string) bool {
	if strings.HasPrefix(key, "000000") {
		return key[6] == '0' || key[6] == '2'
	}
	// The indicator digit of a GTIN-14 is no part of the prefix.
	switch prefix := key[1:4]; {
	case prefix[0] == '2':
		return true
	case prefix[0] == '0':
		return prefix[1] == '2' || prefix[1] == '4' || prefix[1] == '5'
	case prefix[:2] == "98":
		return prefix[2] <= '4'
	default:
		return prefix[:2] == "99"
	}
}

// isDamagedGTIN reports whether s is a number as a spreadsheet's number cell
// shows it: with an exponent, or with a fraction of zeros.
func isDamagedGTIN(s string) bool {
	whole, fraction, ok := cutDecimal(s)
	return ok && isDigits(whole) && strings.Trim(fraction, "0") == "" || isScientific(s)
}

// joinDigits returns the digits of s without the blanks and hyphens between
// them, and with an X at the end in upper case. It is "" when s holds anything
// else; a hyphen at either end is not between digits.
func joinDigits(s string) string {
	var buf [20]byte
	b := buf[:0]
	separated := true
	for _, r := range s {
		switch {
		case len(b) == cap(buf):
			return ""
		case '0' <= r && r <= '9', r == 'X', r == 'x':
			b = append(b, byte(r))
			separated = false
		case len(b) > 0 && isGTINSeparator(r):
			separated = true
		default:
			return ""
		}
	}
	if separated {
		return ""
	}
	last := len(b) - 1
	if b[last] == 'x' {
		b[last] = 'X'
	}
	return string(b)
}

// isGTINSeparator knows blanks, hyphens and dashes, and the invisible marks
// that come along when a number is copied from a page.
func isGTINSeparator(r rune) bool {
	switch r {
	case ' ', '\t', '-', '\u00a0', '\u00ad', '\u2007', '\u2009', '\u200b', '\u200e', '\u200f', '\u202f', '\u2212', '\ufeff':
		return true
	}
	return '\u2010' <= r && r <= '\u2015'
}
