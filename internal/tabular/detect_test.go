package tabular_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
)

// formatOrCode is the format that was found, or the code of the refusal.
func formatOrCode(layout *tabular.Layout, err error) string {
	if f := catalog.AsFault(err); f != nil {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return string(layout.Format)
}

func detect(text, name string, opt tabular.DetectOptions) (*tabular.Layout, error) {
	return tabular.Detect([]byte(text), int64(len(text)), name, opt)
}

// toUTF16 writes text as UTF-16 with the byte order given.
func toUTF16(text string, bigEndian bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		hi, lo := byte(u>>8), byte(u)
		if !bigEndian {
			hi, lo = lo, hi
		}
		b.WriteByte(hi)
		b.WriteByte(lo)
	}
	return b.String()
}

func TestDetectLayout(t *testing.T) {
	utf16Text := toUTF16("\ufeffnäme;größe\r\nx;🙂\r\n", false)
	for _, c := range []struct {
		name, text, file string
		opt              tabular.DetectOptions
		want             tabular.Layout // Format, Why and Warnings left out
	}{
		{name: "comma", text: "a,b\n1,2\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 4, DataRow: 2, DataLine: 2}},
		{name: "semicolon with decimal commas", text: "a;b\r\n1,5;2,5\r\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ";", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 5, DataRow: 2, DataLine: 2}},
		{name: "tab with commas in the text", text: "name\tprice\na, b, c\t1\nd, e, f\t2\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: "\t", RecordEnd: "\n", Header: []string{"name", "price"}, DataOffset: 11, DataRow: 2, DataLine: 2}},
		{name: "pipe", text: "a|b|c\n1|2|3\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: "|", RecordEnd: "\n", Header: []string{"a", "b", "c"}, DataOffset: 6, DataRow: 2, DataLine: 2}},
		{name: "comma with pipes packed in the header", text: "*Action(Site=US|Country=US|CC=UTF-8),Title\nAdd,x\nAdd,y\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"*Action(Site=US|Country=US|CC=UTF-8)", "Title"}, DataOffset: 43, DataRow: 2, DataLine: 2}},
		{name: "rows longer than the header", text: "a,b\n1,2,3\n1,2,3\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 4, DataRow: 2, DataLine: 2}},
		{name: "a draw goes to the comma", text: "a,b;c\n1,2;3\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b;c"}, DataOffset: 6, DataRow: 2, DataLine: 2}},
		{name: "header only", text: "a;b;c", want: tabular.Layout{Encoding: "utf-8", Delimiter: ";", RecordEnd: "\n", Header: []string{"a", "b", "c"}, DataOffset: 5, DataRow: 2, DataLine: 2}},
		{name: "one column", text: "ean\n4006381333931\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"ean"}, DataOffset: 4, DataRow: 2, DataLine: 2}},
		{name: "one column of text with commas", text: "title\nShirt, red\nShirt\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ";", RecordEnd: "\n", Header: []string{"title"}, DataOffset: 6, DataRow: 2, DataLine: 2}},
		{name: "sep line", text: "sep=;\r\na;b\r\n1;2\r\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ";", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 12, DataRow: 2, DataLine: 3}},
		{name: "sep line against the looks", text: "\"SEP=|\"\na,b|c,d\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: "|", RecordEnd: "\n", Header: []string{"a,b", "c,d"}, DataOffset: 16, DataRow: 2, DataLine: 3}},
		{name: "carriage returns", text: "a,b\r1,\"x\ny\"\r", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\r", Header: []string{"a", "b"}, DataOffset: 4, DataRow: 2, DataLine: 2}},
		{name: "carriage returns in cells", text: "a,b\n1,\"x\ry\"\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 4, DataRow: 2, DataLine: 2}},
		{name: "byte-order mark", text: "\ufeff\"a\",b\n1,2\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 9, DataRow: 2, DataLine: 2}},
		{name: "header trimmed, names repeated or empty", text: " a ,\u00a0a\u00a0,\"b\nb\",\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "a", "b\nb", ""}, DataOffset: 17, DataRow: 2, DataLine: 3}},
		{name: "blank lines first", text: "\n,,\n\na,b\n1,2\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b"}, DataOffset: 9, DataRow: 5, DataLine: 5}},
		{name: "windows-1252", text: "gr\xf6\xdfe;preis \x80\nx;1\n", want: tabular.Layout{Encoding: "windows-1252", Delimiter: ";", RecordEnd: "\n", Header: []string{"größe", "preis €"}, DataOffset: 14, DataRow: 2, DataLine: 2}},
		{name: "utf-16", text: utf16Text, want: tabular.Layout{Encoding: "utf-16le", Delimiter: ";", RecordEnd: "\n", Header: []string{"näme", "größe"}, DataOffset: 26, DataRow: 2, DataLine: 2}},
		{name: "utf-16 without a mark", text: toUTF16("имя\tцена\nх\t1\n", true), want: tabular.Layout{Encoding: "utf-16be", Delimiter: "\t", RecordEnd: "\n", Header: []string{"имя", "цена"}, DataOffset: 18, DataRow: 2, DataLine: 2}},

		{name: "delimiter told", text: "a;b,c\n", opt: tabular.DetectOptions{Delimiter: ","}, want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"a;b", "c"}, DataOffset: 6, DataRow: 2, DataLine: 2}},
		{name: "encoding told", text: "a,\xc3\xa9\n", opt: tabular.DetectOptions{Encoding: "windows-1252"}, want: tabular.Layout{Encoding: "windows-1252", Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "Ã©"}, DataOffset: 5, DataRow: 2, DataLine: 2}},
		{name: "format told", text: "[a],b\n", opt: tabular.DetectOptions{Format: tabular.CSV}, want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"[a]", "b"}, DataOffset: 6, DataRow: 2, DataLine: 2}},
		{name: "header row told", text: "Info,\"Version,1\nof 2\"\n\nsku,title,price\n1,x,2\n", opt: tabular.DetectOptions{HeaderRow: 3}, want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"sku", "title", "price"}, DataOffset: 39, DataRow: 4, DataLine: 5}},
		{name: "bracket in the header", text: "[id],name\n1,x\n", want: tabular.Layout{Encoding: "utf-8", Delimiter: ",", RecordEnd: "\n", Header: []string{"[id]", "name"}, DataOffset: 10, DataRow: 2, DataLine: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := detect(c.text, c.file, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Why) < 3 {
				t.Errorf("too few reasons: %q", got.Why)
			}
			c.want.Format = tabular.CSV
			found := *got
			found.Why, found.Warnings = nil, nil
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("layout (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectFormat(t *testing.T) {
	for _, c := range []struct{ name, text, file, want string }{
		{"empty", "", "", "empty_file"},
		{"blanks", " \r\n\t\n", "", "empty_file"},
		{"a mark alone", "\ufeff\n", "", "empty_file"},
		{"workbook", "PK\x03\x04..[Content_Types].xml", "", "xlsx"},
		{"workbook by its name", "PK\x03\x04\x14\x00", "stock.XLSX", "xlsx"},
		{"zip", "PK\x03\x04..products.csv", "products.zip", "unknown_format"},
		{"opendocument", "PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "", "unknown_format"},
		{"old workbook", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\x00", "", "unknown_format"},
		{"gzip", "\x1f\x8b\x08\x00", "", "unknown_format"},
		{"pdf", "%PDF-1.7\n", "", "unknown_format"},
		{"png", "\x89PNG\r\n\x1a\n", "", "unknown_format"},
		{"webp", "RIFF\x00\x00\x00\x00WEBP", "", "unknown_format"},
		{"web page", " <!DOCTYPE html><table>", "stock.xls", "unknown_format"},
		{"xml", "<?xml version=\"1.0\"?><rss>", "", "unknown_format"},
		{"random bytes", strings.Repeat("\x01\x02\x03\x04ab", 40), "", "unknown_format"},
		{"zeros on both sides", strings.Repeat("a\x00\x00", 40), "", "unknown_format"},
		{"utf-32", "\xFF\xFE\x00\x00a\x00\x00\x00", "", "bad_encoding"},
		{"array", "[\n {\"sku\": 1}]", "", "json"},
		{"lines of objects", "{\"sku\": 1}\n{\"sku\": 2}\n", "", "json"},
		{"array of numbers by its name", "[1, 2]", "a.json", "json"},
		{"endless header", strings.Repeat("column,", 10000), "", "bad_header"},
		{"endless quoted header", "a,\"b" + strings.Repeat("\nx", 40000) + "\n", "", "bad_header"},
		{"header with an unclosed quote", "a,\"b\n1,2\n", "", "bad_header"},
		{"header that is no text", "a,b\xff\n1,2\n", "", "csv"},
		{"64 KiB of blank lines", strings.Repeat("\n", 70000) + "a,b\n", "", "bad_header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			layout, err := detect(c.text, c.file, tabular.DetectOptions{})
			if got := formatOrCode(layout, err); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if f := catalog.AsFault(err); f != nil && (f.Kind != catalog.KindRefused || f.Message == "" || f.Hint == "") {
				t.Errorf("the refusal %+v does not say what is wrong and what to do", f)
			}
		})
	}
}

func TestDetectRefusesOptions(t *testing.T) {
	for _, c := range []struct {
		opt  tabular.DetectOptions
		want string
	}{
		{tabular.DetectOptions{Format: "pdf"}, "unknown_format"},
		{tabular.DetectOptions{Encoding: "latin1"}, "bad_encoding"},
		{tabular.DetectOptions{Delimiter: "::"}, "bad_delimiter"},
		{tabular.DetectOptions{HeaderRow: -1}, "bad_header"},
	} {
		_, err := detect("a,b\n", "", c.opt)
		if f := catalog.AsFault(err); f == nil || f.Code != c.want || f.Kind != catalog.KindInvalid {
			t.Errorf("%+v: got %v, want %s", c.opt, err, c.want)
		}
	}
	for _, c := range []struct {
		text string
		row  int64
	}{{"a,b\n", 2}, {"a,b\n\n1,2\n", 2}} {
		_, err := detect(c.text, "", tabular.DetectOptions{HeaderRow: c.row})
		if f := catalog.AsFault(err); f == nil || f.Code != "bad_header" || f.Kind != catalog.KindRefused {
			t.Errorf("header row %d of %q: got %v, want bad_header", c.row, c.text, err)
		}
	}
}

func TestDetectWarnsOfAGuess(t *testing.T) {
	layout, err := detect("sku,name\n1,caf\xe9\n", "", tabular.DetectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(layout.Warnings) != 1 || layout.Warnings[0].Code != catalog.CodeEncodingGuessed || layout.Warnings[0].Severity != catalog.Warning {
		t.Errorf("warnings: got %+v, want encoding_guessed", layout.Warnings)
	}
	layout, err = detect("sku,name\n1,café\n", "", tabular.DetectOptions{})
	if err != nil || len(layout.Warnings) != 0 {
		t.Errorf("UTF-8 warns: %+v, %v", layout, err)
	}
}

// TestDetectLooksAtTheHeadAlone cuts a file's head within a letter and within a
// quoted cell: neither may count against what was found before.
func TestDetectLooksAtTheHeadAlone(t *testing.T) {
	row := "1;\"é, é, é\nsecond line\"\n"
	text := "sku;name\n" + strings.Repeat(row, 2*tabular.SniffBytes/len(row))
	for cut := range 2 * len(row) {
		head := []byte(text[:tabular.SniffBytes-cut])
		layout, err := tabular.Detect(head, int64(len(text)), "", tabular.DetectOptions{})
		if err != nil {
			t.Fatalf("head of %d bytes: %v", len(head), err)
		}
		if layout.Encoding != tabular.UTF8 || layout.Delimiter != ";" || layout.DataOffset != 9 {
			t.Fatalf("head of %d bytes: %+v", len(head), layout)
		}
	}
}

// FuzzDetect detects any bytes and reads them as found, so far as that goes.
func FuzzDetect(f *testing.F) {
	for _, text := range []string{"", "a,b\n1,2\n", "sep=;\na;b", "\ufeffa|b\r1|2\r", toUTF16("a\tb\n\"1\t2\n", false), "gr\xf6\xdfe\n", "{\"a\":1}", "PK\x03\x04", "\"a\n"} {
		f.Add([]byte(text), true, byte(0))
		f.Add([]byte(text), false, byte(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, cut bool, headerRow byte) {
		size := int64(len(data))
		if cut {
			size++
		}
		layout, err := tabular.Detect(data, size, "file.csv", tabular.DetectOptions{HeaderRow: int64(headerRow % 4)})
		if err != nil {
			if f := catalog.AsFault(err); f == nil || f.Kind != catalog.KindRefused {
				t.Fatalf("got %v, want a refusal", err)
			}
			return
		}
		if layout.Format != tabular.CSV || cut {
			return
		}
		readAll(t, data, layout)
	})
}

// readAll spools data if need be, and reads it to the end.
func readAll(t *testing.T, data []byte, layout *tabular.Layout) []tabular.Record {
	t.Helper()
	if layout.DataOffset < 0 || layout.DataOffset > int64(len(data)) {
		t.Fatalf("the data begins at byte %d of %d", layout.DataOffset, len(data))
	}
	if tabular.NeedsSpool(layout) {
		var spool bytes.Buffer
		spooled, err := tabular.Spool(t.Context(), bytes.NewReader(data), layout, &spool)
		if err != nil {
			t.Fatal(err)
		}
		data, layout = spool.Bytes(), spooled
	}
	return read(t, bytes.NewReader(data), layout, tabular.Limits{})
}
