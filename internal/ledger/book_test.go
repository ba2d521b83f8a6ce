package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

// shelf is pages as a store keeps them: listed without bodies, loaded one by
// one, without images where they are not asked for.
type shelf struct {
	pages  []Page
	loaded int
}

func (s *shelf) book() *Book {
	headers := slices.Clone(s.pages)
	for i := range headers {
		headers[i].Outcomes, headers[i].Images = nil, nil
	}
	return NewBook(headers, s.load)
}

func (s *shelf) load(header Page, images bool) (Page, error) {
	s.loaded++
	for _, p := range s.pages {
		if p.Batch != header.Batch || p.Pass != header.Pass || p.Seq != header.Seq {
			continue
		}
		if !images {
			p.Images = nil
		}
		return p, nil
	}
	return Page{}, errors.New("no such page")
}

func (s *shelf) add(enc *Encoder, batch int, pass Pass, seq int, entries []Entry, images []Image) {
	p := Page{ImportNo: 1, Pass: pass, Batch: batch, Seq: seq}
	enc.Encode(&p, slices.Clone(entries), slices.Clone(images))
	s.pages = append(s.pages, p)
}

// account is pages beside what a plain reader would make of them.
type account struct {
	shelf  shelf
	rows   map[int][]Written // by batch, in order of rows
	passes map[int][]string  // by batch, every entry in order of passes, pages and rows
	images []Image
}

// manyBatches is more than the number of the last batch of an account.
const manyBatches = 6

// genAccount draws an import, or a plan, of a few batches. Each pass goes over
// some of a batch's rows, and may go over some of them once more.
func genAccount(t *rapid.T) *account {
	a := &account{rows: map[int][]Written{}, passes: map[int][]string{}}
	enc := NewEncoder()
	passes := rapid.SampledFrom([][]Pass{
		{PassApply}, {PassApply}, {PassPlan}, {PlanOf(10)},
		{PassApply, ApplyOf(1)}, {PassApply, PassMedia, ApplyOf(2), ApplyOf(10)},
	}).Draw(t, "passes")
	first := int64(2)
	for batch := range rapid.IntRange(0, manyBatches-2).Draw(t, "batches") {
		rows := rapid.Int64Range(1, 20).Draw(t, "rows")
		for _, pass := range passes {
			a.draw(t, enc, batch+1, pass, first, rows)
		}
		first += rows
	}
	a.shelf.pages = rapid.Permutation(a.shelf.pages).Draw(t, "order")
	return a
}

// draw draws the pages of one pass of a batch.
func (a *account) draw(t *rapid.T, enc *Encoder, batch int, pass Pass, first, rows int64) {
	seq := 0
	for range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "rounds") {
		for row := first; row < first+rows; {
			size := rapid.Int64Range(1, 8).Draw(t, "page")
			var entries []Entry
			var images []Image
			for ; row < first+rows && size > 0; row, size = row+1, size-1 {
				if rapid.IntRange(0, 4).Draw(t, "left out") > 0 {
					w := a.drawRow(t, batch, pass, row)
					entries, images = append(entries, w.Entry), append(images, w.Images...)
				}
			}
			if len(entries) > 0 || rapid.Bool().Draw(t, "empty page") {
				a.shelf.add(enc, batch, pass, seq, entries, images)
				seq++
			}
		}
	}
}

// drawRow draws what a pass made of a row and puts it into the account.
func (a *account) drawRow(t *rapid.T, batch int, pass Pass, row int64) Written {
	x := genEntry().Draw(t, "entry")
	x.Row, x.Was = row, nil
	var images []Image
	switch x.Outcome {
	case catalog.Created, catalog.Updated, catalog.Deleted, catalog.Held:
		for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "images") {
			im := genImage().Draw(t, "image")
			im.Row, im.Outcome = row, x.Outcome
			images = append(images, im)
		}
	}
	list := a.rows[batch]
	at, found := slices.BinarySearchFunc(list, row, func(w Written, row int64) int { return compare(w.Row, row) })
	if !found {
		a.rows[batch] = slices.Insert(list, at, Written{Entry: x, Images: images})
	} else {
		old := &list[at]
		x.Was = &Was{Outcome: old.Outcome}
		for _, p := range old.Problems {
			x.Was.Problems = append(x.Was.Problems, catalog.Problem{Code: p.Code, Severity: p.Severity, Column: p.Column})
		}
		var kept []Image
		for _, im := range old.Images {
			if !pass.Planning() && im.Outcome != catalog.Held {
				kept = append(kept, im)
			}
		}
		*old = Written{Entry: x, Images: append(kept, images...)}
	}
	a.images = append(a.images, images...)
	a.passes[batch] = append(a.passes[batch], fmt.Sprint(pass, row, x.Outcome, x.ItemID))
	return Written{Entry: x, Images: images}
}

// last lists the last entries of all rows in order of batches and rows.
func (a *account) last() (entries []Entry) {
	for batch := range manyBatches {
		for _, w := range a.rows[batch] {
			entries = append(entries, w.Entry)
		}
	}
	return entries
}

// alone is entries without what they took the place of.
func alone(entries []Entry) []Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Was = nil
	}
	return entries
}

func TestBookCountsTheLastEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAccount(t)
		b := a.shelf.book()
		last := alone(a.last())
		if want := plainTally(last); b.Tally() != want {
			t.Errorf("tally %+v, the rows count to %+v", b.Tally(), want)
		}
		if d := cmp.Diff(plainFields(a.images), b.Fields(), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("fields (-counted +book):\n%s", d)
		}
		reports, err := b.Causes(0)
		if err != nil || a.shelf.loaded > 0 {
			t.Fatalf("causes without examples: %v, %d pages loaded", err, a.shelf.loaded)
		}
		var causes []Cause
		for _, r := range reports {
			causes = append(causes, r.Cause)
		}
		if d := cmp.Diff(plainCauses(last), causeMap(causes), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("causes (-counted +book):\n%s", d)
		}
		if !slices.IsSortedFunc(causes, func(x, y Cause) int { return compare(y.Count, x.Count) }) {
			t.Errorf("the most frequent is not first: %v", causes)
		}
	})
}

func TestBookReadsTheLastEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAccount(t)
		b := a.shelf.book()
		var rows []Entry
		if err := b.EachRow(func(x Entry) error { rows = append(rows, x); return nil }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a.last(), rows, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("rows (-want +got):\n%s", d)
		}
		for batch := range manyBatches {
			a.checkBatch(t, b, batch)
		}
		for _, want := range rows {
			got, p, ok, err := b.Row(want.Row)
			if err != nil || !ok {
				t.Fatalf("row %d: found %v, %v", want.Row, ok, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("row %d (-want +got):\n%s", want.Row, d)
			}
			if entries, err := b.entriesOf(&p); err != nil || !slices.ContainsFunc(entries, func(x Entry) bool { return cmp.Equal(x, want) }) {
				t.Fatalf("row %d does not stand on the page that is returned, %v", want.Row, err)
			}
		}
		for _, number := range []int64{0, 1, 1000} {
			if _, _, ok, err := b.Row(number); ok || err != nil {
				t.Fatalf("row %d: found %v, %v", number, ok, err)
			}
		}
	})
}

func (a *account) checkBatch(t *rapid.T, b *Book, batch int) {
	got, err := b.Batch(batch)
	if err != nil {
		t.Fatal(err)
	}
	var want []Entry
	for _, w := range a.rows[batch] {
		want = append(want, w.Entry)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("batch %d (-want +got):\n%s", batch, d)
	}
	var passes []string
	err = b.EachPass(batch, func(pass Pass, x Entry) error {
		passes = append(passes, fmt.Sprint(pass, x.Row, x.Outcome, x.ItemID))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.passes[batch], passes, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("passes of batch %d (-want +got):\n%s", batch, d)
	}
}

func TestBookReadsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAccount(t)
		gone := rapid.Bool().Draw(t, "gone")
		var want []Written
		for batch := range manyBatches {
			for _, w := range a.rows[batch] {
				if len(w.Images) > 0 {
					want = append(want, linked(w, gone))
				}
			}
		}
		for i := range a.shelf.pages {
			if gone {
				a.shelf.pages[i].Images = nil
			}
		}
		b := a.shelf.book()
		var got []Written
		if err := b.EachWritten(nil, func(w Written) error { got = append(got, w); return nil }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("written (-want +got):\n%s", d)
		}
		a.shelf.loaded = 0
		err := b.EachWritten(func(*Page) bool { return false }, func(Written) error { return errors.New("not asked for") })
		if err != nil || a.shelf.loaded > 0 {
			t.Fatalf("pages that do not matter: %v, %d loaded", err, a.shelf.loaded)
		}
	})
}

// linked is what is left of a row's images once the values are gone.
func linked(w Written, gone bool) Written {
	if !gone {
		return w
	}
	w.Gone, w.Images = true, slices.Clone(w.Images)
	for i, x := range w.Images {
		w.Images[i] = Image{Row: x.Row, Kind: x.Kind, ItemID: x.ItemID, Outcome: x.Outcome, Version: x.Version, ImportNo: x.ImportNo, LastRow: x.LastRow}
	}
	return w
}

func genFilter(t *rapid.T) ProblemFilter {
	return ProblemFilter{
		Severities: rapid.SampledFrom([]Severities{ErrorsOnly, WarningsOnly, ErrorsAndWarnings}).Draw(t, "severities"),
		Code:       catalog.Code(rapid.SampledFrom([]string{"", "", "invalid_gtin", "too_long", "nowhere"}).Draw(t, "code")),
		Column:     rapid.SampledFrom([]string{"", "ean", "nowhere"}).Draw(t, "column"),
		HasColumn:  rapid.Bool().Draw(t, "has column"),
	}
}

// plainProblems lists problems by reading all rows.
func plainProblems(entries []Entry, f ProblemFilter) (all []RowProblem) {
	wanted := map[Severities][]catalog.Severity{ErrorsOnly: {catalog.Error}, WarningsOnly: {catalog.Warning},
		ErrorsAndWarnings: {catalog.Error, catalog.Warning}}[f.Severities]
	for _, x := range entries {
		for _, p := range x.Problems {
			if (f.Code == "" || p.Code == f.Code) && (!f.HasColumn || p.Column == f.Column) && slices.Contains(wanted, p.Severity) {
				all = append(all, RowProblem{Row: x.Row, Line: x.Line, Outcome: x.Outcome, ItemID: x.ItemID, Ident: x.Ident, Problem: p})
			}
		}
	}
	return all
}

// cutOut is the window of a list that an offset and a limit mean.
func cutOut[T any](all []T, offset, limit int64) []T {
	all = all[min(offset, int64(len(all))):]
	if limit > 0 {
		all = all[:min(limit, int64(len(all)))]
	}
	return all
}

func TestProblemsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAccount(t)
		b := a.shelf.book()
		f := genFilter(t)
		all := plainProblems(a.last(), f)
		var each []RowProblem
		if err := b.EachProblem(f, func(p RowProblem) error { each = append(each, p); return nil }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(all, each, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("problems (-want +got):\n%s", d)
		}
		limit := rapid.Int64Range(0, 6).Draw(t, "limit")
		for offset := range int64(len(all)) + 2 {
			got, total, err := b.Problems(f, offset, limit)
			if err != nil || total != int64(len(all)) {
				t.Fatalf("total %d of %d, %v", total, len(all), err)
			}
			if d := cmp.Diff(cutOut(all, offset, limit), got, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("window at %d, %d long (-want +got):\n%s", offset, limit, d)
			}
		}
	})
}

func TestRowsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAccount(t)
		b := a.shelf.book()
		outcomes := rapid.SliceOfNDistinct(genOutcome(), 0, 3, rapid.ID).Draw(t, "outcomes")
		var all []Entry
		for _, x := range a.last() {
			if x.Outcome != catalog.Pending && (len(outcomes) == 0 || slices.Contains(outcomes, x.Outcome)) {
				all = append(all, x)
			}
		}
		limit := rapid.Int64Range(0, 6).Draw(t, "limit")
		for offset := range int64(len(all)) + 2 {
			got, total, err := b.Rows(outcomes, offset, limit)
			if err != nil || total != int64(len(all)) {
				t.Fatalf("total %d of %d, %v", total, len(all), err)
			}
			if d := cmp.Diff(cutOut(all, offset, limit), got, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("window at %d, %d long (-want +got):\n%s", offset, limit, d)
			}
		}
	})
}

func TestCausesHaveExamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAccount(t)
		most := rapid.IntRange(1, 3).Draw(t, "examples")
		reports, err := a.shelf.book().Causes(most)
		if err != nil {
			t.Fatal(err)
		}
		if a.shelf.loaded > len(a.shelf.pages) {
			t.Errorf("%d loads of %d pages", a.shelf.loaded, len(a.shelf.pages))
		}
		all := plainProblems(a.last(), ProblemFilter{Severities: ErrorsAndWarnings})
		for _, r := range reports {
			if len(r.Examples) == 0 || len(r.Examples) > most {
				t.Fatalf("%d examples of %+v", len(r.Examples), r.Cause)
			}
			values := map[string]bool{}
			for _, e := range r.Examples {
				values[e.Value] = true
				if !slices.ContainsFunc(all, func(p RowProblem) bool {
					return p.Code == r.Code && p.Severity == r.Severity && p.Column == r.Column && e == Example{p.Row, p.Value, p.Message}
				}) {
					t.Fatalf("%+v is no problem of %+v", e, r.Cause)
				}
			}
			if len(values) != len(r.Examples) {
				t.Fatalf("values come twice: %+v", r.Examples)
			}
		}
	})
}

// manyPages is an import of 500 pages of 100 rows, each page a batch's only one.
func manyPages(warn bool) *shelf {
	s := &shelf{}
	enc := NewEncoder()
	for i := range 500 {
		entries := failed(100, true)
		for j := range entries {
			if warn {
				entries[j].Problems = append(entries[j].Problems, catalog.Problem{Code: catalog.CodeSKUCaseTwin, Severity: catalog.Warning})
			}
		}
		s.add(enc, i+1, PassApply, 0, entries, nil)
	}
	return s
}

func TestOnlyTheWindowIsLoaded(t *testing.T) {
	s := manyPages(true)
	b := s.book()
	for _, f := range []ProblemFilter{
		{}, {Severities: ErrorsAndWarnings}, {Severities: WarningsOnly}, {Code: catalog.CodeGTINCheckDigit},
		{Column: "ean", HasColumn: true}, {Severities: ErrorsAndWarnings, Code: catalog.CodeMissingSKU, Column: "sku", HasColumn: true},
	} {
		s.loaded = 0
		got, total, err := b.Problems(f, 15_010, 20)
		if err != nil || len(got) != 20 {
			t.Fatalf("%+v: %d problems, %v", f, len(got), err)
		}
		if s.loaded > 2 { // a window of 20 lies on one page, or on the seam of two
			t.Errorf("%+v: loaded %d pages of 500 for 20 of %d problems", f, s.loaded, total)
		}
	}
	s.loaded = 0
	if got, _, err := b.Problems(ProblemFilter{}, 15_000, 100); err != nil || len(got) != 100 || s.loaded != 1 {
		t.Errorf("a window of exactly one page: %d problems, %v, %d pages loaded", len(got), err, s.loaded)
	}
	s.loaded = 0
	if got, total, err := b.Rows([]catalog.Outcome{catalog.Failed}, 15_010, 20); err != nil || len(got) != 20 || total != 50_000 || s.loaded > 2 {
		t.Errorf("%d of %d rows, %v, %d pages loaded", len(got), total, err, s.loaded)
	}
	s.loaded = 0
	reports, err := b.Causes(5)
	if err != nil || len(reports) != 4 || reports[0].Count != 50_000 || s.loaded > exampleLoads*len(reports) {
		t.Errorf("causes %+v, %v, %d pages loaded", reports, err, s.loaded)
	}
}

func TestAMiscountedPageIsFound(t *testing.T) {
	for _, wrong := range []int64{11, 9, -1} {
		s := &shelf{}
		s.add(NewEncoder(), 1, PassApply, 0, failed(10, true), nil)
		s.pages[0].Tally.Errors, s.pages[0].Tally.Failed = wrong, wrong
		if _, _, err := s.book().Problems(ProblemFilter{}, 0, 0); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a page that counts %d problems and holds 10: %v", wrong, err)
		}
		if _, _, err := s.book().Rows(nil, 0, 0); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a page that counts %d rows and holds 10: %v", wrong, err)
		}
	}
}

// Pages of format 1 do not say of which severity and column their problems are;
// the book reads them to find out, and only those that may matter.
func TestBookOfFormat1(t *testing.T) {
	s := &shelf{pages: []Page{oldPage(t)}}
	s.pages[0].Batch, s.pages[0].Pass = 1, PassApply
	entries, _ := oldRows()
	for _, f := range []ProblemFilter{
		{}, {Severities: ErrorsAndWarnings}, {Code: catalog.CodeTooLong}, {Code: catalog.CodeTooLong, Severities: WarningsOnly},
		{Column: "Titel", HasColumn: true}, {Column: "Text", HasColumn: true, Severities: ErrorsAndWarnings},
	} {
		all := plainProblems(entries, f)
		got, total, err := s.book().Problems(f, 0, 0)
		if d := cmp.Diff(all, got); err != nil || total != int64(len(all)) || d != "" {
			t.Errorf("%+v: %d in all, %v (-want +got):\n%s", f, total, err, d)
		}
	}
	reports, err := s.book().Causes(1)
	if err != nil || len(reports) != 4 || reports[0].Column != "Preis" || len(reports[0].Examples) != 1 {
		t.Errorf("causes %+v, %v", reports, err)
	}
	s.loaded = 0
	if _, _, err := s.book().Problems(ProblemFilter{Code: "nowhere"}, 0, 0); err != nil || s.loaded > 0 {
		t.Errorf("a code that stands on no page: %v, %d loaded", err, s.loaded)
	}
	s.pages[0].Outcomes = nil
	if reports, err := s.book().Causes(1); err != nil || len(reports) != 3 || reports[0].Count != 2 {
		t.Errorf("causes of rows that are not kept any more: %+v, %v", reports, err)
	}
}

func TestBookPastRetention(t *testing.T) {
	s := &shelf{}
	entries := alone(again(10))
	s.add(NewEncoder(), 1, PassApply, 0, entries, held(10))
	s.pages[0].Images = nil
	b := s.book()
	if images, gone, err := b.Images(b.Pages()[0]); err != nil || !gone || len(images) != 10 || images[0].Version != 1 || images[0].Changes != nil {
		t.Errorf("images: %d, gone %v, %v", len(images), gone, err)
	}
	s.pages[0].Outcomes = nil
	if reports, err := b.Causes(1); err != nil || len(reports) == 0 || len(reports[0].Examples) > 0 {
		t.Errorf("causes: %+v, %v", reports, err)
	}
	for name, run := range map[string]func() error{
		"problems": func() error { _, _, err := b.Problems(ProblemFilter{Severities: WarningsOnly}, 0, 0); return err },
		"rows":     func() error { _, _, err := b.Rows(nil, 0, 0); return err },
		"each row": func() error { return b.EachRow(func(Entry) error { return nil }) },
		"a row":    func() error { _, _, _, err := b.Row(2); return err },
		"written":  func() error { return b.EachWritten(nil, func(Written) error { return nil }) },
		"images":   func() error { _, _, err := b.Images(b.Pages()[0]); return err },
	} {
		if err := run(); !errors.Is(err, ErrNoBody) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A row was held, its images are gone, and a retry wrote it since: what counts
// is what the retry wrote, and that is there.
func TestWhatARowWasHeldForIsForgotten(t *testing.T) {
	s := &shelf{}
	enc := NewEncoder()
	was := []Entry{{Row: 2, Outcome: catalog.Held, ItemID: id(1)}, {Row: 3, Outcome: catalog.Held, ItemID: id(2)}}
	s.add(enc, 1, PassApply, 0, was, held(4)[1:2])
	s.pages[0].Images = nil
	is := []Entry{{Row: 3, Outcome: catalog.Updated, ItemID: id(2), Was: &Was{Outcome: catalog.Held}}}
	s.add(enc, 1, ApplyOf(1), 0, is, updated(2)[1:])
	var got []Written
	if err := s.book().EachWritten(nil, func(w Written) error { got = append(got, w); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Gone || len(got[0].Images) != 1 || len(got[0].Images[0].Changes) == 0 {
		t.Errorf("written: %+v", got)
	}
}

// Passes over different rows of a batch do not overlap: pages are still read one
// by one.
func TestPassesSideBySideAreReadPageByPage(t *testing.T) {
	s := &shelf{}
	enc := NewEncoder()
	rows := failed(200, true)
	s.add(enc, 1, PassApply, 0, rows[:100], nil)
	s.add(enc, 1, ApplyOf(1), 0, rows[100:], nil)
	if got, total, err := s.book().Problems(ProblemFilter{}, 150, 10); err != nil || len(got) != 10 || total != 200 || s.loaded != 1 {
		t.Errorf("%d of %d problems, %v, %d pages loaded", len(got), total, err, s.loaded)
	}
}

func TestEachStopsWithTheCallersError(t *testing.T) {
	s := &shelf{}
	for batch := range 2 {
		s.add(NewEncoder(), batch+1, PassApply, 0, failed(10, true), updated(10))
	}
	b := s.book()
	stop := errors.New("enough")
	seen := 0
	for name, run := range map[string]func() error{
		"problems": func() error {
			return b.EachProblem(ProblemFilter{}, func(RowProblem) error { seen++; return stop })
		},
		"rows":    func() error { return b.EachRow(func(Entry) error { seen++; return stop }) },
		"written": func() error { return b.EachWritten(nil, func(Written) error { seen++; return stop }) },
		"passes":  func() error { return b.EachPass(1, func(Pass, Entry) error { seen++; return stop }) },
	} {
		seen = 0
		if err := run(); err != stop || seen != 1 {
			t.Errorf("%s: %v after %d", name, err, seen)
		}
	}
}

func TestALoadThatFailsIsNamed(t *testing.T) {
	broken := errors.New("disk on fire")
	var p Page
	NewEncoder().Encode(&p, failed(3, true), nil)
	p.Batch, p.Pass, p.Seq = 4, ApplyOf(1), 2
	b := NewBook([]Page{p}, func(Page, bool) (Page, error) { return Page{}, broken })
	err := b.EachRow(func(Entry) error { return nil })
	if want := "read rows: load page 2 of batch 4, pass retry-1: disk on fire"; !errors.Is(err, broken) || err.Error() != want {
		t.Errorf("%v, not %s", err, want)
	}
}
