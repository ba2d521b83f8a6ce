package importer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// fix makes a fix and checks how many rows it reaches.
func (s *stack) fix(id string, code catalog.Code, column, from, to string, want int64) store.Fix {
	s.t.Helper()
	f, n, err := s.svc.Fix(context.Background(), s.ws, id, store.Fix{Code: code, Column: column, From: from, To: to, By: "tester"})
	if err != nil || n != want {
		s.t.Fatalf("fix %q in %s: %d rows, want %d, %v", from, column, n, want, err)
	}
	return f
}

// checkCells compares a row's cells as they stand.
func (s *stack) checkCells(id string, row int64, want ...string) {
	s.t.Helper()
	if r, err := s.svc.Row(context.Background(), s.ws, id, row); err != nil || !slices.Equal(r.Cells, want) {
		s.t.Errorf("row %d has %q, want %q (%v)", row, r.Cells, want, err)
	}
}

// created is the document's token that a row's diff shows for a field of the item
// that it made.
func (s *stack) created(id string, row int64, field string) string {
	s.t.Helper()
	r, err := s.svc.Row(context.Background(), s.ws, id, row)
	if err != nil || len(r.Changes) != 1 {
		s.t.Fatalf("row %d: %+v, %v", row, r.Changes, err)
	}
	for _, f := range r.Changes[0].Fields {
		if f.Field == field {
			return f.New
		}
	}
	return ""
}

// A row that is done says what it did, whatever is fixed behind it and whichever
// fix is to go again.
func TestAFixLeavesDoneRowsAlone(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.run("p.csv", "sku,title,price,stock\n'A,One,1,'5\n'A2,Two,x,'5\n", importer.Options{})
	guard := catalog.CodeTextGuardRemoved
	checkOutcomes(t, s.outcomes(imp.ID), "2 created text_guard_removed text_guard_removed", "3 failed invalid_price text_guard_removed text_guard_removed")
	first := s.fix(imp.ID, guard, "stock", "'5", "9", 1)
	if first.Since != 1 {
		t.Errorf("laid over rounds from %d on, want 1", first.Since)
	}
	done := func() {
		t.Helper()
		s.checkCells(imp.ID, 2, "'A", "One", "1", "'5")
		if got := s.created(imp.ID, 2, "stock"); got != "5" {
			t.Errorf("row 2 is said to have made stock %s", got)
		}
		if rows := cells(t, s.download(imp.ID, importer.RowFilter{})); rows[1][3] != "'5" {
			t.Errorf("the download has %q", rows[1])
		}
	}
	done()
	s.checkCells(imp.ID, 3, "'A2", "Two", "x", "9")
	s.correct(imp.ID, 3, map[string]string{"price": "2"})
	s.retry(imp.ID)
	done()
	s.checkCells(imp.ID, 3, "'A2", "Two", "2", "9")
	if got := s.created(imp.ID, 3, "stock"); got != "9" {
		t.Errorf("row 3 is said to have made stock %s", got)
	}
	wantFault(t, s.svc.Unfix(ctx, s.ws, imp.ID, 1), "fix_used")
	wantFault(t, s.svc.Unfix(ctx, s.ws, imp.ID, 2), "fix_not_found")
}

// A fix comes too late for rows that were done by a retry, too.
func TestAFixLeavesRowsAloneThatARetryHasDone(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,title,price,stock\nA,One,x,'5\nB,Two,x,'5\n", importer.Options{})
	s.correct(imp.ID, 2, map[string]string{"price": "1"})
	s.retry(imp.ID)
	if f := s.fix(imp.ID, catalog.CodeTextGuardRemoved, "stock", "'5", "9", 1); f.Since != 2 {
		t.Errorf("laid over rounds from %d on, want 2", f.Since)
	}
	s.correct(imp.ID, 3, map[string]string{"price": "1"})
	both := func() {
		t.Helper()
		s.checkCells(imp.ID, 2, "A", "One", "1", "'5")
		s.checkCells(imp.ID, 3, "B", "Two", "1", "9")
	}
	both()
	s.retry(imp.ID)
	both()
	if a, b := s.created(imp.ID, 2, "stock"), s.created(imp.ID, 3, "stock"); a != "5" || b != "9" {
		t.Errorf("made stock %s and %s", a, b)
	}
}

// The keys of rows that are done are those that they were run with.
func TestAFixGivesDoneRowsNoKeys(t *testing.T) {
	s := newStack(t, nil)
	imp := s.run("p.csv", "sku,title,price\n'A,One,1\n'A,Two,x\nB,Three,x\n", importer.Options{})
	checkOutcomes(t, s.outcomes(imp.ID), "2 created text_guard_removed", "3 failed invalid_price text_guard_removed duplicate_sku_in_file", "4 failed invalid_price")
	s.fix(imp.ID, catalog.CodeTextGuardRemoved, "sku", "'A", "Z", 1)
	if check := s.correct(imp.ID, 3, map[string]string{"sku": "A", "price": "2"}); check.Outcome != catalog.Failed {
		t.Errorf("row 2 still has A: %+v", check)
	}
	s.correct(imp.ID, 3, map[string]string{"sku": "C"})
	if check := s.correct(imp.ID, 4, map[string]string{"sku": "Z", "price": "3"}); check.Outcome != catalog.Created {
		t.Errorf("row 2 never had Z: %+v", check)
	}
	s.retry(imp.ID)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created text_guard_removed", "3 created", "4 created")
}

// What a run finds in a row that it does for good is no reason for a fix that was
// made before; nor is what the plan of that run finds.
func TestAFixDoesNotReachWhatWasFoundAfterIt(t *testing.T) {
	for _, planned := range []bool{false, true} {
		t.Run(fmt.Sprintf("planned %v", planned), func(t *testing.T) {
			s := newStack(t, nil)
			ctx := context.Background()
			imp := s.run("p.csv", "sku,title,price,stock\nA,One,x,'5\nB,Two,x,1\n", importer.Options{})
			s.correct(imp.ID, 2, map[string]string{"price": "1"})
			s.correct(imp.ID, 3, map[string]string{"price": "2", "stock": "'5"})
			s.fix(imp.ID, catalog.CodeTextGuardRemoved, "stock", "'5", "9", 1)
			if planned {
				if _, err := s.svc.Retry(ctx, s.ws, imp.ID, importer.RetryOptions{Failed: true, Plan: true}); err != nil {
					t.Fatal(err)
				}
				s.apply(s.await(imp.ID, atRest))
			} else {
				s.retry(imp.ID)
			}
			checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 created text_guard_removed")
			s.checkCells(imp.ID, 3, "B", "Two", "2", "'5")
			if got := s.created(imp.ID, 3, "stock"); got != "5" {
				t.Errorf("row 3 is said to have made stock %s", got)
			}
		})
	}
}

// A fix that no row was run with goes again, one of a plan too.
func TestAFixThatWasNotUsedIsTakenAway(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	imp := s.plan("p.csv", "sku,title,price\nA,One,n/a\nB,Two,5\n", importer.Options{})
	replan := func(created int64) store.Import {
		t.Helper()
		if _, err := s.svc.Replan(ctx, s.ws, imp.ID); err != nil {
			t.Fatal(err)
		}
		again := s.await(imp.ID, atRest)
		if again.Plan.Created != created {
			t.Errorf("planned again: %+v", again.Plan)
		}
		return again
	}
	fix := func() {
		t.Helper()
		if f := s.fix(imp.ID, catalog.CodeInvalidPrice, "price", "n/a", "7", 1); f.Since != 0 || f.No != 1 {
			t.Errorf("fix %+v", f)
		}
	}
	fix()
	replan(2)
	if err := s.svc.Unfix(ctx, s.ws, imp.ID, 1); err != nil {
		t.Fatal(err)
	}
	s.checkCells(imp.ID, 2, "A", "One", "n/a")
	replan(1)
	fix()
	now := replan(2)
	s.apply(now)
	s.checkCells(imp.ID, 2, "A", "One", "7")
	wantFault(t, s.svc.Unfix(ctx, s.ws, imp.ID, 1), "fix_used")
}

// Problems quote the beginning of a long cell; a fix is of the whole cell.
func TestAFixIsOfTheWholeCell(t *testing.T) {
	s := newStack(t, nil)
	long := strings.Repeat("x", 3*catalog.MaxProblemValue)
	imp := s.run("p.csv", "sku,title,price\nA,One, "+long+"a \nB,Two,"+long+"b\n", importer.Options{})
	fix := store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: catalog.Shorten(long), To: "5"}
	_, _, err := s.svc.Fix(context.Background(), s.ws, imp.ID, fix)
	wantFault(t, err, "nothing_to_fix")
	if f := s.fix(imp.ID, catalog.CodeInvalidPrice, "price", long+"a", "5", 1); f.From != long+"a" {
		t.Errorf("kept as %q", f.From)
	}
	s.retry(imp.ID)
	checkOutcomes(t, s.outcomes(imp.ID), "2 created", "3 failed invalid_price")
}

// Many fixes, several of one cause, are laid over a row in their order.
func TestManyFixes(t *testing.T) {
	s := newStack(t, nil)
	var file strings.Builder
	file.WriteString("sku,title,price\n")
	for i := range 300 {
		fmt.Fprintf(&file, "S%d,T,x%d\n", i, i)
	}
	imp := s.run("p.csv", file.String(), importer.Options{})
	for i := range 300 {
		s.write(func(tx store.Tx) error {
			for _, to := range []string{"5", "6"} {
				f := store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: fmt.Sprintf("x%d", i), To: to, Since: 1}
				if err := tx.InsertFix(context.Background(), imp.No, &f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if imp = s.retry(imp.ID); imp.Tally.Created != 300 {
		t.Errorf("%+v", imp.Tally)
	}
	s.checkCells(imp.ID, 301, "S299", "T", "5")
}

// write runs fn in a transaction.
func (s *stack) write(fn func(store.Tx) error) {
	s.t.Helper()
	if err := s.db.Write(context.Background(), s.ws.WS, false, fn); err != nil {
		s.t.Fatal(err)
	}
}
