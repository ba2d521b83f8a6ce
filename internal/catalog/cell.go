package catalog

import "strings"

// The parsers of this package read one cell each. They share these rules:
// blanks around the cell do not count, a blank cell is no value and no problem,
// and a cell with a problem of severity Error has the value "". A good value is
// returned as a part of the cell wherever its canonical form allows, so that
// nothing is allocated for it.

// Unguard removes what spreadsheets put around digits to keep them text: a
// leading apostrophe, or the formula ="...". The second result says whether
// there was a guard. The cell must be trimmed.
func Unguard(cell string) (string, bool) {
	if strings.HasPrefix(cell, "'") {
		return cell[1:], true
	}
	if len(cell) > 2 && strings.HasPrefix(cell, `="`) && strings.HasSuffix(cell, `"`) {
		return strings.ReplaceAll(cell[2:len(cell)-1], `""`, `"`), true
	}
	return cell, false
}

// bare returns the cell without blanks around it and without a text guard,
// whose removal is a warning.
func bare(cell string, ps []Problem) (string, []Problem) {
	s := strings.TrimSpace(cell)
	text, guarded := Unguard(s)
	if !guarded {
		return s, ps
	}
	text = strings.TrimSpace(text)
	return text, repair(ps, CodeTextGuardRemoved, s, text, "The spreadsheet's text guard was removed")
}

// refuse appends an error about the cell.
func refuse(ps []Problem, code Code, cell, message string) []Problem {
	return append(ps, Problem{Code: code, Severity: Error, Value: Shorten(strings.TrimSpace(cell)), Message: message})
}

// warn appends a warning about the cell.
func warn(ps []Problem, code Code, cell, message string) []Problem {
	return append(ps, Problem{Code: code, Severity: Warning, Value: Shorten(strings.TrimSpace(cell)), Message: message})
}

// repair appends a warning that shows a value before and after.
func repair(ps []Problem, code Code, before, after, what string) []Problem {
	return warn(ps, code, before, what+": "+Shorten(before)+" became "+Shorten(after)+".")
}

// refuseDamaged appends the error about a number of which a spreadsheet has
// kept only the leading digits; the others are lost, so nothing can repair it.
func refuseDamaged(ps []Problem, cell string) []Problem {
	return refuse(ps, CodeExcelDamagedNumber, cell,
		"A spreadsheet has shortened this number; format the column as text and enter the number again.")
}

// isScientific reports whether s is a number with an exponent, as spreadsheets
// write long ones: 3.65275E+11, 3,65E+11, 1e5.
func isScientific(s string) bool {
	mantissa, exponent, ok := cutExponent(strings.TrimLeft(s, "+-"))
	if !ok || !isDigits(strings.TrimLeft(exponent, "+-")) || len(exponent) > 4 {
		return false
	}
	whole, fraction, signed := cutDecimal(mantissa)
	return isDigits(whole) && (!signed || isDigits(fraction))
}

func cutExponent(s string) (mantissa, exponent string, ok bool) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func cutDecimal(s string) (whole, fraction string, ok bool) {
	i := strings.IndexAny(s, ".,")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isDigits reports whether s is one or more ASCII digits.
func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}
