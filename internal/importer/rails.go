package importer

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// tripped lists the rails that a plan ran into. imp carries the plan's counts,
// pages are the plan's.
func (s *Service) tripped(ctx context.Context, imp *store.Import, pages []ledger.Page) ([]Tripped, error) {
	opt := OptionsOf(imp)
	r := rails{imp: imp, pages: pages}
	if removesMissing(opt.Missing) {
		r.keys()
	}
	if limit := opt.Rails.ChangedPercent; limit != nil {
		r.changed(*limit)
	}
	if limit := opt.Rails.ClearedOrDeleted; limit != nil {
		r.cleared(*limit)
	}
	if limit := opt.Rails.PriceMovePercent; limit != nil {
		if err := r.prices(s.loadPage(ctx, imp), *limit); err != nil {
			return nil, err
		}
	}
	if limit := opt.Rails.RowsDownPercent; limit != nil && imp.Tally.Rows() == 0 {
		last, err := s.lastOfFeed(ctx, imp)
		if err != nil {
			return nil, err
		}
		r.down(last, *limit)
	}
	return r.tripped, nil
}

// rails looks at one plan.
type rails struct {
	imp     *store.Import
	pages   []ledger.Page
	tripped []Tripped
}

func (r *rails) trip(t Tripped) { r.tripped = append(r.tripped, t) }

func (r *rails) changed(limit float64) {
	rows := r.imp.Plan.Rows()
	if rows == 0 {
		return
	}
	moved := r.imp.Plan.Updated + r.imp.Plan.Deleted
	found := 100 * float64(moved) / float64(rows)
	if found <= limit {
		return
	}
	r.trip(Tripped{Rail: "changed_percent", Limit: limit, Found: found, Changes: &ChangeFilter{Plan: true},
		Message: fmt.Sprintf("%d of %d rows (%s %%) change items that are there; %s %% may.", moved, rows, percent(found), percent(limit))})
}

func (r *rails) cleared(limit int64) {
	var cleared int64
	for i := range r.pages {
		for _, f := range r.pages[i].Fields {
			cleared += f.Cleared
		}
	}
	found := cleared + r.imp.Plan.Deleted
	if found <= limit {
		return
	}
	show := &ChangeFilter{Plan: true, Cleared: true}
	if cleared == 0 {
		show = &ChangeFilter{Plan: true, Outcome: catalog.Deleted}
	}
	r.trip(Tripped{Rail: "cleared_or_deleted", Limit: float64(limit), Found: float64(found), Changes: show,
		Message: fmt.Sprintf("%d values are cleared and %d items deleted; together %d may.", cleared, r.imp.Plan.Deleted, limit)})
}

// prices looks at every amount of money that the plan moves.
func (r *rails) prices(load ledger.Load, limit float64) error {
	decoder := ledger.NewDecoder()
	var rows int64
	var most float64
	var farthest string
	for i := range r.pages {
		if !movesMoney(&r.pages[i]) {
			continue
		}
		page, err := load(r.pages[i], true)
		if err != nil {
			return err
		}
		images, _, err := decoder.Images(page)
		if err != nil {
			return err
		}
		for j := range images {
			if move, field := moneyMove(&images[j]); move > limit {
				rows++
				if move > most {
					most, farthest = move, field
				}
			}
		}
	}
	if rows == 0 {
		return nil
	}
	how := "by " + percent(most) + " %"
	show := &ChangeFilter{Plan: true, Property: farthest, MinPercent: limit}
	if math.IsInf(most, 1) {
		// JSON cannot say so, nor can a filter select it.
		how, most, show.MinPercent = "from nothing or to another currency", math.MaxInt32, 0
	}
	r.trip(Tripped{Rail: "price_move_percent", Limit: limit, Found: most, Changes: show,
		Message: fmt.Sprintf("%s by more than %s %%, the farthest %s.", movedPrices(rows), percent(limit), how)})
	return nil
}

func movedPrices(n int64) string {
	if n == 1 {
		return "One price moves"
	}
	return fmt.Sprintf("%d prices move", n)
}

// moneyField reports whether a field holds money that a rail looks at.
func moneyField(name string) bool {
	return name == "price" || name == "list_price" || name == "amount"
}

func movesMoney(p *ledger.Page) bool {
	for _, f := range p.Fields {
		if moneyField(f.Field) && f.Changed > 0 {
			return true
		}
	}
	return false
}

// moneyMove is how far the farthest amount of an updated item moves, in per cent.
func moneyMove(im *ledger.Image) (most float64, field string) {
	if im.Outcome != catalog.Updated {
		return 0, ""
	}
	for _, c := range im.Changes {
		if !moneyField(c.Field) {
			continue
		}
		move, ok := catalog.MovePercent(c.Old, c.New)
		if !ok && c.Old != "" && c.New != "" {
			move = math.Inf(1) // another currency: nobody can say how far
		}
		if move > most {
			most, field = move, c.Field
		}
	}
	return most, field
}

// lastOfFeed returns the import of the same feed before this one that ran to its
// end; nil for none.
func (s *Service) lastOfFeed(ctx context.Context, imp *store.Import) (*store.Import, error) {
	before, _, err := s.cfg.Store.Imports(ctx, imp.WS, store.ImportFilter{Feed: imp.Feed, State: store.Done}, store.Range{Limit: 50})
	if err != nil {
		return nil, fmt.Errorf("find last import of the feed: %w", err)
	}
	for i := range before {
		if b := &before[i]; b.No < imp.No && b.UndoOf == "" && b.Rows > 0 {
			return b, nil
		}
	}
	return nil, nil
}

func (r *rails) down(last *store.Import, limit float64) {
	if last == nil {
		return
	}
	found := 100 * float64(last.Rows-r.imp.Rows) / float64(last.Rows)
	if found <= limit {
		return
	}
	r.trip(Tripped{Rail: "rows_down_percent", Limit: limit, Found: found,
		Message: fmt.Sprintf("The file has %d rows, the last one of this feed (%s) had %d: %s %% fewer, and %s %% may be.", r.imp.Rows, last.ID, last.Rows, percent(found), percent(limit))})
}

// keys trips where rows cannot be read far enough to tell which item they name:
// it would be taken for missing.
func (r *rails) keys() {
	var rows int64
	for i := range r.pages {
		for _, c := range r.pages[i].Causes {
			if c.Severity == catalog.Error && hidesKeys(c.Code) {
				rows += c.Count
			}
		}
	}
	if r.imp.Extra > 0 && rows >= r.imp.Rows-r.imp.Plan.Skipped {
		r.trip(Tripped{Rail: "nothing_named", Found: float64(r.imp.Extra),
			Message: fmt.Sprintf("No row of the file names an item, and so all %d items of the feed are taken for missing.", r.imp.Extra)})
		return
	}
	if rows == 0 || r.imp.Extra == 0 {
		return
	}
	r.trip(Tripped{Rail: "unreadable_keys", Found: float64(rows),
		Message: fmt.Sprintf("Rows that do not say which item they are about: %d. Items taken for missing: %d. Some of those may be meant.", rows, r.imp.Extra)})
}

// hidesKeys reports whether a row with such a problem may name an item that
// nobody can tell.
func hidesKeys(c catalog.Code) bool {
	switch c {
	case catalog.CodeMissingIdentifier, catalog.CodeMissingSKU, catalog.CodeInvalidSKU, catalog.CodeInvalidGTIN, catalog.CodeGTINCheckDigit,
		catalog.CodeInvalidID, catalog.CodeExcelDamagedNumber, catalog.CodeColumnCount, catalog.CodeUnclosedQuote,
		catalog.CodeRecordTooLarge, catalog.CodeCellTooLarge, catalog.CodeBadEncoding, catalog.CodeInvalidRecord:
		return true
	}
	return false
}

// percent writes a number of per cent with at most one place.
func percent(p float64) string {
	if p >= 1000 {
		return strconv.FormatFloat(p, 'f', 0, 64)
	}
	return strconv.FormatFloat(math.Round(p*10)/10, 'f', -1, 64)
}
