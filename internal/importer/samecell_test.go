package importer

import (
	"testing"

	"tallyman/internal/tabular/safecsv"
)

func TestCompareCells(t *testing.T) {
	for _, c := range []struct {
		stands, back string
		want         likeness
	}{
		{"blue", "blue", same},
		{"blue", "red", differs},
		{" blue ", "blue", same},
		{"a\r\nb", "a\nb", same},
		{"a\rb", "a\nb", same},
		{"a\nb", "a b", differs},
		{"", "", same},
		{"x", "", differs},
		{"", "x", differs},

		{"1.50", "1.5", same},
		{"1.5", "1.50", same},
		{"1,50", "1,5", same},
		{"1.50", "1,5", differs},
		{"1,500", "1500", differs},
		{"1.500", "1500", differs},
		{"+5", "5", same},
		{"-0", "0", same},
		{"-5", "5", differs},
		{"007", "7", same},
		{"7", "007", differs}, // nobody but a person puts zeros there
		{"0.5", "00.5", differs},
		{"0.50", ".5", same},
		{"1.0", "1.", same},
		{"1e3", "1000", same},
		{"1000", "1E+03", same},
		{"1.2.3", "1.2.3", same},
		{"1.2.3", "1.23", differs},
		{"0", "", differs},

		{"6930123456789", "6.93E+12", rounded},
		{"6930123456789", "6,93E+12", rounded},
		{"6930123456789", "6.93012E+12", rounded},
		{"6930123456789", "6.94E+12", differs},
		{"6930123456789", "6.93E+11", differs},
		{"9999999999999", "1E+13", rounded},
		{"12345678901234567890", "12345678901234600000", rounded},
		{"12345678901234567890", "1.23456789012346E+019", rounded},
		{"12345678901234567890", "12345678901234568000", rounded},
		{"12345678901234567890", "12345678901230000000", differs},
		{"6930123456789", "6930000000000", differs},
		{"6.93E+12", "6930123456789", differs}, // what was lost is given again
		{"4006381333931", "4006381333932", differs},

		{"true", "TRUE", same},
		{"FALSE", "false", same},
		{"yes", "YES", differs},
		{"true", "FALSE", differs},

		{"2026-03-15", "15.03.2026", same},
		{"2026-03-15", "3/15/26", same},
		{"2026-03-15", "2026/3/15", same},
		{"2026-03-15", "16.03.2026", differs},
		{"15.03.2026", "2026-03-15", differs}, // the way to correct it
	} {
		if got := compareCells(c.back, c.stands); got != c.want {
			t.Errorf("%q came back as %q: %d, want %d", c.stands, c.back, got, c.want)
		}
	}
}

func TestCompareWrongCells(t *testing.T) {
	for _, c := range []struct {
		stands, back string
		wrong, text  likeness
	}{
		{"1E5", "100000", differs, differs},
		{"007", "7", differs, differs},
		{"1.50", "1.5", differs, differs},
		{" a\r\nb ", "a\nb", same, same},
		{"", "", same, same},
		{"x", "", differs, differs},
		{"true", "TRUE", same, differs},
		{"2026-03-15", "15.03.2026", same, differs},
		{"6930123456789", "6.93E+12", rounded, differs},
		{"6.93E+12", "6930000000000", differs, differs},
	} {
		if got := compareWrong(c.back, c.stands); got != c.wrong {
			t.Errorf("%q, which is wrong, came back as %q: %d, want %d", c.stands, c.back, got, c.wrong)
		}
		if got := compareTexts(c.back, c.stands); got != c.text {
			t.Errorf("%q, of which every sign counts, came back as %q: %d, want %d", c.stands, c.back, got, c.text)
		}
	}
}

func TestUngrouped(t *testing.T) {
	for _, c := range []struct {
		stands, back string
		want         bool
	}{
		{"1,500", "1500", true},
		{"1.500", "1500", true},
		{"1 500", "1500", true},
		{"-1,500.50", "-1500.5", true},
		{"1.234.567,8", "1234567,8", true},
		{"1.234.567,8", "1234567.8", true},
		{"12,345", "12345", true},
		{"1,500", "1501", false},
		{"1,50", "150", false},
		{"1234,567", "1234567", false},
		{"1,500,00", "150000", false},
		{"1,500", "-1500", false},
		{",500", "500", false},
		{"x,500", "500", false},
		{"1500", "1500", false},
		{"", "", false},
		{"+-1,500", "1500", false},
	} {
		if got := ungrouped(c.back, c.stands); got != c.want {
			t.Errorf("%q came back as %q: %v, want %v", c.stands, c.back, got, c.want)
		}
	}
}

func FuzzCompareCells(f *testing.F) {
	for _, s := range []string{"", "'=1", "1,500", "6.93E+12", "2026-03-15", "-.5e-3", "0007", "TRUE", "é\r\n"} {
		f.Add(s, "1")
		f.Add("1", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareCells(writable(a), a) != same {
			t.Errorf("%q is not what it was sent as", a)
		}
		compareCells(a, b)
		ungrouped(a, b)
		if safecsv.Unguard(safecsv.Guard(a)) != a {
			t.Errorf("%q does not come back", a)
		}
	})
}

func TestRowKeys(t *testing.T) {
	key := rowKey("imp_01K9ZJ2V8Q3X5R7T9W1Y3B5D7F", 57)
	if id, row, ok := parseRowKey(" " + key + " "); !ok || id != "imp_01K9ZJ2V8Q3X5R7T9W1Y3B5D7F" || row != 57 {
		t.Errorf("%s is %s, %d, %v", key, id, row, ok)
	}
	for _, damaged := range []string{"", ":", "57", key + "0", key[:len(key)-1], "imp_01K9ZJ2V8Q3X5R7T9W1Y3B5D7F:58" + key[len(key)-5:], "x" + key,
		rowKey("", 57), rowKey("imp_1", 0), rowKey("imp_1", -3)} {
		if _, _, ok := parseRowKey(damaged); ok {
			t.Errorf("%q is taken for a row key", damaged)
		}
	}
}
