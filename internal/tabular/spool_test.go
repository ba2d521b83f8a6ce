package tabular_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
	"tallyman/internal/tabular/tabulartest"
)

func TestSpoolHasTheSameRecords(t *testing.T) {
	row := "4006381333931\t\"größe\n漢字\"\t🙂 ok\r\n"
	text := "ean\tname\tnote\r\n" + strings.Repeat(row, 30000) // several reads long
	for _, bigEndian := range []bool{false, true} {
		data := []byte(toUTF16("\ufeff"+text, bigEndian))
		layout, err := tabular.Detect(data[:tabular.SniffBytes], int64(len(data)), "", tabular.DetectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var spool bytes.Buffer
		spooled, err := tabular.Spool(t.Context(), bytes.NewReader(data), layout, &spool)
		if err != nil {
			t.Fatal(err)
		}
		if spool.String() != text {
			t.Fatal("the spool has another text than the file")
		}
		if !spooled.Spooled || tabular.NeedsSpool(spooled) || !tabular.NeedsSpool(layout) || layout.Spooled {
			t.Errorf("layouts: %+v, spooled %+v", layout, spooled)
		}
		if want := int64(strings.Index(text, row)); spooled.DataOffset != want || spooled.DataRow != 2 || spooled.DataLine != 2 {
			t.Errorf("the spool's data begins at byte %d, row %d, line %d; want %d, 2, 2", spooled.DataOffset, spooled.DataRow, spooled.DataLine, want)
		}
		if records := read(t, bytes.NewReader(spool.Bytes()), spooled, tabular.Limits{}); len(records) != 30000 {
			t.Errorf("got %d records, want 30000", len(records))
		}
	}
}

func TestSpoolKeepsDamageInItsRow(t *testing.T) {
	file := toUTF16("\ufeffa,b\n1,x\n2,", false) + "\x3d\xd8" /* half a pair */ + toUTF16("\n3,y\n4,z", false) + "\x00"
	layout, err := detect(file, "", tabular.DetectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var codes []catalog.Code
	for _, r := range readAll(t, []byte(file), layout) {
		code := catalog.Code("")
		if r.Problem != nil {
			code = r.Problem.Code
		}
		codes = append(codes, code)
	}
	want := []catalog.Code{"", catalog.CodeBadEncoding, "", catalog.CodeBadEncoding}
	if len(codes) != len(want) {
		t.Fatalf("got %q, want %q", codes, want)
	}
	for i := range want {
		if codes[i] != want[i] {
			t.Errorf("got %q, want %q", codes, want)
		}
	}
}

// TestSpoolOffsets checks that the data of the spool is the data of the file,
// wherever it begins.
func TestSpoolOffsets(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune("ab,\"é漢🙂\n \r\ufeff")))
	rapid.Check(t, func(rt *rapid.T) {
		header, data := "x"+text.Draw(rt, "header"), text.Draw(rt, "data")
		file := toUTF16(header+data, true)
		layout := &tabular.Layout{Format: tabular.CSV, Encoding: tabular.UTF16BE, Delimiter: ",", DataOffset: int64(len(toUTF16(header, true)))}
		var spool bytes.Buffer
		spooled, err := tabular.Spool(t.Context(), strings.NewReader(file), layout, &spool)
		if err != nil {
			rt.Fatal(err)
		}
		if got := spool.String()[spooled.DataOffset:]; got != data {
			rt.Fatalf("the spool's data is %q, want %q", got, data)
		}
	})
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestSpoolStops(t *testing.T) {
	src := strings.NewReader(toUTF16("a,b\n", false))
	layout := &tabular.Layout{Format: tabular.CSV, Encoding: tabular.UTF16LE, Delimiter: ",", DataOffset: 8}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tabular.Spool(cancelled, src, layout, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if _, err := tabular.Spool(t.Context(), src, layout, fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("full disk: got %v", err)
	}
	plain := &tabular.Layout{Format: tabular.CSV, Encoding: tabular.UTF8, Delimiter: ","}
	if _, err := tabular.Spool(t.Context(), src, plain, &bytes.Buffer{}); err == nil {
		t.Error("a file that needs no spool was spooled")
	}
	if _, err := tabular.Open(src, layout, tabular.Section{Length: -1}, tabular.Limits{}, nil); err == nil {
		t.Error("UTF-16 was opened without a spool")
	}
}

// TestDecodeWindows1252 reads all the letters of the encoding, and one byte that
// is none.
func TestDecodeWindows1252(t *testing.T) {
	layout := &tabular.Layout{Format: tabular.CSV, Encoding: tabular.Windows1252, Delimiter: ";", RecordEnd: "\n", Header: []string{"a", "b"}, DataRow: 1, DataLine: 1}
	file := []byte("Stra\xdfe;\"5 \x80 \"\"net\"\"\"\nplain;x\nbad\x81;\xe9\n\"\xe9\xe9")
	rows := tabulartest.Run(t, tabulartest.File{Data: file, Layout: layout})
	got := make([]string, len(rows))
	for i, r := range rows {
		got[i] = strings.Join(r.Cells, "|")
		if r.Problem != nil {
			got[i] = string(r.Problem.Code) + " in " + r.Problem.Column + ": " + got[i]
		}
	}
	want := []string{`Straße|5 € "net"`, "plain|x", "bad_encoding in a: bad\ufffd|é", "unclosed_quote in a: éé"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOpenRefusesFormatsWithoutAReader(t *testing.T) {
	for _, format := range []tabular.Format{tabular.XLSX, tabular.JSON} {
		_, err := tabular.Open(strings.NewReader("{}"), &tabular.Layout{Format: format}, tabular.Section{Length: -1}, tabular.Limits{}, nil)
		if f := catalog.AsFault(err); f == nil || f.Code != "unsupported_format" {
			t.Errorf("%s: got %v, want unsupported_format", format, err)
		}
	}
}
