package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseAmount reads a price: a number as ParseDecimal reads it, with a sign, a
// currency code or a symbol before or after it, such as "€ 1.234,50", "-5.00"
// or "$12.99 USD". amount is the canonical number; currency is the code, or ""
// when the cell has none or a symbol of several currencies ($, ¥, kr).
// A negative price is an error, a price of zero a warning.
func ParseAmount(cell string, style DecimalStyle, ps []Problem) (amount, currency string, _ []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", "", ps
	}
	before, number, after := cutNumber(text)
	before, negative, ok := cutMinus(before)
	if !ok || number == "" {
		return "", "", refuseNumber(ps, CodeInvalidPrice, CodePriceAmbiguous, numberMalformed, cell)
	}
	currency, fault := currencyAround(before, strings.TrimSpace(after))
	if fault != "" {
		return "", "", refuseCurrency(ps, fault, cell)
	}
	amount, numeric := readUnsigned(number, style)
	if numeric != numberOK {
		return "", "", refuseNumber(ps, CodeInvalidPrice, CodePriceAmbiguous, numeric, cell)
	}
	switch {
	case amount == "0":
		ps = warn(ps, CodePriceZero, cell, "The price is zero; check that this is meant.")
	case negative:
		return "", "", refuse(ps, CodePriceNegative, cell, "A price cannot be negative; write zero or more.")
	}
	return amount, currency, ps
}

// cutNumber cuts a price into the number and what stands around it. A decimal
// sign at the number's edge belongs to it (.99), unless a letter before it
// shows that it ends an abbreviation (kr.100).
func cutNumber(s string) (before, number, after string) {
	if isDigit(s, 0) && isDigit(s, len(s)-1) {
		return "", s, ""
	}
	first, last := 0, len(s)
	for first < last && !isDigit(s, first) {
		first++
	}
	if first == last {
		return s, "", ""
	}
	for !isDigit(s, last-1) {
		last--
	}
	if first > 0 && isDecimalSign(s[first-1]) {
		if r, _ := utf8.DecodeLastRuneInString(s[:first-1]); !unicode.IsLetter(r) {
			first--
		}
	}
	if last < len(s) && isDecimalSign(s[last]) {
		last++
	}
	return s[:first], s[first:last], s[last:]
}

func isDigit(s string, i int) bool { return i >= 0 && i < len(s) && s[i]-'0' <= 9 }

func isDecimalSign(c byte) bool { return c == '.' || c == ',' }

// cutMinus takes a sign off the text before a price, where it stands before or
// after the currency. ok is false when there are two.
func cutMinus(before string) (rest string, negative, ok bool) {
	before = strings.TrimSpace(before)
	if before == "" {
		return "", false, true
	}
	rest, negative = cutSign(before)
	signed := len(rest) != len(before)
	for _, sign := range [...]string{"-", "\u2212", "+"} {
		if trimmed, found := strings.CutSuffix(rest, sign); found {
			if signed {
				return "", false, false
			}
			return strings.TrimSpace(trimmed), sign != "+", true
		}
	}
	return strings.TrimSpace(rest), negative, true
}

// currencyAround returns the currency that the words before and after a price
// name; fault is the code of what is wrong with them. A symbol beside a code,
// as in "$12.99 USD", leaves the say to the code.
func currencyAround(before, after string) (code string, fault Code) {
	first, fault := currencyWord(before)
	if fault != "" {
		return "", fault
	}
	second, fault := currencyWord(after)
	switch {
	case fault != "":
		return "", fault
	case first == "" || first == second:
		return second, ""
	case second == "":
		return first, ""
	}
	return "", CodeCurrencyMismatch
}

func currencyWord(word string) (code string, fault Code) {
	if word == "" {
		return "", ""
	}
	code, ok := readCurrency(word)
	switch {
	case ok:
		return code, ""
	case isCurrencyForm(word):
		return "", CodeUnknownCurrency
	}
	return "", CodeInvalidPrice
}

func refuseCurrency(ps []Problem, fault Code, cell string) []Problem {
	switch fault {
	case CodeUnknownCurrency:
		return refuse(ps, fault, cell, "The letters beside the price are no currency code of ISO 4217; write one such as EUR or USD.")
	case CodeCurrencyMismatch:
		return refuse(ps, fault, cell, "The price names two currencies; leave one.")
	}
	return refuse(ps, fault, cell, "This is not a price; write a number, with a currency beside it or none.")
}
