package rest

import (
	"strconv"
	"strings"
)

// maxExponent bounds how far a number's point is moved: ten bytes could stand for
// gigabytes of digits.
const maxExponent = 40

// tooFar ends the sentence that says so.
const tooFar = " has an exponent beyond 40; write the number out in digits."

// plainNumber writes a JSON number out in plain digits, all of those that it is
// given with. ok is false where its exponent is out of bounds.
func plainNumber(number string) (plain string, ok bool) {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return number, true
	}
	shift, err := strconv.Atoi(number[i+1:])
	if err != nil || shift < -maxExponent || shift > maxExponent {
		return "", false
	}
	mantissa, negative := strings.CutPrefix(number[:i], "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	plain = movePoint(whole+fraction, len(whole)+shift)
	if negative {
		plain = "-" + plain
	}
	return plain, true
}

// movePoint puts the decimal point of digits behind the first n of them, which may
// be more than there are, or fewer than none.
func movePoint(digits string, n int) string {
	if n < 1 {
		digits, n = strings.Repeat("0", 1-n)+digits, 1
	}
	if n > len(digits) {
		digits += strings.Repeat("0", n-len(digits))
	}
	whole, fraction := strings.TrimLeft(digits[:n], "0"), digits[n:]
	if whole == "" {
		whole = "0"
	}
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
