package catalog

import "testing"

func TestParseASIN(t *testing.T) {
	testCells(t, ParseASIN, []cellCase{
		good("B0031066V8", "B0031066V8"),
		good(" b0031066v8 ", "B0031066V8"),
		good("BT00LLINKI", "BT00LLINKI"),
		good("0306406152", "0306406152"),
		good("080442957x", "080442957X"),
		good("https://www.amazon.com/dp/B0041IZHVO", "B0041IZHVO"),
		good("https://www.amazon.com/Some-Book/dp/0306406152/ref=sr_1_1?x=1", "0306406152"),
		good("amazon.de/gp/product/B004ADOCTI?th=1", "B004ADOCTI"),
		{"'0306406152", "0306406152", []Code{CodeTextGuardRemoved}},
		bad("B0031066V", CodeInvalidASIN),
		bad("B0031066V88", CodeInvalidASIN),
		bad("B003-066V8", CodeInvalidASIN),
		bad("A003106V81", CodeInvalidASIN),
		bad("0306406153", CodeInvalidASIN),
		bad("0804429570", CodeInvalidASIN),
		bad("X804429570", CodeInvalidASIN),
		bad("B00ı066V8", CodeInvalidASIN),
		bad("undefined", CodeInvalidASIN),
		bad("https://www.amazon.com/dp/B0041", CodeInvalidASIN),
		bad("https://www.amazon.com/dp/B0041IZHVO9", CodeInvalidASIN),
		bad("https://www.amazon.com/s?k=seed", CodeInvalidASIN),
		bad("https://www.amazon.com/dp/B00/1IZHVO", CodeInvalidASIN),
		bad("3.06406E+08", CodeExcelDamagedNumber),
	})
	_, ps := ParseASIN("0306406153", nil)
	if want := "The ASIN of a book is its ISBN-10, and the check digit is wrong (expected 2)."; ps[0].Message != want {
		t.Errorf("got %q, want %q", ps[0].Message, want)
	}
}
