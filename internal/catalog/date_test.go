package catalog

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDate(t *testing.T) {
	testCells(t, ParseDate, []cellCase{
		good("2026-03-15", "2026-03-15"), good(" 2024-02-29 ", "2024-02-29"), good("2000-02-29", "2000-02-29"), good("0001-01-01", "0001-01-01"),
		good("2026-03-15T00:00:00Z", "2026-03-15"), good("2026-03-15 00:00:00", "2026-03-15"), good("2026-03-15T00:00:00.000+02:00", "2026-03-15"),
		{"'2026-03-15", "2026-03-15", []Code{CodeTextGuardRemoved}},
		bad("2026-02-30", CodeInvalidDate), bad("2026-04-31", CodeInvalidDate), bad("1900-02-29", CodeInvalidDate), bad("2025-02-29", CodeInvalidDate),
		bad("2026-13-01", CodeInvalidDate), bad("2026-00-10", CodeInvalidDate), bad("0000-00-00", CodeInvalidDate), bad("2026-3-15", CodeInvalidDate),
		bad("15.03.2026", CodeInvalidDate), bad("03/15/2026", CodeInvalidDate), bad("20260315", CodeInvalidDate), bad("2026-03-15x", CodeInvalidDate),
		bad("2026-03-15T09:00:00Z", CodeInvalidDate), bad("2026-03-15T00:00:00.001Z", CodeInvalidDate), bad("46000", CodeInvalidDate), bad("2026-03", CodeInvalidDate),
	})
}

func TestParseTimestamp(t *testing.T) {
	testCells(t, ParseTimestamp, []cellCase{
		good("2026-03-15T09:00:00Z", "2026-03-15T09:00:00Z"), good("2026-03-15t09:00:00z", "2026-03-15T09:00:00Z"),
		good("2026-03-15T09:00:00+01:00", "2026-03-15T08:00:00Z"), good("2026-03-15T00:30:00+0100", "2026-03-14T23:30:00Z"), good("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"),
		good("2026-03-15 09:00:00", "2026-03-15T09:00:00Z"), good("2026-03-15T09:00", "2026-03-15T09:00:00Z"), good("2026-03-15", "2026-03-15T00:00:00Z"),
		good("2026-03-15T09:00:00.000Z", "2026-03-15T09:00:00Z"), good("2026-03-15T09:00:00.120Z", "2026-03-15T09:00:00.12Z"), good("2026-03-15T09:00:00,123456789Z", "2026-03-15T09:00:00.123456789Z"),
		bad("2026-03-15T24:00:00Z", CodeInvalidDate), bad("2026-03-15T09:60:00Z", CodeInvalidDate), bad("2026-06-30T23:59:60Z", CodeInvalidDate),
		bad("2026-02-30T09:00:00Z", CodeInvalidDate), bad("2026-03-15T9:00:00Z", CodeInvalidDate), bad("2026-03-15T09:00:00 Z", CodeInvalidDate),
		bad("2026-03-15T09:00:00.Z", CodeInvalidDate), bad("2026-03-15T09:00:00.1234567890Z", CodeInvalidDate), bad("2026-03-15T09:00:00+25:00", CodeInvalidDate),
		bad("2026-03-15T", CodeInvalidDate), bad("2026-03-15T09:00:00ZZ", CodeInvalidDate), bad("9999-12-31T23:59:59-01:00", CodeInvalidDate), bad("0001-01-01T00:00:00+01:00", CodeInvalidDate),
	})
}

// The standard library is the reference for every timestamp of RFC 3339.
func TestTimestampAgreesWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-12*60, 14*60).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(-62_000_000_000, 253_000_000_000).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano")).In(zone)
		cell := at.Format(time.RFC3339Nano)
		got, ps := ParseTimestamp(cell, nil)
		if want := at.UTC().Format(time.RFC3339Nano); got != want || len(ps) > 0 {
			t.Fatalf("%s: got %s %v, want %s", cell, got, codesOf(ps), want)
		}
	})
}

func TestJavaLayout(t *testing.T) {
	for _, c := range []struct{ pattern, cell, want string }{
		{"MM/dd/yyyy", "03/15/2014", "2014-03-15"},
		{"dd/MM/yyyy", "15/03/2014", "2014-03-15"},
		{"yyyy-MM-dd", "2014-03-15", "2014-03-15"},
		{"yyyyMMdd", "20140315", "2014-03-15"},
		{"dd.MM.yy", "15.03.14", "2014-03-15"},
		{"d.M.yyyy", "5.3.2014", "2014-03-05"},
		{"d.M.yyyy", "15.12.2014", "2014-12-15"},
		{"yyyy'年'MM'月'dd", "2014年03月15", "2014-03-15"},
		{"dd 'o''clock' MM ''yy", "15 o'clock 03 '14", "2014-03-15"},
		{"MM/dd/yyyy HH:mm:ss", "03/15/2014 17:30:00", "2014-03-15T17:30:00Z"},
		{"MM/dd/yyyy hh:mm:ss aa", "03/15/2014 05:30:00 PM", "2014-03-15T17:30:00Z"},
		{"MM/dd/yyyy hh:mm:ss a", "03/15/2014 12:30:00 am", "2014-03-15T00:30:00Z"},
		{"MM/dd/yyyy h:mm a", "03/15/2014 12:30 PM", "2014-03-15T12:30:00Z"},
		{"yyyy-MM-dd'T'HH:mm:ss.SSS", "2014-03-15T17:30:00.250", "2014-03-15T17:30:00.25Z"},
		{"yyyy-MM-dd H:m:s", "2014-03-15 7:5:9", "2014-03-15T07:05:09Z"},

		{"MM/dd/yyyy", "3/15/14", ""},
		{"MM/dd/yyyy", "3/15/2014", ""},
		{"MM/dd/yyyy", "03/15/14", ""},
		{"MM/dd/yyyy", "15/03/2014", ""},
		{"MM/dd/yyyy", "02/30/2024", ""},
		{"dd.MM.yyyy", "31.02.2024", ""},
		{"MM/dd/yyyy", "03-15-2014", ""},
		{"MM/dd/yyyy", "03/15/2014 17:30:00", ""},
		{"MM/dd/yyyy", "03/15/20145", ""},
		{"d.M.yyyy", "115.3.2014", ""},
		{"MM/dd/yyyy HH:mm:ss", "3/15/14 5:30", ""},
		{"MM/dd/yyyy HH:mm:ss", "03/15/2014 24:00:00", ""},
		{"MM/dd/yyyy hh:mm:ss aa", "03/15/2014 17:30:00 PM", ""},
		{"MM/dd/yyyy hh:mm:ss aa", "03/15/2014 00:30:00 AM", ""},
		{"MM/dd/yyyy hh:mm:ss aa", "03/15/2014 05:30:00", ""},
		{"MM/dd/yyyy hh:mm:ss aa", "03/15/2014 05:30:00 XM", ""},
	} {
		layout, err := JavaLayout(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if timed := strings.ContainsAny(c.pattern, "Hh"); layout.HasTime() != timed && !strings.Contains(c.pattern, "'") {
			t.Errorf("%s: has a time: %v, want %v", c.pattern, layout.HasTime(), timed)
		}
		got, ps := ParseWithJava(c.cell, layout, nil)
		if got != c.want || (c.want == "") != (len(ps) == 1 && ps[0].Code == CodeInvalidDate) {
			t.Errorf("%s %q: got %q %v, want %q", c.pattern, c.cell, got, codesOf(ps), c.want)
		}
	}
}

func TestJavaLayoutRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                      "y is missing",
		"MM/dd":                 "y is missing",
		"MM/yyyy":               "d is missing",
		"yyyy-mm-dd":            "M is missing",
		"MM/dd/yyyy MM":         "M stands twice",
		"MMM dd yyyy":           `"MMM" is not supported`,
		"MM/dd/yyy":             `"yyy" is not supported`,
		"MM/dd/yyyy HH:mm z":    `"z" is not supported`,
		"MM/dd/yyyy at HH":      `"t" is not supported`,
		"MM/dd/yyyy 'at HH":     "does not end",
		"MM/dd/yyyy hh:mm":      "h and a belong together",
		"MM/dd/yyyy HH:mm a":    "h and a belong together",
		"MM/dd/yyyy HH:mm hh a": "H and h exclude each other",
	} {
		if _, err := JavaLayout(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error that says %q", pattern, err, want)
		}
	}
}

// What Go writes by the equivalent layout, the Java pattern reads.
func TestJavaLayoutAgreesWithTime(t *testing.T) {
	pairs := []struct{ java, layout string }{
		{"MM/dd/yyyy HH:mm:ss", "01/02/2006 15:04:05"},
		{"dd.MM.yyyy hh:mm:ss a", "02.01.2006 03:04:05 PM"},
		{"yyyy-M-d H:mm:ss", "2006-1-2 15:04:05"},
	}
	rapid.Check(t, func(t *rapid.T) {
		pair := rapid.SampledFrom(pairs).Draw(t, "pair")
		at := time.Unix(rapid.Int64Range(0, 250_000_000_000).Draw(t, "at"), 0).UTC()
		layout, err := JavaLayout(pair.java)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := ParseWithJava(at.Format(pair.layout), layout, nil); got != at.Format(time.RFC3339) {
			t.Fatalf("%s %s: got %s", pair.java, at, got)
		}
	})
}

func FuzzJavaLayout(f *testing.F) {
	f.Add("MM/dd/yyyy hh:mm:ss aa", "03/15/2014 05:30:00 PM")
	f.Add("yyyy'年'MM'月'dd", "2014年03月15")
	f.Add("''", "'")
	f.Fuzz(func(t *testing.T, pattern, cell string) {
		layout, err := JavaLayout(pattern)
		if err != nil {
			return
		}
		got, ps := ParseWithJava(cell, layout, nil)
		checkProblems(t, cell, got, ps)
		if got == "" {
			return
		}
		parse := ParseDate
		if layout.HasTime() {
			parse = ParseTimestamp
		}
		if again, _ := parse(got, nil); again != got {
			t.Fatalf("%q by %q: %q is not canonical", cell, pattern, got)
		}
	})
}

func BenchmarkParseTimestamp(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseTimestamp("2026-03-15T09:00:00Z", nil)
	}
}
