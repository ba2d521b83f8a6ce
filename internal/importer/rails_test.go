package importer_test

import (
	"context"
	"math"
	"slices"
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

// wantTripped fails unless the import waits to be confirmed, for these rails.
func wantTripped(t *testing.T, imp store.Import, rails ...string) {
	t.Helper()
	f := importer.FindingsOf(&imp)
	var tripped []string
	for i := range f.Tripped {
		tripped = append(tripped, f.Tripped[i].Rail)
	}
	if imp.State != store.Planned || !f.Confirm || !slices.Equal(tripped, rails) {
		t.Errorf("%s %s, want it to wait for %q", imp.State, imp.Findings, rails)
	}
}

// A plan that ran into its rails, given up and retried, is one that nobody has
// confirmed yet.
func TestTrippedRailsHoldTheRetryToo(t *testing.T) {
	ten, none := 10.0, int64(0)
	s := newStack(t, nil)
	ctx := context.Background()
	s.run("a.csv", products(20, "a"), importer.Options{Feed: "acme"})
	before := s.dump()
	imp := s.rest("b.csv", products(2, "a"), importer.Options{Feed: "acme", Missing: "delete",
		Rails: source.Rails{ChangedPercent: &ten, ClearedOrDeleted: &none, RowsDownPercent: &ten}})
	for range 2 {
		wantTripped(t, imp, "changed_percent", "cleared_or_deleted", "rows_down_percent")
		if _, err := s.svc.Terminate(ctx, s.ws, imp.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true, Unprocessed: true}); err != nil {
			t.Fatal(err)
		}
		imp = s.await(imp.ID, atRest)
	}
	wantTripped(t, imp, "changed_percent", "cleared_or_deleted", "rows_down_percent")
	_, err := s.svc.Apply(ctx, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint})
	wantFault(t, err, "confirmation_needed")
	if s.dump() != before {
		t.Error("unconfirmed, it moved items")
	}
	if done := s.apply(imp); done.State != store.Done || done.Tally != (catalog.Tally{Unchanged: 2, Deleted: 18}) {
		t.Errorf("confirmed: %s %+v", done.State, done.Tally)
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
