package ledger

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

// shelf is pages as a store keeps them: listed without bodies, loaded one by one.
type shelf struct {
	pages   []Page
	loaded  int
	listing bool
}

func (s *shelf) headers(fn func(Page) error) error {
	s.listing = true
	defer func() { s.listing = false }()
	return s.each(func(p Page) error {
		p.Outcomes, p.Images = nil, nil
		return fn(p)
	})
}

func (s *shelf) each(fn func(Page) error) error {
	for _, p := range s.pages {
		if err := fn(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) load(p Page) (Page, error) {
	if s.listing {
		return Page{}, errors.New("loaded while the pages are listed")
	}
	s.loaded++
	for _, q := range s.pages {
		if q.Seq == p.Seq {
			return q, nil
		}
	}
	return Page{}, errors.New("no such page")
}

func genShelf(t *rapid.T) *shelf {
	s := &shelf{}
	enc := NewEncoder()
	row := int64(1)
	for seq := range rapid.IntRange(0, 8).Draw(t, "pages") {
		entries := rapid.SliceOfN(genEntry(), 0, 6).Draw(t, "entries")
		for i := range entries {
			row++
			entries[i].Row = row
		}
		p := Page{ImportNo: 1, Pass: PassApply, Batch: 1, Seq: seq}
		enc.Encode(&p, entries, nil)
		s.pages = append(s.pages, p)
	}
	return s
}

func genSeverities(t *rapid.T) Severities {
	return rapid.SampledFrom([]Severities{ErrorsOnly, WarningsOnly, ErrorsAndWarnings}).Draw(t, "severities")
}

func TestProblemsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genShelf(t)
		f := ProblemFilter{
			Severities: genSeverities(t),
			Code:       catalog.Code(rapid.SampledFrom([]string{"", "", "invalid_gtin", "too_long", "nowhere"}).Draw(t, "code")),
		}
		var all []RowProblem
		if err := EachProblem(s.each, f, func(p RowProblem) error { all = append(all, p); return nil }); err != nil {
			t.Fatal(err)
		}
		offset := rapid.Int64Range(0, int64(len(all))+3).Draw(t, "offset")
		limit := rapid.Int64Range(0, 6).Draw(t, "limit")
		want := all[min(offset, int64(len(all))):]
		if limit > 0 {
			want = want[:min(limit, int64(len(want)))]
		}
		got, total, err := Problems(s.headers, s.load, f, offset, limit)
		if err != nil {
			t.Fatal(err)
		}
		if total != int64(len(all)) {
			t.Errorf("total %d, there are %d", total, len(all))
		}
		if len(want)+len(got) > 0 && !cmp.Equal(want, got) {
			t.Errorf("window at %d, %d long (-want +got):\n%s", offset, limit, cmp.Diff(want, got))
		}
	})
}

func TestProblemsSelectsByPlainReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genShelf(t)
		f := ProblemFilter{Severities: genSeverities(t), Code: catalog.Code(rapid.SampledFrom([]string{"", "too_long"}).Draw(t, "code"))}
		wanted := map[Severities][]catalog.Severity{ErrorsOnly: {catalog.Error}, WarningsOnly: {catalog.Warning},
			ErrorsAndWarnings: {catalog.Error, catalog.Warning}}[f.Severities]
		var want int
		if err := EachRow(s.each, func(x Entry) error {
			for _, p := range x.Problems {
				if (f.Code == "" || p.Code == f.Code) && slices.Contains(wanted, p.Severity) {
					want++
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, total, err := Problems(s.headers, s.load, f, 0, 1); err != nil || total != int64(want) {
			t.Errorf("total %d, %v; the rows hold %d", total, err, want)
		}
	})
}

func TestProblemsLoadsOnlyTheWindow(t *testing.T) {
	s := &shelf{}
	enc := NewEncoder()
	for seq := range 500 {
		p := Page{Seq: seq}
		enc.Encode(&p, failed(100, true), nil)
		s.pages = append(s.pages, p)
	}
	for _, f := range []ProblemFilter{{}, {Severities: ErrorsAndWarnings}, {Code: catalog.CodeGTINCheckDigit}} {
		s.loaded = 0
		got, total, err := Problems(s.headers, s.load, f, 15_010, 20)
		if err != nil || len(got) != 20 {
			t.Fatalf("%+v: %d problems, %v", f, len(got), err)
		}
		if s.loaded > 2 { // a window of 20 lies on one page, or on the seam of two
			t.Errorf("%+v: loaded %d pages of 500 for 20 of %d problems", f, s.loaded, total)
		}
	}
}

// Warnings are counted by the tally even where errors stand beside them.
func TestWarningsLoadOnlyTheirWindow(t *testing.T) {
	s := &shelf{}
	enc := NewEncoder()
	for seq := range 500 {
		entries := failed(100, true)
		for i := range entries {
			entries[i].Problems = append(entries[i].Problems, catalog.Problem{Code: catalog.CodeSKUCaseTwin, Severity: catalog.Warning})
		}
		p := Page{Seq: seq}
		enc.Encode(&p, entries, nil)
		s.pages = append(s.pages, p)
	}
	got, total, err := Problems(s.headers, s.load, ProblemFilter{Severities: WarningsOnly}, 15_010, 20)
	if err != nil || len(got) != 20 || total != 50_000 {
		t.Fatalf("%d of %d problems, %v", len(got), total, err)
	}
	for _, p := range got {
		if p.Severity != catalog.Warning {
			t.Errorf("row %d: %s", p.Row, p.Severity)
		}
	}
	if s.loaded > 2 {
		t.Errorf("loaded %d pages of 500", s.loaded)
	}
}

func TestProblemsFindsAMiscountedPage(t *testing.T) {
	var p Page
	NewEncoder().Encode(&p, failed(10, true), nil)
	p.Tally.Errors = 11
	s := &shelf{pages: []Page{p}}
	if _, _, err := Problems(s.headers, s.load, ProblemFilter{}, 0, 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a page that counts more than it holds: %v", err)
	}
}

func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genShelf(t)
		total, err := Sum(s.headers)
		if err != nil {
			t.Fatal(err)
		}
		var rows, errs, warnings int64
		codes := map[catalog.Code]int64{}
		if err := EachRow(s.each, func(x Entry) error {
			if x.Outcome != catalog.Pending {
				rows++
			}
			for _, p := range x.Problems {
				codes[p.Code]++
				if p.Severity == catalog.Warning {
					warnings++
				} else {
					errs++
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if total.Tally.Rows() != rows || total.Tally.Errors != errs || total.Tally.Warnings != warnings || total.Pages != int64(len(s.pages)) {
			t.Errorf("sum %+v; rows %d, errors %d, warnings %d, pages %d", total, rows, errs, warnings, len(s.pages))
		}
		if len(codes)+len(total.Codes) > 0 && !cmp.Equal(codes, total.Codes) {
			t.Errorf("codes %v, counted %v", total.Codes, codes)
		}
	})
}

func TestEachStopsWithTheCallersError(t *testing.T) {
	var p Page
	NewEncoder().Encode(&p, failed(10, true), updated(10))
	s := &shelf{pages: []Page{p, p}}
	stop := errors.New("enough")
	seen := 0
	for name, run := range map[string]func() error{
		"problems": func() error {
			return EachProblem(s.each, ProblemFilter{}, func(RowProblem) error { seen++; return stop })
		},
		"rows":   func() error { return EachRow(s.each, func(Entry) error { seen++; return stop }) },
		"images": func() error { return EachImage(s.each, func(Image) error { seen++; return stop }) },
	} {
		seen = 0
		if err := run(); !errors.Is(err, stop) || seen != 1 {
			t.Errorf("%s: %v after %d", name, err, seen)
		}
	}
}
