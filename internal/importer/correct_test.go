package importer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// correct corrects cells of one row.
func (s *stack) correct(id string, row int64, cells map[string]string) importer.Check {
	s.t.Helper()
	check, err := s.svc.Correct(context.Background(), s.ws, id, row, cells, "tester")
	if err != nil {
		s.t.Fatalf("correct row %d: %v", row, err)
	}
	return check
}

// retry runs the failed and the unprocessed rows again.
func (s *stack) retry(id string) store.Import {
	s.t.Helper()
	if _, err := s.svc.Retry(context.Background(), s.ws, id, importer.RetryOptions{Failed: true, Held: true, Unprocessed: true}); err != nil {
		s.t.Fatalf("retry: %v", err)
	}
	imp := s.await(id, store.State.Ended)
	s.checkTally(imp)
	return imp
}

// outcomes says how each row ended, with the codes of its problems.
func (s *stack) outcomes(id string) []string {
	s.t.Helper()
	var out []string
	for _, e := range s.rows(id) {
		said := fmt.Sprintf("%d %s", e.Row, e.Outcome)
		for _, p := range e.Problems {
			said += " " + string(p.Code)
		}
		out = append(out, said)
	}
	return out
}

func checkOutcomes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("rows ended as %q, want %q", got, want)
	}
}

func TestACorrectedRowIsCheckedAtOnceAndRunsAgain(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	s.run("before.csv", "sku,title,price\nB,Old,1\n", importer.Options{})
	before := s.dump()
	imp := s.run("p.csv", "sku,title,price\nA,One,x\nB,Two,y\nC,Three\n", importer.Options{})
	checkOutcomes(t, s.outcomes(imp.ID), "2 failed invalid_price", "3 failed invalid_price", "4 created")

	check := s.correct(imp.ID, 2, map[string]string{"price": "zz"})
	if check.Outcome != catalog.Failed || check.Row != 2 || len(check.Problems) != 1 || check.Problems[0].Value != "zz" || len(check.Changes) > 0 {
		t.Errorf("still wrong: %+v", check)
	}
	check = s.correct(imp.ID, 2, map[string]string{" Price ": "5"})
	if check.Outcome != catalog.Created || len(check.Problems) > 0 || len(check.Changes) != 1 || check.Changes[0].SKU != "A" || check.Changes[0].ItemID != "" {
		t.Errorf("a row that creates: %+v", check)
	}
	check = s.correct(imp.ID, 3, map[string]string{"price": "7", "title": "Old"})
	want := []catalog.FieldChange{{Field: "price", Old: `"1.00 EUR"`, New: `"7.00 EUR"`}}
	if check.Outcome != catalog.Updated || len(check.Changes) != 1 || !slices.Equal(check.Changes[0].Fields, want) {
		t.Errorf("a row that updates: %+v", check)
	}
	if s.dump() == before {
		t.Error("the import itself wrote nothing")
	}
	was := s.dump()
	r, err := s.svc.Row(ctx, s.ws, imp.ID, 3)
	if err != nil || !slices.Equal(r.Cells, []string{"B", "Old", "7"}) || len(r.Original) != 2 || r.Original[1] != "Two" || r.Original[2] != "y" || r.Outcome != catalog.Failed {
		t.Errorf("the corrected row: %+v, %v", r, err)
	}
	if got := cells(t, s.failedRows(imp.ID)); got[1][2] != "5" || got[2][2] != "7" {
		t.Errorf("the download lacks the corrections: %q", got)
	}
	if s.dump() != was {
		t.Error("a check wrote")
	}
	s.retry(imp.ID)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 updated", "4 created")
	_, err = s.svc.Correct(ctx, s.ws, imp.ID, 3, map[string]string{"price": "8"}, "")
	wantFault(t, err, "row_done")
}

func TestWhatCannotBeCorrected(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("p.csv", "sku,title,price,Size,size\nA,One,x,,\nB,Two,5,,\nC,\"open,5,,\n", importer.Options{})
	one := func(heading, text string) map[string]string { return map[string]string{heading: text} }
	for _, c := range []struct {
		row   int64
		cells map[string]string
		code  string
	}{
		{2, one("colour", "x"), "validation_error"},
		{2, one("SIZE", "x"), "validation_error"}, // two columns are meant
		{2, one("#6", "x"), "validation_error"},
		{2, map[string]string{"price": "1", "PRICE": "2"}, "validation_error"},
		{2, one("price", "a\x00b"), "validation_error"},
		{2, one("price", "\xff"), "validation_error"},
		{2, nil, "validation_error"},
		{3, one("price", "6"), "row_done"},
		{4, one("title", "closed"), "row_not_correctable"},
		{1, one("price", "6"), "row_not_found"},
		{9, one("price", "6"), "row_not_found"},
	} {
		_, err := s.svc.Correct(ctx, s.ws, imp.ID, c.row, c.cells, "")
		wantFault(t, err, c.code)
	}
	for _, exact := range []string{"size", "Size", "#5"} {
		s.correct(imp.ID, 2, one(exact, "4"))
	}
	other := s.ws
	other.WS++
	_, err := s.svc.Correct(ctx, other, imp.ID, 2, one("price", "6"), "")
	wantFault(t, err, "not_found")
}

func TestOnlyAnImportAtRestIsCorrected(t *testing.T) {
	g := newGate(2)
	s := newStack(t, func(c *importer.Config) { c.ChunkRows, c.Probe = 50, g.probe })
	ctx := context.Background()
	var file strings.Builder
	file.WriteString("sku,title,price\n")
	for i := range 400 {
		fmt.Fprintf(&file, "S%d,T,%s\n", i, map[bool]string{true: "x", false: "5"}[i%2 == 0])
	}
	imp, err := s.begin("p.csv", file.String(), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-g.reached
	right := map[string]string{"price": "9"}
	_, err = s.svc.Correct(ctx, s.ws, imp.ID, 2, right, "")
	wantFault(t, err, "wrong_state")
	if _, err := s.svc.Pause(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	if check := s.correct(imp.ID, 2, right); check.Outcome != catalog.Created {
		t.Errorf("a failed row of a paused import: %+v", check)
	}
	_, err = s.svc.Correct(ctx, s.ws, imp.ID, 400, right, "")
	wantFault(t, err, "row_not_failed")
	if _, err := s.svc.Terminate(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	s.correct(imp.ID, 400, right)
	s.retry(imp.ID)
	for _, row := range []int64{2, 400} {
		r, err := s.svc.Row(ctx, s.ws, imp.ID, row)
		if err != nil || r.Outcome != catalog.Created || r.Cells[2] != "9" {
			t.Errorf("row %d: %+v, %v", row, r, err)
		}
	}
}

func TestACorrectionIsTakenAway(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("p.csv", "sku,title,price\nA,One,x\nB,Two,y,surplus\n", importer.Options{})
	corrections := func() int64 {
		n, err := s.db.CountCorrections(ctx, s.ws.WS, imp.No)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.correct(imp.ID, 2, map[string]string{"price": "5", "title": "Uno"})
	if check := s.correct(imp.ID, 2, map[string]string{"price": "x"}); check.Outcome != catalog.Failed || corrections() != 1 {
		t.Errorf("%+v, %d corrections", check, corrections())
	}
	s.correct(imp.ID, 2, map[string]string{"title": "One"})
	if corrections() != 0 {
		t.Errorf("the row is as the file has it, with %d corrections", corrections())
	}
	s.correct(imp.ID, 2, map[string]string{"price": "5"})
	check, err := s.svc.Uncorrect(ctx, s.ws, imp.ID, 2)
	if err != nil || check.Outcome != catalog.Failed || corrections() != 0 {
		t.Errorf("uncorrected: %+v, %v", check, err)
	}
	if _, err := s.svc.Uncorrect(ctx, s.ws, imp.ID, 2); err != nil {
		t.Errorf("uncorrected twice: %v", err)
	}
	// Correcting a cell of a row with too many cells cuts them off, even if the cell
	// is what it was.
	check = s.correct(imp.ID, 3, map[string]string{"title": "Two"})
	if len(check.Problems) != 1 || check.Problems[0].Code != catalog.CodeInvalidPrice {
		t.Errorf("the surplus is still there: %+v", check)
	}
}

func TestAPlanDoesNotOutliveACorrection(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.plan("p.csv", "sku,title,price\nA,One,x\nB,Two,5\n", importer.Options{})
	_, err := s.svc.Correct(ctx, s.ws, imp.ID, 3, map[string]string{"price": "6"}, "")
	wantFault(t, err, "row_not_failed")
	if check := s.correct(imp.ID, 2, map[string]string{"price": "5"}); check.Outcome != catalog.Created {
		t.Errorf("%+v", check)
	}
	now, err := s.svc.Import(ctx, s.ws, imp.ID)
	if err != nil || now.Fingerprint != "" || importer.FindingsOf(&now).Stale == "" {
		t.Errorf("the plan still stands: %+v, %v", now, err)
	}
	if _, err := s.svc.Apply(ctx, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint}); err == nil {
		t.Error("a plan was applied that was made before the correction")
	}
	if _, err := s.svc.Replan(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	again := s.await(imp.ID, atRest)
	if again.Plan.Created != 2 || again.Fingerprint == "" || importer.FindingsOf(&again).Stale != "" {
		t.Errorf("planned again: %+v", again)
	}
	s.apply(again)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 created")
}

func TestAFixReachesTheRowsOfItsCause(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("p.csv", "sku,title,price,stock\nA,One,n/a,1\nB,Two, n/a ,x\nC,Three,N/A,2\nD,Four,n/a 5,3\nE,n/a,5,4\nF,Six,n/a,5\n", importer.Options{})
	s.correct(imp.ID, 7, map[string]string{"price": "8"}) // by hand: no longer what the fix replaces
	fix := store.Fix{Code: catalog.CodeInvalidPrice, Column: "Price", From: "n/a", To: "9", By: "tester"}
	made, n, err := s.svc.Fix(ctx, s.ws, imp.ID, fix)
	if err != nil || n != 2 || made.No != 1 || made.Column != "price" {
		t.Fatalf("fix: %+v, %d rows, %v", made, n, err)
	}
	for _, c := range []struct {
		fix  store.Fix
		code string
	}{
		{store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "nothing", To: "9"}, "nothing_to_fix"},
		{store.Fix{Code: catalog.CodeInvalidInteger, Column: "price", From: "n/a", To: "9"}, "nothing_to_fix"},
		{store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "n/a", To: "3"}, "nothing_to_fix"}, // fixed already
		{store.Fix{Code: catalog.CodeInvalidPrice, Column: "colour", From: "n/a", To: "9"}, "validation_error"},
		{store.Fix{Column: "price", From: "n/a", To: "9"}, "validation_error"},
		{store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "n/a", To: " n/a"}, "validation_error"},
	} {
		_, _, err := s.svc.Fix(ctx, s.ws, imp.ID, c.fix)
		wantFault(t, err, c.code)
	}
	r, err := s.svc.Row(ctx, s.ws, imp.ID, 3)
	if err != nil || r.Cells[2] != "9" || r.Original[2] != " n/a " {
		t.Errorf("a fixed row: %+v, %v", r, err)
	}
	s.retry(imp.ID)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 failed invalid_integer", "4 failed invalid_price", "5 failed invalid_price", "6 created", "7 created")

	// A fix reaches what an earlier correction made of a cell, and can be taken away.
	s.correct(imp.ID, 4, map[string]string{"price": "five"})
	s.correct(imp.ID, 5, map[string]string{"price": "five"})
	s.retry(imp.ID)
	if _, n, err = s.svc.Fix(ctx, s.ws, imp.ID, store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "five", To: "5"}); err != nil || n != 2 {
		t.Fatalf("fix of corrected rows: %d, %v", n, err)
	}
	if fixes, err := s.svc.Fixes(ctx, s.ws, imp.ID); err != nil || len(fixes) != 2 || fixes[1].No != 2 {
		t.Errorf("fixes: %+v, %v", fixes, err)
	}
	// A correction behind it lies over it, and keeps what it made of other cells.
	if check := s.correct(imp.ID, 5, map[string]string{"title": "Vier"}); check.Outcome != catalog.Created {
		t.Errorf("%+v", check)
	}
	// It may even be what the fix replaces.
	if check := s.correct(imp.ID, 4, map[string]string{"price": "five"}); check.Outcome != catalog.Failed {
		t.Errorf("%+v", check)
	}
	if err := s.svc.Unfix(ctx, s.ws, imp.ID, 2); err != nil {
		t.Fatal(err)
	}
	wantFault(t, s.svc.Unfix(ctx, s.ws, imp.ID, 2), "fix_not_found")
	s.retry(imp.ID)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 failed invalid_integer", "4 failed invalid_price", "5 created", "6 created", "7 created")
}

func TestAFixOfAPlan(t *testing.T) {
	s := newStack(t, nil)
	imp := s.plan("p.csv", "sku,title,price\nA,One,\nB,,5\nC,Three,x\n", importer.Options{})
	_, n, err := s.svc.Fix(context.Background(), s.ws, imp.ID, store.Fix{Code: catalog.CodeMissingRequired, Column: "title", To: "Untitled"})
	if err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	if _, err := s.svc.Replan(context.Background(), s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	s.apply(s.await(imp.ID, atRest))
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 created", "4 failed invalid_price")
}

func TestACheckKnowsTheKeysOfTheFile(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("p.csv", "sku,title,price\nA,One,x\nB,Two,y\nB,Three,5\nC,Four,5\n,Five,z\n", importer.Options{})
	checkOutcomes(t, s.outcomes(imp.ID), "2 failed invalid_price", "3 failed invalid_price", "4 failed duplicate_sku_in_file", "5 created", "6 failed invalid_price")
	code := func(c importer.Check) string {
		if len(c.Problems) == 0 {
			return c.Outcome.String()
		}
		return string(c.Problems[0].Code)
	}
	for _, c := range []struct {
		row  int64
		sku  string
		want string
	}{
		{3, "A", "duplicate_sku_in_file"}, // row 2 has it first
		{3, "C", "duplicate_sku_in_file"}, // row 5 comes behind, but is done
		{3, "D", "created"},
		{4, "B", "created"}, // row 3 has given it up
		{4, "D", "duplicate_sku_in_file"},
		{2, "D", "created"}, // and is first
		{4, "D", "duplicate_sku_in_file"},
	} {
		if got := code(s.correct(imp.ID, c.row, map[string]string{"sku": c.sku, "price": "5"})); got != c.want {
			t.Errorf("row %d with sku %s: %s, want %s", c.row, c.sku, got, c.want)
		}
	}
	s.retry(imp.ID)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 failed duplicate_sku_in_file", "4 failed duplicate_sku_in_file", "5 created", "6 failed invalid_price")
	if _, err := s.svc.Correct(ctx, s.ws, "imp_none", 2, map[string]string{"sku": "x"}, ""); !catalog.IsNotFound(err) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such import: %v", err)
	}
}

// Each of two who correct cells of one row at once finds what both of them said.
func TestCorrectionsOfOneRowBesideEachOther(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("p.csv", "sku,title,price,stock\nA,One,x,1\n", importer.Options{})
	rows := cells(t, s.failedRows(imp.ID))
	var wg sync.WaitGroup
	corrected := func(at int, said string) {
		if r, err := s.svc.Row(ctx, s.ws, imp.ID, 2); err != nil || r.Cells[at] != said {
			t.Errorf("column %d is %q after it was made %q (%v)", at, r.Cells, said, err)
		}
	}
	for at, column := range map[int]string{1: "title", 3: "stock"} {
		wg.Go(func() {
			for i := range sized(40, 15) {
				// The first value is that of the file.
				said := []string{rows[1][at], fmt.Sprint(at, i)}[i%2]
				if _, err := s.svc.Correct(ctx, s.ws, imp.ID, 2, map[string]string{column: said}, ""); err != nil {
					t.Error(err)
				}
				corrected(at, said)
			}
		})
	}
	wg.Go(func() {
		for i := range sized(40, 15) {
			said := fmt.Sprint("x", i)
			sent := [][]string{{"tallyman_row", "price"}, {rows[1][4], said}}
			if _, err := s.svc.CorrectFile(ctx, s.ws, imp.ID, "x.csv", "", strings.NewReader(csvOf(t, ',', sent))); err != nil {
				t.Error(err)
			}
			corrected(2, said)
		}
	})
	wg.Wait()
}

// A check looks at no more rows of a key than it takes to know who has it.
func TestACheckAmongManyRowsOfOneKey(t *testing.T) {
	s := newStack(t, nil)
	rows := 30_000
	imp := s.run("p.csv", "sku,title,price\n"+strings.Repeat("A,One,x\n", rows), importer.Options{})
	for row, want := range map[int64]catalog.Outcome{2: catalog.Created, 3: catalog.Failed, int64(rows): catalog.Failed} {
		if check := s.correct(imp.ID, row, map[string]string{"price": "5"}); check.Outcome != want {
			t.Errorf("row %d: %+v, want %s", row, check, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.svc.Correct(ctx, s.ws, imp.ID, 3, map[string]string{"price": "5"}, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a check that nobody waits for: %v", err)
	}
}
