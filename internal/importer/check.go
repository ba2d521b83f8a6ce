package importer

import (
	"context"
	"fmt"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/source"
	"tallyman/internal/store"
)

// check says what a row would do if it ran now, corrections laid over. It writes
// nothing.
func (s *Service) check(ctx context.Context, imp *store.Import, f *rowFile, row int64) (Check, error) {
	rec, ok, err := f.laid(ctx, row)
	if err != nil {
		return Check{}, err
	}
	if !ok {
		return Check{}, rowNotFound(row)
	}
	mapper := f.in.binding.Mapper(imp.Mode)
	var g catalog.Group
	mapper.Together(rec)
	mapper.Map(rec, &g)
	taken, err := s.takenInFile(ctx, f, mapper, row, mapper.Keys(rec, nil))
	if err != nil {
		return Check{}, err
	}
	r := &fileRows{binding: f.in.binding, duplicates: taken}
	r.markDuplicates(&g)
	return s.decideAlone(ctx, imp, f.in, g)
}

// decideAlone decides one group of one row on the catalog as it is.
func (s *Service) decideAlone(ctx context.Context, imp *store.Import, in *input, g catalog.Group) (Check, error) {
	v, err := s.newDecider(ctx, imp, in).beside(ctx, &chunk{groups: []catalog.Group{g}, rows: 1})
	if err != nil {
		return Check{}, fmt.Errorf("decide: %w", err)
	}
	decided := &v.decisions.Rows[0]
	check := Check{Row: decided.Row.Number, Outcome: decided.Outcome, Problems: decided.Row.Problems, Changes: wouldChange(v.decisions.Writes)}
	v.page() // waits for the encoder that reads the decisions
	return check, nil
}

// wouldChange lists what writes that were decided do to items.
func wouldChange(writes []catalog.Write) []RowChange {
	changes := make([]RowChange, len(writes))
	for i := range writes {
		w, c := &writes[i], &changes[i]
		c.Row, c.Outcome, c.Kind, c.ItemID, c.Fields = w.Row, w.Outcome, w.After.Kind, w.After.ID, w.Changes
		switch w.Outcome {
		case catalog.Created:
			c.ItemID, c.Fields = "", fieldsOf(w.After.Doc, true)
			c.takeKeys(w.After.Doc)
		case catalog.Deleted:
			c.Fields = fieldsOf(w.Before.Doc, false)
			c.takeKeys(w.Before.Doc)
		default:
			c.takeKeys(w.After.Doc)
		}
	}
	return changes
}

// maxLookedThrough is how many corrections are looked through to check one row. Of
// an import with more, only rows that have a key in the file itself are found; a
// run over the rows finds the others.
const maxLookedThrough = 5000

// takenInFile finds the rows of the file that have the keys of a row that is
// checked, and have them first. It reads no further than it takes to find one for
// each key.
func (s *Service) takenInFile(ctx context.Context, f *rowFile, mapper source.Mapper, row int64, keys []catalog.Key) ([]duplicate, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	others, err := s.rowsWithKeys(ctx, f, mapper, keys)
	if err != nil {
		return nil, fmt.Errorf("look for its keys in the file: %w", err)
	}
	st, err := s.standing(ctx, f.imp)
	if err != nil {
		return nil, err
	}
	free := slices.Clone(keys)
	var taken []duplicate
	rows, at := (*standingRows)(nil), -1
	for _, other := range others {
		if err := ctx.Err(); err != nil || len(free) == 0 {
			return taken, err
		}
		if i := f.batchOf(other); i != at && other > row {
			if rows, err = st.batch(f.batches[i].No); err != nil {
				return nil, err
			}
			at = i
		}
		if other == row || other > row && !isDone(rows.last(other)) {
			continue
		}
		has, err := s.currentKeys(ctx, f, mapper, other)
		if err != nil {
			return nil, err
		}
		free = slices.DeleteFunc(free, func(k catalog.Key) bool {
			if !slices.Contains(has, k) {
				return false
			}
			taken = append(taken, duplicate{row: row, first: other, field: k.Field})
			return true
		})
	}
	return taken, nil
}

// isDone reports whether a row that ended so keeps its keys: it was applied.
func isDone(o catalog.Outcome) bool {
	return o != catalog.Pending && o != catalog.Failed && o != catalog.Held
}

// rowsWithKeys lists rows, in order, that may have one of the keys: those whose
// record has it, and those whose correction may give it.
func (s *Service) rowsWithKeys(ctx context.Context, f *rowFile, mapper source.Mapper, keys []catalog.Key) ([]int64, error) {
	var hashes []uint64
	for _, k := range keys {
		hashes = append(hashes, keyset.Hash(byte(k.Field), k.Value))
	}
	slices.Sort(hashes)
	segments, err := s.keySegmentsOf(ctx, f.imp)
	if err != nil {
		return nil, err
	}
	var rows []int64
	err = keyset.Find(ctx, s.cfg.Files, segments, slices.Compact(hashes), func(k keyset.Found) error {
		rows = append(rows, k.Row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	n, err := s.cfg.Store.CountCorrections(ctx, f.imp.WS, f.imp.No)
	if err != nil {
		return nil, err
	}
	var corrections []store.Correction
	if n <= maxLookedThrough {
		if corrections, err = s.cfg.Store.Corrections(ctx, f.imp.WS, f.imp.No, 0, 0); err != nil {
			return nil, err
		}
	}
	for i := range corrections {
		if slices.ContainsFunc(mapper.KeyColumns(), func(at int) bool { _, ok := corrections[i].Cells[at]; return ok }) {
			rows = append(rows, corrections[i].Row)
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows), nil
}

// currentKeys are the keys of a row, corrections laid over.
func (s *Service) currentKeys(ctx context.Context, f *rowFile, mapper source.Mapper, row int64) ([]catalog.Key, error) {
	rec, ok, err := f.laid(ctx, row)
	if !ok || err != nil {
		return nil, err
	}
	return mapper.Keys(rec, nil), nil
}
