package importer

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/source"
)

// recheck makes the list of duplicates for a further run over an import's rows,
// whose corrections may have changed keys. It is written as duplicatesKey(imp, cut),
// and beside it what fixes reach (reachedKey).
//
// It starts from what the file itself has, whatever earlier runs made of it. Rows
// whose keys are others now make no duplicates there any more; and of each key that
// they had or have, all rows are looked up again: the first of them, or one that is
// done, keeps it.
func (s *Service) recheck(ctx context.Context, st *started, in *input, cut int) error {
	f, err := s.rowFileOf(ctx, &st.imp, in)
	if err != nil {
		return err
	}
	r := &rechecker{svc: s, file: f, mapper: in.binding.Mapper(st.imp.Mode)}
	if err := r.findMoved(ctx); err != nil {
		return fmt.Errorf("find corrected keys: %w", err)
	}
	if err := r.findOwners(ctx); err != nil {
		return fmt.Errorf("look corrected keys up: %w", err)
	}
	taken, err := r.settle(ctx)
	if err != nil {
		return fmt.Errorf("compare corrected keys: %w", err)
	}
	if err := r.write(ctx, cut, taken); err != nil {
		return err
	}
	return s.listReached(ctx, f, cut)
}

// rechecker finds the duplicates that corrections make and unmake. It holds some
// 50 bytes for each key that a correction changes.
type rechecker struct {
	svc    *Service
	file   *rowFile
	mapper source.Mapper
	// moved are the keys of rows that are others than in the file, in order.
	moved []rowKeyField
	// hashes are those of the keys that they had and have, sorted.
	hashes []uint64
	// owners are the rows that may have one of those keys.
	owners []owner
}

// rowKeyField names a row's key.
type rowKeyField struct {
	row   int64
	field catalog.KeyField
}

func (k rowKeyField) compare(l rowKeyField) int {
	return cmp.Or(cmp.Compare(k.row, l.row), cmp.Compare(k.field, l.field))
}

// owner is a row that may have a key with this hash.
type owner struct {
	row  int64
	hash uint64
}

// findMoved lists the rows whose keys a correction changes.
func (r *rechecker) findMoved(ctx context.Context) error {
	columns := r.mapper.KeyColumns()
	for i := range r.file.batches {
		o, err := r.file.overlay(ctx, i)
		if err != nil {
			return err
		}
		if o == nil {
			continue
		}
		for _, row := range sortedKeys(o.rows) {
			if !o.rows[row].touches(columns) {
				continue
			}
			if err := r.compare(ctx, o, row); err != nil {
				return err
			}
		}
	}
	slices.Sort(r.hashes)
	r.hashes = slices.Compact(r.hashes)
	slices.SortFunc(r.moved, rowKeyField.compare)
	return nil
}

// touches reports whether a row's cells in one of the columns may be others.
func (r *rowOverlay) touches(columns []int) bool {
	return slices.ContainsFunc(columns, func(at int) bool {
		if _, ok := r.cells[at]; ok {
			return true
		}
		about := func(f *columnFix) bool { return slices.Contains(f.columns, at) }
		return slices.ContainsFunc(r.fixes, about)
	})
}

// compare notes the keys that a row had in the file and has now, where they differ.
func (r *rechecker) compare(ctx context.Context, o *overlay, row int64) error {
	rec, ok, err := r.file.record(ctx, row)
	if !ok || err != nil {
		return err
	}
	before := r.mapper.Keys(rec, nil)
	o.lay(rec)
	after := r.mapper.Keys(rec, nil)
	for _, k := range before {
		if !slices.Contains(after, k) {
			r.hashes = append(r.hashes, keyHash(k))
			r.moved = append(r.moved, rowKeyField{row, k.Field})
		}
	}
	for _, k := range after {
		if !slices.Contains(before, k) {
			r.hashes = append(r.hashes, keyHash(k))
			r.owners = append(r.owners, owner{row: row, hash: keyHash(k)})
		}
	}
	return nil
}

func keyHash(k catalog.Key) uint64 { return keyset.Hash(byte(k.Field), k.Value) }

// findOwners adds the rows that have one of the keys in the file.
func (r *rechecker) findOwners(ctx context.Context) error {
	if len(r.hashes) == 0 {
		return nil
	}
	segments, err := r.svc.keySegmentsOf(ctx, r.file.imp)
	if err != nil {
		return err
	}
	return keyset.Find(ctx, r.svc.cfg.Files, segments, r.hashes, func(k keyset.Found) error {
		r.owners = append(r.owners, owner{row: k.Row, hash: k.Hash})
		return nil
	})
}

// keeper is the row that keeps a key: the first that has it, or one that is done.
type keeper struct {
	row  int64
	done bool
}

// settledAtOnce is about how many rows are compared with one another in one go.
const settledAtOnce = 100_000

// settle says which rows have a key that another row keeps. Rows with one hash are
// compared in one go.
func (r *rechecker) settle(ctx context.Context) (taken []duplicate, err error) {
	slices.SortFunc(r.owners, func(a, b owner) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.row, b.row)) })
	r.owners = slices.Compact(r.owners)
	for rest := r.owners; len(rest) > 0; {
		n := min(len(rest), settledAtOnce)
		for n < len(rest) && rest[n].hash == rest[n-1].hash {
			n++
		}
		if taken, err = r.settleSome(ctx, rest[:n], taken); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	slices.SortFunc(taken, compareDuplicates)
	return taken, nil
}

// settleSome appends the duplicates among some rows to taken.
func (r *rechecker) settleSome(ctx context.Context, owners []owner, taken []duplicate) ([]duplicate, error) {
	slices.SortFunc(owners, func(a, b owner) int { return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.hash, b.hash)) })
	keepers := make(map[catalog.Key]keeper)
	// A row that is done may come behind those that it takes the key from.
	err := r.eachOwned(ctx, owners, func(row int64, key catalog.Key, done bool) {
		if k, ok := keepers[key]; !ok || done && !k.done {
			keepers[key] = keeper{row: row, done: done}
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.eachOwned(ctx, owners, func(row int64, key catalog.Key, done bool) {
		if k := keepers[key]; k.row != row && !done {
			taken = append(taken, duplicate{row: row, first: k.row, field: key.Field})
		}
	})
	return taken, err
}

func compareDuplicates(a, b duplicate) int {
	return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.field, b.field))
}

// eachOwned calls fn with every owner, in order of rows, that really has its key
// now: hashes are only candidates, and so are keys that the row has in the file.
func (r *rechecker) eachOwned(ctx context.Context, owners []owner, fn func(row int64, key catalog.Key, done bool)) error {
	book, err := r.svc.book(ctx, r.file.imp, "")
	if err != nil {
		return err
	}
	rows, at := (*standingRows)(nil), -1
	for rest := owners; len(rest) > 0; {
		row := rest[0].row
		if i := r.file.batchOf(row); i != at {
			if rows, err = (&standing{done: book}).batch(r.file.batches[i].No); err != nil {
				return err
			}
			at = i
		}
		keys, err := r.svc.currentKeys(ctx, r.file, r.mapper, row)
		if err != nil {
			return err
		}
		for ; len(rest) > 0 && rest[0].row == row; rest = rest[1:] {
			for _, k := range keys {
				if keyHash(k) == rest[0].hash {
					fn(row, k, isDone(rows.last(row)))
				}
			}
		}
	}
	return nil
}

// write joins what the file has with what was found, which comes first.
func (r *rechecker) write(ctx context.Context, cut int, taken []duplicate) error {
	imp := r.file.imp
	list, err := r.svc.cfg.Files.Open(ctx, duplicatesKey(imp, 1))
	if err != nil {
		return fmt.Errorf("open list of duplicates: %w", err)
	}
	defer list.Close()
	w, err := r.svc.cfg.Files.Create(ctx, duplicatesKey(imp, cut))
	if err != nil {
		return fmt.Errorf("create list of duplicates: %w", err)
	}
	defer w.Abort()
	out := bufio.NewWriter(w)
	if err := r.join(list, taken, func(d duplicate) error { return writeDuplicate(out, d) }); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write list of duplicates: %w", err)
	}
	if _, err := w.Commit(ctx); err != nil {
		return fmt.Errorf("store list of duplicates: %w", err)
	}
	return nil
}

// join calls fn with the duplicates of the file that still are some, and with those
// found, in order.
func (r *rechecker) join(list files.Reader, taken []duplicate, fn func(duplicate) error) error {
	in := bufio.NewReader(io.NewSectionReader(list, 0, list.Size()))
	for {
		var raw [duplicateSize]byte
		if _, err := io.ReadFull(in, raw[:]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read list of duplicates: %w", err)
		}
		d := parseDuplicate(raw[:])
		for len(taken) > 0 && compareDuplicates(taken[0], d) < 0 {
			if err := fn(taken[0]); err != nil {
				return err
			}
			taken = taken[1:]
		}
		if len(taken) > 0 && compareDuplicates(taken[0], d) == 0 || r.hasMoved(d.row, d.field) || r.hasMoved(d.first, d.field) {
			continue
		}
		if err := fn(d); err != nil {
			return err
		}
	}
	for _, d := range taken {
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

func (r *rechecker) hasMoved(row int64, field catalog.KeyField) bool {
	_, ok := slices.BinarySearchFunc(r.moved, rowKeyField{row, field}, rowKeyField.compare)
	return ok
}

func writeDuplicate(out io.Writer, d duplicate) error {
	var b [duplicateSize]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(d.row))
	binary.LittleEndian.PutUint64(b[8:], uint64(d.first))
	b[16] = byte(d.field)
	if _, err := out.Write(b[:]); err != nil {
		return fmt.Errorf("write list of duplicates: %w", err)
	}
	return nil
}

func sortedKeys[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }
