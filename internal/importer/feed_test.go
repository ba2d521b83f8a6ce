package importer_test

import (
	"context"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// values is the documents of the catalog alone, sorted.
func (s *stack) values() string {
	s.t.Helper()
	var lines []string
	for _, d := range s.docs() {
		lines = append(lines, string(d))
	}
	return strings.Join(sorted(lines), "\n")
}

// A file of a full feed that names nothing is more likely broken than meant.
func TestAFullFeedThatNamesNothingIsAskedAbout(t *testing.T) {
	s := newStack(t, nil)
	s.run("a.csv", "sku,title,price\nA,a,1\nB,b,1\n", importer.Options{Feed: "acme"})
	s.run("theirs.csv", "sku,title,price\nT,t,1\n", importer.Options{Feed: "theirs"})
	before := s.dump()
	var imp store.Import
	for _, rows := range []string{"\n\n", ",a,1\n,b,1\n", ",a,1\n\"B,b,1\n", ""} {
		imp = s.rest("b.csv", "sku,title,price\n"+rows, importer.Options{Feed: "acme", Missing: "delete"})
		wantTripped(t, imp, "nothing_named")
		if s.dump() != before {
			t.Errorf("rows %q removed items unconfirmed", rows)
		}
	}
	if done := s.apply(imp); done.Tally != (catalog.Tally{Deleted: 2}) || s.values() != `{"price":"1.00 EUR","sku":"T","title":"t"}` {
		t.Errorf("confirmed: %s %+v, left are\n%s", done.State, done.Tally, s.values())
	}
}

// An item that a row names only since it was corrected is not missing any more,
// even if that row fails for something else.
func TestACorrectedRowNamesItsItem(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	s.run("a.csv", "sku,title,price\nA,a,1\nB,b,1\nC,c,1\n", importer.Options{Feed: "acme"})
	imp := s.plan("b.csv", "sku,title,price\nA,a,1\nB?\x01,b,1\n", importer.Options{Feed: "acme", Missing: "delete"})
	if imp.Extra != 2 || imp.Plan.Deleted != 2 || imp.Plan.Failed != 1 {
		t.Errorf("before it is corrected: %d missing, %+v", imp.Extra, imp.Plan)
	}
	s.correct(imp.ID, 3, map[string]string{"sku": "B", "price": "oops"})
	if _, err := s.svc.Replan(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	imp = s.await(imp.ID, atRest)
	if imp.State != store.Planned || imp.Extra != 1 || imp.Plan.Deleted != 1 || imp.Plan.Failed != 1 {
		t.Fatalf("planned again: %s, %d missing, %+v", imp.State, imp.Extra, imp.Plan)
	}
	done := s.apply(imp)
	want := `{"price":"1.00 EUR","sku":"A","title":"a"}` + "\n" + `{"price":"1.00 EUR","sku":"B","title":"b"}`
	if done.Tally != imp.Plan || s.values() != want {
		t.Errorf("%+v, left are\n%s", done.Tally, s.values())
	}
	s.correct(imp.ID, 3, map[string]string{"price": "2"})
	if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true}); err != nil {
		t.Fatal(err)
	}
	if done = s.await(imp.ID, store.State.Ended); done.Tally.Updated != 1 || done.Tally.Deleted != 1 || s.product("B").Doc.Text("price") != "2.00 EUR" {
		t.Errorf("retried: %+v, left are\n%s", done.Tally, s.values())
	}
}

// What was missing when an import was planned is not removed by its retry, once a
// newer import of the feed has said what the feed names.
func TestARetryRemovesNothingThatANewerFeedNames(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	opt := importer.Options{Feed: "acme", Missing: "delete"}
	s.run("a.csv", "sku,title\nA,a\nB,b\n", importer.Options{Feed: "acme"})
	old := s.plan("b.csv", "sku,title\nA,a1\n", opt)
	if old.Plan.Deleted != 1 {
		t.Fatalf("plan %+v", old.Plan)
	}
	if _, err := s.svc.Terminate(ctx, s.ws, old.ID); err != nil {
		t.Fatal(err)
	}
	s.run("c.csv", "sku,title\nA,a\nB,b2\n", opt)
	if _, err := s.svc.Retry(ctx, s.ws, old.ID, importer.RetryOptions{Failed: true, Unprocessed: true}); err != nil {
		t.Fatal(err)
	}
	done := s.await(old.ID, store.State.Ended)
	if done.State != store.Done || done.Tally != (catalog.Tally{Updated: 1}) || s.product("B").Doc.Text("title") != "b2" {
		t.Errorf("%s %+v, left are\n%s", done.State, done.Tally, s.values())
	}
}
