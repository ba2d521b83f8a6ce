package catalog

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCurrencyDigits(t *testing.T) {
	byDigits := map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		2: "EUR USD GBP CHF SEK NOK DKK PLN BGN ZWG XCG",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	}
	for digits, codes := range byDigits {
		for code := range strings.FieldsSeq(codes) {
			if got, ok := CurrencyDigits(code); !ok || got != digits {
				t.Errorf("%s: got %d %v, want %d", code, got, ok, digits)
			}
		}
	}
	for _, code := range []string{"HRK", "SLL", "DEM", "XAU", "XXX", "eur", "", "EURO", "€"} {
		if _, ok := CurrencyDigits(code); ok {
			t.Errorf("%q is taken for a currency", code)
		}
	}
}

// The list is as long as its sources say: 165 codes of CLDR 47, and XCG.
func TestCurrencyCount(t *testing.T) {
	count := 0
	for n := range 26 * 26 * 26 {
		code := string([]byte{'A' + byte(n/676), 'A' + byte(n/26%26), 'A' + byte(n%26)})
		if _, ok := CurrencyDigits(code); ok {
			count++
		}
	}
	if count != 166 {
		t.Errorf("got %d currencies, want 166", count)
	}
}

func TestParseCurrency(t *testing.T) {
	testCells(t, ParseCurrency, []cellCase{
		good("EUR", "EUR"), good(" eur ", "EUR"), good("Usd", "USD"), good("€", "EUR"), good("£", "GBP"), good("zł", "PLN"), good("US$", "USD"),
		bad("HRK", CodeUnknownCurrency), bad("$", CodeUnknownCurrency), bad("kr", CodeUnknownCurrency), bad("Euro", CodeUnknownCurrency), bad("12", CodeUnknownCurrency),
	})
}

// Every symbol that has a code has that of a currency.
func TestCurrencySymbols(t *testing.T) {
	for _, symbol := range strings.Fields("€ £ US$ CA$ A$ NZ$ HK$ NT$ S$ MX$ R$ CN¥ 元 JP¥ 円 zł Kč Ft лв ₽ ₴ ₺ ₹ ₩ ₪ ₫ ₱ ₦ ₸ ฿") {
		code, ok := readCurrency(symbol)
		if _, active := CurrencyDigits(code); !ok || !active {
			t.Errorf("%s means %q, which is no currency", symbol, code)
		}
	}
	for _, symbol := range strings.Fields("$ ¥ kr kr. Fr. R Rs. lei") {
		if code, ok := readCurrency(symbol); !ok || code != "" {
			t.Errorf("%s means %q, but several countries use it", symbol, code)
		}
	}
}

func TestFormatMoney(t *testing.T) {
	for _, c := range []struct {
		amount, currency, want string
		code                   Code
	}{
		{"29.9", "EUR", "29.90 EUR", ""},
		{"29.90", "EUR", "29.90 EUR", ""},
		{"29", "EUR", "29.00 EUR", ""},
		{"0", "USD", "0.00 USD", ""},
		{"-5.5", "USD", "-5.50 USD", ""},
		{"29.9000", "EUR", "29.90 EUR", ""},
		{"1200", "JPY", "1200 JPY", ""},
		{"1200.000", "JPY", "1200 JPY", ""},
		{"1.234", "KWD", "1.234 KWD", ""},
		{"1.2", "CLF", "1.2000 CLF", ""},
		{"29.999", "EUR", "", CodePricePrecision},
		{"1200.5", "JPY", "", CodePricePrecision},
		{"1.2345", "KWD", "", CodePricePrecision},
		{"1", "HRK", "", CodeUnknownCurrency},
		{"1", "eur", "", CodeUnknownCurrency},
	} {
		got, p := FormatMoney(c.amount, c.currency)
		code := Code("")
		if p != nil {
			code = p.Code
			checkProblems(t, c.amount, got, []Problem{*p})
		}
		if got != c.want || code != c.code {
			t.Errorf("%s %s: got %q %s, want %q %s", c.amount, c.currency, got, code, c.want, c.code)
		}
	}
}

// What FormatMoney writes, ParseAmount reads back as the same amount and
// currency, and FormatMoney writes that the same way.
func TestMoneyRoundTrip(t *testing.T) {
	currencies := []string{"EUR", "JPY", "KWD", "CLF"}
	rapid.Check(t, func(t *rapid.T) {
		amount := drawCanonical(t, 4)
		currency := rapid.SampledFrom(currencies).Draw(t, "currency")
		text, p := FormatMoney(amount, currency)
		if p != nil {
			return
		}
		readAmount, readCurrency, ps := ParseAmount(text, DecimalPoint, nil)
		if readAmount != amount || readCurrency != currency || HasErrors(ps) {
			t.Fatalf("%s: read back as %s %s %v", text, readAmount, readCurrency, codesOf(ps))
		}
		if again, _ := FormatMoney(readAmount, readCurrency); again != text {
			t.Fatalf("%s became %s", text, again)
		}
	})
}

func BenchmarkFormatMoney(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		FormatMoney("29.9", "EUR")
	}
}

func TestSymbolFits(t *testing.T) {
	for _, c := range []struct {
		cell, code string
		want       bool
	}{
		{"1.50", "EUR", true}, {"€1.50", "EUR", true}, {"1.50 USD", "EUR", true}, {"", "EUR", true}, {"free", "EUR", true},
		{"$1.50", "USD", true}, {"$1.50", "CAD", true}, {"$1.50", "EUR", false}, {"1,50 $", "EUR", false}, {"-$1.50", "EUR", false},
		{"$ +1.50", "EUR", false}, {"'$1.50", "EUR", false}, {"¥100", "JPY", true}, {"¥100", "CNY", true}, {"¥100", "USD", false},
		{"kr.100", "SEK", true}, {"100 kr", "EUR", false}, {"Fr. 5", "CHF", true}, {"Fr. 5", "EUR", false}, {"5 lei", "RON", true}, {"Rs.5", "USD", false},
	} {
		if got := SymbolFits(c.cell, c.code); got != c.want {
			t.Errorf("%q in %s: got %v, want %v", c.cell, c.code, got, c.want)
		}
	}
}

// The currencies of a shared symbol are currencies.
func TestSharedSymbols(t *testing.T) {
	for _, symbol := range []string{"$", "¥", "kr", "Fr", "R", "Rs", "lei", "руб"} {
		codes := strings.Fields(sharedBy(symbol))
		if len(codes) < 2 {
			t.Errorf("%s is shared by %v", symbol, codes)
		}
		for _, code := range codes {
			if _, ok := CurrencyDigits(code); !ok {
				t.Errorf("%s: %s is no currency", symbol, code)
			}
		}
	}
}
