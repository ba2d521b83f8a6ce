package catalog

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultSKULength is the most characters a SKU has where a source sets no
// bound of its own.
const DefaultSKULength = 255

// ParseSKU reads a stock keeping unit: any text without control characters, of
// at most longest characters (DefaultSKULength when that is 0). Case counts. A SKU
// that a spreadsheet has taken for a number and shortened, 3.65275E+11, is an
// error; 1E5, which nobody's spreadsheet writes, is a SKU.
func ParseSKU(cell string, longest int, ps []Problem) (string, []Problem) {
	if longest <= 0 {
		longest = DefaultSKULength
	}
	sku, ps := bare(cell, ps)
	switch {
	case sku == "":
		return "", ps
	case hasControl(sku):
		return "", refuse(ps, CodeInvalidSKU, cell, "The SKU holds a line break or another control character; remove it.")
	case len(sku) > longest && utf8.RuneCountInString(sku) > longest:
		return "", refuse(ps, CodeTooLong, cell,
			"The SKU has "+strconv.Itoa(utf8.RuneCountInString(sku))+" characters; at most "+strconv.Itoa(longest)+" are allowed.")
	case len(sku) > MaxKeyBytes:
		return "", append(ps, *tooManyBytes(cell, MaxKeyBytes))
	case isShortenedNumber(sku):
		return "", refuseDamaged(ps, cell)
	}
	return sku, ps
}

// isShortenedNumber reports whether s is what a spreadsheet shows for a number
// too long for its column: one digit before the decimal sign, an exponent with
// its sign.
func isShortenedNumber(s string) bool {
	return len(s) > 4 && s[0]-'0' <= 9 && s[1]-'0' > 9 && strings.IndexByte(s, '+') > 1 && isScientific(s)
}

// hasControl reports whether s holds a control character or bytes that are not
// UTF-8.
func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
		if s[i] >= utf8.RuneSelf {
			return !utf8.ValidString(s[i:]) || strings.IndexFunc(s[i:], unicode.IsControl) >= 0
		}
	}
	return false
}
