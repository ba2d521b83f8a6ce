package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		cell, amount, currency string
		codes                  []Code
	}{
		{"29.99", "29.99", "", nil},
		{"29.90", "29.9", "", nil},
		{"15.00 USD", "15", "USD", nil},
		{"9.99USD", "9.99", "USD", nil},
		{"eur 12,50", "12.5", "EUR", nil},
		{"$1,999.00", "1999", "", nil},
		{"$12.99 USD", "12.99", "USD", nil},
		{"US$ 12.99", "12.99", "USD", nil},
		{"US $12.99", "12.99", "USD", nil},
		{"1.234,50 €", "1234.5", "EUR", nil},
		{"€1.234,50", "1234.5", "EUR", nil},
		{"1\u202f234,50\u00a0€", "1234.5", "EUR", nil},
		{"CHF 1'234.50", "1234.5", "CHF", nil},
		{"£.99", "0.99", "GBP", nil},
		{"kr 1 299,00", "1299", "", nil},
		{"kr.100", "100", "", nil},
		{"Rs.500.50", "500.5", "", nil},
		{"¥1200", "1200", "", nil},
		{"1200円", "1200", "JPY", nil},
		{"19,99 zł", "19.99", "PLN", nil},
		{"€ 12 EUR", "12", "EUR", nil},
		{"+5", "5", "", nil},
		{"€ +5", "5", "EUR", nil},
		{"123456789012345678.12", "123456789012345678.12", "", nil},

		{"0", "0", "", []Code{CodePriceZero}},
		{"0.00 EUR", "0", "EUR", []Code{CodePriceZero}},
		{"-0.00", "0", "", []Code{CodePriceZero}},
		{"'12.50", "12.5", "", []Code{CodeTextGuardRemoved}},
		{`="12.50"`, "12.5", "", []Code{CodeTextGuardRemoved}},

		{"-5", "", "", []Code{CodePriceNegative}},
		{"-€5", "", "", []Code{CodePriceNegative}},
		{"€-5", "", "", []Code{CodePriceNegative}},
		{"€ \u22125.00", "", "", []Code{CodePriceNegative}},
		{"- 5 EUR", "", "", []Code{CodePriceNegative}},

		{"1.234", "", "", []Code{CodePriceAmbiguous}},
		{"1,234 EUR", "", "", []Code{CodePriceAmbiguous}},
		{"1E+3", "", "", []Code{CodeExcelDamagedNumber}},
		{"2.5E+03 EUR", "", "", []Code{CodeExcelDamagedNumber}},
		{"12 HRK", "", "", []Code{CodeUnknownCurrency}},
		{"12 pcs", "", "", []Code{CodeUnknownCurrency}},
		{"€12 USD", "", "", []Code{CodeCurrencyMismatch}},

		{"abc", "", "", []Code{CodeInvalidPrice}},
		{"EUR", "", "", []Code{CodeInvalidPrice}},
		{"--", "", "", []Code{CodeInvalidPrice}},
		{"-", "", "", []Code{CodeInvalidPrice}},
		{"12,9x", "", "", []Code{CodeInvalidPrice}},
		{"1.2.3", "", "", []Code{CodeInvalidPrice}},
		{"(12.50)", "", "", []Code{CodeInvalidPrice}},
		{"--5", "", "", []Code{CodeInvalidPrice}},
		{"-€-5", "", "", []Code{CodeInvalidPrice}},
		{"5-", "", "", []Code{CodeInvalidPrice}},
		{"12,-", "", "", []Code{CodeInvalidPrice}},
		{"10-20", "", "", []Code{CodeInvalidPrice}},
		{"10 / 20", "", "", []Code{CodeInvalidPrice}},
		{"12 per box", "", "", []Code{CodeInvalidPrice}},
		{"EUR 34375;US-USD 34375", "", "", []Code{CodeInvalidPrice}},
		{"1234567890123456789", "", "", []Code{CodeInvalidPrice}},
		{"0.1234567", "", "", []Code{CodeInvalidPrice}},
	} {
		amount, currency, ps := ParseAmount(c.cell, DecimalAuto, nil)
		if amount != c.amount || currency != c.currency || !slices.Equal(codesOf(ps), c.codes) {
			t.Errorf("%q: got %q %q %v, want %q %q %v", c.cell, amount, currency, codesOf(ps), c.amount, c.currency, c.codes)
		}
		checkProblems(t, c.cell, amount, ps)
	}
}

func TestParseAmountInAStyle(t *testing.T) {
	for cell, want := range map[string][2]string{
		"1.234":     {"1.234", "1234"},
		"1,234 EUR": {"1234", "1.234"},
		"12,50":     {"", "12.5"},
		"12.50":     {"12.5", ""},
	} {
		for i, style := range []DecimalStyle{DecimalPoint, DecimalComma} {
			if got, _, _ := ParseAmount(cell, style, nil); got != want[i] {
				t.Errorf("%q with %v: got %q, want %q", cell, style, got, want[i])
			}
		}
	}
}

func FuzzAmount(f *testing.F) {
	for _, seed := range []string{"29.90 EUR", "€ 1.234,50", "$12.99 USD", "-€5", "kr.100", "(5)", "1E+3", "£.99", "\u2212", "12 HRK"} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(2))
	}
	f.Fuzz(func(t *testing.T, cell string, s uint8) {
		amount, currency, ps := ParseAmount(cell, DecimalStyle(s%5), nil)
		checkProblems(t, cell, amount, ps)
		if amount == "" {
			if currency != "" {
				t.Fatalf("%q: no amount, but %s", cell, currency)
			}
			return
		}
		if !canonicalNumber.MatchString(amount) || amount[0] == '-' {
			t.Fatalf("%q: %q is not a canonical price", cell, amount)
		}
		if _, ok := CurrencyDigits(currency); currency != "" && !ok {
			t.Fatalf("%q: %q is no currency", cell, currency)
		}
		again, _, _ := ParseAmount(strings.TrimSpace(amount+" "+currency), DecimalPoint, nil)
		if again != amount {
			t.Fatalf("%q: %s %s is read back as %q", cell, amount, currency, again)
		}
	})
}

func BenchmarkParseAmount(b *testing.B) {
	for _, cell := range []string{"29.90", "29.90 EUR", "€ 1.234,50"} {
		b.Run(cell, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseAmount(cell, DecimalAuto, nil)
			}
		})
	}
}
