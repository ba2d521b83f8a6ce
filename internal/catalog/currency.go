package catalog

import (
	"strconv"
	"strings"
)

// CurrencyDigits returns the number of decimals of a currency, and whether code
// is a currency: an active code of ISO 4217, in upper case. The codes are
// those in use in CLDR 47, and XCG, which took the place of ANG in 2025. Codes
// of metals and for tests are no currencies.
func CurrencyDigits(code string) (int, bool) {
	switch code {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF",
		"UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0, true
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3, true
	case "CLF", "UYW":
		return 4, true
	case "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN",
		"BAM", "BBD", "BDT", "BGN", "BMD", "BND", "BOB", "BOV", "BRL", "BSD",
		"BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CNY",
		"COP", "COU", "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP",
		"ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
		"GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR",
		"JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR",
		"LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
		"MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO",
		"NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR",
		"RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP",
		"SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS",
		"TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "USN", "UYU",
		"UZS", "VED", "VES", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG":
		return 2, true
	}
	return 0, false
}

// ParseCurrency reads a currency: its ISO 4217 code in any case, or a symbol
// that means one currency alone, such as €. It returns the code in upper case.
func ParseCurrency(cell string, ps []Problem) (string, []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", ps
	}
	if code, _ := readCurrency(text); code != "" {
		return code, ps
	}
	return "", refuse(ps, CodeUnknownCurrency, cell, "This is no currency code of ISO 4217; write one such as EUR or USD.")
}

// readCurrency returns the code that a code or symbol means. ok is false when
// it means no currency; a symbol of several currencies, such as $, is known but
// has no code.
func readCurrency(word string) (code string, ok bool) {
	if isCurrencyForm(word) {
		code = strings.ToUpper(word)
		if _, ok := CurrencyDigits(code); ok {
			return code, true
		}
	}
	return currencyOfSymbol(word)
}

// isCurrencyForm reports whether s is three ASCII letters.
func isCurrencyForm(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range 3 {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// currencyOfSymbol knows the symbols that people write beside prices. Those
// that CLDR uses for one currency wherever the reader is have its code; those
// that several countries use have none.
func currencyOfSymbol(symbol string) (code string, ok bool) {
	if sharedBy(symbol) != "" {
		return "", true
	}
	switch symbol {
	case "€":
		return "EUR", true
	case "£":
		return "GBP", true
	case "US$", "US $", "$US":
		return "USD", true
	case "CA$", "CAD$":
		return "CAD", true
	case "A$", "AU$", "AU $":
		return "AUD", true
	case "NZ$":
		return "NZD", true
	case "HK$":
		return "HKD", true
	case "NT$":
		return "TWD", true
	case "S$", "SG$":
		return "SGD", true
	case "MX$":
		return "MXN", true
	case "R$":
		return "BRL", true
	case "CN¥", "元":
		return "CNY", true
	case "JP¥", "円":
		return "JPY", true
	case "zł":
		return "PLN", true
	case "Kč":
		return "CZK", true
	case "Ft":
		return "HUF", true
	case "лв", "лв.":
		return "BGN", true
	case "₽":
		return "RUB", true
	case "₴":
		return "UAH", true
	case "₺":
		return "TRY", true
	case "₹":
		return "INR", true
	case "₩":
		return "KRW", true
	case "₪":
		return "ILS", true
	case "₫":
		return "VND", true
	case "₱":
		return "PHP", true
	case "₦":
		return "NGN", true
	case "₸":
		return "KZT", true
	case "฿":
		return "THB", true
	}
	return "", false
}

// sharedBy lists the currencies that are written with a symbol which does not
// mean one alone, "" for any other text.
func sharedBy(symbol string) string {
	switch symbol {
	case "$":
		return "ARS AUD BBD BMD BND BOB BRL BSD BZD CAD CLP COP CUP CVE DOP FJD GYD HKD JMD KYD LRD MOP MXN NAD NIO NZD SBD SGD SRD TOP TTD TWD USD USN UYU WST XCD"
	case "¥", "￥":
		return "CNY JPY"
	case "kr", "kr.", "Kr", "Kr.":
		return "DKK ISK NOK SEK"
	case "Fr", "Fr.", "fr.":
		return "BIF CDF CHE CHF CHW DJF GNF KMF RWF XAF XOF XPF"
	case "R":
		return "BRL ZAR"
	case "Rs", "Rs.":
		return "INR LKR MUR NPR PKR SCR"
	case "lei":
		return "MDL RON"
	case "руб", "руб.":
		return "BYN RUB"
	}
	return ""
}

// SymbolFits reports whether a price that ParseAmount read may be in a currency.
// It may not where the cell has a symbol of several currencies, such as $ or
// kr, and code is none of them.
func SymbolFits(cell, code string) bool {
	text, _ := bare(cell, nil)
	before, _, after := cutNumber(text)
	before, _, _ = cutMinus(before)
	for _, symbol := range [...]string{before, strings.TrimSpace(after)} {
		if codes := sharedBy(symbol); codes != "" && !strings.Contains(codes, code) {
			return false
		}
	}
	return true
}

// FormatMoney joins a canonical amount, as ParseAmount returns it, and the code
// of a currency to the canonical form of money: "29.90 EUR", with as many
// decimals as the currency has. An amount with more decimals than that is a
// problem, as is a code that is no currency; nothing is ever rounded.
func FormatMoney(amount, currency string) (string, *Problem) {
	digits, ok := CurrencyDigits(currency)
	if !ok {
		return "", &Problem{Code: CodeUnknownCurrency, Severity: Error, Value: Shorten(currency),
			Message: "This is no currency code of ISO 4217; write one such as EUR or USD."}
	}
	whole, fraction, _ := strings.Cut(amount, ".")
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > digits {
		return "", &Problem{Code: CodePricePrecision, Severity: Error, Value: Shorten(amount),
			Message: "The amount " + Shorten(amount) + " has more than the " + strconv.Itoa(digits) + " decimals of " + currency + "; round it in the file."}
	}
	if digits == 0 {
		return whole + " " + currency, nil
	}
	return whole + "." + fraction + "0000"[:digits-len(fraction)] + " " + currency, nil
}
