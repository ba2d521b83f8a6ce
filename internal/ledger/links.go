package ledger

import (
	"encoding/binary"

	"tallyman/internal/catalog"
)

// A link says which item an image is of and who wrote that item before. Links
// stand in the outcomes body: they outlive the values, which are beside them in
// the body of images, in the same order.

// What is said of a link beside its row, kind and outcome.
const (
	linkOwn   = 1 << iota // its item is its entry's, whose id is not said again
	linkPrior             // its item was there before
)

// owners finds, for links in order of rows, the entry that may say the link's
// item: one of its row. An entry speaks for one link, so there are never more
// such links than entries.
type owners struct{ entries []Entry }

// of returns the entry for the next link, nil for none.
func (o *owners) of(row int64) *Entry {
	for len(o.entries) > 0 && o.entries[0].Row < row {
		o.entries = o.entries[1:]
	}
	if len(o.entries) == 0 || o.entries[0].Row != row {
		return nil
	}
	owner := &o.entries[0]
	o.entries = o.entries[1:]
	return owner
}

// appendLinks appends the links of images. links reads the same columns in the
// same order.
func (e *Encoder) appendLinks(b []byte, entries []Entry, images []Image) []byte {
	n := len(images)
	b = binary.AppendUvarint(b, uint64(n))
	b = appendSteps(b, n, func(i int) int64 { return images[i].Row })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(images[i].Kind) })
	b = appendRuns(b, n, func(i int) uint64 { return uint64(images[i].Outcome) })
	b = e.appendLinkMarks(b, entries, images)
	b = appendIDs(b, len(e.others), func(i int) string { return e.others[i] })
	m := len(e.prior)
	b = appendSteps(b, m, func(i int) int64 { return e.prior[i].Version })
	b = appendSteps(b, m, func(i int) int64 { return e.prior[i].ImportNo })
	// A file imported again writes its items in the order of the rows that wrote
	// them before, so the distance between the two rows hardly changes.
	return appendSteps(b, m, func(i int) int64 { return e.prior[i].LastRow - e.prior[i].Row })
}

func (e *Encoder) appendLinkMarks(b []byte, entries []Entry, images []Image) []byte {
	e.others, e.prior, e.shape = e.others[:0], e.prior[:0], e.shape[:0]
	owners := owners{entries}
	for i := range images {
		x := &images[i]
		var m uint64
		if owner := owners.of(x.Row); owner != nil && owner.ItemID == x.ItemID {
			m |= linkOwn
		} else {
			e.others = append(e.others, x.ItemID)
		}
		if x.Version != 0 || x.ImportNo != 0 || x.LastRow != 0 {
			m |= linkPrior
			e.prior = append(e.prior, x)
		}
		e.shape = append(e.shape, m)
	}
	return appendRuns(b, len(e.shape), func(i int) uint64 { return e.shape[i] })
}

// links reads what appendLinks wrote, as images without values.
func (r *reader) links(entries []Entry) []Image {
	n := r.uvarint()
	if most := uint64(len(entries) + len(r.s)); n > most {
		r.fail("%d images do not fit the %d rows and the rest of the body", n, len(entries))
	}
	if n == 0 || r.err != nil {
		r.end()
		return nil
	}
	images := make([]Image, n)
	r.steps(len(images), func(i int, v int64) { images[i].Row = v })
	r.small(len(images), "kind", uint64(catalog.KindListing), func(i int, v uint64) { images[i].Kind = catalog.Kind(v) })
	r.small(len(images), "outcome", catalog.Outcomes-1, func(i int, v uint64) { images[i].Outcome = catalog.Outcome(v) })
	others, prior := r.linkMarks(entries, images)
	r.ids(len(others), func(i int, v string) { others[i].ItemID = v })
	r.steps(len(prior), func(i int, v int64) { prior[i].Version = v })
	r.steps(len(prior), func(i int, v int64) { prior[i].ImportNo = v })
	r.steps(len(prior), func(i int, v int64) { prior[i].LastRow = v + prior[i].Row })
	r.end()
	return images
}

func (r *reader) linkMarks(entries []Entry, images []Image) (others, prior []*Image) {
	owners := owners{entries}
	r.small(len(images), "mark", linkOwn|linkPrior, func(i int, m uint64) {
		x := &images[i]
		owner := owners.of(x.Row)
		switch {
		case m&linkOwn == 0:
			others = append(others, x)
		case owner == nil:
			r.fail("an image of row %d is of an item that no row says", x.Row)
		default:
			x.ItemID = owner.ItemID
		}
		if m&linkPrior != 0 {
			prior = append(prior, x)
		}
	})
	return others, prior
}
