package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"slices"
)

// header is that of the imported file. The last column means nothing to the
// program, and must come back all the same.
var header = []string{"sku", "ean", "title", "brand", "description", "price", "stock", "note"}

// product is a row of the file: as it is, and the cells that it should have had.
type product struct {
	cells []string
	truth []fix
}

// fix is one cell put right.
type fix struct{ heading, text string }

// title is what a person finds the row by.
func (p *product) title() string { return p.cells[slices.Index(header, "title")] }

// corrected are the cells as they should have been.
func (p *product) corrected() []string {
	cells := slices.Clone(p.cells)
	for _, f := range p.truth {
		cells[slices.Index(header, f.heading)] = f.text
	}
	return cells
}

// oddities are texts that spreadsheets are known to change, or to run.
var oddities = []string{
	"=SUM(A1:A3)", "+49 30 1234", "-5 °C", "@home", "line one\nline two", `say "hi", then go`, "12345678901234567890",
	"TRUE", "true", "1.50", "5%", "3/4", "1-2", "2024-01-05", "'quoted", "€ 5", "1e5", "0x1F", "12:30", "Größe’s; é", "007", "''=1",
}

// products makes the file's rows: one in three is good, and every bad one is bad
// in its own way and has its own right values.
func products() []product {
	var all []product
	for i := range 3 * len(oddities) / 2 {
		p := product{cells: []string{skuOf(i), gtinOf(i), fmt.Sprintf("Kessel %02d", i), "Kärcher & Söhne", oddities[i%len(oddities)],
			fmt.Sprintf("%d.50", 10+i), fmt.Sprint(i), oddities[(i+7)%len(oddities)]}}
		if i%3 != 0 {
			p.spoil(i)
		}
		all = append(all, p)
	}
	return all
}

// spoil makes the row bad.
func (p *product) spoil(i int) {
	price, stock, ean := fix{"price", fmt.Sprintf("%d.25", 100+i)}, fix{"stock", fmt.Sprint(1000 + i)}, fix{"ean", gtinOf(i)}
	switch i % 4 {
	case 0:
		p.bad("price", "12,9x")
		p.truth = []fix{price}
	case 1:
		digits := []byte(gtinOf(i))
		last := len(digits) - 1
		digits[last] = '0' + (digits[last]-'0'+1)%10
		p.bad("ean", string(digits))
		p.truth = []fix{ean}
	case 2:
		p.bad("stock", "many")
		p.truth = []fix{stock}
	case 3:
		p.bad("price", "on request")
		p.bad("stock", "none")
		p.truth = []fix{price, stock}
	}
}

func (p *product) bad(heading, text string) { p.cells[slices.Index(header, heading)] = text }

// skuOf makes SKUs of kinds that a spreadsheet takes for numbers and dates, too.
func skuOf(i int) string {
	return fmt.Sprintf([...]string{"K-%03d", "000%03d", "7E%d", "2024-01-%02d"}[i%4], i)
}

// gtinOf makes trade item numbers, some of which begin with zeros.
func gtinOf(i int) string {
	digits := fmt.Appendf(nil, "%s%07d", [...]string{"40063", "00123"}[i/4%2], 7919*i)
	sum := 0
	for k, c := range digits {
		sum += int(c-'0') * (1 + 2*(k%2))
	}
	return string(append(digits, '0'+byte((10-sum%10)%10)))
}

// writeProducts writes the rows as of gives them.
func writeProducts(name string, all []product, of func(*product) []string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{header}
	for i := range all {
		rows = append(rows, of(&all[i]))
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}
