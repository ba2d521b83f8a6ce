package importer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// Items hand their SKUs to new ones, over several batches. Whatever order those
// come in, an undo gives each SKU back: that one row can be taken back only after
// another is no reason to fail.
func TestKeysHandedOnComeBack(t *testing.T) {
	rows := 1100
	var base, file strings.Builder
	base.WriteString("ean,sku,title\n")
	file.WriteString("ean,sku,title\n")
	for i := range rows {
		fmt.Fprintf(&base, "%s,S%d,t\n", gtin(i), i)
		fmt.Fprintf(&file, "%s,T%d,t\n", gtin(i), i)
	}
	for i := range rows {
		fmt.Fprintf(&file, "%s,S%d,n\n", gtin(10000+i), i)
	}
	cases := []struct{ retried, planned bool }{{true, false}, {true, true}, {false, true}, {false, false}}
	for _, c := range cases[:sized(len(cases), 2)] {
		t.Run(fmt.Sprintf("retried %v planned %v", c.retried, c.planned), func(t *testing.T) {
			s := newIdleStack(t, func(c *importer.Config) { c.ChunkRows = 300 })
			ctx := context.Background()
			s.drained(s.begin("a.csv", base.String(), importer.Options{}))
			before := s.values()
			// The last batch is worked on first, and so rows that take a key come
			// before those that leave it.
			imp := s.drained(s.begin("b.csv", file.String(), importer.Options{}))
			if imp.Tally.Updated != int64(rows) || imp.Tally.Failed == 0 {
				t.Fatalf("import %+v", imp.Tally)
			}
			if c.retried {
				imp = s.drained(s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true}))
				if imp.Tally.Created != int64(rows) || imp.Tally.Failed != 0 {
					t.Fatalf("retried %+v", imp.Tally)
				}
			}
			undo := s.drained(s.svc.Undo(ctx, s.ws, imp.ID, importer.Options{Plan: c.planned}))
			if c.planned {
				if undo.State != store.Planned || undo.Plan.Failed != 0 {
					t.Fatalf("plan of the undo: %s %+v", undo.State, undo.Plan)
				}
				plan := undo.Plan
				undo = s.drained(s.svc.Apply(ctx, s.ws, undo.ID, importer.ApplyOptions{Fingerprint: undo.Fingerprint}))
				if undo.Tally != plan {
					t.Errorf("planned %+v, done %+v", plan, undo.Tally)
				}
			}
			want := catalog.Tally{Updated: imp.Tally.Updated, Deleted: imp.Tally.Created}
			if undo.State != store.Done || undo.Tally != want {
				t.Errorf("undo %s %+v, want %+v", undo.State, undo.Tally, want)
			}
			s.checkTally(undo)
			if s.values() != before {
				t.Error("the catalog is not as it was")
			}
		})
	}
}

// crossedFile makes rows whose EANs, SKUs and slugs are drawn each for itself from
// few, so that items take them from one another.
func crossedFile(rnd *rand.Rand, rows int) string {
	var sb strings.Builder
	sb.WriteString("ean,sku,slug,title,price,stock\n")
	for range rows {
		var ean, sku, slug string
		if rnd.IntN(10) < 6 {
			ean = gtin(rnd.IntN(40))
		}
		if rnd.IntN(10) < 7 {
			sku = fmt.Sprintf("K%d", rnd.IntN(40))
		}
		if rnd.IntN(10) < 3 {
			slug = fmt.Sprintf("slug-%d", rnd.IntN(40))
		}
		fmt.Fprintf(&sb, "%s,%s,%s,t%d,%d.00,%d\n", ean, sku, slug, rnd.IntN(3), rnd.IntN(3)+1, rnd.IntN(3))
	}
	return sb.String()
}

func TestAnUndoOfCrossedKeysLeavesEverythingAsItWas(t *testing.T) {
	for seed := range uint64(sized(8, 2)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for _, planned := range []bool{false, true} {
				rnd := rand.New(rand.NewPCG(seed, 2))
				s := newIdleStack(t, func(c *importer.Config) { c.ChunkRows = 5 })
				s.drained(s.begin("a.csv", crossedFile(rnd, 25), importer.Options{}))
				s.drained(s.begin("a2.csv", crossedFile(rnd, 25), importer.Options{}))
				before := s.docs()
				imp := s.drained(s.begin("b.csv", crossedFile(rnd, 30), importer.Options{}))
				undo := s.drained(s.svc.Undo(context.Background(), s.ws, imp.ID, importer.Options{Plan: planned}))
				if planned {
					plan := undo.Plan
					undo = s.drained(s.svc.Apply(context.Background(), s.ws, undo.ID, importer.ApplyOptions{Fingerprint: undo.Fingerprint}))
					if undo.Tally != plan {
						t.Errorf("planned %+v, done %+v", plan, undo.Tally)
					}
				}
				if undo.State != store.Done || undo.Tally.Failed+undo.Tally.Held != 0 {
					t.Errorf("planned %v: %s %+v %q", planned, undo.State, undo.Tally, s.outcomes(undo.ID))
				}
				s.checkTally(undo)
				if d := diffDocs(s.docs(), before); d != "" {
					t.Errorf("planned %v: %s", planned, d)
				}
			}
		})
	}
}
