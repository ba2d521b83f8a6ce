package keyset

import (
	"fmt"
	"testing"

	"tallyman/internal/files"
)

func BenchmarkAdd(b *testing.B) {
	w, err := NewWriter(b.Context(), openStore(b), "1/keys/1")
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	row, h := int64(0), uint64(1)
	for b.Loop() {
		h = h*6364136223846793005 + 1442695040888963407
		w.Add(1, h, row, row*120)
		row++
	}
	if err := w.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkWhole hashes, writes and searches a file with two keys a row, every
// hundredth row with a key of an earlier one.
func BenchmarkWhole(b *testing.B) {
	for _, rows := range []int64{1_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			st, scratch := openStore(b), b.TempDir()
			for b.Loop() {
				segments := writeBenchmark(b, st, rows)
				pairs := int64(0)
				err := Candidates(b.Context(), st, segments, scratch, func(Pair) error {
					pairs++
					return nil
				})
				if err != nil || pairs != rows/100 {
					b.Fatalf("%d pairs, %v", pairs, err)
				}
			}
			b.ReportMetric(float64(2*rows*int64(b.N))/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// writeBenchmark writes segments of a million rows each.
func writeBenchmark(b *testing.B, st files.Store, rows int64) (segments []string) {
	var w *Writer
	sku := []byte("SKU-0000000000")
	for row := range rows {
		if row%1_000_000 == 0 {
			if w != nil {
				finish(b, w)
			}
			name := fmt.Sprintf("1/keys/%d", row)
			segments = append(segments, name)
			var err error
			if w, err = NewWriter(b.Context(), st, name); err != nil {
				b.Fatal(err)
			}
		}
		n := row
		if row%100 == 99 {
			n = row / 2 &^ 1 // an even number, and so never one of these rows' own
		}
		for i, v := len(sku)-1, n; i > 3; i, v = i-1, v/10 {
			sku[i] = '0' + byte(v%10)
		}
		w.Add(1, Hash(1, string(sku)), row, row*120)
		w.Add(2, uint64(row)*0x9e3779b97f4a7c15, row, row*120)
	}
	finish(b, w)
	return segments
}

func finish(b *testing.B, w *Writer) {
	if err := w.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
}
