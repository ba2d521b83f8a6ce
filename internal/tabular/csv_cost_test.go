package tabular_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"tallyman/internal/tabular"
)

// read reads all records from the layout's first on.
func read(t *testing.T, src tabular.Source, layout *tabular.Layout, lim tabular.Limits) []tabular.Record {
	t.Helper()
	dec, err := tabular.Open(src, layout, tabular.Section{Offset: layout.DataOffset, Length: -1, FirstRow: layout.DataRow, FirstLine: layout.DataLine}, lim, nil)
	if err != nil {
		t.Fatal(err)
	}
	var records []tabular.Record
	for {
		var rec tabular.Record
		switch err := dec.Next(&rec); {
		case errors.Is(err, io.EOF):
			return records
		case err != nil:
			t.Fatal(err)
		}
		records = append(records, rec)
	}
}

// meter counts what is read from a file, and the largest piece asked for.
type meter struct {
	*bytes.Reader
	bytes, largest int
}

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	m.bytes += len(p)
	m.largest = max(m.largest, len(p))
	return m.Reader.ReadAt(p, off)
}

// TestDecodeReadsOnce reads files made to make a decoder search the same text
// again and again. Each byte may be read once, and never much at a time.
func TestDecodeReadsOnce(t *testing.T) {
	const size = 1 << 20
	lim := tabular.Limits{RecordBytes: 64 << 10, WindowBytes: 16 << 10}
	for name, piece := range map[string]string{
		"quotes that never close":               "x,\"abc\n",
		"empty cells, then one unclosed":        "\"\" ,\"b\n",
		"quotes alone":                          "\"",
		"quotes and blanks":                     "\" ",
		"blanks alone":                          " ",
		"text alone":                            "x",
		"delimiters alone":                      ",",
		"line ends alone":                       "\n",
		"carriage returns alone":                "\r",
		"one cell over many lines":              "x\n",
		"closed cells in a row that never ends": "\"a\"\"b\n\",",
	} {
		t.Run(name, func(t *testing.T) {
			text := "\"" + strings.Repeat(piece, size/len(piece))
			m := &meter{Reader: bytes.NewReader([]byte(text))}
			layout := &tabular.Layout{Format: tabular.CSV, Delimiter: ",", RecordEnd: "\n", Header: []string{"a", "b"}, DataRow: 1, DataLine: 1}
			read(t, m, layout, lim)
			if m.bytes != len(text) {
				t.Errorf("read %d bytes of a file of %d", m.bytes, len(text))
			}
			if bound := 2*lim.RecordBytes + 2*lim.WindowBytes; m.largest > bound {
				t.Errorf("read %d bytes at once, the bound is %d", m.largest, bound)
			}
		})
	}
}

// TestDecodeDoesNotAllocatePerCell reads files with more and more rows and
// allows allocations for windows only.
func TestDecodeDoesNotAllocatePerCell(t *testing.T) {
	layout := &tabular.Layout{Format: tabular.CSV, Delimiter: ",", RecordEnd: "\n", Header: make([]string, 4)}
	allocs := func(rows int) float64 {
		text := []byte(strings.Repeat("SKU-1,\"A \"\"big\"\" bottle\",\"Kitchen, steel\",14.90\n", rows))
		return testing.AllocsPerRun(3, func() {
			dec, err := tabular.Open(bytes.NewReader(text), layout, tabular.Section{Length: -1}, tabular.Limits{}, nil)
			var rec tabular.Record
			for err == nil {
				err = dec.Next(&rec)
			}
		})
	}
	few, many := allocs(1000), allocs(41000)
	if perRow := (many - few) / 40000; perRow > 0.01 {
		t.Errorf("%.3f allocations a row, want one a window", perRow)
	}
}

// endless is a file of one line again and again.
type endless struct {
	line string
	size int64
}

func (e endless) Size() int64 { return e.size }

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	p = p[:min(int64(len(p)), e.size-off)]
	for n := 0; n < len(p); {
		n += copy(p[n:], e.line[(off+int64(n))%int64(len(e.line)):])
	}
	return len(p), nil
}

// TestDecodeHoldsLittle reads a file of which every cell has to be written anew,
// and checks what is still alive behind it, a cell of its end included.
func TestDecodeHoldsLittle(t *testing.T) {
	const bound = 8 << 20
	layout := &tabular.Layout{Format: tabular.CSV, Encoding: tabular.Windows1252, Delimiter: ",", RecordEnd: "\n", Header: make([]string, 2)}
	src := endless{line: "\"caf\xe9 \"\"noir\"\"\",\"gr\xfcn\"\n", size: 4 * bound}
	before := heap()
	dec, err := tabular.Open(src, layout, tabular.Section{Length: -1}, tabular.Limits{}, nil)
	var rec tabular.Record
	var cell string
	for err == nil {
		if err = dec.Next(&rec); err == nil {
			cell = rec.Cells[0]
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if held := heap() - before; held > bound {
		t.Errorf("a decoder that read %d bytes holds %d", src.size, held)
	}
	if cell == "" {
		t.Error("the last record has an empty cell")
	}
	runtime.KeepAlive(dec)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkUnclosedQuotes reads a file of quotes that never close, which takes
// the longest searches that there are.
func BenchmarkUnclosedQuotes(b *testing.B) {
	for _, size := range []int{4 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			benchmarkDecode(b, strings.Repeat("x,\"abc\n", size/7), nil)
		})
	}
}
