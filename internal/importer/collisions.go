package importer

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"tallyman/internal/catalog"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// amends reports whether a page changes what earlier pages of its pass say.
func amends(p *ledger.Page) bool {
	t := &p.Tally
	return t.Created < 0 || t.Updated < 0 || t.Unchanged < 0 || t.Deleted < 0
}

// settleCollisions finds rows of a plan that reach an item which an earlier row
// reaches by another key. While rows are applied the store shows that the item
// was written already; a plan writes none, so it is found here: the later row
// fails, in an amendment of its batch's pages.
//
// Rows can only meet so where some were found by one key and some by another.
func (s *Service) settleCollisions(ctx context.Context, st *started) error {
	headers, err := s.headers(ctx, &st.imp, st.imp.Pass)
	if err != nil {
		return err
	}
	if bits.OnesCount8(matchedBy(headers)) < 2 {
		return nil
	}
	book := ledger.NewBook(headers, s.loadPage(ctx, &st.imp))
	err = s.eachCollision(ctx, st, book, func(group []collision) error {
		if err := s.amend(ctx, st, group); err != nil {
			return fmt.Errorf("amend plan: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("find rows that reach one item: %w", err)
	}
	return nil
}

// collision is a row that reaches an item which an earlier one reaches.
type collision struct {
	entry ledger.Entry
	batch int
	first int64
}

// collisionsAtOnce bounds how many pairs of rows are looked at together.
const collisionsAtOnce = 20000

// eachCollision finds collisions and calls fn with those of one batch at a time.
func (s *Service) eachCollision(ctx context.Context, st *started, book *ledger.Book, fn func([]collision) error) error {
	key := fmt.Sprintf("w%d/imports/%d/collisions-%d-%d", st.imp.WS, st.imp.No, st.batch.No, st.batch.Epoch)
	if err := s.noteReached(ctx, key, book); err != nil {
		return err
	}
	var pairs []keyset.Pair
	flush := func() error {
		defer func() { pairs = pairs[:0] }()
		return confirmCollisions(book, pairs, fn)
	}
	err := keyset.Candidates(ctx, s.cfg.Files, []string{key}, s.cfg.ScratchDir, func(p keyset.Pair) error {
		if pairs = append(pairs, p); len(pairs) == collisionsAtOnce {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	return s.cfg.Files.Delete(ctx, key)
}

// noteReached writes which rows reach which items that are there.
func (s *Service) noteReached(ctx context.Context, key string, book *ledger.Book) error {
	w, err := keyset.NewWriter(ctx, s.cfg.Files, key)
	if err != nil {
		return err
	}
	defer w.Abort()
	err = book.EachRow(func(e ledger.Entry) error {
		if !reaches(&e) {
			return nil
		}
		return w.Add(byte(catalog.KeyID), keyset.Hash(byte(catalog.KeyID), e.ItemID), e.Row, 0)
	})
	if err != nil {
		return err
	}
	return w.Seal(ctx)
}

func reaches(e *ledger.Entry) bool {
	return e.ItemID != "" && e.Outcome != catalog.Created && e.Outcome != catalog.Failed
}

// confirmCollisions reads the rows of some pairs, in order of the later row, and
// keeps those that really reach one item, of which one writes.
func confirmCollisions(book *ledger.Book, pairs []keyset.Pair, fn func([]collision) error) error {
	if len(pairs) == 0 {
		return nil
	}
	rows := make(map[int64]ledger.Entry, 2*len(pairs))
	for _, p := range pairs {
		rows[p.Row], rows[p.FirstRow] = ledger.Entry{}, ledger.Entry{}
	}
	err := book.EachRow(func(e ledger.Entry) error {
		if _, ok := rows[e.Row]; ok {
			rows[e.Row] = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	var group []collision
	for _, p := range pairs {
		later, first := rows[p.Row], rows[p.FirstRow]
		if !reaches(&later) || later.ItemID != first.ItemID || first.Outcome == catalog.Unchanged && later.Outcome == catalog.Unchanged {
			continue
		}
		batch := batchOfRow(book.Pages(), p.Row)
		if len(group) > 0 && group[0].batch != batch {
			if err := fn(group); err != nil {
				return err
			}
			group = nil
		}
		group = append(group, collision{entry: later, batch: batch, first: p.FirstRow})
	}
	if len(group) == 0 {
		return nil
	}
	return fn(group)
}

// batchOfRow is the batch whose pages have a row; 0 for none.
func batchOfRow(pages []ledger.Page, row int64) int {
	at := sort.Search(len(pages), func(i int) bool { return pages[i].LastRow >= row })
	if at == len(pages) {
		return 0
	}
	return pages[at].Batch
}

// amend writes a page on which the later rows fail.
func (s *Service) amend(ctx context.Context, st *started, group []collision) error {
	entries := make([]ledger.Entry, len(group))
	for i, c := range group {
		entries[i] = c.entry
		e := &entries[i]
		e.Was = &ledger.Was{Outcome: e.Outcome, Problems: e.Problems}
		e.Outcome = catalog.Failed
		e.Problems = append(slices.Clone(e.Problems), catalog.Problem{Code: catalog.CodeSameItemInFile, Severity: catalog.Error,
			Message: fmt.Sprintf("Row %d of this file is about the same item; keep one of the rows.", c.first)})
	}
	encoder := s.encoders.Get().(*ledger.Encoder)
	defer s.encoders.Put(encoder)
	page := &ledger.Page{}
	encoder.Encode(page, entries, nil)
	return s.transact(ctx, st.imp.WS, false, func(tx store.Tx) error {
		if err := tx.CheckBatch(ctx, st.batch.BatchRef, st.batch.Epoch); err != nil {
			return err
		}
		b, err := tx.Batch(ctx, store.BatchRef{ImportNo: st.imp.No, Pass: st.imp.Pass, No: group[0].batch})
		if err != nil {
			return err
		}
		page.ImportNo, page.Pass, page.Batch, page.Seq = b.ImportNo, b.Pass, b.No, b.NextSeq
		b.NextSeq++
		b.Tally = b.Tally.Add(page.Tally)
		if err := tx.SaveBatch(ctx, &b); err != nil {
			return err
		}
		return tx.InsertPage(ctx, page)
	})
}
