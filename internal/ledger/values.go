package ledger

import (
	"encoding/binary"

	"tallyman/internal/catalog"
)

// appendValues appends the body of images: the values alone, in the order of the
// links. values reads the same columns in the same order.
func (e *Encoder) appendValues(b []byte, images []Image) []byte {
	n := len(images)
	b = binary.AppendUvarint(b, uint64(n))
	b = appendRuns(b, n, func(i int) uint64 { return flag(hasValues(&images[i])) })
	e.moved = e.moved[:0]
	for i := range images {
		if hasValues(&images[i]) {
			e.moved = append(e.moved, &images[i])
		}
	}
	moved := e.moved
	n = len(moved)
	for _, x := range moved {
		b = binary.LittleEndian.AppendUint64(b, uint64(x.Hash))
	}
	b = appendTexts(b, n, func(i int) string { return string(moved[i].Doc) })
	b = appendSteps(b, n, func(i int) int64 { return moved[i].CreatedAt })
	b = appendSteps(b, n, func(i int) int64 { return moved[i].CreatedNo })
	b = appendRuns(b, n, func(i int) uint64 { return flag(moved[i].GTINShared) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(moved[i].Live.State)<<1 | flag(moved[i].LiveChanged) })
	b = appendTexts(b, n, func(i int) string { return string(moved[i].Live.Doc) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(len(moved[i].Changes)) })
	return e.appendChanges(b, moved)
}

// hasValues reports whether an image says more than its link does.
func hasValues(x *Image) bool {
	return x.Hash != 0 || len(x.Changes) > 0 || x.Doc != "" || x.CreatedAt != 0 || x.CreatedNo != 0 || x.GTINShared ||
		x.Live != (catalog.Live{}) || x.LiveChanged
}

// appendChanges appends the changed fields: their names once, then which name
// each has, then the tokens, old beside new because they are much alike.
func (e *Encoder) appendChanges(b []byte, moved []*Image) []byte {
	e.names, e.tokens, e.shape = e.names[:0], e.tokens[:0], e.shape[:0]
	for _, x := range moved {
		for i := range x.Changes {
			c := &x.Changes[i]
			at, ok := e.fields[c.Field]
			if !ok {
				at = uint64(len(e.names))
				e.fields[c.Field] = at
				e.names = append(e.names, c.Field)
			}
			e.shape = append(e.shape, at)
			e.tokens = append(e.tokens, c.Old, c.New)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(e.names)))
	b = appendTexts(b, len(e.names), func(i int) string { return e.names[i] })
	b = appendRuns(b, len(e.shape), func(i int) uint64 { return e.shape[i] })
	return appendTexts(b, len(e.tokens), func(i int) string { return e.tokens[i] })
}

// values reads what appendValues wrote into images that have their links.
func (r *reader) values(images []Image) {
	if n := r.uvarint(); n != uint64(len(images)) {
		r.fail("it has values of %d images and the rows wrote %d", n, len(images))
		return
	}
	var moved []*Image
	r.small(len(images), "mark", 1, func(i int, v uint64) {
		if v == 1 {
			moved = append(moved, &images[i])
		}
	})
	n := len(moved)
	for i := 0; i < n && r.err == nil; i++ {
		moved[i].Hash = r.fixed64()
	}
	r.texts(n, func(i int, v string) { moved[i].Doc = catalog.Doc(v) })
	r.steps(n, func(i int, v int64) { moved[i].CreatedAt = v })
	r.steps(n, func(i int, v int64) { moved[i].CreatedNo = v })
	r.small(n, "flag", 1, func(i int, v uint64) { moved[i].GTINShared = v == 1 })
	r.live(moved)
	r.changed(moved)
	r.end()
}

func (r *reader) live(moved []*Image) {
	n := len(moved)
	r.small(n, "live state", uint64(catalog.LiveDeleting)<<1|1, func(i int, v uint64) {
		moved[i].Live.State, moved[i].LiveChanged = catalog.LiveState(v>>1), v&1 == 1
	})
	r.texts(n, func(i int, v string) { moved[i].Live.Doc = catalog.Doc(v) })
}

func (r *reader) changed(moved []*Image) {
	perImage, all := r.counts(len(moved))
	changes := r.changes(all)
	if r.err != nil {
		return
	}
	for i, x := range moved {
		x.Changes, changes = cut(changes, perImage[i])
	}
}

func (r *reader) changes(n int) []catalog.FieldChange {
	names := make([]string, r.count())
	r.texts(len(names), func(i int, v string) { names[i] = v })
	if n > len(r.s) {
		r.fail("%d changed fields do not fit the body", n)
		return nil
	}
	cs := make([]catalog.FieldChange, n)
	r.runs(n, func(i int, v uint64) {
		if v >= uint64(len(names)) {
			r.fail("a changed field %d is not among the page's %d", v, len(names))
			return
		}
		cs[i].Field = names[v]
	})
	r.texts(2*n, func(i int, v string) {
		if i%2 == 0 {
			cs[i/2].Old = v
		} else {
			cs[i/2].New = v
		}
	})
	return cs
}
