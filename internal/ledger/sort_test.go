package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Rows that rise, fall or come mixed are sorted alike: what belongs to one row
// stays in its order.
func TestSortByRow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		entries := make([]Entry, n%17)
		row := int64(0)
		for i := range entries {
			switch n % 3 {
			case 0:
				row += rnd.Int64N(3)
			case 1:
				row -= rnd.Int64N(3)
			default:
				row = rnd.Int64N(5)
			}
			entries[i] = Entry{Row: row, Line: int64(i)}
		}
		want := slices.Clone(entries)
		slices.SortStableFunc(want, func(a, b Entry) int { return int(a.Row - b.Row) })
		sortByRow(entries, func(e *Entry) int64 { return e.Row })
		for i := range entries {
			if entries[i].Row != want[i].Row || entries[i].Line != want[i].Line {
				t.Fatalf("entry %d is row %d, the %dth given; want row %d, the %dth", i, entries[i].Row, entries[i].Line, want[i].Row, want[i].Line)
			}
		}
	}
}
