package tabular_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tallyman/internal/tabular"
	"tallyman/internal/tabular/tabulartest"
)

// FuzzDecode reads any bytes as CSV, with limits so low that they are met.
func FuzzDecode(f *testing.F) {
	for _, c := range ruleCases {
		f.Add([]byte(c.text), byte(0), byte(40), byte(16))
		f.Add([]byte(c.text), byte(1|4), byte(12), byte(3))
	}
	f.Add([]byte("\"a\n\"b\n\"c  \n\"d"), byte(0), byte(5), byte(2))
	f.Add([]byte("x,\"a\"\"\"\"\r\r\n\"\"\",\r\n\xff,\x00\n   \n\t\n,"), byte(4), byte(9), byte(2))
	f.Add([]byte("0123456789abc\t\"0\n\" "), byte(2), byte(12), byte(16))
	f.Fuzz(func(t *testing.T, data []byte, how, recordBytes, columns byte) {
		if len(data) > 4096 {
			return
		}
		checkAgainstNaive(t, data, how, int(recordBytes)+1, int(columns)+1)
	})
}

// checkAgainstNaive runs the suite and compares with the naive decoder. how
// chooses the delimiter (two bits), the record end and the number of columns.
func checkAgainstNaive(t tabulartest.T, data []byte, how byte, recordBytes, columns int) {
	t.Helper()
	layout := &tabular.Layout{Format: tabular.CSV, Delimiter: string(",;\t|"[how&3]), RecordEnd: "\n",
		Header: make([]string, 1+how>>3&1), DataRow: 1, DataLine: 1}
	n := &naive{data: data, delim: layout.Delimiter[0], cap: recordBytes, columns: columns, many: len(layout.Header) > 1}
	if how&4 != 0 {
		layout.RecordEnd, n.crEnds = "\r", true
	}
	rows := tabulartest.Run(t, tabulartest.File{Data: data, Layout: layout,
		Limits: tabular.Limits{RecordBytes: recordBytes, Columns: columns}})
	var got []naiveRecord
	for _, r := range rows {
		got = append(got, compared(r.Record, r.Next.Offset))
	}
	if diff := cmp.Diff(n.all(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("differs from the naive decoder (-naive +decoder) on %q:\n%s", data, diff)
	}
	checkEveryByteIsRead(t, data, rows)
}

// checkEveryByteIsRead checks that what stands between records is blank.
func checkEveryByteIsRead(t tabulartest.T, data []byte, rows []tabulartest.Row) {
	t.Helper()
	at := int64(0)
	for i := 0; i <= len(rows); i++ {
		until := int64(len(data))
		if i < len(rows) {
			until = rows[i].Offset
		}
		for _, c := range data[at:until] {
			if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				t.Fatalf("byte %q of the part %q belongs to no record", c, data[at:until])
			}
		}
		if i < len(rows) {
			at = rows[i].Next.Offset
		}
	}
}
