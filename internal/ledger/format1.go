package ledger

import "tallyman/internal/catalog"

// Pages of format 1 say of an image everything in the body of images, and count
// problems by code alone. Nothing writes them any more; they are read for as
// long as retention keeps them.

// images1 reads the images of a page of format 1.
func (r *reader) images1() []Image {
	images := make([]Image, r.count())
	n := len(images)
	r.ids(n, func(i int, v string) { images[i].ItemID = v })
	r.steps(n, func(i int, v int64) { images[i].Row = v })
	r.small(n, "kind", uint64(catalog.KindListing), func(i int, v uint64) { images[i].Kind = catalog.Kind(v) })
	r.small(n, "outcome", catalog.Outcomes-1, func(i int, v uint64) { images[i].Outcome = catalog.Outcome(v) })
	var moved []*Image
	r.small(n, "mark", 1, func(i int, v uint64) {
		if v == 1 {
			moved = append(moved, &images[i])
		}
	})
	n = len(moved)
	r.steps(n, func(i int, v int64) { moved[i].Version = v })
	r.steps(n, func(i int, v int64) { moved[i].ImportNo = v })
	r.steps(n, func(i int, v int64) { moved[i].LastRow = v + moved[i].Row })
	for i := 0; i < n && r.err == nil; i++ {
		moved[i].Hash = r.fixed64()
	}
	r.texts(n, func(i int, v string) { moved[i].Doc = catalog.Doc(v) })
	r.live(moved)
	r.changed(moved)
	r.end()
	return images
}

// links1 is what is left of the images of a page of format 1 once they are gone:
// the rows that wrote, with their item and outcome.
func links1(entries []Entry) []Image {
	var images []Image
	for i := range entries {
		x := &entries[i]
		switch x.Outcome {
		case catalog.Created, catalog.Updated, catalog.Deleted:
			images = append(images, Image{Row: x.Row, ItemID: x.ItemID, Outcome: x.Outcome})
		}
	}
	return images
}
