//go:build !race

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// TestNodesShareAnImport has three nodes import one file. Each does some of its
// batches, the API says which, and what comes out is what one node alone makes of
// it.
func TestNodesShareAnImport(t *testing.T) {
	g := newGround(t, 60_000)
	c := newCluster(t, g.before)
	c.pace = "chunk-begin:500ms" // it lasts for some time slices
	serving, one, other := c.begin("serve"), c.begin("work"), c.begin("work")
	c.ready(serving, one, other)
	id := c.mustSend(serving, g.file)
	c.ended(id)
	by := make(map[string]int)
	for _, b := range c.listBatches(serving, id) {
		by[b.Node]++
	}
	t.Logf("batches by node: %v", by)
	for _, m := range c.nodes {
		if by[m.name] == 0 {
			t.Errorf("%s did no batch", m.name)
		}
	}
	if len(by) != len(c.nodes) {
		t.Errorf("batches were done by %d nodes of %d", len(by), len(c.nodes))
	}
	compare(t, g.calm, c.dump())
}

// listedBatch is a batch as the API shows it.
type listedBatch struct {
	Node  string `json:"node"`
	State string `json:"state"`
}

// listBatches asks a serving node for an import's batches.
func (c *cluster) listBatches(m *member, id string) []listedBatch {
	c.t.Helper()
	object, err := c.desk(m).call(context.Background(), http.MethodGet, "/imports/"+id+"/batches?per_page=100", "", nil)
	var list struct{ Data []listedBatch }
	if err == nil {
		err = json.Unmarshal(object, &list)
	}
	if err != nil || len(list.Data) < 10 {
		c.t.Fatalf("%d batches, %v; want ten or more", len(list.Data), err)
	}
	return list.Data
}

// TestTwoImportsOverTheSameItems has two nodes import two files over the same
// items at once, in opposite orders. One half of the items is there before, and
// is named by SKU in one file and by GTIN in the other; the other half is made by
// whichever comes first.
func TestTwoImportsOverTheSameItems(t *testing.T) {
	items := 50_000
	if testing.Short() || soakOf(t).rounds == 0 {
		items = 16_000
	}
	c := newCluster(t, "")
	c.pace = "chunk-write:200ms"
	// Each import works on a few batches at a time and leaves workers to the other,
	// so that they meet in the middle.
	few := []string{"TALLYMAN_WORKERS=4", "TALLYMAN_WORKERS_PER_IMPORT=2"}
	nodes := []*member{c.begin("serve", few...), c.begin("serve", few...)}
	c.ready(nodes...)
	dir := t.TempDir()
	made := sameItems{n: items, to: items / 2, sku: true, gtin: true, price: "1.00"}
	bySKU := sameItems{n: items, to: items, sku: true, price: "2.00"}
	byGTIN := sameItems{n: items, to: items, gtin: true, price: "3.00", backwards: true}
	c.ended(c.mustSend(nodes[0], made.write(t, dir, "made.csv")))
	one, other := c.bothEnd(nodes, [2]string{bySKU.write(t, dir, "sku.csv"), byGTIN.write(t, dir, "gtin.csv")})
	var sum catalog.Tally
	for _, imp := range []store.Import{one, other} {
		t.Logf("import %d: %+v", imp.No, imp.Tally)
		sum = sum.Add(imp.Tally)
		if imp.Tally.Rows() != int64(items) {
			t.Errorf("import %d accounts for %d rows of %d", imp.No, imp.Tally.Rows(), items)
		}
	}
	if sum.Created != int64(items/2) || sum.Updated != int64(items/2*3) {
		t.Errorf("created %d items and updated %d, want %d and %d", sum.Created, sum.Updated, items/2, items/2*3)
	}
	c.checkLastWriters(items, map[int64]string{one.No: bySKU.price, other.No: byGTIN.price})
}

// bothEnd sends two files to two nodes at once and waits for the ends of both
// imports.
func (c *cluster) bothEnd(nodes []*member, files [2]string) (one, other store.Import) {
	c.t.Helper()
	var sent [2]view
	var errs [2]error
	var wg sync.WaitGroup
	for i, m := range nodes {
		wg.Go(func() { sent[i], errs[i] = c.send(m, files[i]) })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		c.t.Fatal(err)
	}
	return c.ended(sent[0].ID), c.ended(sent[1].ID)
}

// sameItems is a file over the first items of n, up to one of them. Those of the
// second half are named by both keys in every file.
type sameItems struct {
	n, to     int
	sku, gtin bool
	price     string
	backwards bool
}

func (f sameItems) write(t *testing.T, dir, name string) string {
	t.Helper()
	var buf bytes.Buffer
	buf.WriteString("sku,ean,title,price,currency\n")
	for i := range f.to {
		if f.backwards {
			i = f.to - 1 - i
		}
		sku, gtin := fmt.Sprintf("SAME-%d", i), ean13(i)
		if i < f.n/2 && !f.sku {
			sku = ""
		}
		if i < f.n/2 && !f.gtin {
			gtin = ""
		}
		fmt.Fprintf(&buf, "%s,%s,Thing %d,%s,EUR\n", sku, gtin, i, f.price)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ean13 is a number with its check digit.
func ean13(i int) string {
	digits := fmt.Sprintf("400%09d", i)
	sum := 0
	for at, d := range digits {
		sum += int(d-'0') * (1 + 2*(at%2))
	}
	return fmt.Sprintf("%s%d", digits, (10-sum%10)%10)
}

// checkLastWriters expects of every item that it was written by both imports, and
// has what the later one wrote; and of some that their history says so too.
func (c *cluster) checkLastWriters(items int, prices map[int64]string) {
	c.t.Helper()
	seen, last := 0, make(map[int64]int)
	f := store.ItemFilter{Kind: catalog.KindProduct}
	for {
		page, err := c.sees.store.Items(context.Background(), c.ws.WS, f, store.Range{Limit: 1000})
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range page {
			it := &page[i]
			f.AfterID = it.ID
			last[it.ImportNo]++
			c.checkItem(it, prices)
			if seen++; seen%(items/100) == 0 {
				c.checkHistory(it, prices)
			}
		}
		if len(page) == 0 {
			break
		}
	}
	if seen != items {
		c.t.Errorf("%d items of %d", seen, items)
	}
	c.t.Logf("last written by import: %v", last)
	if len(last) != len(prices) {
		c.t.Errorf("the imports did not meet: one wrote all of its rows before the other")
	}
}

func (c *cluster) checkItem(it *catalog.Item, prices map[int64]string) {
	c.t.Helper()
	price, ok := prices[it.ImportNo]
	if !ok || !bytes.Contains([]byte(it.Doc), []byte(price)) {
		c.t.Fatalf("item %s was last written by import %d, whose price is %q, and is %s", it.SKU, it.ImportNo, price, it.Doc)
	}
	if writes := int64(2); it.Version != writes && it.Version != writes+1 {
		c.t.Fatalf("item %s has version %d; each import wrote it once", it.SKU, it.Version)
	}
}

// checkHistory follows an item's writes: each import's is there once, the last one
// first, and the first made it.
func (c *cluster) checkHistory(it *catalog.Item, prices map[int64]string) {
	c.t.Helper()
	steps, truncated, err := c.sees.imports.History(context.Background(), c.ws, catalog.KindProduct, it.ID, 0)
	if err != nil || truncated || int64(len(steps)) != it.Version {
		c.t.Fatalf("item %s of version %d has %d steps, truncated %t: %v", it.SKU, it.Version, len(steps), truncated, err)
	}
	by := make(map[int64]bool)
	for i := range steps {
		by[steps[i].Import.No] = true
		made := i == len(steps)-1
		if (steps[i].Outcome == catalog.Created) != made {
			c.t.Fatalf("item %s: step %d of %d is %s", it.SKU, i, len(steps), steps[i].Outcome)
		}
	}
	if steps[0].Import.No != it.ImportNo || len(by) != len(steps) {
		c.t.Fatalf("item %s was last written by import %d; its history says %d, and has %d imports in %d steps", it.SKU, it.ImportNo, steps[0].Import.No, len(by), len(steps))
	}
	for no := range prices {
		if !by[no] {
			c.t.Fatalf("item %s does not know of import %d", it.SKU, no)
		}
	}
}

// TestASmallImportOvertakes starts a small import behind a big one, which is still
// at work when the small one has ended.
func TestASmallImportOvertakes(t *testing.T) {
	rows := uint64(100_000)
	if soakOf(t).rounds > 0 {
		rows = 1_000_000
	}
	dir := t.TempDir()
	big, small := filepath.Join(dir, "big.csv"), filepath.Join(dir, "small.csv")
	if _, err := catalogen.WriteFile(big, catalogen.Config{Rows: rows, Seed: 11}, nil); err != nil {
		t.Fatal(err)
	}
	writeCatalog(t, small, catalogen.Config{Rows: 200, Seed: 12})
	c := newCluster(t, "")
	serving, other := c.begin("serve"), c.begin("work")
	c.ready(serving, other)
	bigID := c.mustSend(serving, big)
	c.until("the big import is at work", func() bool { return c.doneBatches(bigID) > 0 })
	began := time.Now()
	imp := c.ended(c.mustSend(serving, small))
	took := time.Since(began).Round(10 * time.Millisecond)
	at, ok := c.imp(bigID)
	if !ok || at.State != store.Running {
		t.Errorf("the big import is %q when the small one has ended", at.State)
	}
	if imp.Tally.Created != 200 {
		t.Errorf("the small import: %+v", imp.Tally)
	}
	t.Logf("200 rows behind %d took %s; %d of the big import's were done then", rows, took, at.Tally.Rows())
}
