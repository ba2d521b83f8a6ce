package tabular_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"tallyman/internal/tabular"
)

// benchFiles are files of about 16 MiB of the shapes that product files have.
func benchFiles() map[string]func() string {
	const size = 16 << 20
	rows := func(row func(i int) string) func() string {
		return func() string {
			var b strings.Builder
			b.WriteString("sku,title,brand,category,price,currency,quantity,ean,description,image\n")
			for i := 0; b.Len() < size; i++ {
				b.WriteString(row(i))
			}
			return b.String()
		}
	}
	return map[string]func() string{
		"plain": rows(func(i int) string {
			return fmt.Sprintf("SKU-%07d,Stainless steel bottle 0.5 l,Acme,Kitchen > Bottles,14.90,EUR,%d,4006381333931,Keeps drinks cold for a day,https://img.example.com/%d.jpg\n", i, i%90, i)
		}),
		"short": rows(func(i int) string {
			return fmt.Sprintf("%d,a,b,c,1,EUR,%d,,,\n", i, i%90)
		}),
		"quoted": rows(func(i int) string {
			return fmt.Sprintf("\"SKU-%07d\",\"Bottle, steel\",\"Acme\",\"Kitchen\",\"14.90\",\"EUR\",\"%d\",\"4006381333931\",\"Keeps drinks cold\nand hot\",\"https://img.example.com/%d.jpg\"\r\n", i, i%90, i)
		}),
		"escaped": rows(func(i int) string {
			return fmt.Sprintf("SKU-%07d,Bottle,Acme,Kitchen,14.90,EUR,%d,4006381333931,\"{\"\"colour\"\":\"\"steel\"\",\"\"volume\"\":\"\"0.5 l\"\"}\",https://img.example.com/%d.jpg\n", i, i%90, i)
		}),
		"cyrillic": rows(func(i int) string {
			return fmt.Sprintf("SKU-%07d,Бутылка стальная 0.5 л,Акме,Кухня > Бутылки,14.90,EUR,%d,4006381333931,Держит холод весь день,https://img.example.com/%d.jpg\n", i, i%90, i)
		}),
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, text := range benchFiles() {
		for _, columns := range [][]int{nil, {0}, {0, 7}} {
			b.Run(fmt.Sprintf("%s/columns=%v", name, columns), func(b *testing.B) {
				benchmarkDecode(b, text(), columns)
			})
		}
	}
}

func benchmarkDecode(b *testing.B, text string, columns []int) {
	src := bytes.NewReader([]byte(text))
	layout := &tabular.Layout{Format: tabular.CSV, Delimiter: ",", RecordEnd: "\n", Header: make([]string, 10)}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		dec, err := tabular.Open(src, layout, tabular.Section{Length: -1, FirstRow: 1, FirstLine: 1}, tabular.Limits{}, columns)
		if err != nil {
			b.Fatal(err)
		}
		var rec tabular.Record
		for err == nil {
			err = dec.Next(&rec)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
	}
}
