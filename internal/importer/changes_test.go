package importer_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// changes lists a whole diff, and checks that it can be paged through.
func (s *stack) changes(id string, f importer.ChangeFilter) []importer.RowChange {
	s.t.Helper()
	ctx := context.Background()
	var all []importer.RowChange
	err := s.svc.EachChange(ctx, s.ws, id, f, func(c importer.RowChange) error {
		all = append(all, c)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, from := range []int{0, len(all) / 2, max(len(all)-1, 0), len(all)} {
		part, total, err := s.svc.Changes(ctx, s.ws, id, f, store.Range{Offset: from, Limit: 3})
		if err != nil {
			s.t.Fatal(err)
		}
		want := all[from:min(from+3, len(all))]
		if total != len(all) || len(part) != len(want) || len(part) > 0 && !reflect.DeepEqual(part, want) {
			s.t.Fatalf("%+v from %d: %+v of %d, want %+v of %d", f, from, part, total, want, len(all))
		}
	}
	return all
}

// said is a change in short.
func said(c importer.RowChange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s:", c.Row, c.Outcome, c.SKU)
	for _, f := range c.Fields {
		fmt.Fprintf(&b, " %s %s>%s", f.Field, f.Old, f.New)
	}
	if c.Gone {
		b.WriteString(" gone")
	}
	return b.String()
}

func saidAll(cs []importer.RowChange) string {
	var lines []string
	for _, c := range cs {
		lines = append(lines, said(c))
	}
	return strings.Join(lines, "\n")
}

const smallFile = "sku,title,price,stock\nA,Apple,10.00,1\nB,Bread,20.00,2\nC,Corn,30.00,3\n"

func TestADiffTellsEachRowOldAndNew(t *testing.T) {
	s := newStack(t, nil)
	first := s.run("a.csv", smallFile, importer.Options{})
	got := s.changes(first.ID, importer.ChangeFilter{})
	want := `2 created A: price >"10.00 EUR" sku >"A" stock >1 title >"Apple"
3 created B: price >"20.00 EUR" sku >"B" stock >2 title >"Bread"
4 created C: price >"30.00 EUR" sku >"C" stock >3 title >"Corn"`
	if normal(saidAll(got)) != normal(want) {
		t.Errorf("created:\n%s\nwant\n%s", saidAll(got), want)
	}
	for _, c := range got {
		it, err := s.db.Item(context.Background(), s.ws.WS, c.Kind, catalog.Key{Field: catalog.KeyID, Value: c.ItemID})
		if err != nil || catalog.Doc("{}").Revert(swapped(c.Fields)) != it.Doc {
			t.Errorf("row %d: %v; %v is not %s", c.Row, err, c.Fields, it.Doc)
		}
	}
	again := s.run("b.csv", "sku,title,price,stock\nA,Apple,15.00,1\nB,Bread,20.00,2\nC,Maize,33.00,3\nD,Dates,1.00,0\n", importer.Options{})
	for _, c := range []struct {
		filter importer.ChangeFilter
		want   string
	}{
		{importer.ChangeFilter{Outcome: catalog.Updated}, "2 updated A: price \"10.00 EUR\">\"15.00 EUR\"\n4 updated C: price \"30.00 EUR\">\"33.00 EUR\" title \"Corn\">\"Maize\""},
		{importer.ChangeFilter{Property: "title"}, "4 updated C: price \"30.00 EUR\">\"33.00 EUR\" title \"Corn\">\"Maize\""},
		{importer.ChangeFilter{MinPercent: 50}, "2 updated A: price \"10.00 EUR\">\"15.00 EUR\""},
		{importer.ChangeFilter{Property: "price", MaxPercent: 10}, "4 updated C: price \"30.00 EUR\">\"33.00 EUR\" title \"Corn\">\"Maize\""},
		{importer.ChangeFilter{Cleared: true}, ""},
	} {
		if got := saidAll(s.changes(again.ID, c.filter)); normal(got) != normal(c.want) {
			t.Errorf("%+v:\n%s\nwant\n%s", c.filter, got, c.want)
		}
	}
	if n := len(s.changes(again.ID, importer.ChangeFilter{})); n != 3 {
		t.Errorf("%d changes in all, want 3", n)
	}
}

// normal leaves out the noughts of whole amounts.
func normal(s string) string { return strings.ReplaceAll(s, ".00 EUR", " EUR") }

// swapped gives each field its new token when it is taken back.
func swapped(fs []catalog.FieldChange) []catalog.FieldChange {
	out := make([]catalog.FieldChange, len(fs))
	for i, f := range fs {
		out[i] = catalog.FieldChange{Field: f.Field, Old: f.New, New: f.Old}
	}
	return out
}

// counting counts how often pages were read with their bodies.
type counting struct {
	store.Store
	bodies atomic.Int64
}

func (c *counting) Pages(ctx context.Context, ws store.WS, no int64, f store.PageFilter, fn func(ledger.Page) error) error {
	if f.Outcomes || f.Images {
		c.bodies.Add(1)
	}
	return c.Store.Pages(ctx, ws, no, f, fn)
}

func TestCreatedRowsAreReadFromTheFileWhereverTheyAre(t *testing.T) {
	var c *counting
	s := newStack(t, func(cfg *importer.Config) {
		c = &counting{Store: cfg.Store}
		cfg.Store, cfg.ChunkRows = c, 500
	})
	n := 9000
	imp := s.run("a.csv", products(n, "a"), importer.Options{})
	c.bodies.Store(0)
	part, total, err := s.svc.Changes(context.Background(), s.ws, imp.ID, importer.ChangeFilter{}, store.Range{Offset: 7777, Limit: 5})
	if err != nil || total != n || len(part) != 5 {
		t.Fatalf("%d of %d, %v", len(part), total, err)
	}
	if got := c.bodies.Load(); got != 1 {
		t.Errorf("%d pages were loaded for five changes", got)
	}
	for i, ch := range part {
		want := fmt.Sprintf("S-%06d", 7777+i)
		if ch.Row != int64(7779+i) || ch.SKU != want || len(ch.Fields) < 4 {
			t.Errorf("change %d: %s, want %s", 7777+i, said(ch), want)
		}
	}
	i := 0
	for _, ch := range s.changes(imp.ID, importer.ChangeFilter{Outcome: catalog.Created}) {
		if want := fmt.Sprintf("S-%06d", i); ch.SKU != want || ch.Gone {
			t.Fatalf("change %d: %s", i, said(ch))
		}
		i++
	}
	if i != n {
		t.Errorf("%d changes, want %d", i, n)
	}
}

func TestAPlanShowsTheDiffAndTheSummaryCountsIt(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	imp, err := s.begin("b.csv", "sku,title,price,stock\nA,Apple,15.00,1\nB,,20.00,\nD,Dates,1.00,0\nE,Eggs,dear,1\n", importer.Options{Plan: true, Blank: "clear"})
	if err != nil {
		t.Fatal(err)
	}
	imp = s.await(imp.ID, func(st store.State) bool { return st == store.Planned || st.Ended() })
	if imp.State != store.Planned {
		t.Fatalf("%s: %s", imp.State, imp.FaultMessage)
	}
	plan := s.changes(imp.ID, importer.ChangeFilter{Plan: true})
	var created *importer.RowChange
	for i := range plan {
		if plan[i].Outcome == catalog.Created {
			created = &plan[i]
		}
	}
	if created == nil || created.ItemID != "" || created.SKU != "D" || len(created.Fields) < 4 {
		t.Errorf("the plan creates %+v", created)
	}
	sum, err := s.svc.Summary(context.Background(), s.ws, imp.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Tally != imp.Plan || sum.Tally.Updated != 1 || sum.Tally.Created != 1 || sum.Tally.Failed != 2 || sum.Causes != 2 {
		t.Errorf("summary %+v, plan %+v", sum, imp.Plan)
	}
	if done := s.changes(imp.ID, importer.ChangeFilter{}); len(done) != 0 {
		t.Errorf("nothing is done yet, and the diff has %s", saidAll(done))
	}
	causes, err := s.svc.Causes(context.Background(), s.ws, imp.ID, true, 2)
	if err != nil || len(causes) != sum.Causes || len(causes[0].Examples) != 1 {
		t.Errorf("causes %+v, %v", causes, err)
	}
	for _, f := range sum.Fields {
		if n := len(s.changes(imp.ID, importer.ChangeFilter{Plan: true, Property: f.Field})); int64(n) != f.Added+f.Changed+f.Cleared {
			t.Errorf("%d changes of %s, the summary counts %+v", n, f.Field, f)
		}
	}
}

func TestTheSummaryCountsValuesThatGo(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	imp := s.run("b.csv", "sku,price,stock\nA,,\nB,,2\nC,30.00,4\n", importer.Options{Blank: "clear"})
	sum, err := s.svc.Summary(context.Background(), s.ws, imp.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.FieldCount{{Field: "price", Cleared: 2}, {Field: "stock", Changed: 1, Cleared: 1}}
	if sum.Cleared != 3 || !reflect.DeepEqual(sum.Fields, want) || sum.Tally != imp.Tally {
		t.Errorf("summary %+v, want fields %+v", sum, want)
	}
	if got := saidAll(s.changes(imp.ID, importer.ChangeFilter{Property: "stock", Cleared: true})); !strings.HasPrefix(got, "2 updated A:") || strings.Contains(got, "\n") {
		t.Errorf("stock is cleared in\n%s", got)
	}
}

// ageOut takes what an import's pages keep, as retention does.
func (s *stack) ageOut(imp store.Import, outcomes bool) {
	s.t.Helper()
	err := s.db.Write(context.Background(), s.ws.WS, false, func(tx store.Tx) error {
		_, err := tx.DropBodies(context.Background(), imp.No, true, outcomes, 1000)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestADiffOutlivesItsValues(t *testing.T) {
	s := newStack(t, nil)
	first := s.run("a.csv", smallFile, importer.Options{})
	again := s.run("b.csv", "sku,price\nA,15.00\nC,33.00\n", importer.Options{})
	s.ageOut(first, false)
	s.ageOut(again, false)
	if got := saidAll(s.changes(again.ID, importer.ChangeFilter{})); got != "2 updated A: gone\n3 updated C: gone" {
		t.Errorf("updates:\n%s", got)
	}
	if got := saidAll(s.changes(first.ID, importer.ChangeFilter{})); strings.Contains(got, "gone") || strings.Count(got, "created") != 3 {
		t.Errorf("what was created stands in the file, and the diff says\n%s", got)
	}
	_, _, err := s.svc.Changes(context.Background(), s.ws, again.ID, importer.ChangeFilter{Property: "price", MinPercent: 1}, store.Range{})
	if f := catalog.AsFault(err); f == nil || f.Code != "values_gone" {
		t.Errorf("by what is gone: %v", err)
	}
	if err := s.files.Delete(context.Background(), first.FileKey); err != nil {
		t.Fatal(err)
	}
	got := s.changes(first.ID, importer.ChangeFilter{})
	if len(got) != 3 || !got[0].Gone || got[0].SKU != "A" || got[0].Fields != nil {
		t.Errorf("without the file: %+v", got)
	}
}

func TestHeldRowsShowWhatTheyWouldDoNow(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", smallFile, importer.Options{})
	imp, err := s.begin("b.csv", "sku,price\nA,15.00\nB,25.00\n", importer.Options{Plan: true})
	if err != nil {
		t.Fatal(err)
	}
	imp = s.await(imp.ID, func(st store.State) bool { return st == store.Planned || st.Ended() })
	s.run("c.csv", "sku,price\nA,12.00\n", importer.Options{})
	if _, err := s.svc.Apply(context.Background(), s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint}); err != nil {
		t.Fatal(err)
	}
	imp = s.await(imp.ID, store.State.Ended)
	want := "2 held A: price \"12 EUR\">\"15 EUR\"\n3 updated B: price \"20 EUR\">\"25 EUR\""
	if got := normal(saidAll(s.changes(imp.ID, importer.ChangeFilter{}))); got != want {
		t.Errorf("diff\n%s\nwant\n%s", got, want)
	}
	if got := len(s.changes(imp.ID, importer.ChangeFilter{Outcome: catalog.Held, Property: "price"})); got != 1 {
		t.Errorf("%d held rows that would change the price", got)
	}
}

func TestWhatACorrectedRowCreatesIsShownCorrected(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("a.csv", smallFile+"E,Eggs,dear,4\nF,Figs,2.00,5\n", importer.Options{})
	if _, err := s.svc.Correct(ctx, s.ws, imp.ID, 5, map[string]string{"price": "4.50"}, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true}); err != nil {
		t.Fatal(err)
	}
	imp = s.await(imp.ID, store.State.Ended)
	got := s.changes(imp.ID, importer.ChangeFilter{})
	if len(got) != 5 || said(got[3]) != `5 created E: price >"4.50 EUR" sku >"E" stock >4 title >"Eggs"` {
		t.Errorf("diff\n%s", saidAll(got))
	}
}

func TestAnUndoShowsWhatComesAndGoes(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	first := s.run("a.csv", smallFile, importer.Options{})
	undo, err := s.svc.Undo(ctx, s.ws, first.ID, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	undo = s.await(undo.ID, store.State.Ended)
	gone := s.changes(undo.ID, importer.ChangeFilter{})
	if len(gone) != 3 || gone[0].Outcome != catalog.Deleted || gone[0].SKU != "A" || gone[0].Fields[0].New != "" || gone[0].Fields[0].Old == "" {
		t.Fatalf("undo: %+v", gone)
	}
	again, err := s.svc.Undo(ctx, s.ws, undo.ID, importer.Options{Plan: true})
	if err != nil {
		t.Fatal(err)
	}
	again = s.await(again.ID, func(st store.State) bool { return st == store.Planned || st.Ended() })
	back := s.changes(again.ID, importer.ChangeFilter{Plan: true})
	if len(back) != 3 || back[2].Outcome != catalog.Created || back[2].SKU != "C" || back[2].ItemID != gone[2].ItemID || back[2].Gone {
		t.Errorf("undo of the undo: %+v", back)
	}
	for i := range back {
		if !reflect.DeepEqual(back[i].Fields, swapped(gone[i].Fields)) {
			t.Errorf("what went: %+v; what comes back: %+v", gone[i].Fields, back[i].Fields)
		}
	}
}

func TestChangesAsCSV(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	first := s.run("a.csv", "sku,ean,title,price,images\nA,4006381333931,=1+1,10.00,https://x.test/1.jpg|https://x.test/2.jpg\n", importer.Options{})
	imp := s.run("b.csv", "sku,title,price,images\nA,Apple,12.50,https://x.test/2.jpg|https://x.test/1.jpg\n", importer.Options{})
	var out bytes.Buffer
	if err := s.svc.WriteChanges(ctx, s.ws, imp.ID, importer.ChangeFilter{}, &out); err != nil {
		t.Fatal(err)
	}
	id := s.changes(first.ID, importer.ChangeFilter{})[0].ItemID
	item := "2,updated,product," + id + ",A,4006381333931,"
	want := "\ufeffrow,outcome,kind,id,sku,ean,field,old,new,change_percent\r\n" +
		item + "images,\"https://x.test/1.jpg | https://x.test/2.jpg\",\"https://x.test/2.jpg | https://x.test/1.jpg\",\r\n" +
		item + "price,10.00 EUR,12.50 EUR,25\r\n" +
		item + "title,'=1+1,Apple,\r\n"
	if out.String() != want {
		t.Errorf("written:\n%s\nwant\n%s", out.String(), want)
	}
	s.ageOut(imp, false)
	out.Reset()
	if err := s.svc.WriteChanges(ctx, s.ws, imp.ID, importer.ChangeFilter{}, &out); err != nil || !strings.HasSuffix(out.String(), "\r\n"+item+",,,\r\n") {
		t.Errorf("once values are gone, %v:\n%s", err, out.String())
	}
	out.Reset()
	if err := s.svc.WriteChanges(ctx, s.ws, "imp_none", importer.ChangeFilter{}, &out); !catalog.IsNotFound(err) || out.Len() > 0 {
		t.Errorf("no such import: %v, %d bytes written", err, out.Len())
	}
}
