package importer_test

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// inside is a store that reads no items beside its writer: every row is mapped when
// it is read, and decided within its chunk's transaction.
type inside struct{ store.Store }

func (inside) DecidesAhead() bool { return false }

// What becomes of rows does not hang on which of them are told by their hash before
// they are mapped.
func TestRowsEndAlikeWhetherOrNotTheyAreSketched(t *testing.T) {
	for seed := range uint64(sized(6, 2)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sketched := newStack(t, func(c *importer.Config) { c.ChunkRows = 7 })
			mapped := newStack(t, func(c *importer.Config) { c.ChunkRows, c.Store = 7, inside{c.Store} })
			r := rand.New(rand.NewPCG(seed, 1))
			rows := mixedRows(r, 60)
			for round := range 5 {
				file := mixedFile(rows)
				one, other := sketched.run("a.csv", file, importer.Options{}), mapped.run("a.csv", file, importer.Options{})
				if got, want := sketched.told(one.ID), mapped.told(other.ID); got != want || one.Tally != other.Tally {
					t.Fatalf("round %d: %+v\n%s\nwant %+v\n%s\nof\n%s", round, one.Tally, got, other.Tally, want, file)
				}
				if got, want := sketched.dump(), mapped.dump(); got != want {
					t.Fatalf("round %d: items\n%s\nwant\n%s", round, got, want)
				}
				if round > 0 && one.Tally.Unchanged == 0 {
					t.Errorf("round %d has no row that came again: %+v", round, one.Tally)
				}
				sketched.checkTally(one)
				mix(r, rows)
			}
		})
	}
}

// told is what became of each row, but for the ids of items.
func (s *stack) told(id string) string {
	var b strings.Builder
	for _, e := range s.rows(id) {
		fmt.Fprintf(&b, "%d %s line %d %v", e.Row, e.Outcome, e.Line, e.Ident)
		for _, p := range e.Problems {
			fmt.Fprintf(&b, " %s %s %s %q", p.Severity, p.Code, p.Column, p.Value)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// mixedCells are what the cells of a column may be: right, worth a warning, wrong.
var mixedCells = [][]string{
	1: {"", "4006381333931", "4006381333932", "5901234123457", "9780306406157", "4.00638E+12"},
	2: {"Red shoe", "Blue shoe", " Red shoe ", ""},
	3: {"12", "12.50", "'12", "12,50 €", "-1", "x"},
	4: {"7", "7.0", "'7", "many"},
}

// mixedRows are rows of a SKU, a trade item number, a title, a price and a stock.
func mixedRows(r *rand.Rand, n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		rows[i] = []string{fmt.Sprintf("S%02d", i), "", "Red shoe", "12", "7"}
		if r.IntN(2) == 0 {
			mixCell(r, rows[i])
		}
	}
	return rows
}

// mix changes a third of the rows, and lets some change places.
func mix(r *rand.Rand, rows [][]string) {
	for _, row := range rows {
		if r.IntN(3) == 0 {
			mixCell(r, row)
		}
	}
	for range 5 {
		i, j := r.IntN(len(rows)), r.IntN(len(rows))
		rows[i], rows[j] = rows[j], rows[i]
	}
	if r.IntN(2) == 0 {
		rows[r.IntN(len(rows))][0] = rows[0][0] // a key that stands twice
	}
}

func mixCell(r *rand.Rand, row []string) {
	column := 1 + r.IntN(len(mixedCells)-1)
	row[column] = mixedCells[column][r.IntN(len(mixedCells[column]))]
}

func mixedFile(rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"sku", "ean", "title", "price", "stock"})
	_ = w.WriteAll(rows)
	return b.String()
}
