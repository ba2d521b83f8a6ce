package importer_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// BenchmarkImport imports the file named by TALLYMAN_BENCH_FILE into an empty
// catalog and then once more, and reports rows a second of each. Without it, it
// makes a file of its own. It is for profiles; make bench has the ratios.
func BenchmarkImport(b *testing.B) {
	for range b.N {
		s := newStack(b, nil)
		b.ReportMetric(importBench(b, s), "created/s")
		b.ReportMetric(importBench(b, s), "unchanged/s")
	}
}

func importBench(b *testing.B, s *stack) float64 {
	var body io.Reader = strings.NewReader(products(100000, "a"))
	if path := os.Getenv("TALLYMAN_BENCH_FILE"); path != "" {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		body = f
	}
	opt := importer.Options{Door: "bench"}
	for _, m := range [][2]string{{"model", "attributes.model"}, {"attr_color", "attributes.color"}, {"attr_size", "attributes.size"},
		{"attr_material", "attributes.material"}, {"attr_warranty_months", "attributes.warranty_months"}, {"attr_origin", "attributes.origin"}} {
		if os.Getenv("TALLYMAN_BENCH_FILE") != "" {
			opt.Mapping = append(opt.Mapping, source.Mapping{Column: m[0], Field: m[1]})
		}
	}
	begin := time.Now()
	up, err := s.svc.Receive(context.Background(), s.ws, "bench", "", "bench.csv", body)
	if err != nil {
		b.Fatal(err)
	}
	imp, err := s.svc.Start(context.Background(), s.ws, up, opt)
	if err != nil {
		b.Fatal(err)
	}
	imp = s.await(imp.ID, store.State.Ended)
	return float64(imp.Rows) / time.Since(begin).Seconds()
}
