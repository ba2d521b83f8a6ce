package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// open returns a store with one workspace that holds products with these
// documents.
func open(t *testing.T, docs ...catalog.Doc) (*sqlite.DB, store.WS) {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ws, err := db.CreateWorkspace(ctx, store.Workspace{Name: "test", CreatedAt: time.UnixMilli(0)})
	if err != nil {
		t.Fatal(err)
	}
	items := make([]catalog.Item, len(docs))
	for i, d := range docs {
		items[i] = catalog.Item{ID: fmt.Sprintf("id-%05d", i+1), Kind: catalog.KindProduct, SKU: d.Text("sku"), Doc: d, Version: 1}
	}
	err = db.Write(ctx, ws.WS, false, func(tx store.Tx) error { return tx.Insert(ctx, db.Prepare(ws.WS, items)) })
	if err != nil {
		t.Fatal(err)
	}
	return db, ws.WS
}

func write(t *testing.T, opt Options, docs ...catalog.Doc) (string, Report) {
	t.Helper()
	db, ws := open(t, docs...)
	var out bytes.Buffer
	rep, err := Items(context.Background(), db, ws, catalog.KindProduct, &out, opt)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), rep
}

// cellsOf reads the cells of one column.
func cellsOf(t *testing.T, file, column string) []string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range records[0] {
		if name != column {
			continue
		}
		var cells []string
		for _, r := range records[1:] {
			cells = append(cells, r[i])
		}
		return cells
	}
	t.Fatalf("no column %s in %v", column, records[0])
	return nil
}

// TestColumns checks the order of columns, and that a file without items is
// still a template.
func TestColumns(t *testing.T) {
	file, rep := write(t, Options{Format: CSV})
	want := "id,sku,ean,title,asin,brand,category,collections,commodity_type,description,external_ref,images,list_price,mpn,price,currency,slug,status,stock,tags,type,weight\r\n"
	if file != want || rep.Items != 0 {
		t.Errorf("%d items\n%swant\n%s", rep.Items, file, want)
	}
	file, _ = write(t, Options{Format: CSV},
		`{"attributes.size":"L","sku":"1","title":"A","title@fr":"B"}`, `{"attributes.color":"red","attributes.color@fr":"rouge","sku":"2","title":"C"}`)
	want = "id,sku,ean,title,title@fr,asin,attributes.color,attributes.color@fr,attributes.size,brand,"
	if !strings.HasPrefix(file, want) {
		t.Errorf("%s\nwant\n%s", file, want)
	}
}

func TestMoneyInCSV(t *testing.T) {
	file, _ := write(t, Options{Format: CSV},
		`{"list_price":"35.00 EUR","price":"29.90 EUR","sku":"1","title":"A"}`,
		`{"list_price":"35.00 USD","price":"29.90 EUR","sku":"2","title":"A"}`,
		`{"price":"1.234 KWD","sku":"3","title":"A","weight":1.234}`,
		`{"list_price":"5 JPY","sku":"4","title":"A"}`,
		`{"sku":"5","title":"A"}`)
	for column, want := range map[string][]string{
		"price":      {"29.90", "29.90 EUR", "1.2340", "", ""},
		"list_price": {"35.00", "35.00 USD", "", "5", ""},
		"currency":   {"EUR", "", "KWD", "JPY", ""},
		"weight":     {"", "", "1.2340", "", ""},
	} {
		if diff := cmp.Diff(want, cellsOf(t, file, column)); diff != "" {
			t.Errorf("%s: -want +got\n%s", column, diff)
		}
	}
}

// TestGuard checks which cells get a quote in front: SKUs always, because the
// importer takes it away again, other texts in files for spreadsheets alone.
func TestGuard(t *testing.T) {
	docs := []catalog.Doc{`{"sku":"-A","title":"=1+1"}`, `{"sku":"-5","title":"+49 30"}`, `{"sku":"A","title":"'=1"}`}
	plain, _ := write(t, Options{Format: CSV}, docs...)
	sheet, _ := write(t, Options{Format: CSV, Spreadsheet: true}, docs...)
	if !strings.HasPrefix(sheet, "\ufeffid,") || strings.HasPrefix(plain, "\ufeff") {
		t.Error("a byte-order mark stands in front of files for spreadsheets alone")
	}
	sheet = strings.TrimPrefix(sheet, "\ufeff")
	for _, c := range []struct {
		name, file, column string
		want               []string
	}{
		{"plain", plain, "sku", []string{"'-A", "-5", "A"}},
		{"plain", plain, "title", []string{"=1+1", "+49 30", "'=1"}},
		{"sheet", sheet, "sku", []string{"'-A", "-5", "A"}},
		{"sheet", sheet, "title", []string{"'=1+1", "'+49 30", "''=1"}},
	} {
		if diff := cmp.Diff(c.want, cellsOf(t, c.file, c.column)); diff != "" {
			t.Errorf("%s %s: -want +got\n%s", c.name, c.column, diff)
		}
	}
}

// TestBent checks that a list that CSV cannot carry is told.
func TestBent(t *testing.T) {
	docs := []catalog.Doc{`{"sku":"1","tags":["a","b"],"title":"A"}`, `{"sku":"2","tags":["a|b"],"title":"A"}`}
	_, rep := write(t, Options{Format: CSV}, docs...)
	if rep != (Report{Items: 2, Bent: 1, FirstBent: "id-00002 tags"}) {
		t.Errorf("%+v", rep)
	}
	if _, rep = write(t, Options{Format: JSON}, docs...); rep.Bent != 0 {
		t.Errorf("JSON bends nothing: %+v", rep)
	}
}

func TestJSON(t *testing.T) {
	file, _ := write(t, Options{Format: JSON},
		`{"attributes.color":"red","attributes.color@fr":"rouge","brand":"B \"x\"","images":["https://example.com/a"],"price":"29.90 EUR","sku":"1","stock":7,"title":"A","weight":1.234}`,
		`{"list_price":"35.00 USD","price":"29.90 EUR","sku":"2","title":"A"}`,
		`{"attributes.size":"L","sku":"3","title":"A"}`)
	want := `[
{"id":"id-00001","currency":"EUR","attributes":{"color":"red","color@fr":"rouge"},"brand":"B \"x\"","images":["https://example.com/a"],"price":29.90,"sku":"1","stock":7,"title":"A","weight":1.234},
{"id":"id-00002","list_price":"35.00 USD","price":"29.90 EUR","sku":"2","title":"A"},
{"id":"id-00003","attributes":{"size":"L"},"sku":"3","title":"A"}
]
`
	if diff := cmp.Diff(want, file); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	file, _ = write(t, Options{Format: JSON})
	if !json.Valid([]byte(file)) {
		t.Errorf("no items: %q", file)
	}
}

// TestManyPages checks that no item is lost or written twice where pages meet.
func TestManyPages(t *testing.T) {
	for _, n := range []int{pageSize - 1, pageSize, pageSize + 1, 2 * pageSize} {
		docs := make([]catalog.Doc, n)
		for i := range docs {
			docs[i] = catalog.Doc(fmt.Sprintf(`{"sku":"S%05d","title":"A"}`, i))
		}
		file, rep := write(t, Options{Format: CSV}, docs...)
		skus := cellsOf(t, file, "sku")
		if rep.Items != int64(n) || len(skus) != n {
			t.Fatalf("%d items of %d, %d rows", rep.Items, n, len(skus))
		}
		for i, s := range skus {
			if s != fmt.Sprintf("S%05d", i) {
				t.Fatalf("row %d of %d is %s", i, n, s)
			}
		}
	}
}

// TestOtherWorkspace checks that a workspace's file holds nothing of another's.
func TestOtherWorkspace(t *testing.T) {
	db, ws := open(t, `{"sku":"1","title":"A"}`)
	var out bytes.Buffer
	rep, err := Items(context.Background(), db, ws+1, catalog.KindProduct, &out, Options{Format: CSV})
	if err != nil || rep.Items != 0 {
		t.Errorf("%v %+v\n%s", err, rep, out.String())
	}
}

// TestFullDisk checks that a writer that takes no more ends the export.
func TestFullDisk(t *testing.T) {
	db, ws := open(t, `{"sku":"1","title":"A"}`)
	for _, f := range []Format{CSV, JSON, "nonsense"} {
		if _, err := Items(context.Background(), db, ws, catalog.KindProduct, full{}, Options{Format: f}); err == nil {
			t.Errorf("%s: no error", f)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no room") }
