package importer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// atRest reports whether an import waits for somebody or has ended.
func atRest(s store.State) bool { return s.Ended() || s == store.Planned || s == store.Paused }

// plan plans content and waits for the plan.
func (s *stack) plan(name, content string, opt importer.Options) store.Import {
	s.t.Helper()
	opt.Plan = true
	imp, err := s.begin(name, content, opt)
	if err != nil {
		s.t.Fatalf("plan %s: %v", name, err)
	}
	return s.await(imp.ID, atRest)
}

// apply applies a plan and waits for its end.
func (s *stack) apply(imp store.Import) store.Import {
	s.t.Helper()
	_, err := s.svc.Apply(context.Background(), s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint, Confirm: true})
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	return s.await(imp.ID, store.State.Ended)
}

// undo takes an import back and waits for the end of that.
func (s *stack) takeBack(imp store.Import) store.Import {
	s.t.Helper()
	undo, err := s.svc.Undo(context.Background(), s.ws, imp.ID, importer.Options{Door: "test"})
	if err != nil {
		s.t.Fatalf("undo: %v", err)
	}
	return s.await(undo.ID, store.State.Ended)
}

// wantFault fails unless err is a fault of this code.
func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if f := catalog.AsFault(err); f == nil || f.Code != code {
		t.Errorf("got %v, want fault %s", err, code)
	}
}

// docs lists the documents of the catalog by id.
func (s *stack) docs() map[string]catalog.Doc {
	s.t.Helper()
	items, err := s.db.Items(context.Background(), s.ws.WS, store.ItemFilter{}, store.Range{})
	if err != nil {
		s.t.Fatal(err)
	}
	docs := make(map[string]catalog.Doc, len(items))
	for _, it := range items {
		docs[it.ID] = it.Doc
		if sku := it.Doc.Text(catalog.PropSKU); sku != it.SKU || catalog.GTINKey(it.Doc.Text(catalog.PropGTIN)) != it.GTIN && it.GTIN != "" {
			s.t.Errorf("item %s has keys %s %s beside %s", it.ID, it.SKU, it.GTIN, it.Doc)
		}
	}
	return docs
}

func TestAPlanWritesNothingAndIsAppliedAsShown(t *testing.T) {
	s := newStack(t, func(c *importer.Config) { c.ChunkRows = 700 })
	s.run("a.csv", products(6000, "a"), importer.Options{})
	before := s.dump()
	file := "sku,title,price,stock\nS-000001,other,7.00,1\nbad,,x,1\n,nothing,1,1\n" +
		strings.Join(strings.Split(products(9000, "a"), "\n")[3000:], "\n")
	plan := s.plan("b.csv", file, importer.Options{})
	if plan.State != store.Planned || plan.Fingerprint == "" || plan.Tally != (catalog.Tally{}) {
		t.Fatalf("%s %q %+v", plan.State, plan.Fingerprint, plan.Tally)
	}
	if s.dump() != before {
		t.Fatal("a plan moved items")
	}
	if plan.Plan.Created != 3000 || plan.Plan.Updated != 1 || plan.Plan.Failed != 2 || plan.Plan.Rows() != plan.Rows {
		t.Errorf("plan of %d rows: %+v", plan.Rows, plan.Plan)
	}
	again := s.plan("b.csv", file, importer.Options{})
	if again.Fingerprint != plan.Fingerprint || again.DuplicateOf != "" {
		t.Errorf("the same plan again: %s, %s; duplicate of %s", plan.Fingerprint, again.Fingerprint, again.DuplicateOf)
	}
	_, err := s.svc.Apply(context.Background(), s.ws, plan.ID, importer.ApplyOptions{Fingerprint: "other"})
	wantFault(t, err, "plan_changed")
	done := s.apply(plan)
	if done.Tally != plan.Plan {
		t.Errorf("planned %+v, done %+v", plan.Plan, done.Tally)
	}
	s.checkTally(done)
	_, err = s.svc.Apply(context.Background(), s.ws, plan.ID, importer.ApplyOptions{Fingerprint: plan.Fingerprint})
	wantFault(t, err, "wrong_state")
	if third := s.plan("b.csv", file, importer.Options{}); third.DuplicateOf != plan.ID {
		t.Errorf("after it was applied: duplicate of %q", third.DuplicateOf)
	}
	late := s.apply(again)
	if late.Tally.Held != 3001 || late.Tally.Failed != 2 || late.Tally.Created+late.Tally.Updated != 0 {
		t.Errorf("a plan applied by another first: %+v", late.Tally)
	}
	s.checkTally(late)
}

func TestAHeldRowIsShownWithItsNewDiffAndRetried(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", "sku,title,price,stock\nA,a,1.00,1\nB,b,1.00,1\nC,c,1.00,1\n", importer.Options{})
	plan := s.plan("b.csv", "sku,title,price\nA,a,2.00\nB,b,2.00\nC,c,1.00\n", importer.Options{})
	s.run("c.csv", "sku,price,stock\nA,3.00,1\nB,1.00,9\nC,5.00,1\n", importer.Options{})
	done := s.apply(plan)
	if done.Tally.Held != 2 || done.Tally.Updated != 1 {
		t.Fatalf("%+v", done.Tally)
	}
	changes, n, err := s.svc.Changes(context.Background(), s.ws, done.ID, importer.ChangeFilter{Outcome: catalog.Held}, store.Range{})
	if err != nil || n != 2 || changes[0].Fields[0].Old != `"3.00 EUR"` || changes[0].Fields[0].New != `"2.00 EUR"` {
		t.Errorf("held rows: %v %d %+v", err, n, changes)
	}
	if _, err := s.svc.Retry(context.Background(), s.ws, done.ID, importer.RetryOptions{Failed: true, Unprocessed: true}); err == nil {
		t.Error("held rows were retried unasked")
	}
	if _, err := s.svc.Retry(context.Background(), s.ws, done.ID, importer.RetryOptions{Held: true}); err != nil {
		t.Fatal(err)
	}
	done = s.await(done.ID, store.State.Ended)
	if done.Tally.Held != 0 || done.Tally.Updated != 3 {
		t.Errorf("after the retry: %+v", done.Tally)
	}
	s.checkTally(done)
}

// Random imports, random edits by others in between: what an undo leaves is what
// was there before, but for what others changed.
func TestUndoLeavesWhatOthersChanged(t *testing.T) {
	for seed := range uint64(sized(12, 4)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			s := newStack(t, func(c *importer.Config) { c.ChunkRows = 5 + rnd.IntN(40) })
			s.run("a.csv", randomFile(rnd, 80, 60), importer.Options{})
			s.run("a2.csv", randomFile(rnd, 80, 30), importer.Options{})
			before := s.docs()
			imp := s.run("b.csv", randomFile(rnd, 120, 80), importer.Options{})
			after := s.docs()
			var between map[string]catalog.Doc
			if seed%3 > 0 {
				s.run("c.csv", randomFile(rnd, 120, int(seed%3)*20), importer.Options{Mode: catalog.Update, HasMode: true})
			}
			between = s.docs()
			undo := s.takeBack(imp)
			if undo.State != store.Done {
				t.Fatalf("undo is %s: %s", undo.State, undo.FaultMessage)
			}
			s.checkTally(undo)
			kept := s.keptValues(undo)
			now := s.docs()
			for id := range union(before, between, now) {
				checkUndone(t, id, before[id], after[id], between[id], now[id], kept)
			}
			redo := s.takeBack(undo)
			s.checkTally(redo)
			if seed%3 == 0 {
				if d := diffDocs(s.docs(), after); d != "" {
					t.Errorf("undo of the undo: %s", d)
				}
			}
			_, err := s.svc.Undo(context.Background(), s.ws, imp.ID, importer.Options{})
			wantFault(t, err, "already_undone")
		})
	}
}

// keptValues lists what an undo reported as kept: "row field", or the row alone.
func (s *stack) keptValues(undo store.Import) map[string]bool {
	s.t.Helper()
	kept := make(map[string]bool)
	err := s.svc.EachProblem(context.Background(), s.ws, undo.ID, importer.ProblemFilter{Severities: ledger.ErrorsAndWarnings}, func(p importer.RowProblem) error {
		kept[p.ItemID+" "+p.Column] = true
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return kept
}

// checkUndone compares one item: each property is as it was before the import,
// or as another left it since, and that is reported.
func checkUndone(t *testing.T, id string, before, after, between, now catalog.Doc, kept map[string]bool) {
	t.Helper()
	if before == "" && after != "" { // the import made it
		if want := after == between; want == (now != "") {
			t.Errorf("item %s made by the import: %q, then %q, now %q", id, after, between, now)
		}
		if now != "" && !kept[id+" "] {
			t.Errorf("item %s was kept and is not reported", id)
		}
		return
	}
	for field := range fieldsOf(before, after, between, now) {
		want := between.Token(field)
		if after.Token(field) != before.Token(field) && between.Token(field) == after.Token(field) {
			want = before.Token(field)
		}
		if got := now.Token(field); got != want {
			t.Errorf("item %s, %s: before %s, import %s, others %s, undone %s; want %s", id, field, before.Token(field), after.Token(field), between.Token(field), got, want)
		}
		moved := after.Token(field) != before.Token(field) && between.Token(field) != after.Token(field) && between.Token(field) != before.Token(field)
		if moved != kept[id+" "+field] {
			t.Errorf("item %s, %s: kept %v, reported %v", id, field, moved, kept[id+" "+field])
		}
	}
}

func fieldsOf(docs ...catalog.Doc) map[string]bool {
	fields := make(map[string]bool)
	for _, d := range docs {
		d.Each(func(name, _ string) bool {
			fields[name] = true
			return true
		})
	}
	return fields
}

func union(maps ...map[string]catalog.Doc) map[string]bool {
	ids := make(map[string]bool)
	for _, m := range maps {
		for id := range m {
			ids[id] = true
		}
	}
	return ids
}

func diffDocs(got, want map[string]catalog.Doc) string {
	for id := range union(got, want) {
		if got[id] != want[id] {
			return fmt.Sprintf("item %s is %q, want %q", id, got[id], want[id])
		}
	}
	return ""
}

// randomFile makes rows of random products among n, with every value one of few,
// and cells that clear.
func randomFile(rnd *rand.Rand, n, rows int) string {
	var sb strings.Builder
	sb.WriteString("sku,title,price,stock,brand\n")
	for _, i := range rnd.Perm(n)[:rows] {
		cell := func(values ...string) string { return values[rnd.IntN(len(values))] }
		fmt.Fprintf(&sb, "S%03d,%s,%s,%s,%s\n", i, cell("one", "two"), cell("1.00", "2.00", "3.00"), cell("0", "5", ""), cell("x", "y", ""))
	}
	return sb.String()
}

// Plans of random files on random catalogs: what the plan counts is what is done
// when nobody else writes; what others moved is held, and nothing else.
func TestPlanCountsEqualResultCounts(t *testing.T) {
	for seed := range uint64(sized(12, 4)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			s := newStack(t, func(c *importer.Config) { c.ChunkRows = 5 + rnd.IntN(40) })
			s.run("a.csv", keyedFile(rnd, 60, 50), importer.Options{})
			plan := s.plan("b.csv", keyedFile(rnd, 90, 80), importer.Options{})
			done := s.apply(plan)
			if done.Tally != plan.Plan {
				t.Errorf("planned %+v, done %+v", plan.Plan, done.Tally)
				for _, e := range s.rows(done.ID) {
					if e.Outcome == catalog.Held {
						t.Errorf("row %d: %+v", e.Row, e.Problems)
					}
				}
			}
			s.checkTally(done)
		})
	}
}

// keyedFile makes rows that name products by EAN, by SKU or by both.
func keyedFile(rnd *rand.Rand, n, rows int) string {
	var sb strings.Builder
	sb.WriteString("ean,sku,title,price\n")
	for range rows {
		i := rnd.IntN(n)
		ean, sku := gtin(i), fmt.Sprintf("S%03d", i)
		switch rnd.IntN(4) {
		case 0:
			ean = ""
		case 1:
			sku = ""
		}
		fmt.Fprintf(&sb, "%s,%s,%s,%d.00\n", ean, sku, []string{"one", "two"}[rnd.IntN(2)], rnd.IntN(3))
	}
	return sb.String()
}

// gtin returns a valid EAN-13.
func gtin(i int) string {
	digits := fmt.Sprintf("400%09d", i)
	sum := 0
	for j, c := range digits {
		sum += int(c-'0') * (1 + 2*(j%2))
	}
	return digits + fmt.Sprint((10-sum%10)%10)
}

func TestPolicies(t *testing.T) {
	file := "sku,title,price\nA,a,1.00\nB,b,bad\nC,c,1.00\nD,d,bad\nE,e,1.00\n"
	t.Run("all or nothing", func(t *testing.T) {
		s := newStack(t, nil)
		imp := s.run("a.csv", file, importer.Options{Policy: importer.PolicyAll})
		if imp.State != store.RolledBack || imp.FaultCode != "rows_failed" || s.dump() != "" {
			t.Errorf("%s %s, catalog %q", imp.State, imp.FaultCode, s.dump())
		}
	})
	t.Run("stop", func(t *testing.T) {
		s := newStack(t, func(c *importer.Config) { c.ChunkRows = 1 })
		imp := s.run("a.csv", file, importer.Options{Policy: importer.PolicyStop, StopAfter: 2})
		if imp.State != store.Stopped || imp.Tally.Failed != 2 || imp.Tally.Created != 2 {
			t.Errorf("%s %+v", imp.State, imp.Tally)
		}
		s.checkTally(imp)
		if _, err := s.svc.Retry(context.Background(), s.ws, imp.ID, importer.RetryOptions{Unprocessed: true}); err != nil {
			t.Fatal(err)
		}
		imp = s.await(imp.ID, store.State.Ended)
		if imp.State != store.Done || imp.Tally.Failed != 2 || imp.Tally.Created != 3 {
			t.Errorf("after the retry: %s %+v", imp.State, imp.Tally)
		}
		s.checkTally(imp)
	})
	t.Run("terminated, all or nothing", func(t *testing.T) {
		// The plan is twelve chunks; the second one after it has applied rows.
		g := newGate(14)
		s := newStack(t, func(c *importer.Config) { c.ChunkRows, c.Probe = 500, g.probe })
		before := s.dump()
		imp, err := s.begin("a.csv", products(6000, "a"), importer.Options{Policy: importer.PolicyAll})
		if err != nil {
			t.Fatal(err)
		}
		<-g.reached
		if now, err := s.svc.Import(context.Background(), s.ws, imp.ID); err != nil || now.Tally.Created == 0 {
			t.Errorf("nothing is applied yet: %v %+v", err, now.Tally)
		}
		if _, err := s.svc.Terminate(context.Background(), s.ws, imp.ID); err != nil {
			t.Fatal(err)
		}
		close(g.open)
		imp = s.await(imp.ID, store.State.Ended)
		if imp.State != store.RolledBack || s.dump() != before {
			t.Errorf("%s, catalog %.100q", imp.State, s.dump())
		}
	})
}

func TestRails(t *testing.T) {
	limit := func(v float64) *float64 { return &v }
	none := int64(0)
	cases := map[string]source.Rails{
		"changed_percent":    {ChangedPercent: limit(10)},
		"price_move_percent": {PriceMovePercent: limit(50)},
		"cleared_or_deleted": {ClearedOrDeleted: &none},
		"rows_down_percent":  {RowsDownPercent: limit(20)},
	}
	for name, r := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, nil)
			s.run("a.csv", "sku,title,price,brand\nA,a,1.00,x\nB,b,1.00,x\nC,c,1.00,x\n", importer.Options{})
			before := s.dump()
			opt := importer.Options{Rails: r, Blank: "clear"}
			imp, err := s.begin("b.csv", "sku,title,price,brand\nA,a,1.00,\nB,b,2.00,x\n", opt)
			if err != nil {
				t.Fatal(err)
			}
			imp = s.await(imp.ID, atRest)
			found := importer.FindingsOf(&imp)
			if imp.State != store.Planned || !found.Confirm || len(found.Tripped) != 1 || found.Tripped[0].Rail != name || s.dump() != before {
				t.Fatalf("%s %s", imp.State, imp.Findings)
			}
			_, err = s.svc.Apply(context.Background(), s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint})
			wantFault(t, err, "confirmation_needed")
			if done := s.apply(imp); done.State != store.Done || done.Tally.Updated != 2 {
				t.Errorf("%s %+v", done.State, done.Tally)
			}
			same := s.run("b.csv", "sku,title,price,brand\nA,a,1.00,\nB,b,2.00,x\n", opt)
			if same.State != store.Done {
				t.Errorf("within its rails the import is %s", same.State)
			}
		})
	}
}

func TestWhatAFeedNoLongerNames(t *testing.T) {
	s := newStack(t, func(c *importer.Config) { c.ChunkRows = 300 })
	s.run("theirs.csv", "sku,title\nT1,t\n", importer.Options{Feed: "theirs"})
	s.run("a.csv", products(3000, "a"), importer.Options{Feed: "acme"})
	full := s.docs()
	// The row with the bad price still names its product.
	rest := strings.Replace(strings.Join(strings.Split(products(3000, "a"), "\n")[:2001], "\n"), "7.50", "bad", 1) + "\n"
	gone := s.run("b.csv", rest, importer.Options{Feed: "acme", Missing: "delete"})
	if gone.State != store.Done || gone.Extra != 1000 || gone.Tally.Deleted != 1000 || gone.Tally.Failed != 1 || gone.Tally.Rows() != 3000 {
		t.Fatalf("%s extra %d %+v %s", gone.State, gone.Extra, gone.Tally, gone.Findings)
	}
	if n := len(s.docs()); n != 2001 {
		t.Errorf("%d items are left", n)
	}
	undo := s.takeBack(gone)
	if undo.Tally.Created != 1000 {
		t.Errorf("undo %+v", undo.Tally)
	}
	if d := diffDocs(s.docs(), full); d != "" {
		t.Error(d)
	}
	off := s.run("c.csv", rest, importer.Options{Feed: "acme", Missing: "deactivate"})
	if off.Tally.Updated != 1000 || off.Extra != 1000 {
		t.Errorf("deactivated %+v", off.Tally)
	}
	if again := s.run("d.csv", rest, importer.Options{Feed: "acme", Missing: "deactivate"}); again.Extra != 0 {
		t.Errorf("%d items are deactivated again", again.Extra)
	}
}

func TestWhatWasKeptIsTakenBackWithForce(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", "sku,title,price,brand\nA,a,1.00,x\nB,b,1.00,x\n", importer.Options{})
	before := s.docs()
	imp := s.run("b.csv", "sku,title,price,brand\nA,a,2.00,y\nB,b,2.00,y\nC,c,2.00,y\n", importer.Options{})
	s.run("c.csv", "sku,price\nA,3.00\nC,3.00\n", importer.Options{})
	first := s.takeBack(imp)
	if first.Tally.Updated != 2 || first.Tally.Held != 1 || first.Tally.Warnings != 2 {
		t.Errorf("undo: %+v", first.Tally)
	}
	again, err := s.svc.Undo(context.Background(), s.ws, imp.ID, importer.Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	s.checkTally(s.await(again.ID, store.State.Ended))
	if d := diffDocs(s.docs(), before); d != "" {
		t.Error(d)
	}
}

func TestARetryGivenUpBeforeItWroteLeavesTheImportAsItWas(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("a.csv", "sku,title,price\nA,a,1.00\nB,b,bad\n", importer.Options{})
	if _, err := s.svc.Retry(context.Background(), s.ws, imp.ID, importer.RetryOptions{Failed: true, Plan: true}); err != nil {
		t.Fatal(err)
	}
	if planned := s.await(imp.ID, atRest); planned.State != store.Planned || planned.Plan.Failed != 1 || planned.Plan.Rows() != 1 {
		t.Errorf("%s %+v", planned.State, planned.Plan)
	}
	if _, err := s.svc.Terminate(context.Background(), s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	after := s.await(imp.ID, store.State.Ended)
	if after.State != store.Done || !after.CompletedAt.Equal(*imp.CompletedAt) || after.Tally != imp.Tally {
		t.Errorf("%s %v %+v", after.State, after.CompletedAt, after.Tally)
	}
	if s.takeBack(after).Tally.Deleted != 1 {
		t.Error("it could not be undone")
	}
}

// A nightly stock feed runs between a plan and its apply, and between an import and
// its undo: nothing is held, and nothing kept but stock.
func TestAStockFeedInBetweenHoldsAndKeepsNothingButStock(t *testing.T) {
	s := newStack(t, func(c *importer.Config) { c.ChunkRows = 70 })
	const n = 300
	file := func(columns string, cells func(i int) string) string {
		var sb strings.Builder
		sb.WriteString(columns + "\n")
		for i := range n {
			fmt.Fprintf(&sb, "S%03d,%s\n", i, cells(i))
		}
		return sb.String()
	}
	stock := func(add int) string {
		return file("sku,stock", func(i int) string { return fmt.Sprint(i + add) })
	}
	s.run("a.csv", file("sku,title,price,stock", func(i int) string { return fmt.Sprintf("t%d,1.00,%d", i, i) }), importer.Options{})
	plan := s.plan("b.csv", file("sku,title,price", func(i int) string { return fmt.Sprintf("u%d,2.00", i) }), importer.Options{})
	s.run("stock.csv", stock(1000), importer.Options{})
	if done := s.apply(plan); done.Tally != (catalog.Tally{Updated: n}) {
		t.Errorf("applied: %+v", done.Tally)
	}
	before := s.docs()
	both := s.run("c.csv", file("sku,title,price,stock", func(i int) string { return fmt.Sprintf("v%d,3.00,%d", i, i+5) }), importer.Options{})
	s.run("stock.csv", stock(2000), importer.Options{})
	undo := s.takeBack(both)
	if undo.Tally.Updated != n || undo.Tally.Held != 0 || undo.Tally.Warnings != n {
		t.Errorf("undone: %+v", undo.Tally)
	}
	for kept := range s.keptValues(undo) {
		if !strings.HasSuffix(kept, " stock") {
			t.Errorf("kept %s", kept)
		}
	}
	for id, doc := range s.docs() {
		if doc.Token("title") != before[id].Token("title") || doc.Token("price") != before[id].Token("price") || len(doc.Token("stock")) != 4 {
			t.Errorf("item %s is %s, was %s", id, doc, before[id])
		}
	}
}
