package importer

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// oneItem is a store with one item and pages of who wrote it.
type oneItem struct {
	store.Store
	item  catalog.Item
	pages []ledger.Page
}

func (s *oneItem) Item(context.Context, store.WS, catalog.Kind, catalog.Key) (catalog.Item, error) {
	return s.item, nil
}

func (s *oneItem) ImportNo(_ context.Context, _ store.WS, no int64) (store.Import, error) {
	if no > 90 {
		return store.Import{}, store.ErrNotFound
	}
	return store.Import{No: no}, nil
}

func (s *oneItem) Pages(_ context.Context, _ store.WS, no int64, f store.PageFilter, fn func(ledger.Page) error) error {
	for _, p := range s.pages {
		if p.ImportNo == no && p.FirstRow <= f.Row && f.Row <= p.LastRow {
			if err := fn(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrote adds a page on which rows of an import wrote the item.
func (s *oneItem) wrote(no int64, images ...ledger.Image) {
	var entries []ledger.Entry
	for i := range images {
		images[i].Kind, images[i].ItemID = catalog.KindProduct, "x"
		if images[i].Outcome == 0 {
			images[i].Outcome = catalog.Updated
			images[i].Changes = []catalog.FieldChange{{Field: "stock", Old: "1", New: "2"}}
		}
		if i == 0 || images[i].Row != images[i-1].Row {
			entries = append(entries, ledger.Entry{Row: images[i].Row, Outcome: images[i].Outcome, ItemID: "x"})
		}
	}
	var p ledger.Page
	ledger.NewEncoder().Encode(&p, entries, images)
	p.ImportNo, p.Pass, p.Batch, p.Seq = no, ledger.PassApply, 1, len(s.pages)
	s.pages = append(s.pages, p)
}

func TestTrailsNeverGoInCircles(t *testing.T) {
	created := ledger.Image{Row: 2, Outcome: catalog.Created}
	for _, c := range []struct {
		name      string
		item      catalog.Item
		pages     func(*oneItem)
		want      string
		truncated bool
	}{
		{"rows of one chunk that write one version", catalog.Item{ImportNo: 2, Row: 9, Version: 2}, func(s *oneItem) {
			s.wrote(1, created)
			s.wrote(2, ledger.Image{Row: 4, Version: 1, ImportNo: 1, LastRow: 2}, ledger.Image{Row: 9, Version: 2, ImportNo: 2, LastRow: 4})
		}, "2:9 2:4 1:2", false},
		{"a row that wrote the item twice", catalog.Item{ImportNo: 2, Row: 4, Version: 3}, func(s *oneItem) {
			s.wrote(1, created)
			s.wrote(2, ledger.Image{Row: 4, Version: 1, ImportNo: 1, LastRow: 2})
			s.wrote(2, ledger.Image{Row: 4, Version: 2, ImportNo: 3, LastRow: 5})
			s.wrote(3, ledger.Image{Row: 5, Version: 1, ImportNo: 1, LastRow: 2})
		}, "2:4 3:5 1:2", false},
		{"a row that held the item before it wrote it", catalog.Item{ImportNo: 2, Row: 4, Version: 2}, func(s *oneItem) {
			s.wrote(1, created)
			s.wrote(2, ledger.Image{Row: 4, Outcome: catalog.Held, Version: 1, ImportNo: 1, LastRow: 7})
			s.wrote(2, ledger.Image{Row: 4, Version: 1, ImportNo: 1, LastRow: 2})
		}, "2:4 1:2", false},
		{"writes that name each other", catalog.Item{ImportNo: 2, Row: 4, Version: 2}, func(s *oneItem) {
			s.wrote(2, ledger.Image{Row: 4, Version: 2, ImportNo: 3, LastRow: 5})
			s.wrote(3, ledger.Image{Row: 5, Version: 2, ImportNo: 2, LastRow: 4})
		}, "2:4", true},
		{"an import that is not there", catalog.Item{ImportNo: 2, Row: 4, Version: 2}, func(s *oneItem) {
			s.wrote(2, ledger.Image{Row: 4, Version: 1, ImportNo: 99, LastRow: 5})
		}, "2:4", true},
		{"an import without the page", catalog.Item{ImportNo: 2, Row: 4, Version: 2}, func(s *oneItem) {
			s.wrote(2, ledger.Image{Row: 4, Version: 1, ImportNo: 3, LastRow: 5})
		}, "2:4", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.item.ID, c.item.Kind, c.item.Doc = "x", catalog.KindProduct, `{"stock":2}`
			db := &oneItem{item: c.item}
			c.pages(db)
			s := &Service{cfg: Config{Store: db}}
			steps, truncated, err := s.History(context.Background(), store.Workspace{}, catalog.KindProduct, "x", 0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, st := range steps {
				got = append(got, fmt.Sprintf("%d:%d", st.Import.No, st.Row))
			}
			if strings.Join(got, " ") != c.want || truncated != c.truncated {
				t.Errorf("%v, truncated %t; want %s, %t", got, truncated, c.want, c.truncated)
			}
		})
	}
}
