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

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Which rows a fix reaches stands in the ledger: they had its problem. But a plan
// that is made again takes the place of the one that showed it. So before a plan
// goes, the rows that fixes reach are listed, and a fix reaches those on the list
// as well.
//
// A row that is done was run with the fixes that there were, by the problems that
// it had had until then. What was found or said later changes nothing of it.

// reach is what rows fixes are asked for.
type reach uint8

const (
	asItStands reach = iota // a row that is not done has all that was said of it so far
	asItRuns                // it has what was said before the round at work began
)

// reachedKey names the list that the slice step of this number made.
func reachedKey(imp *store.Import, cut int) string {
	return fmt.Sprintf("w%d/imports/%d/reached-%d", imp.WS, imp.No, cut)
}

// reachedSize is the size of an entry of the list: a row and the hash of a problem,
// sorted by both.
const reachedSize = 16

// hash names the problem on the list.
func (p problem) hash() uint64 {
	h := fnv.New64a()
	for _, part := range []string{string(p.code), p.column, p.value} {
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

// reachedRows are the rows of a section that a fix reaches; true are those that are
// done, and were run with it.
type reachedRows map[int64]bool

// reached says, for each of the fixes, which rows of a section it reaches.
func (s *Service) reached(ctx context.Context, imp *store.Import, book *ledger.Book, sec rowSection, fixes []*columnFix, how reach) ([]reachedRows, error) {
	had := make([]reachedRows, len(fixes))
	if len(fixes) == 0 {
		return had, nil
	}
	t := newTracks(fixes)
	if err := s.reachedBefore(ctx, imp, sec, t); err != nil {
		return nil, err
	}
	if len(t.rows) > 0 || mayReach(book, sec.batch, fixes) {
		if err := book.EachPass(sec.batch, t.add); err != nil {
			return nil, err
		}
	}
	for i, f := range fixes {
		had[i] = make(reachedRows)
		for row, since := range t.rows[f.problem()] {
			if done, ok := t.reaches(f, row, since, imp.Round, how); ok {
				had[i][row] = done
			}
		}
	}
	return had, nil
}

// problem is what problems of one cause have in common.
type problem struct {
	code          catalog.Code
	column, value string
}

// listed stands for the round in which a row had a problem that is on the list:
// before the run that made it done, if one has.
const listed = -1

// tracks is what the account of a batch says that fixes ask for.
type tracks struct {
	// rows are those that had the problem of a fix, with the first round in which
	// they had it.
	rows map[problem]map[int64]int
	// wanted says which problems are those of fixes.
	wanted map[problem]bool
	// done is in which round rows were done.
	done map[int64]int
}

func newTracks(fixes []*columnFix) *tracks {
	t := &tracks{rows: make(map[problem]map[int64]int), wanted: make(map[problem]bool, len(fixes)), done: make(map[int64]int)}
	for _, f := range fixes {
		t.wanted[f.problem()] = true
	}
	return t
}

// note says that a row had a problem in a round.
func (t *tracks) note(p problem, row int64, round int) {
	rows := t.rows[p]
	if rows == nil {
		rows = make(map[int64]int)
		t.rows[p] = rows
	}
	if first, ok := rows[row]; !ok || round < first {
		rows[row] = round
	}
}

// add takes an entry of the account.
func (t *tracks) add(pass ledger.Pass, e ledger.Entry) error {
	round := pass.Round()
	if !pass.Planning() && isDone(e.Outcome) {
		t.done[e.Row] = round
	}
	for i := range e.Problems {
		x := &e.Problems[i]
		if p := (problem{x.Code, x.Column, x.Value}); t.wanted[p] {
			t.note(p, e.Row, round)
		}
	}
	return nil
}

// reaches reports whether a fix reaches a row that had its problem since a round;
// done says that the row was run with it and is done. now is the round at work, or
// the last that was.
func (t *tracks) reaches(f *columnFix, row int64, since, now int, how reach) (done, ok bool) {
	round, done := t.done[row]
	switch {
	case done:
		return true, since < round && f.Since <= round
	case how == asItRuns:
		return false, since < now && f.Since <= now
	}
	return false, true
}

// mayReach reports whether a page of a batch counts a problem that is a fix's; a
// batch without one need not be read.
func mayReach(book *ledger.Book, batch int, fixes []*columnFix) bool {
	type cause struct {
		code   catalog.Code
		column string
	}
	wanted, codes := make(map[cause]bool, len(fixes)), make(map[catalog.Code]bool, len(fixes))
	for _, f := range fixes {
		wanted[cause{f.Code, f.Column}], codes[f.Code] = true, true
	}
	pages := book.Pages()
	for i := range pages {
		if pages[i].Batch != batch {
			continue
		}
		// Pages of format 1 count causes without their columns.
		about := func(c ledger.Cause) bool {
			return wanted[cause{c.Code, c.Column}] || pages[i].Format < 2 && codes[c.Code]
		}
		if slices.ContainsFunc(pages[i].Causes, about) {
			return true
		}
	}
	return false
}

// reachedBefore adds the rows that stand on the list.
func (s *Service) reachedBefore(ctx context.Context, imp *store.Import, sec rowSection, t *tracks) error {
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
	named := make(map[uint64]problem, len(t.wanted))
	for p := range t.wanted {
		named[p.hash()] = p
	}
	for ; len(list) > 0; list = list[reachedSize:] {
		if p, ok := named[binary.LittleEndian.Uint64(list[8:])]; ok {
			t.note(p, int64(binary.LittleEndian.Uint64(list)), listed)
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
		had, err := s.reached(ctx, f.imp, book, sectionOf(f.batches, i), fixes, asItStands)
		if err != nil {
			return err
		}
		for _, e := range reachedEntries(fixes, had) {
			b := binary.LittleEndian.AppendUint64(out.AvailableBuffer(), uint64(e.row))
			if _, err := out.Write(binary.LittleEndian.AppendUint64(b, e.problem)); err != nil {
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
	row     int64
	problem uint64
}

func reachedEntries(fixes []*columnFix, had []reachedRows) []reachedEntry {
	set := make(map[reachedEntry]bool)
	for i, f := range fixes {
		hash := f.problem().hash()
		for row := range had[i] {
			set[reachedEntry{row, hash}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b reachedEntry) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.problem, b.problem))
	})
}
