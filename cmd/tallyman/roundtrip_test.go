package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
	"tallyman/internal/config"
	"tallyman/internal/export"
	"tallyman/internal/store"
)

// TestExportImportsBackUnchanged holds the law of exports: whatever is in the
// catalog, its CSV file changes nothing when it is imported.
func TestExportImportsBackUnchanged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := testDesk(t, nil)
	no := 0
	rapid.Check(t, func(rt *rapid.T) {
		no++
		ws, err := d.node.accounts.CreateWorkspace(ctx, fmt.Sprintf("w%d", no), "")
		if err != nil {
			rt.Fatal(err)
		}
		items := anyItems(rt)
		insert(rt, d.node, ws.WS, items)
		var file bytes.Buffer
		if _, err := export.Items(ctx, d.node.store, ws.WS, catalog.KindProduct, &file, export.Options{Format: export.CSV}); err != nil {
			rt.Fatal(err)
		}
		v := importHere(rt, &localDesk{node: d.node, ws: ws}, file.String())
		if v.UnchangedRows != int64(len(items)) || v.TotalRows != int64(len(items)) {
			problems, _ := (&localDesk{node: d.node, ws: ws}).problems(ctx, v.ID, problemFilter{}, 5)
			rt.Fatalf("%d items, %+v\n%+v\n%s", len(items), v, problems, file.String())
		}
	})
}

// TestExportMovesACatalog holds the other half of that law: imported into an
// empty workspace the file makes the same documents, so no property is left out.
func TestExportMovesACatalog(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := testDesk(t, nil)
	no := 0
	rapid.Check(t, func(rt *rapid.T) {
		no++
		from, err := d.node.accounts.CreateWorkspace(ctx, fmt.Sprintf("from%d", no), "")
		if err != nil {
			rt.Fatal(err)
		}
		to, err := d.node.accounts.CreateWorkspace(ctx, fmt.Sprintf("to%d", no), "")
		if err != nil {
			rt.Fatal(err)
		}
		insert(rt, d.node, from.WS, anyItems(rt))
		var file bytes.Buffer
		if _, err := export.Items(ctx, d.node.store, from.WS, catalog.KindProduct, &file, export.Options{Format: export.CSV}); err != nil {
			rt.Fatal(err)
		}
		importHere(rt, &localDesk{node: d.node, ws: to}, file.String())
		if diff := cmp.Diff(documents(rt, d.node, from.WS), documents(rt, d.node, to.WS)); diff != "" {
			rt.Fatalf("-exported +imported\n%s\n%s", diff, file.String())
		}
	})
}

// documents are a workspace's documents in order.
func documents(t *rapid.T, n *node, ws store.WS) []string {
	items, err := n.store.Items(context.Background(), ws, store.ItemFilter{}, store.Range{})
	if err != nil {
		t.Fatal(err)
	}
	docs := make([]string, len(items))
	for i := range items {
		docs[i] = string(items[i].Doc)
	}
	slices.Sort(docs)
	return docs
}

// testDesk is a node of its own that works on imports.
func testDesk(t *testing.T, probe func(step string)) *localDesk {
	t.Helper()
	p := &program{stderr: io.Discard, now: time.Now, probe: probe}
	set, err := (&place{Storage: config.Storage{Data: t.TempDir()}, Workspace: store.DefaultWorkspace}).settings(p)
	if err != nil {
		t.Fatal(err)
	}
	n, err := openOwner(context.Background(), p, set, "test")
	if err != nil {
		t.Fatal(err)
	}
	d, err := n.desk(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return d.(*localDesk)
}

func importHere(t *rapid.T, d *localDesk, file string) view {
	ctx := context.Background()
	v, err := d.start(ctx, upload{name: "export.csv", body: strings.NewReader(file)})
	for err == nil && !v.ended() {
		v, err = d.wait(ctx, v)
	}
	if err != nil {
		t.Fatalf("import: %v\n%s", err, file)
	}
	return v
}

func insert(t *rapid.T, n *node, ws store.WS, items []catalog.Item) {
	ctx := context.Background()
	err := n.store.Write(ctx, ws, false, func(tx store.Tx) error {
		return tx.Insert(ctx, n.store.Prepare(ws, items))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// anyItems draws a catalog that imports could have made.
func anyItems(t *rapid.T) []catalog.Item {
	n := rapid.IntRange(1, 12).Draw(t, "items")
	items := make([]catalog.Item, 0, n)
	for i := range n {
		items = append(items, anyItem(t, i))
	}
	return items
}

var (
	currencies = []string{"EUR", "USD", "JPY", "KWD"}
	words      = rapid.OneOf(
		rapid.SampledFrom([]string{"=1+1", "'=1+1", "+49 30 1234", "-", "@home", "a,b", "a;b;c", "a\tb", `say "yes"`, `"`, `""`, "two\nlines", "two\r\nlines", "#1", "1.234", "0012", "TRUE", "a=b", "’", "x'"}),
		rapid.StringOfN(rapid.RuneFrom([]rune("abcäß,;|\t\"'=+-@\n \u00a0漢😀1.")), 1, 12, -1),
	)
)

// text draws a text as the catalog holds it: without blanks round it.
func text(t *rapid.T, label string) string {
	s := strings.TrimFunc(words.Draw(t, label), unicode.IsSpace)
	if s == "" {
		return "x"
	}
	return s
}

func anyItem(t *rapid.T, i int) catalog.Item {
	values := map[string]catalog.Value{"title": {Type: catalog.Text, Text: text(t, "title")}}
	it := catalog.Item{ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", i), Kind: catalog.KindProduct, Version: 1,
		CreatedAt: time.UnixMilli(0), UpdatedAt: time.UnixMilli(0)}
	if rapid.Bool().Draw(t, "has sku") {
		it.SKU = fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"A-", "-", "=", "+", "0", "é ", "1E"}).Draw(t, "sku"), i)
		values[catalog.PropSKU] = catalog.Value{Type: catalog.Text, Text: it.SKU}
	}
	if it.SKU == "" || rapid.Bool().Draw(t, "has ean") {
		body := fmt.Sprintf("40063813%04d", i)
		given := body + string(catalog.CheckDigit(body))
		it.GTIN = catalog.GTINKey(given)
		values[catalog.PropGTIN] = catalog.Value{Type: catalog.GTINText, Text: given}
	}
	optional := func(name string, value func() catalog.Value) {
		if rapid.Bool().Draw(t, "has "+name) {
			values[name] = value()
		}
	}
	optional("description", func() catalog.Value { return catalog.Value{Type: catalog.RichText, Text: text(t, "description")} })
	optional("title@fr", func() catalog.Value { return catalog.Value{Type: catalog.Text, Text: text(t, "title@fr")} })
	optional("attributes.color", func() catalog.Value { return catalog.Value{Type: catalog.Text, Text: text(t, "color")} })
	optional("attributes.Größe, cm", func() catalog.Value { return catalog.Value{Type: catalog.Text, Text: text(t, "size")} })
	optional("price", func() catalog.Value { return anyMoney(t) })
	optional("list_price", func() catalog.Value { return anyMoney(t) })
	optional("stock", func() catalog.Value {
		return catalog.Value{Type: catalog.Integer, Text: fmt.Sprint(rapid.IntRange(0, 100_000).Draw(t, "stock"))}
	})
	optional("weight", func() catalog.Value {
		return catalog.Value{Type: catalog.Decimal, Text: rapid.SampledFrom([]string{"1.234", "0.5", "12", "1234.5", "0.125"}).Draw(t, "weight")}
	})
	optional("tags", func() catalog.Value { return anyList(t, catalog.Text, "a", "=b", "c, d", `e"f`) })
	optional("type", func() catalog.Value { return catalog.Value{Type: catalog.Text, Text: text(t, "type")} })
	optional("collections", func() catalog.Value { return anyList(t, catalog.Reference, "summer", "=sale", "a, b", "é") })
	optional("commodity_type", func() catalog.Value {
		return catalog.Value{Type: catalog.Enum, Text: rapid.SampledFrom([]string{"physical", "digital"}).Draw(t, "commodity_type")}
	})
	optional("images", func() catalog.Value {
		return anyList(t, catalog.Image, "https://example.com/a.jpg", "https://example.com/b.jpg?x=1,2&y=\"3")
	})
	it.Doc = document(values)
	return it
}

func anyMoney(t *rapid.T) catalog.Value {
	currency := rapid.SampledFrom(currencies).Draw(t, "currency")
	amount := map[string][]string{"JPY": {"1234", "5"}, "KWD": {"1.234", "0.500", "1234.567"}}[currency]
	if amount == nil {
		amount = []string{"1.50", "1234.00", "0.05"}
	}
	return catalog.Value{Type: catalog.Money, Text: rapid.SampledFrom(amount).Draw(t, "amount") + " " + currency}
}

func anyList(t *rapid.T, typ catalog.Type, from ...string) catalog.Value {
	return catalog.Value{Type: typ, IsList: true, List: rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, "list")}
}

// document writes a canonical document.
func document(values map[string]catalog.Value) catalog.Doc {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(catalog.AppendQuoted(b, name), ':')
		b = values[name].AppendJSON(b)
	}
	return catalog.Doc(append(b, '}'))
}
