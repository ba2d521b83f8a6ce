package catalog

import (
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckDigit(t *testing.T) {
	for body, want := range map[string]byte{
		"629104150021":  '3',
		"890400021003":  '7',
		"9638507":       '4',
		"01234567890":   '5',
		"19190571649":   '0',
		"978193398866":  '5',
		"123456789012":  '8',
		"376000000000":  '0',
		"978030640615":  '7',
		"0629104150021": '3',
	} {
		if got := CheckDigit(body); got != want {
			t.Errorf("CheckDigit(%s) = %c, want %c", body, got, want)
		}
	}
}

func TestParseGTIN(t *testing.T) {
	for _, c := range []struct {
		cell       string
		hint       GTINHint
		given, key string
		codes      []Code
	}{
		// As given.
		{"6291041500213", GTINAny, "6291041500213", "06291041500213", nil},
		{" 6291041500213 ", GTINIsEAN, "6291041500213", "06291041500213", nil},
		{"96385074", GTINIsEAN, "96385074", "00000096385074", nil},
		{"96385074", GTINIsUPC, "96385074", "00000096385074", nil},
		{"012345678905", GTINAny, "012345678905", "00012345678905", nil},
		{"0012345678905", GTINAny, "0012345678905", "00012345678905", nil},
		{"00012345678905", GTINAny, "00012345678905", "00012345678905", nil},
		{"191905716490", GTINIsUPC, "191905716490", "00191905716490", nil},
		{"9781933988665", GTINAny, "9781933988665", "09781933988665", nil},
		{"16291041500210", GTINAny, "16291041500210", "16291041500210", nil},
		{"", GTINAny, "", "", nil},

		// ISBN.
		{"0306406152", GTINAny, "9780306406157", "09780306406157", nil},
		{"080442957x", GTINIsEAN, "9780804429573", "09780804429573", nil},
		{"0-306-40615-2", GTINAny, "9780306406157", "09780306406157", []Code{CodeSeparatorsRemoved}},
		{"978-0-306-40615-7", GTINAny, "9780306406157", "09780306406157", []Code{CodeSeparatorsRemoved}},
		{"0306406153", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"1234567857", GTINAny, "9781234567859", "09781234567859", []Code{CodeGTINAmbiguousLength}},
		{"0000000019", GTINAny, "9780000000019", "09780000000019", nil},

		// Repairs.
		{"'012345678905", GTINAny, "012345678905", "00012345678905", []Code{CodeTextGuardRemoved}},
		{`="9780306406157"`, GTINAny, "9780306406157", "09780306406157", []Code{CodeTextGuardRemoved}},
		{"6 291041 500213", GTINAny, "6291041500213", "06291041500213", []Code{CodeSeparatorsRemoved}},
		{"6\u00a0291041\u2011500213", GTINAny, "6291041500213", "06291041500213", []Code{CodeSeparatorsRemoved}},
		{"12345678905", GTINAny, "012345678905", "00012345678905", []Code{CodeGTINLeadingZeroRestored}},
		{"'1-23456-78905", GTINIsUPC, "012345678905", "00012345678905",
			[]Code{CodeTextGuardRemoved, CodeSeparatorsRemoved, CodeGTINLeadingZeroRestored}},

		// Lost digits.
		{"3.65275E+11", GTINAny, "", "", []Code{CodeExcelDamagedNumber}},
		{"3,65275E+11", GTINAny, "", "", []Code{CodeExcelDamagedNumber}},
		{"3E+11", GTINAny, "", "", []Code{CodeExcelDamagedNumber}},
		{"365275000000.0", GTINAny, "", "", []Code{CodeExcelDamagedNumber}},
		{"365275000000,00", GTINAny, "", "", []Code{CodeExcelDamagedNumber}},

		// Not in the form.
		{"invalid-ean", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"-6291041500213", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"6291041500213/1", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"6291041500213-", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"12345678906", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"1234567", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"123456789", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"123456789012345", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"12345678901234567890123", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"629104150021X", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"365275000000.5", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"0", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"00000030", GTINIsUPC, "", "", []Code{CodeInvalidGTIN}},
		{"0000000000000", GTINAny, "", "", []Code{CodeInvalidGTIN}},
		{"６２９１０４１５００２１３", GTINAny, "", "", []Code{CodeInvalidGTIN}},

		// Check digits.
		{"1234567890123", GTINAny, "1234567890123", "01234567890123", []Code{CodeGTINCheckDigit}},
		{"3760000000001", GTINIsEAN, "3760000000001", "03760000000001", []Code{CodeGTINCheckDigit}},
		{"96385075", GTINAny, "96385075", "00000096385075", []Code{CodeGTINCheckDigit}},

		// Restricted prefixes.
		{"2000000000008", GTINAny, "2000000000008", "02000000000008", []Code{CodeGTINRestrictedPrefix}},
		{"200000000004", GTINAny, "200000000004", "00200000000004", []Code{CodeGTINRestrictedPrefix}},
		{"0412345678903", GTINAny, "0412345678903", "00412345678903", []Code{CodeGTINRestrictedPrefix}},
		{"9800000000007", GTINAny, "9800000000007", "09800000000007", []Code{CodeGTINRestrictedPrefix}},
		{"9850000000002", GTINAny, "9850000000002", "09850000000002", nil},
		{"9900000000004", GTINAny, "9900000000004", "09900000000004", []Code{CodeGTINRestrictedPrefix}},
		{"9770000000003", GTINAny, "9770000000003", "09770000000003", nil},
		{"20123451", GTINIsEAN, "20123451", "00000020123451", []Code{CodeGTINRestrictedPrefix}},
	} {
		given, key, ps := ParseGTIN(c.cell, c.hint, GTINStrict, nil)
		if given != c.given || key != c.key || !slices.Equal(codesOf(ps), c.codes) {
			t.Errorf("%q: got %q %q %v, want %q %q %v", c.cell, given, key, codesOf(ps), c.given, c.key, c.codes)
		}
		checkProblems(t, c.cell, given, ps)
	}
}

// The four sorts of eight digits that can be UPC-E, by which checks they pass,
// and one that cannot. Codes are those under the hints any, EAN and UPC.
func TestParseGTINOfEightDigits(t *testing.T) {
	wrong := []Code{CodeGTINCheckDigit}
	for _, c := range []struct {
		cell  string
		given [3]string
		codes [3][]Code
	}{
		{"12345601", [3]string{"12345601", "12345601", "123000004561"}, [3][]Code{{CodeGTINAmbiguousLength}, nil, nil}},
		{"12345618", [3]string{"12345618", "12345618", "123100004568"}, [3][]Code{nil, nil, wrong}},
		{"12345610", [3]string{"123100004560", "12345610", "123100004560"}, [3][]Code{nil, wrong, nil}},
		{"12345600", [3]string{"12345600", "12345600", "123000004560"}, [3][]Code{wrong, wrong, wrong}},
		{"96385074", [3]string{"96385074", "96385074", "96385074"}, [3][]Code{}},
		{"96385070", [3]string{"96385070", "96385070", "96385070"}, [3][]Code{wrong, wrong, wrong}},
	} {
		for _, hint := range []GTINHint{GTINAny, GTINIsEAN, GTINIsUPC} {
			given, key, ps := ParseGTIN(c.cell, hint, GTINStrict, nil)
			if given != c.given[hint] || !slices.Equal(codesOf(ps), c.codes[hint]) {
				t.Errorf("%s hint %d: got %q %v, want %q %v", c.cell, hint, given, codesOf(ps), c.given[hint], c.codes[hint])
			}
			if key != GTINKey(given) {
				t.Errorf("%s hint %d: key %q, but %q has the key %q", c.cell, hint, key, given, GTINKey(given))
			}
		}
	}
}

// TestEightDigitNumbers reads every 97th of the numbers that can be both EAN-8
// and UPC-E in a column that does not tell.
func TestEightDigitNumbers(t *testing.T) {
	counts := map[string]int{}
	for n := 97; n < 20_000_000; n += 97 {
		cell := pad(n, 8)
		upc, _ := expandUPCE(cell)
		isEAN, isUPC := checkDigitHolds(cell), checkDigitHolds(string(upc[:]))
		given, key, ps := ParseGTIN(cell, GTINAny, GTINStrict, nil)
		want, reading := cell, "neither"
		switch {
		case isEAN && isUPC:
			reading = "both"
		case isEAN:
			reading = "EAN-8"
		case isUPC:
			want, reading = string(upc[:]), "UPC-E"
		}
		counts[reading]++
		if given != want || key != GTINKey(want) {
			t.Fatalf("%s (%s): got %s, want %s", cell, reading, given, want)
		}
		codes := codesOf(ps)
		if slices.Contains(codes, CodeGTINAmbiguousLength) != (reading == "both") || slices.Contains(codes, CodeGTINCheckDigit) != (reading == "neither") {
			t.Fatalf("%s (%s): got %v", cell, reading, codes)
		}
	}
	if len(counts) != 4 {
		t.Errorf("the numbers tried were not of all four sorts: %v", counts)
	}
}

func pad(n, width int) string {
	digits := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		digits[i] = '0' + byte(n%10)
		n /= 10
	}
	return string(digits)
}

func TestExpandUPCE(t *testing.T) {
	for upce, want := range map[string]string{
		"01234505": "012000003455",
		"01234514": "012100003454",
		"01234523": "012200003453",
		"01234531": "012300000451",
		"01234543": "012340000053",
		"01234558": "012345000058",
		"01234565": "012345000065",
		"01234596": "012345000096",
		"14252611": "142100005261",
	} {
		got, ok := expandUPCE(upce)
		if !ok || string(got[:]) != want || !checkDigitHolds(want) {
			t.Errorf("%s: got %s %v, want %s", upce, got, ok, want)
		}
	}
	if _, ok := expandUPCE("21234505"); ok {
		t.Error("a number that begins with 2 was taken for UPC-E")
	}
}

// compressUPCA is the rule of GS1 the other way round: which UPC-A has a
// zero-suppressed form.
func compressUPCA(upc string) string {
	manufacturer, item := upc[1:6], upc[6:11]
	switch {
	case manufacturer[2] <= '2' && manufacturer[3:] == "00" && item[:2] == "00":
		return upc[:1] + manufacturer[:2] + item[2:] + manufacturer[2:3] + upc[11:]
	case manufacturer[3:] == "00" && item[:3] == "000":
		return upc[:1] + manufacturer[:3] + item[3:] + "3" + upc[11:]
	case manufacturer[4:] == "0" && item[:4] == "0000":
		return upc[:1] + manufacturer[:4] + item[4:] + "4" + upc[11:]
	case item[:4] == "0000" && item[4] >= '5':
		return upc[:1] + manufacturer + item[4:] + upc[11:]
	}
	return ""
}

func TestUPCERoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		upce := rapid.StringMatching(`[01][0-9]{7}`).Draw(t, "upce")
		upc, ok := expandUPCE(upce)
		if !ok {
			t.Fatalf("%s has no UPC-A", upce)
		}
		// Several zero-suppressed forms can stand for one UPC-A; the shortest
		// rule gives one of them, which stands for the same.
		again, _ := expandUPCE(compressUPCA(string(upc[:])))
		if again != upc {
			t.Fatalf("%s: %s became %s", upce, upc, again)
		}
	})
}

func TestGTINProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[1-9]([0-9]{6}|[0-9]{10}|[0-9]{11}|[0-9]{12})`).Draw(t, "body")
		number := body + string(rune(CheckDigit(body)))
		given, key, ps := ParseGTIN(number, GTINIsEAN, GTINStrict, nil)
		if given != number || HasErrors(ps) || slices.Contains(codesOf(ps), CodeGTINCheckDigit) {
			t.Fatalf("%s: got %q %v", number, given, codesOf(ps))
		}
		if len(key) != 14 || strings.TrimLeft(key, "0") != number {
			t.Fatalf("%s: key %q", number, key)
		}
	})
}

func TestGTINCheckModes(t *testing.T) {
	for _, c := range []struct {
		check    GTINCheck
		severity Severity
	}{{GTINStrict, ErrorOnCreate}, {GTINWarn, Warning}, {GTINOff, 0}} {
		given, _, ps := ParseGTIN("3760000000001", GTINIsEAN, c.check, nil)
		if given == "" {
			t.Errorf("%v: the number was dropped", c.check)
		}
		if c.severity == 0 {
			if len(ps) > 0 {
				t.Errorf("%v: got %v, want no problem", c.check, ps)
			}
			continue
		}
		if len(ps) != 1 || ps[0].Severity != c.severity || ps[0].Message != "Invalid EAN check digit (expected 0)." {
			t.Errorf("%v: got %+v", c.check, ps)
		}
	}
	_, _, ps := ParseGTIN("invalid-ean", GTINIsEAN, GTINOff, nil)
	if len(ps) != 1 || ps[0].Message != "Invalid EAN format." || ps[0].Severity != Error {
		t.Errorf("got %+v, want the one message that clients compare with", ps)
	}
}

func TestParseGTINCheck(t *testing.T) {
	for name, want := range map[string]GTINCheck{"": GTINStrict, "strict": GTINStrict, "warn": GTINWarn, "off": GTINOff} {
		if got, ok := ParseGTINCheck(name); !ok || got != want || name != "" && got.String() != name {
			t.Errorf("%q: got %v %v", name, got, ok)
		}
	}
	if _, ok := ParseGTINCheck("Strict"); ok {
		t.Error("a name in another case was taken")
	}
}

func TestGTINHintFor(t *testing.T) {
	for column, want := range map[string]GTINHint{
		"EAN": GTINIsEAN, "ean13": GTINIsEAN, "EAN-13": GTINIsEAN, "ean_8": GTINIsEAN, "JAN": GTINIsEAN, "Variant Ean": GTINIsEAN, "EAN13": GTINIsEAN,
		"UPC": GTINIsUPC, "upc code": GTINIsUPC, "UPC-A": GTINIsUPC, "upce": GTINIsUPC, "P:UPC": GTINIsUPC, "upc_code": GTINIsUPC,
		"GTIN": GTINAny, "barcode": GTINAny, "UPC/EAN": GTINAny, "upcean": GTINAny, "UPCEAN": GTINAny, "upc_ean": GTINAny,
		"Product UPC/EAN": GTINAny, "Title": GTINAny, "ocean": GTINAny, "": GTINAny,
	} {
		if got := GTINHintFor(column); got != want {
			t.Errorf("%q: got %d, want %d", column, got, want)
		}
	}
}

func TestGTINKeyOfOtherText(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "abc": "abc", "123456789012345": "123456789012345", "123": "00000000000123", "978-0": "978-0",
	} {
		if got := GTINKey(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

func FuzzGTIN(f *testing.F) {
	for _, seed := range []string{"6291041500213", "96385074", "01234565", "080442957X", "0-306-40615-2", "'12345678905", `="1"`, "3.65E+11", "1.0", "12345678905", "x", "\u2011", "00000030"} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(2))
	}
	f.Fuzz(func(t *testing.T, cell string, h uint8) {
		hint := GTINHint(h % 3)
		given, key, ps := ParseGTIN(cell, hint, GTINStrict, nil)
		checkProblems(t, cell, given, ps)
		if given == "" {
			if key != "" {
				t.Fatalf("%q: no number, but the key %q", cell, key)
			}
			return
		}
		if !slices.Contains([]int{8, 12, 13, 14}, len(given)) || len(key) != 14 || !isDigits(key) {
			t.Fatalf("%q: given %q, key %q", cell, given, key)
		}
		if GTINKey(given) != key {
			t.Fatalf("%q: given %q has the key %q, not %q", cell, given, GTINKey(given), key)
		}
		// Reading the document's value again, as an export and its import do in a
		// column named EAN, gives the same.
		if again, _, _ := ParseGTIN(given, GTINIsEAN, GTINStrict, nil); again != given {
			t.Fatalf("%q: %q is read back as %q", cell, given, again)
		}
	})
}

// TestGTINSamples reads the numbers of an open reference, all of which are real.
func TestGTINSamples(t *testing.T) {
	codes := map[Code]int{}
	rows := 0
	for _, name := range []string{"uhtt_barcode_ref_0001-0008.tsv", "uhtt_barcode_ref_0063.tsv"} {
		rows += countGTINProblems(t, name, codes)
	}
	if rows == 0 {
		t.Log("the sample folder is not here")
		return
	}
	if codes[CodeGTINCheckDigit] > 0 {
		t.Errorf("%d of %d numbers fail their check", codes[CodeGTINCheckDigit], rows)
	}
	if codes[CodeInvalidGTIN] > rows/1000 {
		t.Errorf("%d of %d numbers are refused", codes[CodeInvalidGTIN], rows)
	}
	t.Logf("%d numbers: %v", rows, codes)
}

func countGTINProblems(t *testing.T, name string, codes map[Code]int) (rows int) {
	t.Helper()
	folder := os.Getenv("TALLYMAN_SAMPLES")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "samples")
	}
	file, err := os.Open(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = '\t', true, -1, true
	var ps []Problem
	for {
		record, err := r.Read()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(record) < 2 || !isDigits(record[1]) {
			continue
		}
		rows++
		_, _, ps = ParseGTIN(record[1], GTINAny, GTINStrict, ps[:0])
		for _, p := range ps {
			codes[p.Code]++
		}
	}
}

func BenchmarkParseGTIN(b *testing.B) {
	for name, cell := range map[string]string{"EAN13": "6291041500213", "GTIN14": "16291041500210", "UPCE": "01234565", "Guarded": "'012345678905"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var ps []Problem
			for b.Loop() {
				_, _, ps = ParseGTIN(cell, GTINAny, GTINStrict, ps[:0])
			}
		})
	}
}
