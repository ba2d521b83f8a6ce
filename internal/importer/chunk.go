package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/source"
	"tallyman/internal/tabular"
)

// chunkBytes bounds a chunk beside Config.ChunkRows. Both keep memory and the
// time that a pause may take small, whatever the rows are.
const chunkBytes = 8 << 20

// chunkOps bounds the operations of a chunk: a file of thousands of columns asks
// for many in few bytes.
const chunkOps = 128 << 10

// chunk is the rows of one transaction, decoded and mapped, and what was
// decided of them before it.
type chunk struct {
	// groups are nil once there is a verdict.
	groups []catalog.Group
	rows   int
	// next is where the chunk behind it begins; last says that none does in this
	// batch.
	next mark
	last bool
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

// chunkReader turns what is left of a batch into chunks. It runs beside the
// transactions of the chunks before.
type chunkReader struct {
	svc        *Service
	st         *started
	dec        tabular.Decoder
	mapper     source.Mapper
	binding    *source.Binding
	duplicates []duplicate
	decider    *decider
	rec        tabular.Record
	// ahead says that rec is read already and begins the next group.
	ahead bool
	done  bool
	// most is how many rows a chunk has, so that chunks are of even size.
	most int
}

func (s *Service) newChunkReader(ctx context.Context, st *started, in *input) (*chunkReader, error) {
	r := &chunkReader{svc: s, st: st, mapper: in.binding.Mapper(st.imp.Mode), binding: in.binding, decider: s.newDecider(&st.imp, in),
		most: evenChunks(st.batch.Rows-st.batch.Tally.Rows(), s.cfg.ChunkRows)}
	var err error
	if r.dec, err = tabular.Open(in.file, &in.layout, section(&st.batch), s.cfg.Limits, nil); err != nil {
		return nil, err
	}
	r.duplicates, err = s.duplicates(ctx, &st.imp, &st.batch)
	return r, err
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
	c, err := r.decode()
	if c == nil || err != nil {
		return nil, err
	}
	c.verdict, err = r.decider.ahead(ctx, c)
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
	r.most = c.rows
	again, err := r.decode()
	if err != nil {
		return err
	}
	if again == nil || again.rows != c.rows || again.next != c.next {
		return fmt.Errorf("read chunk at row %d again: it is not the same", st.batch.NextRow)
	}
	c.groups = again.groups
	return nil
}

// guarded is read with a panic made an error: it runs on a goroutine of its own,
// where a panic would end the process and, with its job tried again, the next one.
func (r *chunkReader) guarded(ctx context.Context) (c *chunk, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.svc.cfg.Log.Error("reading a chunk panicked", "import", r.st.imp.ID, "error", v, "stack", string(debug.Stack()))
			c, err = nil, fmt.Errorf("read chunk: panic: %v", v)
		}
	}()
	return r.read(ctx)
}

// decode reads and maps the records of the next chunk.
func (r *chunkReader) decode() (*chunk, error) {
	if r.done {
		return nil, nil
	}
	c := &chunk{groups: make([]catalog.Group, 0, r.most)}
	rows := make([]catalog.Row, 0, r.most)
	changes := make([]catalog.Change, 0, r.most)
	begin, _, _ := r.dec.Position()
	if r.ahead {
		// The cursor stands here too: read again from it, the chunk is the same.
		begin = r.rec.Offset
	}
	for ops := 0; c.rows < r.most && ops < chunkOps; {
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
		for i := range g.Changes {
			ops += len(g.Changes[i].Ops)
		}
	}
	if c.rows == 0 {
		return nil, nil
	}
	return c, r.lookBehind(c)
}

// lookBehind finds out where the chunk behind this one begins, if there is one.
func (r *chunkReader) lookBehind(c *chunk) error {
	if !r.done {
		if err := r.record(); errors.Is(err, io.EOF) {
			r.done = true
		} else if err != nil {
			return fmt.Errorf("read record: %w", err)
		}
	}
	c.last = r.done
	c.next.offset, c.next.number, c.next.line = r.dec.Position()
	if r.ahead {
		c.next = mark{offset: r.rec.Offset, number: r.rec.Number, line: r.rec.Line}
	}
	return nil
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
