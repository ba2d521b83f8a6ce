package importer_test

import (
	"context"
	"strings"
	"testing"

	"tallyman/internal/importer"
)

// An import goes by the currency that its workspace had when it began: in its
// plan, when that is applied, in checks of corrected rows and in retries.
func TestAnImportKeepsTheCurrencyItBeganWith(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	s.run("a.csv", "sku,title\nB,b\n", importer.Options{})
	plan := s.plan("b.csv", "sku,title,price\nA,a,10\nB,b,10\nC,c,oops\n", importer.Options{})
	direct := s.run("c.csv", "sku,title,price\nD,d,oops\n", importer.Options{})
	if err := s.db.SetCurrency(ctx, s.ws.WS, "JPY"); err != nil {
		t.Fatal(err)
	}
	s.ws.Currency = "JPY"
	done := s.apply(plan)
	if done.Tally != plan.Plan || strings.Count(s.values(), `"10.00 EUR"`) != 2 {
		t.Errorf("planned %+v, done %+v\n%s", plan.Plan, done.Tally, s.values())
	}
	for id, row := range map[string]int64{plan.ID: 4, direct.ID: 2} {
		check := s.correct(id, row, map[string]string{"price": "20"})
		if len(check.Changes) != 1 || !strings.Contains(said(check.Changes[0]), "20.00 EUR") {
			t.Errorf("the corrected row: %+v", check)
		}
		s.retry(id)
	}
	if strings.Count(s.values(), `"20.00 EUR"`) != 2 {
		t.Errorf("retried:\n%s", s.values())
	}
	s.run("d.csv", "sku,title,price\nE,e,10\n", importer.Options{})
	if price := s.product("E").Doc.Text("price"); price != "10 JPY" {
		t.Errorf("an import that began later has %s", price)
	}
}
