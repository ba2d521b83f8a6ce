package importer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// BenchmarkImport imports the files named by TALLYMAN_BENCH_FILES (a list as
// PATH has) one after another into an empty catalog and reports rows a second
// of each. Without it, it makes a file of its own and imports that twice. It is
// for profiles; make bench has the ratios.
func BenchmarkImport(b *testing.B) {
	paths := filepath.SplitList(os.Getenv("TALLYMAN_BENCH_FILES"))
	if len(paths) == 0 {
		own := filepath.Join(b.TempDir(), "products.csv")
		if err := os.WriteFile(own, []byte(products(100000, "a")), 0o600); err != nil {
			b.Fatal(err)
		}
		paths = []string{own, own}
	}
	for range b.N {
		s := newStack(b, nil)
		for i, path := range paths {
			b.ReportMetric(importBench(b, s, path), fmt.Sprintf("rows/s-%d", i+1))
		}
	}
}

// importBench imports one file and returns its rows per second.
func importBench(b *testing.B, s *stack, path string) float64 {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	opt := importer.Options{Door: "bench", Mapping: generatedColumns(path)}
	begin := time.Now()
	up, err := s.svc.Receive(context.Background(), s.ws, "bench", "", filepath.Base(path), f)
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

// generatedColumns maps the columns of internal/bench/gen that no source knows.
func generatedColumns(path string) []source.Mapping {
	if filepath.Base(path) == "products.csv" {
		return nil
	}
	var m []source.Mapping
	for _, column := range []string{"color", "size", "material", "warranty_months", "origin"} {
		m = append(m, source.Mapping{Column: "attr_" + column, Field: "attributes." + column})
	}
	return append(m, source.Mapping{Column: "model", Field: "attributes.model"})
}
