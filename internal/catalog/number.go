package catalog

import "strings"

// DecimalStyle says which sign separates the decimals of a column's numbers.
type DecimalStyle uint8

const (
	// DecimalAuto tells by each cell. What it cannot tell is one point or comma
	// with exactly three digits after it: such a cell is an error.
	DecimalAuto DecimalStyle = 0
	// DecimalPoint and DecimalComma are the sign; the other one groups
	// thousands. Formats with numbers of their own (JSON, number cells of
	// spreadsheets) are always DecimalPoint.
	DecimalPoint DecimalStyle = 1
	DecimalComma DecimalStyle = 2
	// DecimalAutoPoint and DecimalAutoComma tell by each cell, and read the
	// cells that do not tell as the other cells of their column are written.
	DecimalAutoPoint DecimalStyle = 3
	DecimalAutoComma DecimalStyle = 4
)

var decimalStyleNames = [...]string{"auto", "point", "comma", "auto-point", "auto-comma"}

// String returns the style's name.
func (s DecimalStyle) String() string { return decimalStyleNames[s] }

// ParseDecimalStyle returns the style named s, and whether there is one; "" is
// auto.
func ParseDecimalStyle(s string) (DecimalStyle, bool) {
	for i, n := range decimalStyleNames {
		if n == s {
			return DecimalStyle(i), true
		}
	}
	return DecimalAuto, s == ""
}

// The most digits that a number may have; leading zeros, and zeros at the end
// of the decimals, do not count. Amazon's prices set the first.
const (
	maxWholeDigits    = 18
	maxFractionDigits = 6
)

// ParseDecimal reads a number as people of any country write it and returns its
// canonical form: digits with a minus in front where it is negative and a point
// before the decimals, without exponent, leading zeros or trailing zeros. Comma,
// point, apostrophe and blanks group digits, in threes. Source of the rules:
// contract sources.md section 3.
func ParseDecimal(cell string, style DecimalStyle, ps []Problem) (string, []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", ps
	}
	n, fault := readSigned(text, style)
	if fault != numberOK {
		return "", refuseNumber(ps, CodeInvalidDecimal, CodeNumberAmbiguous, fault, cell)
	}
	return n, ps
}

// ParseInteger reads a whole number, written as ParseDecimal allows, and returns
// its canonical digits; it fits an int64. Decimals that are all zeros, as in
// 12.0 or 12,00, are no loss and no problem.
func ParseInteger(cell string, style DecimalStyle, ps []Problem) (string, []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", ps
	}
	n, fault := readSigned(text, style)
	if fault != numberOK {
		return "", refuseNumber(ps, CodeInvalidInteger, CodeNumberAmbiguous, fault, cell)
	}
	if strings.IndexByte(n, '.') >= 0 {
		return "", refuse(ps, CodeInvalidInteger, cell, "The number has decimals; write a whole number.")
	}
	return n, ps
}

// refuseNumber words what is wrong with a number.
func refuseNumber(ps []Problem, invalid, ambiguous Code, fault numberFault, cell string) []Problem {
	switch fault {
	case numberDamaged:
		return refuseDamaged(ps, cell)
	case numberAmbiguous:
		return refuse(ps, ambiguous, cell,
			"The sign before the last three digits may separate decimals or thousands; set the source's decimal sign to point or comma.")
	case numberTooLong:
		return refuse(ps, invalid, cell, "The number has more than 18 digits before the decimal sign or more than 6 after it; shorten it.")
	}
	return refuse(ps, invalid, cell,
		"This is not a number in the form that the source reads; write digits with at most one decimal sign, and group them in threes or not at all.")
}

// numberFault says what is wrong with a number.
type numberFault uint8

const (
	numberOK        numberFault = iota
	numberMalformed             // no number, or not grouped in threes
	numberAmbiguous             // one sign, three digits after it
	numberTooLong               // more digits than are allowed
	numberDamaged               // an exponent
)

// readSigned reads a number with a sign in front, or without.
func readSigned(s string, style DecimalStyle) (string, numberFault) {
	body, negative := cutSign(s)
	n, fault := readUnsigned(body, style)
	if fault != numberOK || !negative || n == "0" {
		return n, fault
	}
	if s[0] == '-' && s[1:] == n {
		return s, numberOK
	}
	return "-" + n, numberOK
}

// cutSign removes one sign from the front. U+2212 is the minus of typesetters.
func cutSign(s string) (rest string, negative bool) {
	if rest, ok := strings.CutPrefix(s, "+"); ok {
		return rest, false
	}
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return rest, true
	}
	if rest, ok := strings.CutPrefix(s, "\u2212"); ok {
		return rest, true
	}
	return s, false
}

// readUnsigned reads a number without a sign into its canonical form.
func readUnsigned(s string, style DecimalStyle) (string, numberFault) {
	n, fault := layOut(s, style)
	if fault == numberMalformed && isScientific(s) {
		return "", numberDamaged
	}
	if fault != numberOK {
		return "", fault
	}
	return n.canonical()
}

// numeral is a written number taken apart: digits with their group separators,
// the decimal sign, the decimals.
type numeral struct {
	text string
	// sign is the index of the decimal sign, or len(text) without one.
	sign int
	// group is the separator between groups, 0 without groups.
	group rune
}

func (n numeral) whole() string { return n.text[:n.sign] }

func (n numeral) fraction() string {
	if n.sign == len(n.text) {
		return ""
	}
	return n.text[n.sign+1:]
}

// layOut takes a number without a sign apart and checks its form.
func layOut(s string, style DecimalStyle) (numeral, numberFault) {
	sign, fault := decimalSign(s, style)
	if fault != numberOK {
		return numeral{}, fault
	}
	n := numeral{text: s, sign: sign}
	fraction := n.fraction()
	if fraction != "" && !isDigits(fraction) {
		return n, numberMalformed
	}
	whole := n.whole()
	if whole == "" && fraction == "" {
		return n, numberMalformed
	}
	if whole == "" || isDigits(whole) {
		return n, numberOK
	}
	var ok bool
	if n.group, ok = groupsOfThree(whole); !ok {
		return n, numberMalformed
	}
	return n, numberOK
}

// decimalSign finds the decimal sign in a number; the index is len(s) when it
// has none.
func decimalSign(s string, style DecimalStyle) (int, numberFault) {
	points, commas := strings.Count(s, "."), strings.Count(s, ",")
	if points+commas == 0 {
		return len(s), numberOK
	}
	switch style {
	case DecimalPoint:
		return onlySign(s, '.', points)
	case DecimalComma:
		return onlySign(s, ',', commas)
	}
	last := strings.LastIndexAny(s, ".,")
	switch {
	case points > 0 && commas > 0:
		count := points
		if s[last] == ',' {
			count = commas
		}
		return onlySign(s, s[last], count)
	case points+commas > 1:
		return len(s), numberOK
	case isGroupLike(s[:last], s[last+1:]):
		return undecidedSign(s, last, style)
	}
	return last, numberOK
}

// onlySign finds the decimal sign, which may not stand twice.
func onlySign(s string, sign byte, count int) (int, numberFault) {
	switch count {
	case 0:
		return len(s), numberOK
	case 1:
		return strings.IndexByte(s, sign), numberOK
	}
	return 0, numberMalformed
}

// isGroupLike reports whether the sign between whole and rest could as well
// separate thousands. A number that begins with zero has no thousands.
func isGroupLike(whole, rest string) bool {
	return len(rest) == 3 && isDigits(rest) && len(whole) <= 3 && isDigits(whole) && whole[0] != '0'
}

// undecidedSign reads the one sign of a number that does not tell by itself.
func undecidedSign(s string, at int, style DecimalStyle) (int, numberFault) {
	switch style {
	case DecimalAutoPoint:
		if s[at] == '.' {
			return at, numberOK
		}
	case DecimalAutoComma:
		if s[at] == ',' {
			return at, numberOK
		}
	default:
		return 0, numberAmbiguous
	}
	return len(s), numberOK
}

// groupsOfThree checks the digits before the decimal sign: one to three digits
// that do not begin with zero, then groups of three after one and the same
// separator.
func groupsOfThree(s string) (separator rune, ok bool) {
	if s[0] == '0' {
		return 0, false
	}
	run, first := 0, true
	for _, r := range s {
		if '0' <= r && r <= '9' {
			run++
			continue
		}
		if separator == 0 {
			separator = r
		}
		if r != separator || !isGroupSeparator(r) || run == 0 || run > 3 || !first && run != 3 {
			return 0, false
		}
		run, first = 0, false
	}
	return separator, run == 3
}

// isGroupSeparator knows what groups digits: comma, point, apostrophes, and
// blanks of every width.
func isGroupSeparator(r rune) bool {
	switch r {
	case ',', '.', '\'', '\u2019', ' ', '\u00a0', '\u2009', '\u202f':
		return true
	}
	return false
}

// canonical returns the canonical form, as part of the text where possible.
func (n numeral) canonical() (string, numberFault) {
	fraction := strings.TrimRight(n.fraction(), "0")
	if len(fraction) > maxFractionDigits {
		return "", numberTooLong
	}
	if n.group != 0 {
		return n.ungrouped(fraction)
	}
	whole := strings.TrimLeft(n.whole(), "0")
	if len(whole) > maxWholeDigits {
		return "", numberTooLong
	}
	start := n.sign - len(whole)
	if whole == "" {
		if n.sign == 0 {
			return join("0", fraction), numberOK
		}
		start--
	}
	switch {
	case fraction == "":
		return n.text[start:n.sign], numberOK
	case n.text[n.sign] == '.':
		return n.text[start : n.sign+1+len(fraction)], numberOK
	}
	return join(n.text[start:n.sign], fraction), numberOK
}

func join(whole, fraction string) string {
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// ungrouped returns the canonical form of a number whose digits stand in groups.
func (n numeral) ungrouped(fraction string) (string, numberFault) {
	var buf [maxWholeDigits + 1 + maxFractionDigits]byte
	b := buf[:0]
	for _, c := range []byte(n.whole()) {
		if c-'0' > 9 {
			continue
		}
		if len(b) == maxWholeDigits {
			return "", numberTooLong
		}
		b = append(b, c)
	}
	if fraction != "" {
		b = append(b, '.')
		b = append(b, fraction...)
	}
	return string(b), numberOK
}

// DecimalEvidence gathers, from some cells of a column, which decimal sign the
// column is written with. The zero DecimalEvidence has seen no cell.
type DecimalEvidence struct {
	point, comma bool
}

// Add looks at one cell; cells that are no numbers, or do not tell, count for
// nothing.
func (e *DecimalEvidence) Add(cell string) {
	text, _ := Unguard(strings.TrimSpace(cell))
	_, number, _ := cutNumber(text)
	n, fault := layOut(number, DecimalAuto)
	if fault != numberOK {
		return
	}
	sign := n.group
	if n.fraction() != "" {
		sign = rune(n.text[n.sign])
	}
	switch {
	case sign == '.' && n.fraction() != "" || sign == ',' && n.fraction() == "":
		e.point = true
	case sign == ',' || sign == '.':
		e.comma = true
	}
}

// Style returns how to read the column: DecimalAutoPoint or DecimalAutoComma
// when all the evidence agrees, DecimalAuto when there is none or it does not.
func (e *DecimalEvidence) Style() DecimalStyle {
	switch {
	case e.point && !e.comma:
		return DecimalAutoPoint
	case e.comma && !e.point:
		return DecimalAutoComma
	}
	return DecimalAuto
}
