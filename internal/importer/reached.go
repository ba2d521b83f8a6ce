package importer

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sort"

	"tallyman/internal/files"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Which rows a fix reaches stands in the ledger: they had its problem. But a plan
// that is made again takes the place of the one that showed it. So before a plan
// goes, the rows that fixes reach are listed, and a fix reaches those on the list
// as well.

// reachedKey names the list that the slice step of this number made.
func reachedKey(imp *store.Import, cut int) string {
	return fmt.Sprintf("w%d/imports/%d/reached-%d", imp.WS, imp.No, cut)
}

// reachedSize is the size of an entry of the list: a row and a cause, sorted by both.
const reachedSize = 16

// cause is what two fixes have in common that reach the same rows.
func (f *columnFix) cause() uint64 {
	h := fnv.New64a()
	for _, part := range []string{string(f.Code), f.Column, f.From} {
		// A Hash never fails.
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = h.Write([]byte(part))
	}
	return h.Sum64()
}

// rowSection is a run of rows of an import: those of a batch, from its first to at
// most the last (0: no bound).
type rowSection struct {
	batch       int
	first, last int64
}

// sectionOf is the section of the batch with the index i.
func sectionOf(batches []store.Batch, i int) rowSection {
	sec := rowSection{batch: batches[i].No, first: batches[i].FirstRow}
	if i+1 < len(batches) {
		sec.last = batches[i+1].FirstRow - 1
	}
	return sec
}

// reached says, for each of the fixes, which rows of a section it reaches.
func (s *Service) reached(ctx context.Context, imp *store.Import, book *ledger.Book, sec rowSection, fixes []*columnFix) ([]map[int64]bool, error) {
	had := make([]map[int64]bool, len(fixes))
	for i := range had {
		had[i] = make(map[int64]bool)
	}
	if len(fixes) == 0 {
		return had, nil
	}
	if err := s.reachedBefore(ctx, imp, sec, fixes, had); err != nil {
		return nil, err
	}
	if !mayReach(book, sec.batch, fixes) {
		return had, nil
	}
	err := book.EachPass(sec.batch, func(_ ledger.Pass, e ledger.Entry) error {
		for i := range e.Problems {
			for j, f := range fixes {
				if f.about(&e.Problems[i]) {
					had[j][e.Row] = true
				}
			}
		}
		return nil
	})
	return had, err
}

// mayReach reports whether a page of a batch counts a problem that is a fix's; a
// batch without one need not be read.
func mayReach(book *ledger.Book, batch int, fixes []*columnFix) bool {
	pages := book.Pages()
	for i := range pages {
		if pages[i].Batch != batch {
			continue
		}
		for _, c := range pages[i].Causes {
			// Pages of format 1 count causes without their columns.
			about := func(f *columnFix) bool { return f.Code == c.Code && (pages[i].Format < 2 || f.Column == c.Column) }
			if slices.ContainsFunc(fixes, about) {
				return true
			}
		}
	}
	return false
}

// reachedBefore adds the rows that stand on the list.
func (s *Service) reachedBefore(ctx context.Context, imp *store.Import, sec rowSection, fixes []*columnFix, had []map[int64]bool) error {
	f, err := s.cfg.Files.Open(ctx, reachedKey(imp, imp.Cut))
	if errors.Is(err, files.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open list of fixed rows: %w", err)
	}
	defer f.Close()
	list, err := rowsBetween(f, sec)
	if err != nil {
		return fmt.Errorf("read list of fixed rows: %w", err)
	}
	at := make(map[uint64][]int)
	for i, f := range fixes {
		at[f.cause()] = append(at[f.cause()], i)
	}
	for ; len(list) > 0; list = list[reachedSize:] {
		for _, i := range at[binary.LittleEndian.Uint64(list[8:])] {
			had[i][int64(binary.LittleEndian.Uint64(list))] = true
		}
	}
	return nil
}

// rowsBetween reads the entries of a section's rows from a list.
func rowsBetween(f files.Reader, sec rowSection) ([]byte, error) {
	var rerr error
	search := func(row int64) int64 {
		return int64(sort.Search(int(f.Size()/reachedSize), func(i int) bool {
			var raw [8]byte
			if err := readFull(f, raw[:], int64(i)*reachedSize); err != nil {
				rerr = err
			}
			return int64(binary.LittleEndian.Uint64(raw[:])) >= row
		}))
	}
	from, to := search(sec.first), f.Size()/reachedSize
	if sec.last > 0 {
		to = search(sec.last + 1)
	}
	if rerr != nil {
		return nil, rerr
	}
	list := make([]byte, (to-from)*reachedSize)
	return list, readFull(f, list, from*reachedSize)
}

// listReached writes the list for the slice step of this number: of all fixes there
// are. Without one there is no list.
func (s *Service) listReached(ctx context.Context, f *rowFile, cut int) error {
	all, err := s.cfg.Store.Fixes(ctx, f.imp.WS, f.imp.No)
	if err != nil {
		return fmt.Errorf("read fixes: %w", err)
	}
	fixes := columnFixes(all, f.header())
	if len(fixes) == 0 {
		return nil
	}
	book, err := f.account(ctx)
	if err != nil {
		return err
	}
	w, err := s.cfg.Files.Create(ctx, reachedKey(f.imp, cut))
	if err != nil {
		return fmt.Errorf("create list of fixed rows: %w", err)
	}
	defer w.Abort()
	out := bufio.NewWriter(w)
	for i := range f.batches {
		had, err := s.reached(ctx, f.imp, book, sectionOf(f.batches, i), fixes)
		if err != nil {
			return err
		}
		for _, e := range reachedEntries(fixes, had) {
			b := binary.LittleEndian.AppendUint64(out.AvailableBuffer(), uint64(e.row))
			if _, err := out.Write(binary.LittleEndian.AppendUint64(b, e.cause)); err != nil {
				return fmt.Errorf("write list of fixed rows: %w", err)
			}
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write list of fixed rows: %w", err)
	}
	if _, err := w.Commit(ctx); err != nil {
		return fmt.Errorf("store list of fixed rows: %w", err)
	}
	return nil
}

// reachedEntry is an entry of the list.
type reachedEntry struct {
	row   int64
	cause uint64
}

func reachedEntries(fixes []*columnFix, had []map[int64]bool) []reachedEntry {
	set := make(map[reachedEntry]bool)
	for i, f := range fixes {
		for row := range had[i] {
			set[reachedEntry{row, f.cause()}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b reachedEntry) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.cause, b.cause))
	})
}
