package catalogen

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// product is one row's values, in memory that the next row reuses.
type product struct {
	sku, ean, model, title, description []byte
	brand, category                     string
	price                               []byte
	cents                               int
	currency                            string
	quantity                            int
	grams                               int
	image                               uint64 // the folder of its picture
	color, size, material               string
	warranty                            int
	origin                              string
	breaks                              uint64 // line breaks within its cells
}

func (p *product) make(seed, index uint64) {
	r := newRandom(seed, index, saltRow)
	p.brand = r.pick(brands)
	p.identify(&r, seed, index)
	p.title = append(append(append(append(append(p.title[:0], p.brand...), ' '), r.pick(adjectives)...), ' '), r.pick(nouns)...)
	p.title = strconv.AppendInt(append(p.title, ' '), int64(100+r.below(900)), 10)
	p.describe(&r)
	p.category = r.pick(categories)
	p.setPrice(99 + r.below(49_900))
	p.currency = r.pick(currencies)
	p.quantity = r.below(1000)
	p.grams = 10 + r.below(25_000)
	p.image = index % 1000
	p.color, p.size, p.material = r.pick(colors), r.pick(sizes), r.pick(materials)
	p.warranty = 6 * (1 + r.below(10))
	p.origin = r.pick(origins)
}

// Numbers of nine digits stand behind the prefix of an EAN. A step that has no
// divisor in common with their count visits each once, so a catalog's EANs are
// unique up to maxRows.
const (
	maxRows = 1_000_000_000
	eanStep = 7919
)

func (p *product) identify(r *random, seed, index uint64) {
	p.sku = append(p.sku[:0], 'A'+byte(r.below(26)), 'A'+byte(r.below(26)), 'A'+byte(r.below(26)), '-')
	p.sku = append(appendDigits(p.sku, index, 7), '-')
	p.sku = append(p.sku, r.pick(suffixes)...)

	number := (index*eanStep + seed%maxRows*104_729) % maxRows
	p.ean = append(p.ean[:0], prefixes[index%uint64(len(prefixes))]...)
	p.ean = appendDigits(p.ean, number, 9)
	p.ean = append(p.ean, checkDigit(p.ean))

	p.model = appendBase36(append(p.model[:0], 'B', '0'), (index*2_654_435_761+seed)%2_821_109_907_456, 8)
}

// checkDigit is the GS1 check digit of twelve digits.
func checkDigit(digits []byte) byte {
	sum := 0
	for i, c := range digits {
		if d := int(c - '0'); i%2 == 0 {
			sum += d
		} else {
			sum += 3 * d
		}
	}
	return '0' + byte((10-sum%10)%10)
}

// describe writes a text of 100 to 380 characters. How many commas, quotes,
// line breaks and foreign words it has is the row's own style.
func (p *product) describe(r *random) {
	b := p.description[:0]
	p.breaks = 0
	length, style := 100+r.below(280), r.below(100)
	for n := 0; n < length; {
		if n > 0 {
			mark := len(b)
			b = p.appendGap(b, r, style)
			n += len(b) - mark
		}
		word := r.pick(words)
		if style < 12 && r.below(6) == 0 {
			word = r.pick(foreign)
		}
		quoted := style%10 == 3 && r.below(12) == 0
		if quoted {
			b = append(b, '"')
		}
		b = append(b, word...)
		if quoted {
			b = append(b, '"')
		}
		n += utf8.RuneCountInString(word)
	}
	p.description = b
}

func (p *product) appendGap(b []byte, r *random, style int) []byte {
	switch {
	case style < 45 && r.below(8) == 0:
		return append(b, ", "...)
	case style%12 == 5 && r.below(15) == 0:
		p.breaks++
		return append(b, ".\n"...)
	}
	return append(b, ' ')
}

// change makes the row what it is in a later round.
func (p *product) change(seed, index, round uint64) {
	r := newRandom(seed, index, saltChange+round<<8)
	cents := p.cents * (80 + r.below(41)) / 100
	if cents == p.cents {
		cents++
	}
	p.setPrice(cents)
	p.quantity = (p.quantity + 1 + r.below(999)) % 1000
	if r.below(4) == 0 {
		p.title = append(p.title, " v2"...)
	}
}

func (p *product) setPrice(cents int) {
	p.cents = cents
	p.price = strconv.AppendInt(p.price[:0], int64(cents/100), 10)
	p.price = appendDigits(append(p.price, '.'), uint64(cents%100), 2)
}

// appendCSV appends the row with its line end.
func (p *product) appendCSV(b []byte, f Feed) []byte {
	b = append(b, p.sku...)
	switch f {
	case Price:
		b = append(append(b, ','), p.price...)
		b = append(append(b, ','), p.currency...)
		return append(b, '\n')
	case Stock:
		b = strconv.AppendInt(append(b, ','), int64(p.quantity), 10)
		return append(b, '\n')
	}
	b = append(append(b, ','), p.ean...)
	b = append(append(b, ','), p.model...)
	b = appendCell(append(b, ','), p.title)
	b = appendCell(append(b, ','), p.description)
	b = appendCell(append(b, ','), p.brand)
	b = appendCell(append(b, ','), p.category)
	b = appendCell(append(b, ','), p.price)
	b = append(append(b, ','), p.currency...)
	b = strconv.AppendInt(append(b, ','), int64(p.quantity), 10)
	b = strconv.AppendInt(append(b, ','), int64(p.grams/1000), 10)
	b = appendDigits(append(b, '.'), uint64(p.grams%1000), 3)
	b = strconv.AppendUint(append(b, ",https://img.example.com/p/"...), p.image, 10)
	b = append(append(append(b, '/'), p.model...), ".jpg"...)
	for _, cell := range [...]string{p.color, p.size, p.material} {
		b = appendCell(append(b, ','), cell)
	}
	b = strconv.AppendInt(append(b, ','), int64(p.warranty), 10)
	return append(append(append(b, ','), p.origin...), '\n')
}

// appendCell appends a cell, in quotes where RFC 4180 asks for them.
func appendCell[T string | []byte](b []byte, cell T) []byte {
	start := len(b)
	b = append(b, cell...)
	if bytes.IndexByte(b[start:], ',') < 0 && bytes.IndexByte(b[start:], '"') < 0 && bytes.IndexByte(b[start:], '\n') < 0 {
		return b
	}
	b = append(b[:start], '"')
	for i := range len(cell) {
		if cell[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, cell[i])
	}
	return append(b, '"')
}

func appendDigits(b []byte, v uint64, width int) []byte {
	return appendBase(b, v, width, 10)
}

func appendBase36(b []byte, v uint64, width int) []byte {
	return appendBase(b, v, width, 36)
}

// appendBase appends the number in at least width digits.
func appendBase(b []byte, v uint64, width int, base uint64) []byte {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var buf [20]byte
	i := len(buf)
	for ; v > 0 || len(buf)-i < width; v /= base {
		i--
		buf[i] = digits[v%base]
	}
	return append(b, buf[i:]...)
}
