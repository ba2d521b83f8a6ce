// Package storetest is the suite that every store passes: what package store
// promises, tried method by method, from the right workspace and from another.
//
// What belongs here: anything that must hold for every store. What does not:
// the settings, files and speed of one of them, which its own tests look after.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Run runs the suite. open returns an empty store that can enqueue jobs and is
// closed by the test's end; it is called once or twice for each test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, open, workspaceTrials, importTrials, batchTrials, stalledTrials, pageTrials, correctionTrials, requestTrials, retentionTrials, userTrials, auditTrials, nodeTrials, loadTrials, itemTrials, keyTrials, listingTrials, modelTrials, writeTrials, togetherTrials, dumpTrials, twinTrials, isolationTrials)
	runDumps(t, open)
}

// RunChanges runs the part of the suite about rows that are changed or removed many
// at once, for a store whose tables are laid out in another way.
func RunChanges(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, open, retentionTrials, auditTrials, itemTrials, keyTrials, twinTrials)
}

func run(t *testing.T, open func(t *testing.T) store.Store, groups ...[]trial) {
	for _, group := range groups {
		for _, tr := range group {
			t.Run(tr.name, func(t *testing.T) { tr.run(newWorld(t, open(t))) })
		}
	}
}

// trial is one test of the suite.
type trial struct {
	name string
	run  func(*world)
}

// world is a store with two workspaces, in the first of which a trial works.
type world struct {
	*testing.T
	s     store.Store
	ws    store.WS
	other store.WS
}

func newWorld(t *testing.T, s store.Store) *world {
	w := &world{T: t, s: s}
	w.ws = w.workspace("alpha")
	w.other = w.workspace("beta")
	return w
}

// start is when trials begin. Stores keep milliseconds.
var start = time.Date(2026, time.March, 15, 9, 30, 0, 123e6, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

func ptr[T any](v T) *T { return &v }

// ctx is fresh for each call: a trial's own context ends before its cleanups.
func (w *world) ctx() context.Context { return context.Background() }

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v", err)
	}
}

func (w *world) want(err, target error) {
	w.Helper()
	if !errors.Is(err, target) {
		w.Fatalf("got error %v, want %v", err, target)
	}
}

func (w *world) same(what string, got, want any) {
	w.Helper()
	if d := cmp.Diff(want, got); d != "" {
		w.Fatalf("%s differs (-want +got):\n%s", what, d)
	}
}

// write runs fn in a transaction that must commit.
func (w *world) write(fn func(store.Tx) error) {
	w.Helper()
	w.ok(w.s.Write(w.ctx(), w.ws, false, fn))
}

var errRollback = errors.New("rolled back on purpose")

// try runs fn in a transaction, rolls it back and returns what fn returned.
func (w *world) try(ws store.WS, fn func(store.Tx) error) error {
	w.Helper()
	var inner error
	err := w.s.Write(w.ctx(), ws, false, func(tx store.Tx) error {
		inner = fn(tx)
		return errRollback
	})
	w.want(err, errRollback)
	return inner
}

func (w *world) workspace(name string) store.WS {
	w.Helper()
	ws, err := w.s.CreateWorkspace(w.ctx(), store.Workspace{Name: name, Currency: "EUR", CreatedAt: start})
	w.ok(err)
	return ws.WS
}

// newImport is an import with every field of its own set, and none of those
// that the store gives it.
func newImport(n int) store.Import {
	return store.Import{
		ID: fmt.Sprintf("imp_%04d", n), State: store.Received, Door: "rest", Source: "products", Definition: []byte(`{"id":"products"}`),
		Mode: catalog.Create, Layout: []byte(`{"delimiter":";"}`), Format: "csv", SourceName: "müsli.csv", FileKey: "ws/1/file", FileSize: 1 << 40,
		SHA256: "abc", Rows: 7, Small: true, Round: 2, Pass: "retry-2", Options: []byte(`{"policy":"all"}`), Cut: 3, Fingerprint: "fp", Findings: []byte(`{"confirm":true}`),
		Feed: "nightly", Extra: 5, UndoOf: "imp_a", UndoneBy: "imp_b", DuplicateOf: "imp_c", RequestKey: fmt.Sprintf("key_1/%d", n), ImagesGone: true, OutcomesGone: true, FilesGone: true,
		CreatedBy: "key_1", CreatedAt: start, UpdatedAt: start, Version: 1,
	}
}

// addImport stores newImport(n) in a state.
func (w *world) addImport(n int, state store.State) store.Import {
	w.Helper()
	imp := newImport(n)
	imp.State = state
	w.write(func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) })
	return imp
}

func apply(imp store.Import, no int) store.BatchRef {
	return store.BatchRef{ImportNo: imp.No, Pass: ledger.PassApply, No: no}
}

func newBatch(ref store.BatchRef) store.Batch {
	n := int64(ref.No)
	return store.Batch{BatchRef: ref, State: store.BatchWaiting, Offset: 1000 * n, Length: 999, FirstRow: 10 * n, FirstLine: 11 * n, Rows: 10,
		NextOffset: 1000 * n, NextRow: 10 * n, NextLine: 11 * n, NextSeq: 1}
}

func (w *world) addBatches(batches ...store.Batch) {
	w.Helper()
	w.write(func(tx store.Tx) error { return tx.InsertBatches(w.ctx(), batches) })
}

func (w *world) batch(ref store.BatchRef) store.Batch {
	w.Helper()
	var b store.Batch
	w.write(func(tx store.Tx) (err error) {
		b, err = tx.Batch(w.ctx(), ref)
		return err
	})
	return b
}

// counted is a tally in which every count differs.
func counted(n int64) catalog.Tally {
	return catalog.Tally{Created: n, Updated: n + 1, Unchanged: n + 2, Deleted: n + 3, Failed: n + 4, Skipped: n + 5, Held: n + 6, Errors: n + 7, Warnings: n + 8, Warned: n + 9}
}

// newItem is a product with every key.
func newItem(n int) catalog.Item {
	it := catalog.Item{ID: fmt.Sprintf("prd_%06d", n), Kind: catalog.KindProduct, SKU: fmt.Sprintf("SKU-%06d", n), Slug: fmt.Sprintf("slug-%d", n),
		Ref: fmt.Sprintf("ref-%d", n), GTIN: fmt.Sprintf("%014d", 4000000000000+n), Hash: int64(n) - 5, Version: 1, ImportNo: 3, Row: int64(n) + 2,
		CreatedNo: 2, CreatedAt: start, UpdatedAt: after(time.Second)}
	it.Doc = docOf(it, fmt.Sprintf("Title %d", n), "Acme")
	return it
}

// keyless is an item that has no key but its id.
func keyless(id string) catalog.Item {
	return catalog.Item{ID: id, Kind: catalog.KindProduct, Doc: `{"title":"T"}`, Version: 1, ImportNo: 1, Row: 2, CreatedAt: start, UpdatedAt: start}
}

func docOf(it catalog.Item, title, brand string) catalog.Doc {
	b := append([]byte(`{"brand":`), catalog.AppendQuoted(nil, brand)...)
	b = append(append(b, `,"ean":`...), catalog.AppendQuoted(nil, it.GTIN)...)
	b = append(append(b, `,"sku":`...), catalog.AppendQuoted(nil, it.SKU)...)
	b = append(append(b, `,"title":`...), catalog.AppendQuoted(nil, title)...)
	return catalog.Doc(append(b, '}'))
}

func newItems(from, to int) []catalog.Item {
	var items []catalog.Item
	for n := from; n < to; n++ {
		items = append(items, newItem(n))
	}
	return items
}

// insert stores items in a transaction of their own.
func (w *world) insert(items ...catalog.Item) {
	w.Helper()
	w.ok(w.tryInsert(items...))
}

func (w *world) tryInsert(items ...catalog.Item) error {
	p := w.s.Prepare(w.ws, items)
	return w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error { return tx.Insert(w.ctx(), p) })
}

// read finds items by id and reads them for writing, in the order of the ids.
func (w *world) read(tx store.Tx, ids ...string) []catalog.Item {
	w.Helper()
	var handles []int64
	found, err := tx.Find(w.ctx(), catalog.KindProduct, catalog.KeyID, ids)
	w.ok(err)
	for _, f := range found {
		handles = append(handles, f.Handle)
	}
	items, err := tx.Read(w.ctx(), catalog.KindProduct, handles)
	w.ok(err)
	byID := make(map[string]catalog.Item, len(items))
	for _, it := range items {
		byID[it.ID] = it
	}
	var ordered []catalog.Item
	for _, id := range ids {
		if it, ok := byID[id]; ok {
			ordered = append(ordered, it)
		}
	}
	return ordered
}

// all lists a workspace's items without their handles.
func (w *world) all(s store.Store, ws store.WS) []catalog.Item {
	w.Helper()
	items, err := s.Items(w.ctx(), ws, store.ItemFilter{}, store.Range{})
	w.ok(err)
	for i := range items {
		items[i].Handle = 0
	}
	return items
}

func (w *world) count() int {
	w.Helper()
	n, err := w.s.CountItems(w.ctx(), w.ws, store.ItemFilter{})
	w.ok(err)
	return n
}

// locators names items as they were read.
func locators(items []catalog.Item) []store.Locator {
	var list []store.Locator
	for i := range items {
		list = append(list, store.Locator{Handle: items[i].Handle, Version: items[i].Version})
	}
	return list
}

func newPage(importNo int64, pass ledger.Pass, batch, seq int) ledger.Page {
	return ledger.Page{ImportNo: importNo, Pass: pass, Batch: batch, Seq: seq, FirstRow: 2, LastRow: 11, Rows: 10, Tally: counted(int64(seq)),
		Causes: []ledger.Cause{{Code: catalog.CodeInvalidASIN, Severity: catalog.Error, Column: `Größe "7"`, Count: 3}, {Code: catalog.CodeTooLong, Severity: catalog.Warning, Count: -1}},
		Fields: []ledger.FieldCount{{Field: "price", Added: 1, Changed: 2, Cleared: 3}, {Field: "title@de", Changed: -4}}, Digest: []byte{0, 7},
		Format: 1, Outcomes: []byte{0, 1, 2, 0xff}, Images: []byte("images")}
}

// pages lists pages' places as "pass/batch/seq".
func (w *world) pages(s store.Store, ws store.WS, importNo int64, f store.PageFilter) []string {
	w.Helper()
	var list []string
	w.ok(s.Pages(w.ctx(), ws, importNo, f, func(p ledger.Page) error {
		list = append(list, fmt.Sprintf("%s/%d/%d", p.Pass, p.Batch, p.Seq))
		return nil
	}))
	return list
}

// methods lists an interface's methods as "Name.Method".
func methods(name string, of reflect.Type) []string {
	var list []string
	for i := range of.NumMethod() {
		list = append(list, name+"."+of.Method(i).Name)
	}
	return list
}
