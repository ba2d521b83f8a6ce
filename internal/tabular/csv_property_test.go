package tabular_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallyman/internal/tabular"
	"tallyman/internal/tabular/tabulartest"
)

// TestDecodeIsTheRule reads texts made of nothing but what the rule is about,
// which any bytes rarely are.
func TestDecodeIsTheRule(t *testing.T) {
	piece := rapid.SampledFrom([]string{`"`, `"`, `"`, `""`, ",", ",", "\n", "\r", "\r\n", " ", "\t", "a", "bc", ";", "é", "\xff", "\x00"})
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(rt, "text"), "")
		how := rapid.Byte().Draw(rt, "how") &^ 2
		recordBytes := rapid.IntRange(1, 80).Draw(rt, "record bytes")
		columns := rapid.IntRange(1, 12).Draw(rt, "columns")
		checkAgainstNaive(rt, []byte(text), how, recordBytes, columns)
	})
}

// TestDecodeReadsWhatEncodingCSVWrites checks that files as other programs
// write them come back as they were.
func TestDecodeReadsWhatEncodingCSVWrites(t *testing.T) {
	cell := rapid.StringMatching(`[a-z0-9 "\n\t,;|é漢'=-]{0,12}`)
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.IntRange(2, 6).Draw(rt, "width")
		records := rapid.SliceOfN(rapid.SliceOfN(cell, width, width), 1, 20).Draw(rt, "records")
		crlf := rapid.Bool().Draw(rt, "crlf")
		delimiter := rapid.SampledFrom([]string{",", ";", "\t", "|"}).Draw(rt, "delimiter")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Comma, w.UseCRLF = rune(delimiter[0]), crlf
		if err := w.WriteAll(records); err != nil {
			rt.Fatal(err)
		}
		layout := &tabular.Layout{Format: tabular.CSV, Delimiter: delimiter, RecordEnd: "\n", Header: make([]string, width), DataRow: 1, DataLine: 1}
		rows := tabulartest.Run(rt, tabulartest.File{Data: file.Bytes(), Layout: layout})
		if len(rows) != len(records) {
			rt.Fatalf("got %d records of %d from %q", len(rows), len(records), file.String())
		}
		for i := range rows {
			want := records[i]
			if crlf { // which encoding/csv writes within cells too
				want = slices.Clone(want)
				for c := range want {
					want[c] = strings.ReplaceAll(want[c], "\n", "\r\n")
				}
			}
			if !slices.Equal(rows[i].Cells, want) || rows[i].Problem != nil {
				rt.Fatalf("record %d: got %q (%v), want %q", i, rows[i].Cells, rows[i].Problem, want)
			}
		}
	})
}
