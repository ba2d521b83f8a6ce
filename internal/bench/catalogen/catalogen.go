// Package catalogen writes invented product catalogs as CSV, for measuring and
// for tests that need many rows: 17 columns, about 440 bytes a row, with
// commas, quotes, line breaks and letters from outside ASCII, so that lines are
// not records.
//
// Every row is a pure function of seed and index. So any part of a catalog can
// be written again by itself, and the same configuration gives the same bytes
// on every machine. What does not belong here: measuring (package bench), and
// anything that knows how the files are imported.
package catalogen

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Feed chooses the columns of a file.
type Feed string

// The feeds. The partial ones are what a shop's price and stock systems send.
const (
	Full  Feed = "full"  // every column
	Price Feed = "price" // sku, price, currency
	Stock Feed = "stock" // sku, quantity
)

// Config says what to write.
type Config struct {
	// Rows is how many rows the catalog has and Start the index of its first.
	Rows, Start uint64
	Seed        uint64
	// Feed is Full when empty.
	Feed Feed
	// Changed is the percentage of rows that differ from the catalog as first
	// written: their prices and quantities, and the titles of a quarter of them.
	Changed int
	// OnlyChanged leaves the other rows out.
	OnlyChanged bool
	// Round draws other rows to change, and other changes. Rows of round 1 differ
	// from those of round 2 and of the catalog as first written.
	Round uint64
	// Cumulative keeps what the rounds before have changed, from round 1 on: a
	// file differs from that of the round before in its own round's rows alone.
	Cumulative bool
	// Bad is the percentage of rows with a fault.
	Bad float64
}

// Fault is what is wrong with a bad row.
type Fault string

// The faults. They fall evenly on bad rows of the full feed.
const (
	BadEAN     Fault = "bad_ean"     // the EAN's check digit is wrong
	MissingKey Fault = "missing_key" // neither SKU nor EAN
	BadPrice   Fault = "bad_price"   // the price is no number
	DupSKU     Fault = "dup_sku"     // the SKU of an earlier good row
)

// Bad is one bad row that was written.
type Bad struct {
	Record uint64 // from 1, the header not counted
	Line   uint64 // on which it begins, the header's being 1
	Fault  Fault
	SKU    string // as written
}

// Stats is what was written.
type Stats struct {
	Records, Lines uint64 // Lines includes the header's
	Bad            uint64
}

// Columns returns a feed's header.
func Columns(f Feed) []string {
	switch f {
	case Price:
		return []string{"sku", "price", "currency"}
	case Stock:
		return []string{"sku", "quantity"}
	}
	return []string{"sku", "ean", "model", "title", "description", "brand", "category", "price", "currency", "quantity", "weight", "image_url",
		"attr_color", "attr_size", "attr_material", "attr_warranty_months", "attr_origin"}
}

// Write writes a file, with LF between records. bad, which may be nil, is
// called with every bad row.
func Write(w io.Writer, c Config, bad func(Bad) error) (Stats, error) {
	if err := c.check(); err != nil {
		return Stats{}, err
	}
	if bad == nil {
		bad = func(Bad) error { return nil }
	}
	out := writer{c: c, w: bufio.NewWriterSize(w, 1<<20), bad: bad, stats: Stats{Lines: 1}}
	if err := out.header(); err != nil {
		return out.stats, err
	}
	for i := range c.Rows {
		if err := out.row(c.Start + i); err != nil {
			return out.stats, fmt.Errorf("write row %d: %w", i, err)
		}
	}
	return out.stats, out.w.Flush()
}

// WriteFile is Write into a new file of that name.
func WriteFile(name string, c Config, bad func(Bad) error) (Stats, error) {
	f, err := os.Create(name)
	if err != nil {
		return Stats{}, err
	}
	stats, err := Write(f, c, bad)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return stats, err
}

func (c *Config) check() error {
	switch {
	case c.Feed != "" && c.Feed != Full && c.Feed != Price && c.Feed != Stock:
		return fmt.Errorf("feed %q is not full, price or stock", c.Feed)
	case c.Changed < 0 || c.Changed > 100:
		return fmt.Errorf("changed is %d percent; it must be 0 to 100", c.Changed)
	case c.Cumulative && c.OnlyChanged:
		return fmt.Errorf("a cumulative file has all rows; only-changed goes with one round alone")
	case c.Bad < 0 || c.Bad > 100:
		return fmt.Errorf("bad is %g percent; it must be 0 to 100", c.Bad)
	case c.Bad > 0 && c.Feed != "" && c.Feed != Full:
		return fmt.Errorf("bad rows are written into the full feed alone")
	case c.Start+c.Rows > maxRows:
		return fmt.Errorf("a catalog has at most %d rows, for its EANs are unique", uint64(maxRows))
	}
	return nil
}

// writer is the state of one Write.
type writer struct {
	c       Config
	w       *bufio.Writer
	bad     func(Bad) error
	stats   Stats
	p       product
	lastSKU []byte // of the last good row
	line    []byte
}

func (w *writer) header() error {
	for i, name := range Columns(w.c.Feed) {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = append(w.line, name...)
	}
	_, err := w.w.Write(append(w.line, '\n'))
	return err
}

func (w *writer) row(index uint64) error {
	round, changed := w.c.changedIn(index)
	if w.c.OnlyChanged && !changed {
		return nil
	}
	w.p.make(w.c.Seed, index)
	if changed {
		w.p.change(w.c.Seed, index, round)
	}
	if err := w.spoil(index); err != nil {
		return err
	}
	w.stats.Records++
	w.stats.Lines += 1 + w.p.breaks
	w.line = w.p.appendCSV(w.line[:0], w.c.Feed)
	_, err := w.w.Write(w.line)
	return err
}

// Salts keep the streams of random numbers of one row apart.
const (
	saltRow = iota
	saltPick
	saltChange
	saltBad
)

// changedIn returns the last round that changed the row, up to the file's own.
func (c *Config) changedIn(index uint64) (round uint64, changed bool) {
	first := c.Round
	if c.Cumulative {
		first = min(first, 1)
	}
	for round := c.Round; ; round-- {
		if c.changes(index, round) {
			return round, true
		}
		if round <= first {
			return 0, false
		}
	}
}

func (c *Config) changes(index, round uint64) bool {
	r := newRandom(c.Seed, index, saltPick+round<<8)
	return c.Changed > 0 && r.below(100) < c.Changed
}

// spoil gives the row a fault, if it is one of those that get one.
func (w *writer) spoil(index uint64) error {
	r := newRandom(w.c.Seed, index, saltBad)
	if float64(r.below(1e6)) >= w.c.Bad*1e4 {
		w.lastSKU = append(w.lastSKU[:0], w.p.sku...)
		return nil
	}
	fault := [...]Fault{BadEAN, MissingKey, BadPrice, DupSKU}[r.below(4)]
	if fault == DupSKU && len(w.lastSKU) == 0 {
		fault = BadPrice
	}
	p := &w.p
	switch fault {
	case BadEAN:
		check := &p.ean[len(p.ean)-1]
		*check = '0' + (*check-'0'+1+byte(r.below(9)))%10
	case MissingKey:
		p.sku, p.ean = p.sku[:0], p.ean[:0]
	case BadPrice:
		p.price = append(p.price[:0], r.pick(badPrices)...)
	case DupSKU:
		p.sku = append(p.sku[:0], w.lastSKU...)
	}
	w.stats.Bad++
	return w.bad(Bad{Record: w.stats.Records + 1, Line: w.stats.Lines + 1, Fault: fault, SKU: string(p.sku)})
}

// TruthHeader is the first line of a truth file, and AppendTruth appends one
// line of it.
const TruthHeader = "record\tline\tkind\tsku\n"

// AppendTruth appends a bad row as tab-separated values.
func AppendTruth(b []byte, x Bad) []byte {
	b = strconv.AppendUint(b, x.Record, 10)
	b = append(b, '\t')
	b = strconv.AppendUint(b, x.Line, 10)
	b = append(append(b, '\t'), x.Fault...)
	b = append(append(b, '\t'), x.SKU...)
	return append(b, '\n')
}
