package tabular_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tallyman/internal/tabular"
	"tallyman/internal/tabular/tabulartest"
)

// samplesDir is a folder of real product files with a README that says how many
// rows each has. It is no part of the repository; where it is absent, there is
// nothing to check.
func samplesDir(t *testing.T) string {
	dir := os.Getenv("TALLYMAN_SAMPLES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "samples")
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Logf("no sample files in %s; set TALLYMAN_SAMPLES to check some", dir)
		return ""
	}
	return dir
}

// sampleLine is a row of the README's table of text files: file, origin, bytes,
// rows behind the first record, columns.
var sampleLine = regexp.MustCompile(`^\| (\S+\.(?:csv|tsv|txt)) \|[^|]*\| [\d,]+ \| ([\d,]+) \| (\d+) \|`)

// TestSamplesReadWhole knows no exceptions: like Detect, the README takes the
// first record of a file without a header for one, and counts the rows of
// labels that some files have behind it.
func TestSamplesReadWhole(t *testing.T) {
	dir := samplesDir(t)
	if dir == "" {
		return
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for line := range strings.Lines(string(readme)) {
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		checked++
		t.Run(m[1], func(t *testing.T) {
			checkSample(t, filepath.Join(dir, m[1]), number(t, m[2]), number(t, m[3]))
		})
	}
	if checked == 0 {
		t.Errorf("the table of text files in %s was not understood", dir)
	}
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkSample(t *testing.T, path string, records, columns int) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := tabular.Detect(data[:min(len(data), tabular.SniffBytes)], int64(len(data)), filepath.Base(path), tabular.DetectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows := tabulartest.Run(t, tabulartest.File{Data: data, Layout: layout})
	for _, r := range rows {
		if r.Problem != nil {
			t.Errorf("row %d (line %d): %s", r.Number, r.Line, r.Problem.Message)
		}
	}
	if len(rows) != records || len(layout.Header) != columns {
		t.Errorf("got %d records of %d columns, want %d of %d; %q", len(rows), len(layout.Header), records, columns, layout.Why)
	}
}

func TestSamplesOfOtherFormats(t *testing.T) {
	dir := samplesDir(t)
	if dir == "" {
		return
	}
	for name, want := range map[string]string{
		"akaunting_items.xlsx":                               "xlsx",
		"amazon_Flat.File.FoodServiceAndJanSan-Lite.US.xlsx": "xlsx",
		"smartstore_testdata.xlsx":                           "xlsx",
		"bestbuy_ecommerce.json":                             "json",
		"bagisto_products.xls":                               "unknown_format",
		"google_shopping_rss_sample.xml":                     "unknown_format",
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		layout, err := tabular.Detect(data[:min(len(data), tabular.SniffBytes)], int64(len(data)), name, tabular.DetectOptions{})
		if got := formatOrCode(layout, err); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
