package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Summary implements API. It reads headers, and loads only pages that do not
// count by field.
func (s *Service) Summary(ctx context.Context, ws store.Workspace, id string, plan bool) (ChangeSummary, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return ChangeSummary{}, err
	}
	book, err := s.book(ctx, &imp, planOr(&imp, plan))
	if err != nil {
		return ChangeSummary{}, err
	}
	causes, err := book.Causes(0)
	if err != nil {
		return ChangeSummary{}, fmt.Errorf("count causes: %w", err)
	}
	sum := ChangeSummary{Tally: book.Tally(), Causes: len(causes)}
	if sum.Fields, err = countFields(diffUnits(book.Pages()), s.loadPage(ctx, &imp)); err != nil {
		return ChangeSummary{}, fmt.Errorf("count fields: %w", err)
	}
	for i := range sum.Fields {
		sum.Cleared += sum.Fields[i].Cleared
	}
	return sum, nil
}

// countFields sums what updates did to fields, in order of their names. Pages
// that do not count by field and are past their retention count nothing.
func countFields(units []diffUnit, load ledger.Load) ([]ledger.FieldCount, error) {
	sum := make(map[string]ledger.FieldCount)
	for _, u := range units {
		if !u.countsFields() {
			err := u.recountFields(load, sum)
			if err != nil && !errors.Is(err, errGone) && !errors.Is(err, ledger.ErrNoBody) {
				return nil, err
			}
			continue
		}
		for i := range u {
			for _, c := range u[i].Fields {
				addCount(sum, c)
			}
		}
	}
	var counts []ledger.FieldCount
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		counts = append(counts, sum[name])
	}
	return counts, nil
}

// recountFields counts what the unit's updates really did to fields.
func (u diffUnit) recountFields(load ledger.Load, sum map[string]ledger.FieldCount) error {
	return u.each(load, ChangeFilter{Outcome: catalog.Updated}, func(c imageChange) error {
		for i := range c.Fields {
			fc := &c.Fields[i]
			count := ledger.FieldCount{Field: fc.Field}
			switch {
			case fc.Old == "":
				count.Added = 1
			case fc.New == "":
				count.Cleared = 1
			default:
				count.Changed = 1
			}
			addCount(sum, count)
		}
		return nil
	})
}

func addCount(sum map[string]ledger.FieldCount, c ledger.FieldCount) {
	s := sum[c.Field]
	s.Field = c.Field
	s.Added, s.Changed, s.Cleared = s.Added+c.Added, s.Changed+c.Changed, s.Cleared+c.Cleared
	sum[c.Field] = s
}

// Causes implements API.
func (s *Service) Causes(ctx context.Context, ws store.Workspace, id string, plan bool, examples int) ([]CauseReport, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	headers, err := s.headers(ctx, &imp, planOr(&imp, plan))
	if err != nil {
		return nil, err
	}
	// Counts outlive the rows that are their examples.
	return ledger.NewBook(headers, s.loadKept(ctx, &imp)).Causes(examples)
}
