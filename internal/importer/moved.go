package importer

import (
	"slices"

	"tallyman/internal/catalog"
)

// seen is what the decisions on a chunk rest on: the keys that were looked up, and
// the items that were found.
type seen struct {
	match, owners lookups
	handles       map[catalog.Kind][]int64
}

func (s *seen) add(kind catalog.Kind, handle int64) {
	if s.handles == nil {
		s.handles = make(map[catalog.Kind][]int64)
	}
	s.handles[kind] = append(s.handles[kind], handle)
}

// footprint is what the decisions on a chunk write: the items that were there, and
// the keys that items get.
type footprint struct {
	handles map[catalog.Kind][]int64
	keys    lookups
}

// footprintOf lists what writes do; nil for none.
func footprintOf(writes []catalog.Write) *footprint {
	if len(writes) == 0 {
		return nil
	}
	out := &footprint{handles: make(map[catalog.Kind][]int64)}
	for i := range writes {
		b, a := writes[i].Before, &writes[i].After
		if b != nil {
			out.handles[a.Kind] = append(out.handles[a.Kind], b.Handle)
		}
		if writes[i].Outcome == catalog.Deleted {
			continue
		}
		for _, f := range keysOfItem {
			if v := a.Get(f); v != "" && (b == nil || b.Get(f) != v) {
				out.keys.add(a.Kind, catalog.Key{Field: f, Value: v})
			}
		}
	}
	return out
}

// moved reports whether writes matter to decisions that were made before they were
// committed. A row that writes nothing meets nothing that would refuse it, and its
// outcome must not hang on how far ahead it was read.
func (s *seen) moved(by *footprint) bool {
	if s == nil || by == nil {
		return false
	}
	for _, kind := range catalog.Kinds() {
		if meet(s.handles[kind], by.handles[kind]) {
			return true
		}
	}
	for at, given := range by.keys.keys {
		for _, asked := range [][]string{s.match.keys[at], s.owners.keys[at]} {
			if len(asked) > 0 && slices.ContainsFunc(given, func(key string) bool { _, ok := slices.BinarySearch(asked, key); return ok }) {
				return true
			}
		}
	}
	return false
}

// meet reports whether two lists have a number in common; it sorts them.
func meet(a, b []int64) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	slices.Sort(a)
	slices.Sort(b)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			return true
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return false
}
