package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

var itemTrials = []trial{
	{"item/round trip", func(w *world) {
		whole := newItem(1)
		whole.Live = catalog.Live{State: catalog.LiveOlder, Doc: `{"title":"old"}`}
		whole.Hash, whole.Version = -1<<63, 3
		bare := keyless("prd_0")
		staged := keyless("prd_2")
		staged.Live.State = catalog.LiveNothing
		w.insert(whole, bare, staged)
		want := []catalog.Item{bare, whole, staged}
		slices.SortFunc(want, func(a, b catalog.Item) int { return strings.Compare(a.ID, b.ID) })
		w.same("listed items", w.all(w.s, w.ws), want)
		w.write(func(tx store.Tx) error {
			read := w.read(tx, whole.ID)
			read[0].Handle = 0
			w.same("read item", read[0], whole)
			return nil
		})
	}},
	{"item/by every key", func(w *world) {
		w.insert(newItems(1, 4)...)
		for _, f := range []catalog.KeyField{catalog.KeyID, catalog.KeySKU, catalog.KeyGTIN, catalog.KeyRef, catalog.KeySlug} {
			want := newItem(2)
			got, err := w.s.Item(w.ctx(), w.ws, catalog.KindProduct, catalog.Key{Field: f, Value: want.Get(f)})
			w.ok(err)
			got.Handle = 0
			w.same("item by "+f.String(), got, want)
			for _, none := range []string{"", "none", "4000000000002", "99999999999999"} {
				_, err := w.s.Item(w.ctx(), w.ws, catalog.KindProduct, catalog.Key{Field: f, Value: none})
				w.want(err, store.ErrNotFound)
			}
			_, err = w.s.Item(w.ctx(), w.ws, catalog.KindSKU, catalog.Key{Field: f, Value: want.Get(f)})
			w.want(err, store.ErrNotFound)
		}
	}},
	{"item/many, in sets of every size", func(w *world) {
		from := 0
		for _, n := range []int{0, 1, 2, 9, 10, 11, 49, 50, 51, 60, 61, 101, 2000} {
			w.insert(newItems(from, from+n)...)
			from += n
		}
		w.same("count", w.count(), from)
		for _, n := range []int{0, 1, 2, 7, 8, 9, 63, 64, 65, 499, 500, 501, 1000, 1001, from} {
			w.write(func(tx store.Tx) error {
				var ids []string
				for i := range n {
					ids = append(ids, newItem(i).ID)
				}
				w.same("read", len(w.read(tx, ids...)), n)
				return nil
			})
		}
	}},
	{"item/made again with what it was", func(w *world) {
		items := newItems(1, 130)
		for i := range items {
			items[i].Version, items[i].CreatedNo, items[i].CreatedAt = int64(1+i/60), int64(i%2), after(-time.Duration(i/30)*time.Hour)
		}
		w.insert(items...)
		w.same("items", w.all(w.s, w.ws), items)
		w.write(func(tx store.Tx) error {
			it := w.read(tx, items[129-1].ID)[0]
			it.Handle = 0
			w.same("read item", it, items[129-1])
			return nil
		})
	}},
	{"item/a mixed set", func(w *world) {
		items := newItems(1, 120)
		for i := range items {
			if i%7 == 0 {
				items[i].Kind = catalog.KindSKU
			}
			items[i].ImportNo, items[i].CreatedAt = int64(i/10), after(time.Duration(i/20)*time.Hour)
		}
		w.insert(items...)
		w.same("items", w.all(w.s, w.ws), items)
	}},
	{"read items/shows what is committed at one moment", func(w *world) {
		w.insert(newItems(1, 3)...)
		later, changed := newItem(9), newItem(1)
		look := func(items store.ItemReader) (skus int, doc catalog.Doc) {
			found, err := items.Find(w.ctx(), catalog.KindProduct, catalog.KeySKU, []string{newItem(1).SKU, later.SKU})
			w.ok(err)
			read, err := items.Read(w.ctx(), catalog.KindProduct, []int64{found[0].Handle})
			w.ok(err)
			return len(found), read[0].Doc
		}
		var gone []store.Locator
		w.ok(w.s.ReadItems(w.ctx(), w.ws, func(items store.ItemReader) error {
			skus, doc := look(items)
			w.same("keys found", skus, 1)
			w.insert(later)
			w.write(func(tx store.Tx) error {
				changed = w.read(tx, changed.ID)[0]
				gone = locators([]catalog.Item{changed})
				changed.Version, changed.Doc = changed.Version+1, `{"title":"changed"}`
				return tx.Update(w.ctx(), []catalog.Item{changed})
			})
			skus, again := look(items)
			w.same("keys found after another commit", skus, 1)
			w.same("document after another commit", again, doc)
			return nil
		}))
		// Whoever decided on what it showed is told that it moved.
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.Update(w.ctx(), []catalog.Item{changed}) }), store.ErrRetry)
		w.want(w.try(w.ws, func(tx store.Tx) error { return tx.Delete(w.ctx(), changed.Kind, gone) }), store.ErrRetry)
	}},
	{"read items/returns the reader's error", func(w *world) {
		enough := errors.New("enough")
		w.want(w.s.ReadItems(w.ctx(), w.ws, func(store.ItemReader) error { return enough }), enough)
	}},
	{"read items/within a snapshot is of its moment", func(w *world) {
		w.insert(newItem(1))
		skus := []string{newItem(1).SKU, newItem(2).SKU}
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			w.insert(newItem(2))
			for range 2 {
				w.ok(still.ReadItems(w.ctx(), w.ws, func(items store.ItemReader) error {
					found, err := items.Find(w.ctx(), catalog.KindProduct, catalog.KeySKU, skus)
					w.ok(err)
					w.same("found", len(found), 1)
					read, err := items.Read(w.ctx(), catalog.KindProduct, handlesOf(found))
					w.same("read", len(read), 1)
					return err
				}))
			}
			w.same("listed", len(w.all(still, w.ws)), 1)
			return nil
		}))
	}},
	{"find/what an unread decision needs", func(w *world) {
		items := newItems(0, 700)
		w.insert(items...)
		for _, f := range []catalog.KeyField{catalog.KeyID, catalog.KeySKU, catalog.KeyGTIN, catalog.KeyRef, catalog.KeySlug} {
			var keys []string
			for i := range items {
				keys = append(keys, items[i].Get(f), items[i].Get(f)+"x")
			}
			keys = append(keys, "", "00000000000000")
			slices.Sort(keys)
			w.write(func(tx store.Tx) error {
				found, err := tx.Find(w.ctx(), catalog.KindProduct, f, keys)
				w.ok(err)
				w.same("found by "+f.String(), len(found), len(items))
				byID := map[string]catalog.Item{}
				for _, it := range items {
					byID[it.ID] = it
				}
				handles := map[int64]bool{}
				for _, got := range found {
					it := byID[got.ID]
					want := store.Found{Index: slices.Index(keys, it.Get(f)), ID: it.ID, Handle: got.Handle, Hash: it.Hash, ImportNo: it.ImportNo, Row: it.Row}
					w.same("found", got, want)
					handles[got.Handle] = true
				}
				w.same("handles", len(handles), len(items))
				return nil
			})
		}
	}},
	{"find/another kind, no keys", func(w *world) {
		w.insert(newItem(1))
		w.write(func(tx store.Tx) error {
			found, err := tx.Find(w.ctx(), catalog.KindSKU, catalog.KeySKU, []string{newItem(1).SKU})
			w.ok(err)
			w.same("found of another kind", len(found), 0)
			found, err = tx.Find(w.ctx(), catalog.KindProduct, catalog.KeySKU, nil)
			w.same("found without keys", len(found), 0)
			return err
		})
	}},
	{"read/another kind, gone", func(w *world) {
		w.insert(newItem(1))
		w.write(func(tx store.Tx) error {
			h := w.read(tx, newItem(1).ID)[0].Handle
			items, err := tx.Read(w.ctx(), catalog.KindSKU, []int64{h, h + 1000})
			w.same("items", len(items), 0)
			return err
		})
	}},
	{"update/stores the item as it is to be", func(w *world) {
		w.insert(newItem(1), newItem(2))
		want := newItem(1)
		want.Doc, want.Live = `{"title":"new"}`, catalog.Live{State: catalog.LiveOlder, Doc: want.Doc}
		want.Hash, want.ImportNo, want.Row, want.Version, want.UpdatedAt = 77, 8, 9, 2, after(time.Hour)
		w.write(func(tx store.Tx) error {
			it := want
			it.Handle = w.read(tx, it.ID)[0].Handle
			return tx.Update(w.ctx(), []catalog.Item{it})
		})
		w.same("items", w.all(w.s, w.ws), []catalog.Item{want, newItem(2)})
	}},
	{"update/changed, added and removed keys", func(w *world) {
		w.insert(newItem(1), newItem(2), keyless("prd_9"))
		all, none, some := newItem(1), newItem(2), keyless("prd_9")
		all.SKU, all.Slug, all.Ref, all.GTIN, all.Version = "A", "B", "C", "00000000000017", 2
		none.SKU, none.Slug, none.Ref, none.GTIN, none.Version = "", "", "", "", 2
		some.SKU, some.GTIN, some.GTINShared, some.Version = newItem(2).SKU, newItem(2).GTIN, true, 2
		w.write(func(tx store.Tx) error {
			items := []catalog.Item{all, some, none}
			for i := range items {
				items[i].Handle = w.read(tx, items[i].ID)[0].Handle
			}
			return tx.Update(w.ctx(), items)
		})
		w.same("items", w.all(w.s, w.ws), []catalog.Item{all, none, some})
		_, err := w.s.Item(w.ctx(), w.ws, catalog.KindProduct, catalog.Key{Field: catalog.KeySKU, Value: newItem(1).SKU})
		w.want(err, store.ErrNotFound)
	}},
	{"update/keys handed from item to item, in whatever order", func(w *world) {
		for round, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
			from := 10 * round
			w.insert(newItems(from, from+3)...)
			w.write(func(tx store.Tx) error {
				items := w.read(tx, newItem(from).ID, newItem(from+1).ID, newItem(from+2).ID)
				var moved []catalog.Item
				for _, i := range order {
					it := items[i]
					it.SKU, it.GTIN, it.Version = items[(i+1)%3].SKU, items[(i+1)%3].GTIN, 2
					moved = append(moved, it)
				}
				return tx.Update(w.ctx(), moved)
			})
			got, err := w.s.Item(w.ctx(), w.ws, catalog.KindProduct, catalog.Key{Field: catalog.KeySKU, Value: newItem(from + 1).SKU})
			w.ok(err)
			w.same("owner", got.ID, newItem(from).ID)
		}
	}},
	{"update/an item that moved", func(w *world) {
		w.insert(newItem(1))
		stale := newItem(1)
		w.write(func(tx store.Tx) error {
			it := w.read(tx, stale.ID)[0]
			stale.Handle = it.Handle
			it.Version = 2
			return tx.Update(w.ctx(), []catalog.Item{it})
		})
		stale.Version = 2 // read at version 1
		for name, it := range map[string]catalog.Item{"content": stale, "keys": withSKU(stale, "X"), "gone": gone(stale)} {
			err := w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error { return tx.Update(w.ctx(), []catalog.Item{it}) })
			if err == nil {
				w.Fatalf("%s: the update passed", name)
			}
			w.want(err, store.ErrRetry)
		}
	}},
	{"update/a taken key", func(w *world) {
		w.insert(newItem(1), newItem(2))
		for _, f := range []func(*catalog.Item){
			func(it *catalog.Item) { it.SKU = newItem(2).SKU }, func(it *catalog.Item) { it.GTIN = newItem(2).GTIN },
			func(it *catalog.Item) { it.Slug = newItem(2).Slug }, func(it *catalog.Item) { it.Ref = newItem(2).Ref },
		} {
			err := w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
				it := w.read(tx, newItem(1).ID)[0]
				it.Version = 2
				f(&it)
				return tx.Update(w.ctx(), []catalog.Item{it})
			})
			w.want(err, store.ErrConflict)
		}
		w.same("items", w.all(w.s, w.ws), newItems(1, 3))
	}},
	{"delete/frees the keys", func(w *world) {
		w.insert(newItems(0, 700)...)
		w.write(func(tx store.Tx) error {
			var ids []string
			for i := range 600 {
				ids = append(ids, newItem(i).ID)
			}
			return tx.Delete(w.ctx(), catalog.KindProduct, locators(w.read(tx, ids...)))
		})
		w.same("left", w.all(w.s, w.ws), newItems(600, 700))
		w.insert(newItem(0))
	}},
	{"delete/items of many versions", func(w *world) {
		items := newItems(0, 200)
		for i := range items {
			items[i].Version = int64(1 + i%3)
		}
		w.insert(items...)
		w.write(func(tx store.Tx) error {
			var ids []string
			for i := range 150 {
				ids = append(ids, items[i].ID)
			}
			list := locators(w.read(tx, ids...))
			slices.Reverse(list)
			return tx.Delete(w.ctx(), catalog.KindProduct, list)
		})
		w.same("left", w.all(w.s, w.ws), items[150:])
	}},
	{"delete/gone already, moved, of another kind", func(w *world) {
		w.insert(newItem(1), newItem(2))
		var one, two store.Locator
		w.write(func(tx store.Tx) error {
			read := w.read(tx, newItem(1).ID, newItem(2).ID)
			one, two = locators(read)[0], locators(read)[1]
			read[1].Version++
			return tx.Update(w.ctx(), read[1:])
		})
		for name, c := range map[string]struct {
			kind  catalog.Kind
			items []store.Locator
		}{
			"gone":         {catalog.KindProduct, []store.Locator{one, {Handle: one.Handle + 1000, Version: 1}}},
			"moved":        {catalog.KindProduct, []store.Locator{one, two}},
			"not yet so":   {catalog.KindProduct, []store.Locator{{Handle: one.Handle, Version: one.Version + 1}}},
			"another kind": {catalog.KindSKU, []store.Locator{one}},
		} {
			err := w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
				if err := tx.Delete(w.ctx(), c.kind, c.items); !errors.Is(err, store.ErrRetry) {
					w.Errorf("%s: got %v, want %v", name, err, store.ErrRetry)
				}
				return nil
			})
			w.want(err, store.ErrRetry)
		}
		w.same("count", w.count(), 2)
		w.write(func(tx store.Tx) error { return tx.Delete(w.ctx(), catalog.KindProduct, nil) })
	}},
	{"item/a very large document", func(w *world) {
		it := newItem(1)
		it.Doc = catalog.Doc(`{"description":"` + strings.Repeat("lange Beschreibung ", 1<<19) + `","title":"T"}`)
		w.insert(it, newItem(2))
		w.same("items", w.all(w.s, w.ws), []catalog.Item{it, newItem(2)})
		w.write(func(tx store.Tx) error {
			read := w.read(tx, it.ID)[0]
			read.Doc, read.Version = read.Doc[:len(read.Doc)-1]+`,"weight":1}`, 2
			return tx.Update(w.ctx(), []catalog.Item{read})
		})
		got := w.all(w.s, w.ws)[0]
		w.same("length", len(got.Doc), len(it.Doc)+len(`,"weight":1`))
	}},
}

func withSKU(it catalog.Item, sku string) catalog.Item {
	it.SKU = sku
	return it
}

func gone(it catalog.Item) catalog.Item {
	it.Handle += 1000
	return it
}

// bytewise are texts that a careless comparison takes for one another.
var bytewise = []string{
	"abc", "ABC", "Abc", "abc ", " abc", "abc\t", "ábc", "a\u0301bc", "äbc", "ABC\u00a0", "straße", "strasse", "STRASSE", "ｓｔｒａｓｓｅ",
	"a\x00", "a\x00b", "a\x00c", "\x00", "İ", "i", "I", "ı", "ﬁ", "fi", "K", "\u212a", "1", "01", "1.0", "1e0", "0x1", "𝒳", "\U0001f600", "null", "NULL", "%", "_", "'", `"`, `\`, "-1",
}

var keyTrials = []trial{
	{"key/as long as the catalog allows", func(w *world) {
		it := newItem(1)
		it.SKU, it.Slug, it.Ref = longKey(1), longKey(2), longKey(3)
		finds := func() (found catalog.Item) {
			for _, f := range []catalog.KeyField{catalog.KeySKU, catalog.KeySlug, catalog.KeyRef} {
				got, err := w.s.Item(w.ctx(), w.ws, it.Kind, catalog.Key{Field: f, Value: it.Get(f)})
				w.ok(err)
				w.same("item by "+f.String(), got.ID, it.ID)
				w.write(func(tx store.Tx) error {
					list, err := tx.Find(w.ctx(), it.Kind, f, []string{it.Get(f)})
					w.same("found by "+f.String(), len(list), 1)
					return err
				})
				found = got
			}
			return found
		}
		w.insert(it)
		was := finds()
		it.SKU, it.Slug, it.Ref = longKey(4), longKey(5), longKey(6)
		w.write(func(tx store.Tx) error {
			changed := w.read(tx, was.ID)
			changed[0].SKU, changed[0].Slug, changed[0].Ref = it.SKU, it.Slug, it.Ref
			changed[0].Version++
			return tx.Update(w.ctx(), changed)
		})
		finds()
	}},
	{"key/compared byte by byte", func(w *world) {
		sorted := slices.Clone(bytewise)
		slices.Sort(sorted)
		for _, f := range []catalog.KeyField{catalog.KeySKU, catalog.KeyRef, catalog.KeySlug, catalog.KeyID} {
			w.Run(f.String(), func(t *testing.T) {
				w := &world{T: t, s: w.s, ws: w.workspace("keys-" + strings.ReplaceAll(f.String(), "_", "-"))}
				for i, v := range sorted {
					it := keyless(fmt.Sprintf("prd_%03d", i))
					setKey(&it, f, v)
					w.insert(it)
				}
				w.write(func(tx store.Tx) error {
					found, err := tx.Find(w.ctx(), catalog.KindProduct, f, sorted)
					w.same("found", len(found), len(sorted))
					w.ok(err)
					items, err := tx.Read(w.ctx(), catalog.KindProduct, handlesOf(found))
					w.ok(err)
					byHandle := map[int64]catalog.Item{}
					for _, it := range items {
						byHandle[it.Handle] = it
					}
					for _, got := range found {
						it := byHandle[got.Handle]
						w.same("key", it.Get(f), sorted[got.Index])
					}
					return nil
				})
				for _, v := range sorted {
					it, err := w.s.Item(w.ctx(), w.ws, catalog.KindProduct, catalog.Key{Field: f, Value: v})
					w.ok(err)
					w.same("key", it.Get(f), v)
				}
			})
		}
	}},
	{"key/twice is a conflict and leaves nothing", func(w *world) {
		w.insert(newItem(1))
		for name, set := range map[string]func(*catalog.Item){
			"id": func(it *catalog.Item) { it.ID = newItem(1).ID }, "sku": func(it *catalog.Item) { it.SKU = newItem(1).SKU },
			"gtin": func(it *catalog.Item) { it.GTIN = newItem(1).GTIN }, "slug": func(it *catalog.Item) { it.Slug = newItem(1).Slug },
			"ref": func(it *catalog.Item) { it.Ref = newItem(1).Ref },
		} {
			items := newItems(100, 200)
			set(&items[73])
			err := w.tryInsert(items...)
			if err == nil {
				w.Fatalf("%s taken twice", name)
			}
			w.want(err, store.ErrConflict)
			w.same("count after a conflict", w.count(), 1)
		}
		w.insert(newItem(2)) // the store goes on
	}},
	{"key/twice in one set", func(w *world) {
		items := newItems(1, 3)
		items[1].SKU = items[0].SKU
		w.want(w.tryInsert(items...), store.ErrConflict)
	}},
	{"key/a conflict ends the transaction whatever its caller says", func(w *world) {
		w.insert(newItem(1))
		taken, free := w.s.Prepare(w.ws, []catalog.Item{newItem(5), newItem(1)}), w.s.Prepare(w.ws, newItems(7, 8))
		err := w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
			w.want(tx.Insert(w.ctx(), taken), store.ErrConflict)
			w.want(tx.Insert(w.ctx(), free), store.ErrConflict)
			return nil
		})
		w.want(err, store.ErrConflict)
		w.same("count", w.count(), 1)
	}},
	{"key/free in another kind", func(w *world) {
		sku := newItem(1)
		sku.Kind = catalog.KindSKU
		w.insert(newItem(1), sku)
		w.same("count", w.count(), 2)
	}},
	{"key/absent keys do not collide", func(w *world) {
		w.insert(keyless("prd_1"), keyless("prd_2"))
		w.same("count", w.count(), 2)
	}},
	{"gtin/shared or one item's own", func(w *world) {
		own := newItem(1)
		var shared []catalog.Item
		for i := 2; i < 5; i++ {
			it := newItem(i)
			it.GTIN, it.GTINShared = own.GTIN, true
			shared = append(shared, it)
		}
		w.insert(shared...)
		w.insert(own)
		second := newItem(9)
		second.GTIN = own.GTIN
		w.want(w.tryInsert(second), store.ErrConflict)
		w.write(func(tx store.Tx) error {
			found, err := tx.Find(w.ctx(), catalog.KindProduct, catalog.KeyGTIN, []string{"00000000000000", own.GTIN})
			var ids []string
			for _, f := range found {
				w.same("index", f.Index, 1)
				ids = append(ids, f.ID)
			}
			slices.Sort(ids)
			w.same("owners", ids, []string{newItem(1).ID, newItem(2).ID, newItem(3).ID, newItem(4).ID})
			return err
		})
		got, err := w.s.Item(w.ctx(), w.ws, catalog.KindProduct, catalog.Key{Field: catalog.KeyGTIN, Value: own.GTIN})
		w.ok(err)
		w.same("first by id", got.ID, own.ID)
		w.same("items", w.all(w.s, w.ws), append([]catalog.Item{own}, shared...))
	}},
	{"gtin/leading zeros", func(w *world) {
		it := newItem(1)
		it.GTIN = "00000000000017"
		w.insert(it)
		w.same("items", w.all(w.s, w.ws), []catalog.Item{it})
	}},
	{"gtin/shared later", func(w *world) {
		w.insert(newItem(1))
		w.write(func(tx store.Tx) error {
			it := w.read(tx, newItem(1).ID)[0]
			it.GTINShared, it.Version = true, 2
			return tx.Update(w.ctx(), []catalog.Item{it})
		})
		second := newItem(2)
		second.GTIN = newItem(1).GTIN
		w.insert(second)
		w.same("shared", w.all(w.s, w.ws)[0].GTINShared, true)
	}},
}

// longKey is a key of as many bytes as the catalog allows, which nothing makes
// shorter.
func longKey(seed uint64) string {
	bytes := make([]byte, catalog.MaxKeyBytes)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range bytes {
		bytes[i] = byte('!' + random.IntN('~'-'!'))
	}
	return string(bytes)
}

func setKey(it *catalog.Item, f catalog.KeyField, v string) {
	switch f {
	case catalog.KeyID:
		it.ID = v
	case catalog.KeySKU:
		it.SKU = v
	case catalog.KeyRef:
		it.Ref = v
	case catalog.KeySlug:
		it.Slug = v
	}
}

func handlesOf(found []store.Found) []int64 {
	var handles []int64
	for _, f := range found {
		handles = append(handles, f.Handle)
	}
	return handles
}

var listingTrials = []trial{
	{"items/filters, order and range", func(w *world) {
		items := newItems(1, 6)
		set := func(i int, title, brand string) { items[i].Doc = docOf(items[i], title, brand) }
		set(0, "Blue Kettle", "Acme")
		set(1, `Kettle "7" 100% \ red_`, "Peak \"7\"")
		set(2, "Größe", "O'Malley")
		set(3, "Lamp", "KETTLER")
		items[4].Kind, items[4].ID = catalog.KindSKU, "sku_1"
		set(4, "Kettle", "Acme")
		w.insert(items...)
		equal := func(kv ...string) map[string]string { return map[string]string{kv[0]: kv[1]} }
		for _, c := range []struct {
			f    store.ItemFilter
			r    store.Range
			want []int
		}{
			{store.ItemFilter{}, store.Range{}, []int{0, 1, 2, 3, 4}},
			{store.ItemFilter{Kind: catalog.KindProduct}, store.Range{Offset: 1, Limit: 2}, []int{1, 2}},
			{store.ItemFilter{Kind: catalog.KindSKU}, store.Range{}, []int{4}},
			{store.ItemFilter{AfterID: items[1].ID}, store.Range{Limit: 2}, []int{2, 3}},
			{store.ItemFilter{Query: "kettle"}, store.Range{}, []int{0, 1, 3, 4}},
			{store.ItemFilter{Query: "KETTLE", Kind: catalog.KindProduct}, store.Range{}, []int{0, 1, 3}},
			{store.ItemFilter{Query: "sku-000003"}, store.Range{}, []int{2}},
			{store.ItemFilter{Query: "04000000000004"}, store.Range{}, []int{3}},
			{store.ItemFilter{Query: `"7"`}, store.Range{}, []int{1}},
			{store.ItemFilter{Query: "100%"}, store.Range{}, []int{1}},
			{store.ItemFilter{Query: "%"}, store.Range{}, []int{1}},
			{store.ItemFilter{Query: "_"}, store.Range{}, []int{1}},
			{store.ItemFilter{Query: `\`}, store.Range{}, []int{1}},
			{store.ItemFilter{Query: "größe"}, store.Range{}, []int{2}},
			{store.ItemFilter{Query: "o'm"}, store.Range{}, []int{2}},
			{store.ItemFilter{Query: "title"}, store.Range{}, nil},
			{store.ItemFilter{Query: strings.Repeat("long ", 30000)}, store.Range{}, nil},
			{store.ItemFilter{Equal: equal("brand", "Acme")}, store.Range{}, []int{0, 4}},
			{store.ItemFilter{Equal: equal("brand", "acme")}, store.Range{}, nil},
			{store.ItemFilter{Equal: equal("brand", `Peak "7"`)}, store.Range{}, []int{1}},
			{store.ItemFilter{Equal: equal(`brand" or "1`, "Acme")}, store.Range{}, nil},
			{store.ItemFilter{Equal: equal("none", "")}, store.Range{}, nil},
			{store.ItemFilter{Equal: map[string]string{"brand": "Acme", "title": "Kettle"}}, store.Range{}, []int{4}},
		} {
			got, err := w.s.Items(w.ctx(), w.ws, c.f, c.r)
			w.ok(err)
			var want []catalog.Item
			for _, i := range c.want {
				want = append(want, items[i])
			}
			for i := range got {
				got[i].Handle = 0
			}
			w.same(fmt.Sprintf("items of %+v", c.f), got, want)
			if c.r == (store.Range{}) {
				n, err := w.s.CountItems(w.ctx(), w.ws, c.f)
				w.ok(err)
				w.same(fmt.Sprintf("count of %+v", c.f), n, len(want))
			}
		}
	}},
	{"items/a property whose name has a dot or a locale", func(w *world) {
		it := keyless("prd_1")
		it.Doc = `{"attributes.color":"red","title":"Pot","title@de":"Topf"}`
		w.insert(it)
		for name, value := range map[string]string{"attributes.color": "red", "title@de": "Topf"} {
			n, err := w.s.CountItems(w.ctx(), w.ws, store.ItemFilter{Equal: map[string]string{name: value}})
			w.ok(err)
			w.same(name, n, 1)
		}
	}},
}
