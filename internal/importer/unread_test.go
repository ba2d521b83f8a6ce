package importer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// What becomes of rows that meet does not hang on how the file is cut, on how far
// ahead it is read, or on whether one of them asks for nothing new: of rows that
// reach one item by different keys the later fails, and a key that a row gives up
// is free for those after it.
func TestRowsThatMeetEndAlikeHoweverTheyAreCut(t *testing.T) {
	first := "sku,ean,title\nS1,4006381333931,First\nS2,5901234123457,Second\n"
	// The last to write S1 was a row that reached it by its EAN.
	second := "sku,ean,title\n,4006381333931,Ten\n"
	between := "F1,,x\nF2,,x\nF3,,x\nF4,,x\n"
	for _, c := range []struct {
		name, file string
		opt        importer.Options
		want       catalog.Tally
		outcomes   []catalog.Outcome
	}{
		{"an unchanged row behind a write", "S1,,Twenty\n,4006381333931,Ten\n", importer.Options{},
			catalog.Tally{Updated: 1, Failed: 1, Errors: 1}, []catalog.Outcome{catalog.Updated, catalog.Failed}},
		{"with others between", "S1,,Twenty\n" + between + ",4006381333931,Ten\n", importer.Options{},
			catalog.Tally{Updated: 1, Created: 4, Failed: 1, Errors: 1}, []catalog.Outcome{catalog.Updated, catalog.Created, catalog.Created, catalog.Created, catalog.Created, catalog.Failed}},
		{"an unchanged row before a write", ",4006381333931,Ten\nS1,,Twenty\n", importer.Options{},
			catalog.Tally{Unchanged: 1, Updated: 1}, []catalog.Outcome{catalog.Unchanged, catalog.Updated}},
		{"a key that is given up", "S9,4006381333931,Ten\nS1,9780306406157,Third\n", importer.Options{},
			catalog.Tally{Updated: 1, Created: 1}, []catalog.Outcome{catalog.Updated, catalog.Created}},
		{"an item that is made", "S4,9780306406157,Fourth\n,9780306406157,Fourth\nF,,x\n", importer.Options{Mode: catalog.Upsert},
			catalog.Tally{Created: 2, Failed: 1, Errors: 1}, nil},
	} {
		for _, rows := range []int{1, 2, 2000} {
			t.Run(fmt.Sprintf("%s/%d", c.name, rows), func(t *testing.T) {
				s := newStack(t, func(cfg *importer.Config) { cfg.ChunkRows, cfg.SliceTime = rows, time.Hour })
				s.run("a.csv", first, importer.Options{})
				s.run("b.csv", second, importer.Options{})
				done := s.run("c.csv", "sku,ean,title\n"+c.file, c.opt)
				var got []catalog.Outcome
				for _, e := range s.rows(done.ID) {
					got = append(got, e.Outcome)
				}
				if done.State != store.Done || done.Tally != c.want || c.outcomes != nil && fmt.Sprint(got) != fmt.Sprint(c.outcomes) {
					t.Errorf("%s %+v, rows %v\nwant %+v, rows %v\n%s", done.State, done.Tally, got, c.want, c.outcomes, problemsOf(s.rows(done.ID)))
				}
				s.checkTally(done)
			})
		}
	}
}

func problemsOf(rows []ledger.Entry) string {
	var b strings.Builder
	for _, e := range rows {
		for _, p := range e.Problems {
			fmt.Fprintf(&b, "row %d: %s: %s\n", e.Row, p.Code, p.Message)
		}
	}
	return b.String()
}
