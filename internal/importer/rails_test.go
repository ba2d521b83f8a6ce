package importer_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// rest begins an import and waits until it waits for somebody, or has ended.
func (s *stack) rest(name, content string, opt importer.Options) store.Import {
	s.t.Helper()
	imp, err := s.begin(name, content, opt)
	if err != nil {
		s.t.Fatalf("import %s: %v", name, err)
	}
	return s.await(imp.ID, atRest)
}

// wantTripped fails unless the import waits to be confirmed, for this rail alone.
func wantTripped(t *testing.T, imp store.Import, rail string) {
	t.Helper()
	f := importer.FindingsOf(&imp)
	if imp.State != store.Planned || !f.Confirm || len(f.Tripped) != 1 || f.Tripped[0].Rail != rail {
		t.Errorf("%s %s, want it to wait for %s", imp.State, imp.Findings, rail)
	}
}

// A plan that ran into a rail, given up and retried, is one that nobody has
// confirmed yet.
func TestATrippedRailHoldsTheRetryToo(t *testing.T) {
	ten, none := 10.0, int64(0)
	for name, r := range map[string]source.Rails{
		"rows_down_percent":  {RowsDownPercent: &ten},
		"cleared_or_deleted": {ClearedOrDeleted: &none},
		"changed_percent":    {ChangedPercent: &ten},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, nil)
			ctx := context.Background()
			s.run("a.csv", products(20, "a"), importer.Options{Feed: "acme"})
			before := s.dump()
			imp := s.rest("b.csv", products(2, "a"), importer.Options{Feed: "acme", Missing: "delete", Rails: r})
			wantTripped(t, imp, name)
			for range 2 {
				if _, err := s.svc.Terminate(ctx, s.ws, imp.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true, Unprocessed: true}); err != nil {
					t.Fatal(err)
				}
				imp = s.await(imp.ID, atRest)
				wantTripped(t, imp, name)
			}
			_, err := s.svc.Apply(ctx, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint})
			wantFault(t, err, "confirmation_needed")
			if s.dump() != before {
				t.Error("unconfirmed, it moved items")
			}
			if done := s.apply(imp); done.State != store.Done || done.Tally.Deleted != 18 || done.Tally.Unchanged != 2 {
				t.Errorf("confirmed: %s %+v", done.State, done.Tally)
			}
		})
	}
}

// How far a price moves into another currency nobody can say, and so it is too far.
func TestAPriceInAnotherCurrencyTripsItsRail(t *testing.T) {
	ten := 10.0
	s := newStack(t, nil)
	s.run("a.csv", "sku,title,price,currency\nA,a,100,EUR\nB,b,100,EUR\n", importer.Options{})
	before := s.dump()
	imp := s.rest("b.csv", "sku,price,currency\nA,100,JPY\nB,105,EUR\n", importer.Options{Rails: source.Rails{PriceMovePercent: &ten}})
	wantTripped(t, imp, "price_move_percent")
	if found := importer.FindingsOf(&imp).Tripped; len(found) == 1 && !strings.HasPrefix(found[0].Message, "One price moves ") {
		t.Errorf("it says %q", found[0].Message)
	}
	if s.dump() != before {
		t.Error("unconfirmed, it moved items")
	}
	if first := s.rest("c.csv", "sku,title,price,currency\nC,c,100,JPY\nB,b,105,EUR\n", importer.Options{Rails: source.Rails{PriceMovePercent: &ten}}); first.State != store.Done {
		t.Errorf("an item's first price: %s %s", first.State, first.Findings)
	}
}

func TestARailIsANumberOfPerCent(t *testing.T) {
	s := newIdleStack(t, nil)
	for _, v := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), -1} {
		for name, r := range map[string]source.Rails{
			"max_changed_percent":    {ChangedPercent: &v},
			"max_price_move_percent": {PriceMovePercent: &v},
			"max_rows_down_percent":  {RowsDownPercent: &v},
		} {
			_, err := s.begin("a.csv", "sku,title\nA,a\n", importer.Options{Rails: r})
			if f := catalog.AsFault(err); f == nil || f.Code != "validation_error" || len(f.Fields) != 1 || f.Fields[name] == nil {
				t.Errorf("%s of %v: %v", name, v, err)
			}
		}
	}
}
