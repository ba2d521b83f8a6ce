package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/tabular"
)

// fileRows are the rows of a section of the file, corrections laid over.
type fileRows struct {
	dec        tabular.Decoder
	mapper     source.Mapper
	binding    *source.Binding
	duplicates []duplicate
	overlay    *overlay
	again      *rowsAgain
	rec        tabular.Record
	// sketches keeps what is not mapped; nil where everything is.
	sketches *sketches
	// ahead says that rec is read already and begins the next group.
	ahead bool
}

func (s *Service) openFileRows(ctx context.Context, st *started, in *input, again *rowsAgain) (rowSource, error) {
	r := &fileRows{mapper: in.binding.Mapper(st.imp.Mode), binding: in.binding, again: again}
	var err error
	if r.dec, err = tabular.Open(in.file, &in.layout, section(&st.batch), s.cfg.Limits, nil); err != nil {
		return nil, err
	}
	if r.overlay, err = s.batchOverlay(ctx, &st.imp, in, &st.batch); err != nil {
		return nil, err
	}
	r.duplicates, err = s.duplicates(ctx, &st.imp, &st.batch)
	return r, err
}

// Close implements rowSource; the file is its opener's to close.
func (r *fileRows) Close() error { return nil }

func (r *fileRows) was(row int64) *ledger.Was { return r.again.was(row) }

// record makes rec the next record that is wanted, unless it is already.
func (r *fileRows) record() error {
	for !r.ahead {
		if err := r.dec.Next(&r.rec); err != nil {
			return err
		}
		r.ahead = r.again.wants(r.rec.Number)
	}
	return nil
}

func (r *fileRows) more() (bool, error) {
	if err := r.record(); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("read record: %w", err)
	}
	return true, nil
}

func (r *fileRows) sketch(does bool) *sketches {
	r.sketches = nil
	if does && !r.mapper.Groups() {
		r.sketches = &sketches{mapper: r.mapper}
	}
	return r.sketches
}

func (r *fileRows) weight() int64 { return r.at().offset }

func (r *fileRows) at() (m mark) {
	if r.ahead {
		return mark{offset: r.rec.Offset, number: r.rec.Number, line: r.rec.Line}
	}
	m.offset, m.number, m.line = r.dec.Position()
	return m
}

// group maps the record at hand and those that belong together with it.
func (r *fileRows) group(g *catalog.Group) error {
	r.mapper.Together(&r.rec)
	for {
		r.overlay.lay(&r.rec)
		r.mapRecord(g)
		r.ahead = false
		if !r.mapper.Groups() {
			break
		}
		if err := r.record(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		if !r.mapper.Together(&r.rec) {
			break
		}
	}
	r.markDuplicates(g)
	return nil
}

// mapRecord maps the record at hand, or sketches it. A row whose key stands on
// another is reported with what only Map tells.
func (r *fileRows) mapRecord(g *catalog.Group) {
	duplicate := len(r.duplicates) > 0 && r.duplicates[0].row == r.rec.Number
	if r.sketches == nil || duplicate || !r.mapper.Sketch(&r.rec, g) {
		r.sketches.skip()
		r.mapper.Map(&r.rec, g)
		return
	}
	r.sketches.keep(&r.rec)
}

// markDuplicates makes rows whose key stands on an earlier row errors, and
// drops what they ask for.
func (r *fileRows) markDuplicates(g *catalog.Group) {
	for i := range g.Rows {
		row := &g.Rows[i]
		for len(r.duplicates) > 0 && r.duplicates[0].row <= row.Number {
			d := r.duplicates[0]
			r.duplicates = r.duplicates[1:]
			if d.row == row.Number {
				row.Problems = append(row.Problems, d.problem(row, r.binding.KeyHeading(d.field)))
			}
		}
		if catalog.HasErrors(row.Problems) {
			g.Changes = slices.DeleteFunc(g.Changes, func(c catalog.Change) bool { return c.Row == i })
		}
	}
}
