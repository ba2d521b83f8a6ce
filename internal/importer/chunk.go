package importer

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// chunkBytes bounds a chunk beside Config.ChunkRows. Both keep memory and the
// time that a pause may take small, whatever the rows are.
const chunkBytes = 8 << 20

// undoShare is how many chunks of an undo an import's chunk is: an undo holds whole
// documents, before and after, and is fastest where few of them are about.
const undoShare = 3

// chunkOps bounds the operations of a chunk: a file of thousands of columns asks
// for many in few bytes.
const chunkOps = 128 << 10

// chunk is the rows of one transaction, decoded and mapped, and what was
// decided of them before it.
type chunk struct {
	// groups are nil once there is a verdict.
	groups []catalog.Group
	rows   int
	// sketched are the groups that were not mapped yet; nil where all were.
	sketched *sketches
	// asNew says that it is to be decided as if none of its items existed.
	asNew bool
	// was are the entries that the rows' new ones take the place of, by row.
	was map[int64]*ledger.Was
	// next is where the chunk behind it begins; last says that none does in this
	// batch.
	next mark
	last bool
	// took is how long reading it and deciding it ahead took.
	took time.Duration
	// verdict is the chunk decided ahead of its transaction; nil if it is to be
	// decided within it.
	verdict *verdict
}

// any reports whether a change of the chunk is as asked.
func (c *chunk) any(is func(*catalog.Change) bool) bool {
	for i := range c.groups {
		for j := range c.groups[i].Changes {
			if is(&c.groups[i].Changes[j]) {
				return true
			}
		}
	}
	return false
}

// plannedNew reports whether no row's plan showed an item that is there: such a
// row, decided as new, would be held, and no taken key would tell.
func (c *chunk) plannedNew() bool {
	for i := range c.groups {
		for j := range c.groups[i].Planned {
			switch c.groups[i].Planned[j].Outcome {
			case catalog.Created, catalog.Failed, catalog.Skipped:
			default:
				return false
			}
		}
	}
	return true
}

// rowSource gives the rows of a batch, group by group, from its cursor on.
type rowSource interface {
	// more reports whether another group follows.
	more() (bool, error)
	// at is where the group that follows begins, or, after the last, the end.
	at() mark
	// group appends the rows and changes of the group that follows to g. It is
	// called after more said that there is one.
	group(g *catalog.Group) error
	// sketch says whether a sketch does for the groups from here on, and returns what
	// keeps those that are not mapped; nil where all are.
	sketch(does bool) *sketches
	// weight is how many bytes the groups so far have come to, about.
	weight() int64
	// was returns the entry that a row's new one takes the place of; nil for none.
	was(row int64) *ledger.Was
	Close() error
}

// chunkReader turns what is left of a batch into chunks. It runs beside the
// transactions of the chunks before.
type chunkReader struct {
	svc *Service
	imp *store.Import
	// batch is whose rows are read. The writer moves its own beside the reader.
	batch   store.BatchRef
	rows    rowSource
	decider *decider
	// plan is what the rows' plan showed; nil where there is none to keep to.
	plan *planReader
	done bool
	// most is how many rows a chunk has, so that chunks are of even size.
	most int
	// whole says that rows are mapped as they are read, all of them.
	whole bool
}

func (s *Service) newChunkReader(ctx context.Context, st *started, in *input) (*chunkReader, error) {
	r := &chunkReader{svc: s, imp: &st.imp, batch: st.batch.BatchRef, decider: s.newDecider(ctx, &st.imp, in), most: s.cfg.ChunkRows}
	if st.batch.Input == store.ImageInput {
		r.most = max(r.most/undoShare, 1)
	}
	if st.batch.Pass.Round() == 0 {
		r.most = evenChunks(st.batch.Rows-st.batch.Tally.Rows(), r.most)
	}
	var err error
	if r.plan, err = s.newPlanReader(ctx, &st.imp, &st.batch); err != nil {
		return nil, err
	}
	if r.rows, err = s.openRows(ctx, st, in); err != nil {
		return nil, fmt.Errorf("open rows of batch %d: %w", st.batch.No, err)
	}
	return r, nil
}

// openRows opens what is left of a batch.
func (s *Service) openRows(ctx context.Context, st *started, in *input) (rowSource, error) {
	again, err := s.rowsAgain(ctx, st)
	if err != nil {
		return nil, err
	}
	switch st.batch.Input {
	case store.MissingInput:
		return s.openMissing(ctx, st, in, again)
	case store.ImageInput:
		return s.openImages(ctx, st, again)
	}
	return s.openFileRows(ctx, st, in, again)
}

// evenChunks cuts the rows that are left into chunks of even size.
func evenChunks(left int64, most int) int {
	chunks := (left + int64(most) - 1) / int64(most)
	if chunks <= 1 {
		return most
	}
	return int((left + chunks - 1) / chunks)
}

// read returns the next chunk, decided ahead where that pays, or nil after the
// last one.
func (r *chunkReader) read(ctx context.Context) (*chunk, error) {
	began := time.Now()
	c, err := r.decode(ctx)
	if c == nil || err != nil {
		return nil, err
	}
	c.verdict, err = r.decider.ahead(ctx, c)
	c.sketched, c.took = nil, time.Since(began)
	if c.verdict != nil {
		// What was asked is most of a chunk's memory, and needed again only if the
		// verdict does not hold: then it is read once more.
		c.groups = nil
	}
	return c, err
}

// reread reads the groups of the chunk at the batch's cursor once more.
func (s *Service) reread(ctx context.Context, st *started, in *input, c *chunk) error {
	r, err := s.newChunkReader(ctx, st, in)
	if err != nil {
		return err
	}
	defer r.rows.Close()
	r.most, r.whole = c.rows, true
	again, err := r.decode(ctx)
	if err != nil {
		return err
	}
	if again == nil || again.rows != c.rows || again.next != c.next {
		return fmt.Errorf("read chunk at row %d again: it is not the same", st.batch.NextRow)
	}
	c.groups, c.was = again.groups, again.was
	return nil
}

// guarded is read with a panic made an error: it runs on a goroutine of its own,
// where a panic would end the process and, with its job tried again, the next one.
func (r *chunkReader) guarded(ctx context.Context) (c *chunk, err error) {
	defer func() {
		if v := recover(); v != nil {
			b := r.batch
			r.svc.cfg.Log.ErrorContext(ctx, "reading a chunk panicked", jobs.LogImport, r.imp.ID, jobs.LogPass, b.Pass, jobs.LogBatch, b.No, "error", v, "stack", string(debug.Stack()))
			c, err = nil, fmt.Errorf("read chunk: panic: %v", v)
		}
	}()
	return r.read(ctx)
}

// decode reads and maps the records of the next chunk.
func (r *chunkReader) decode(ctx context.Context) (*chunk, error) {
	if r.done {
		return nil, nil
	}
	c := &chunk{groups: make([]catalog.Group, 0, r.most), asNew: r.decider.assumesNew()}
	c.sketched = r.rows.sketch(!r.whole && !c.asNew && r.decider.looksFirst())
	rows := make([]catalog.Row, 0, r.most)
	changes := make([]catalog.Change, 0, r.most)
	var begin int64
	for ops := 0; ; {
		more, err := r.rows.more()
		if err != nil {
			return nil, err
		}
		if c.rows == 0 {
			begin = r.rows.weight()
		}
		if c.last, c.next = !more, r.rows.at(); !more || c.rows >= r.most || ops >= chunkOps || c.rows > 0 && r.rows.weight()-begin > chunkBytes {
			break
		}
		// Each group's rows and changes stand in arrays shared by the chunk; the
		// cut capacities keep a group from growing into the next one's.
		g := catalog.Group{Rows: rows[len(rows):], Changes: changes[len(changes):]}
		if err := r.rows.group(&g); err != nil {
			return nil, err
		}
		rows, changes = extend(rows, g.Rows), extend(changes, g.Changes)
		if g.Planned, err = r.plan.planned(ctx, g.Rows); err != nil {
			return nil, err
		}
		r.replace(c, g.Rows)
		c.groups = append(c.groups, g)
		c.rows += len(g.Rows)
		ops += c.sketched.width(len(c.groups) - 1)
		for i := range g.Changes {
			ops += len(g.Changes[i].Ops)
		}
	}
	r.done = c.last
	if c.rows == 0 {
		return nil, nil
	}
	return c, nil
}

// replace notes which entries the rows' new ones take the place of.
func (r *chunkReader) replace(c *chunk, rows []catalog.Row) {
	for i := range rows {
		if was := r.rows.was(rows[i].Number); was != nil {
			if c.was == nil {
				c.was = make(map[int64]*ledger.Was)
			}
			c.was[rows[i].Number] = was
		}
	}
}

// extend returns all with part counted in, where part was appended to the room
// behind all, or moved elsewhere because the room was too small.
func extend[T any](all, part []T) []T {
	if cap(all)-len(all) >= len(part) {
		return all[:len(all)+len(part)]
	}
	return all[:cap(all)]
}
