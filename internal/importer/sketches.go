package importer

import (
	"tallyman/internal/catalog"
	"tallyman/internal/source"
	"tallyman/internal/tabular"
)

// sketches keeps the records of a chunk's groups that were only sketched: most rows
// of a feed come again unchanged, which their hash tells, and are never mapped.
type sketches struct {
	mapper source.Mapper
	// records are by the index of the group; one without cells is mapped.
	records []tabular.Record
	// cells of many records share blocks.
	cells []string
}

const cellBlock = 8192

// keep keeps the record of the group that comes next.
func (s *sketches) keep(rec *tabular.Record) {
	if cap(s.cells)-len(s.cells) < len(rec.Cells) {
		s.cells = make([]string, 0, max(cellBlock, len(rec.Cells)))
	}
	from := len(s.cells)
	s.cells = append(s.cells, rec.Cells...)
	kept := *rec
	kept.Cells = s.cells[from:len(s.cells):len(s.cells)]
	s.records = append(s.records, kept)
}

// skip notes that the group that comes next is mapped.
func (s *sketches) skip() {
	if s != nil {
		s.records = append(s.records, tabular.Record{})
	}
}

// width is how many cells wait for a group to be mapped.
func (s *sketches) width(group int) int {
	if s == nil {
		return 0
	}
	return len(s.records[group].Cells)
}

// finish maps a group that was only sketched, and reports whether it was.
func (s *sketches) finish(group int, g *catalog.Group) bool {
	if s == nil || s.records[group].Cells == nil {
		return false
	}
	whole := catalog.Group{Rows: g.Rows[:0:1], Changes: g.Changes[:0:1], Planned: g.Planned}
	s.mapper.Map(&s.records[group], &whole)
	*g = whole
	s.records[group].Cells = nil
	return true
}
