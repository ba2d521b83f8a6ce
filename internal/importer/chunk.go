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
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// A chunk is the rows of one transaction. Both bounds keep memory and the time
// that a pause may take small, whatever the rows are.
const (
	chunkRows  = 2000
	chunkBytes = 4 << 20
)

// chunk is the rows of one transaction, decoded and mapped, and what is known
// of their outcome before the store is asked.
type chunk struct {
	groups []catalog.Group
	rows   int
	// next is where the chunk behind it begins.
	next mark
	// guess is the chunk decided as if none of its items existed. Because Decide
	// is pure the decisions hold if that turns out true. nil if nobody guessed.
	guess *guess
}

// guess is a chunk decided, encoded and prepared ahead of its transaction.
type guess struct {
	decisions catalog.Decisions
	prepared  store.Prepared
	creates   int
	page      ledger.Page
	// doubtful are the keys of rows that failed under the guess but might not
	// have, did their item exist.
	doubtful lookups
}

// chunkReader turns what is left of a batch into chunks. It runs beside the
// transactions of the chunks before.
type chunkReader struct {
	svc        *Service
	st         *started
	dec        tabular.Decoder
	mapper     source.Mapper
	binding    *source.Binding
	duplicates []duplicate
	facts      *catalog.Facts
	encoder    *ledger.Encoder
	rec        tabular.Record
	// ahead says that rec is read already and begins the next group.
	ahead bool
	done  bool
}

func (s *Service) newChunkReader(ctx context.Context, st *started, in *input) (*chunkReader, error) {
	r := &chunkReader{svc: s, st: st, mapper: in.binding.Mapper(st.imp.Mode), binding: in.binding, facts: s.facts(&st.imp, in), encoder: ledger.NewEncoder()}
	var err error
	if r.dec, err = tabular.Open(in.file, &in.layout, section(&st.batch), s.cfg.Limits, nil); err != nil {
		return nil, err
	}
	r.duplicates, err = s.duplicates(ctx, &st.imp, &st.batch)
	return r, err
}

func (s *Service) facts(imp *store.Import, in *input) *catalog.Facts {
	next := s.ids.run()
	return &catalog.Facts{Schema: s.schema, Currency: in.ws.Currency, Now: s.now(), ImportNo: imp.No, Heading: in.binding.Heading,
		NewID: func(catalog.Kind) string { return next() }}
}

// read returns the next chunk, or nil after the last one.
func (r *chunkReader) read(guessing bool) (*chunk, error) {
	if r.done {
		return nil, nil
	}
	c := &chunk{groups: make([]catalog.Group, 0, chunkRows)}
	rows := make([]catalog.Row, 0, chunkRows)
	changes := make([]catalog.Change, 0, chunkRows)
	begin, _, _ := r.dec.Position()
	for c.rows < chunkRows {
		if err := r.record(); errors.Is(err, io.EOF) {
			r.done = true
			break
		} else if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		if c.rows > 0 && r.rec.Offset-begin > chunkBytes {
			break
		}
		// Each group's rows and changes stand in arrays shared by the chunk; the
		// cut capacities keep a group from growing into the next one's.
		g := catalog.Group{Rows: rows[len(rows):], Changes: changes[len(changes):]}
		if err := r.group(&g); err != nil {
			return nil, err
		}
		rows, changes = extend(rows, g.Rows), extend(changes, g.Changes)
		c.groups = append(c.groups, g)
		c.rows += len(g.Rows)
	}
	c.next.offset, c.next.number, c.next.line = r.dec.Position()
	if r.ahead {
		c.next = mark{offset: r.rec.Offset, number: r.rec.Number, line: r.rec.Line}
	}
	if c.rows == 0 {
		return nil, nil
	}
	if guessing {
		c.guess = r.guess(c)
	}
	return c, nil
}

// extend returns all with part counted in, where part was appended to the room
// behind all, or moved elsewhere because the room was too small.
func extend[T any](all, part []T) []T {
	if cap(all)-len(all) >= len(part) {
		return all[:len(all)+len(part)]
	}
	return all[:cap(all)]
}

// record makes rec the next record, unless it is already.
func (r *chunkReader) record() error {
	if r.ahead {
		return nil
	}
	err := r.dec.Next(&r.rec)
	r.ahead = err == nil
	return err
}

// group maps the record at hand and those that belong together with it.
func (r *chunkReader) group(g *catalog.Group) error {
	r.mapper.Together(&r.rec)
	for {
		r.mapper.Map(&r.rec, g)
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

// markDuplicates makes rows whose key stands on an earlier row errors, and
// drops what they ask for.
func (r *chunkReader) markDuplicates(g *catalog.Group) {
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

// guess decides the chunk as if none of its items existed, and prepares all
// that the transaction then needs.
func (r *chunkReader) guess(c *chunk) *guess {
	g := &guess{}
	w := newWorld()
	for i := range c.groups {
		before := len(g.decisions.Writes)
		catalog.Decide(&c.groups[i], w, r.facts, &g.decisions)
		w.apply(g.decisions.Writes[before:])
	}
	n := 0
	for i := range c.groups {
		for j := range c.groups[i].Changes {
			ch := &c.groups[i].Changes[j]
			if g.decisions.Rows[n+ch.Row].Outcome == catalog.Failed {
				g.doubtful.addMatch(ch)
			}
		}
		n += len(c.groups[i].Rows)
	}
	creates := creations(g.decisions.Writes)
	g.creates = len(creates)
	g.prepared = r.svc.cfg.Store.Prepare(r.st.imp.WS, creates)
	g.page = r.svc.encode(r.encoder, &g.decisions)
	return g
}

// creations lists the new items sorted by their keys, which is the order that
// the store's indexes and locks want.
func creations(writes []catalog.Write) []catalog.Item {
	items := make([]catalog.Item, 0, len(writes))
	for i := range writes {
		if writes[i].Outcome == catalog.Created {
			items = append(items, writes[i].After)
		}
	}
	slices.SortFunc(items, func(a, b catalog.Item) int {
		if a.GTIN != b.GTIN {
			return compare(a.GTIN, b.GTIN)
		}
		return compare(a.SKU, b.SKU)
	})
	return items
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// encode makes the page of a chunk's decisions; its key is filled in later.
func (s *Service) encode(e *ledger.Encoder, d *catalog.Decisions) ledger.Page {
	entries := make([]ledger.Entry, len(d.Rows))
	for i := range d.Rows {
		r := &d.Rows[i]
		entries[i] = ledger.Entry{Row: r.Row.Number, Outcome: r.Outcome, ItemID: r.ItemID}
		if len(r.Row.Problems) > 0 {
			entries[i].Line, entries[i].Problems, entries[i].Ident = r.Row.Line, r.Row.Problems, r.Row.Ident
		}
	}
	var images []ledger.Image
	if len(d.Writes) > 0 {
		images = make([]ledger.Image, len(d.Writes))
	}
	for i := range d.Writes {
		images[i] = image(&d.Writes[i])
	}
	var p ledger.Page
	e.Encode(&p, entries, images)
	return p
}

// image is what a write did, as the ledger keeps it.
func image(w *catalog.Write) ledger.Image {
	im := ledger.Image{Row: w.Row, Kind: w.After.Kind, ItemID: w.After.ID, Outcome: w.Outcome, Changes: w.Changes}
	if b := w.Before; b != nil {
		im.Version, im.ImportNo, im.LastRow, im.Hash = b.Version, b.ImportNo, b.Row, b.Hash
		im.Live, im.LiveChanged = b.Live, b.Live != w.After.Live
		if w.Outcome == catalog.Deleted {
			im.Doc = b.Doc
		}
	}
	return im
}
