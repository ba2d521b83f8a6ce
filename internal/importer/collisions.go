package importer

import (
	"context"
	"fmt"
	"math/bits"
	"slices"

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
	if bits.OnesCount8(matchedBy(headers)) < 2 || slices.ContainsFunc(headers, func(p ledger.Page) bool { return amends(&p) }) {
		return nil
	}
	book := ledger.NewBook(headers, s.loadPage(ctx, &st.imp))
	later, err := s.findCollisions(ctx, st, book)
	if err != nil {
		return fmt.Errorf("find rows that reach one item: %w", err)
	}
	for _, group := range later {
		if err := s.amend(ctx, st, group); err != nil {
			return fmt.Errorf("amend plan: %w", err)
		}
	}
	return nil
}

// collision is a row that reaches an item which an earlier one reaches.
type collision struct {
	entry ledger.Entry
	batch int
	first int64
}

// findCollisions lists collisions batch by batch.
func (s *Service) findCollisions(ctx context.Context, st *started, book *ledger.Book) ([][]collision, error) {
	key := fmt.Sprintf("w%d/imports/%d/collisions-%d-%d", st.imp.WS, st.imp.No, st.batch.No, st.batch.Epoch)
	w, err := keyset.NewWriter(ctx, s.cfg.Files, key)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	err = book.EachRow(func(e ledger.Entry) error {
		if e.ItemID == "" || e.Outcome == catalog.Created || e.Outcome == catalog.Failed {
			return nil
		}
		return w.Add(byte(catalog.KeyID), keyset.Hash(byte(catalog.KeyID), e.ItemID), e.Row, 0)
	})
	if err == nil {
		err = w.Seal(ctx)
	}
	if err != nil {
		return nil, err
	}
	var out [][]collision
	err = keyset.Candidates(ctx, s.cfg.Files, []string{key}, s.cfg.ScratchDir, func(p keyset.Pair) error {
		first, _, ok, err := book.Row(p.FirstRow)
		if err != nil || !ok {
			return err
		}
		later, page, ok, err := book.Row(p.Row)
		if err != nil || !ok || later.ItemID != first.ItemID || first.Outcome == catalog.Unchanged && later.Outcome == catalog.Unchanged {
			return err
		}
		if n := len(out); n == 0 || out[n-1][0].batch != page.Batch {
			out = append(out, nil)
		}
		last := len(out) - 1
		out[last] = append(out[last], collision{entry: later, batch: page.Batch, first: p.FirstRow})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.cfg.Files.Delete(ctx, key)
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
	return s.cfg.Store.Write(ctx, st.imp.WS, false, func(tx store.Tx) error {
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
