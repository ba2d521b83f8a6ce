package importer

import (
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// A file of rows that comes back from a spreadsheet has cells that nobody
// corrected and that are written otherwise all the same: numbers without their
// zeros, long ones rounded, booleans in capitals, other line ends. Such cells are
// no corrections.

// likeness says how a cell that came back compares with what was sent out.
type likeness uint8

const (
	differs likeness = iota
	same             // it is the same text, or the same value
	rounded          // it is the same number with fewer digits: the spreadsheet cannot hold more
)

// compareCells compares a cell that came back, its guard removed, with the cell
// as it stands.
func compareCells(back, stands string) likeness {
	back, stands = bareText(back), bareText(writable(stands))
	if back == stands || sameBoolean(back, stands) || sameDate(back, stands) {
		return same
	}
	x, ok := parsePlainNumber(back)
	if !ok {
		return differs
	}
	y, ok := parsePlainNumber(stands)
	switch {
	case !ok || x.negative != y.negative || x.point != 0 && y.point != 0 && x.point != y.point:
		return differs
	case x.digits == y.digits && x.exponent == y.exponent && x.zeros <= y.zeros:
		// A spreadsheet takes zeros from the front and never puts any there.
		return same
	case x.roundedFrom(&y):
		return rounded
	}
	return differs
}

// compareWrong is compareCells for a cell that is wrong: there a number that is
// written otherwise may be the correction. What a spreadsheet does to a boolean, a
// date or a long number whether or not anybody touches it still is none.
func compareWrong(back, stands string) likeness {
	back, stands = bareText(back), bareText(writable(stands))
	switch {
	case back == stands || sameBoolean(back, stands) || sameDate(back, stands):
		return same
	case compareCells(back, stands) == rounded:
		return rounded
	}
	return differs
}

// compareTexts is compareCells for a cell in which every sign counts: one that a
// spreadsheet has damaged already, or by which a row is identified and cannot be.
func compareTexts(back, stands string) likeness {
	if bareText(back) == bareText(writable(stands)) {
		return same
	}
	return differs
}

// inWindows1252 is a text as it comes back from a program that saved it so: with a
// question mark for every character that is not to be had there.
func inWindows1252(text string) string {
	return strings.Map(func(r rune) rune {
		if _, ok := charmap.Windows1252.EncodeRune(r); !ok {
			return '?'
		}
		return r
	}, text)
}

// bareText is a cell without the blanks round it and with one kind of line end.
func bareText(cell string) string {
	cell = strings.TrimSpace(cell)
	if strings.IndexByte(cell, '\r') < 0 {
		return cell
	}
	return strings.ReplaceAll(strings.ReplaceAll(cell, "\r\n", "\n"), "\r", "\n")
}

func sameBoolean(a, b string) bool {
	return strings.EqualFold(a, b) && (strings.EqualFold(a, "true") || strings.EqualFold(a, "false"))
}

// plainNumber is a number as it is written: 0.digits times ten to the exponent.
type plainNumber struct {
	negative bool
	digits   string // without zeros at either end; "" for zero
	exponent int
	// written is how many digits were written from the first that is not 0 on,
	// zeros how many were before the number that need not be there.
	written, zeros int
	scientific     bool
	point          byte // '.' or ',' before the fraction, 0 without one
}

// parsePlainNumber reads a number without groups, with one point or comma at most,
// and perhaps an exponent of ten.
func parsePlainNumber(s string) (n plainNumber, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.negative = s[0] == '-'
		s = s[1:]
	}
	mantissa := s
	power := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if power, err = strconv.Atoi(s[i+1:]); err != nil || len(s)-i > 6 {
			return n, false
		}
		mantissa, n.scientific = s[:i], true
	}
	whole, fraction := mantissa, ""
	if i := strings.IndexAny(mantissa, ".,"); i >= 0 {
		whole, fraction, n.point = mantissa[:i], mantissa[i+1:], mantissa[i]
	}
	if whole+fraction == "" || !allDigits(whole+fraction) {
		return n, false
	}
	significant := strings.TrimLeft(whole, "0")
	n.zeros = max(min(len(whole)-len(significant), len(whole)-1), 0)
	n.exponent = len(significant) + power
	all := significant + fraction
	front := len(all) - len(strings.TrimLeft(all, "0"))
	n.exponent -= front
	n.written = len(all) - front
	n.digits = strings.Trim(all, "0")
	if n.digits == "" {
		n.negative, n.exponent = false, 0
	}
	return n, true
}

// The digits that spreadsheets keep of a number: 15 by their own word, up to 17 as
// some write what they hold.
const (
	leastKept = 15
	mostKept  = 17
)

// roundedFrom reports whether n is what a spreadsheet makes of a number with more
// digits.
func (n *plainNumber) roundedFrom(of *plainNumber) bool {
	if n.digits == "" || len(n.digits) >= len(of.digits) {
		return false
	}
	for kept := leastKept; kept <= mostKept; kept++ {
		if n.is(of.round(kept)) {
			return true
		}
	}
	return n.scientific && (n.is(of.round(n.written)) || n.is(of.round(len(n.digits))))
}

func (n *plainNumber) is(digits string, exponent int) bool {
	return n.digits == digits && n.exponent == exponent
}

// round returns the digits and the exponent of the number with at most that many
// digits.
func (n *plainNumber) round(most int) (digits string, exponent int) {
	if len(n.digits) <= most {
		return n.digits, n.exponent
	}
	kept := []byte(n.digits[:most])
	if n.digits[most] < '5' {
		return strings.TrimRight(string(kept), "0"), n.exponent
	}
	for i := most - 1; i >= 0; i-- {
		if kept[i]++; kept[i] <= '9' {
			return string(kept[:i+1]), n.exponent
		}
	}
	return "1", n.exponent + 1
}

// ungrouped reports whether a number that was written in groups of three came back
// without them. That may be a spreadsheet's doing, or that of a person who wants to
// say which of the two signs is the decimal one.
func ungrouped(back, stands string) bool {
	back, stands = bareText(back), bareText(stands)
	digits := strings.TrimLeft(stands, "+-")
	sign := stands[:len(stands)-len(digits)]
	at := strings.IndexAny(digits, ",.' ")
	if at < 1 || at > 3 || len(sign) > 1 || !allDigits(digits[:at]) {
		return false
	}
	whole, rest := digits[:at], digits[at:]
	for len(rest) >= 4 && rest[0] == digits[at] && allDigits(rest[1:4]) {
		whole, rest = whole+rest[1:4], rest[4:]
	}
	x, ok := parsePlainNumber(back)
	y, plain := parsePlainNumber(sign + whole + rest)
	return ok && plain && len(whole) > at && (rest == "" || rest[0] != digits[at]) &&
		x.negative == y.negative && x.digits == y.digits && x.exponent == y.exponent
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// sameDate reports whether a cell that held a date as 2026-03-15 came back as the
// same day in the order of some country.
func sameDate(back, stands string) bool {
	if len(stands) != len("2026-03-15") || stands[4] != '-' || stands[7] != '-' {
		return false
	}
	year, month, day := stands[:4], stands[5:7], stands[8:]
	if !allDigits(year + month + day) {
		return false
	}
	parts := strings.FieldsFunc(back, func(r rune) bool { return strings.ContainsRune("./- ", r) })
	if len(parts) != 3 || !allDigits(strings.Join(parts, "")) {
		return false
	}
	isYear := func(s string) bool { return s == year || s == year[2:] }
	is := func(s, want string) bool {
		return len(s) <= 2 && strings.TrimLeft(s, "0") == strings.TrimLeft(want, "0")
	}
	return is(parts[0], day) && is(parts[1], month) && isYear(parts[2]) ||
		is(parts[0], month) && is(parts[1], day) && isYear(parts[2]) ||
		isYear(parts[0]) && is(parts[1], month) && is(parts[2], day)
}
