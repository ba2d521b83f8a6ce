package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// The benchmarks work in chunks of chunkRows, one an iteration: -benchtime 50x
// is 100,000 rows. With TALLYMAN_BENCH_DB set, BenchmarkInsert leaves its file
// there, to be compared with what the sqlite3 shell's .import does with the
// same rows.
const chunkRows = 2000

var benchTime = time.UnixMilli(1770000000000).UTC()

// benchItem is the n-th of a catalog of products whose SKUs are in no order
// and whose documents have about 600 bytes.
func benchItem(n int) catalog.Item {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	gtin := fmt.Sprintf("%014d", 4000000000000+int64(n%10)*100000000000+int64(n)*7919%1000000000*10)
	sku := fmt.Sprintf("%c%c%c-%07d-BK", 'A'+rune(r.IntN(26)), 'A'+rune(r.IntN(26)), 'A'+rune(r.IntN(26)), n)
	const words = "durable lightweight design built for everyday use with reinforced seams and a soft grip handle made from recycled material easy to clean dishwasher safe fits most standard sizes includes two year warranty "
	from := r.IntN(40)
	var b strings.Builder
	b.WriteString(`{"attributes.color":"navy blue","brand":"Kärcher & Söhne","category":"Home & Kitchen/Cookware","description":"`)
	b.WriteString(words[from:])
	b.WriteString(words[:100+r.IntN(80)])
	fmt.Fprintf(&b, `","ean":"%s","images":["https://img.example.com/p/%d/B0%d.jpg"],"price":"29.90 EUR","sku":"%s","stock":12,"title":"Acme Ultra Kettle %d","weight":12.345}`, gtin[1:], n%1000, n, sku, n)
	return catalog.Item{ID: fmt.Sprintf("prd_01JD%022d", n), Kind: catalog.KindProduct, SKU: sku, GTIN: gtin, Doc: catalog.Doc(b.String()),
		Hash: int64(r.Uint64()), Version: 1, ImportNo: 1, Row: int64(n) + 2, CreatedNo: 1, CreatedAt: benchTime, UpdatedAt: benchTime}
}

// benchChunk is the chunk of that number, sorted by its match key.
func benchChunk(chunk int) []catalog.Item {
	items := make([]catalog.Item, chunkRows)
	for i := range items {
		items[i] = benchItem(chunk*chunkRows + i)
	}
	slices.SortFunc(items, func(a, b catalog.Item) int { return strings.Compare(a.SKU, b.SKU) })
	return items
}

// produce makes values beside the goroutine that measures, as the decoder does.
func produce[T any](n int, f func(int) T) <-chan T {
	c := make(chan T, 2)
	go func() {
		defer close(c)
		for i := range n {
			c <- f(i)
		}
	}()
	return c
}

type bench struct {
	*testing.B
	db *sqlite.DB
	ws store.WS
}

func newBench(b *testing.B) *bench {
	path := os.Getenv("TALLYMAN_BENCH_DB")
	if path == "" {
		path = filepath.Join(b.TempDir(), "t.db")
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + suffix)
	}
	db := open(b, path, sqlite.Options{})
	ws, err := db.CreateWorkspace(context.Background(), store.Workspace{Name: store.DefaultWorkspace, CreatedAt: benchTime})
	if err != nil {
		b.Fatal(err)
	}
	return &bench{B: b, db: db, ws: ws.WS}
}

func (b *bench) write(fn func(context.Context, store.Tx) error) {
	ctx := context.Background()
	if err := b.db.Write(ctx, b.ws, false, func(tx store.Tx) error { return fn(ctx, tx) }); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) fill(chunks int) {
	for p := range produce(chunks, func(i int) store.Prepared { return b.db.Prepare(b.ws, benchChunk(i)) }) {
		b.write(func(ctx context.Context, tx store.Tx) error { return tx.Insert(ctx, p) })
	}
}

func (b *bench) report() {
	b.ReportMetric(float64(b.N)*chunkRows/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkInsert(b *testing.B) {
	w := newBench(b)
	b.ResetTimer()
	w.fill(b.N)
	w.report()
}

func BenchmarkPrepare(b *testing.B) {
	w := newBench(b)
	chunk := benchChunk(0)
	b.ReportAllocs()
	for b.Loop() {
		w.db.Prepare(w.ws, chunk)
	}
	w.report()
}

// BenchmarkFind looks every key of a catalog of 100,000 up, chunk by chunk, and
// writes a page for each, which is all that the same file again asks for.
func BenchmarkFind(b *testing.B) {
	const chunks = 50
	for _, field := range []catalog.KeyField{catalog.KeySKU, catalog.KeyGTIN} {
		b.Run(field.String(), func(b *testing.B) {
			w := newBench(b)
			w.fill(chunks)
			var keys [chunks][]string
			for i := range keys {
				for _, it := range benchChunk(i) {
					keys[i] = append(keys[i], it.Get(field))
				}
				slices.Sort(keys[i])
			}
			body := []byte(strings.Repeat("0123456789", chunkRows))
			b.ResetTimer()
			for i := range b.N {
				w.write(func(ctx context.Context, tx store.Tx) error {
					found, err := tx.Find(ctx, catalog.KindProduct, field, keys[i%chunks])
					if err != nil || len(found) != chunkRows {
						return fmt.Errorf("found %d: %w", len(found), err)
					}
					return tx.InsertPage(ctx, &ledger.Page{ImportNo: 2, Pass: ledger.PassApply, Batch: 1, Seq: i, Rows: chunkRows, Outcomes: body})
				})
			}
			w.report()
		})
	}
}

// BenchmarkUpdate finds, reads and writes whole chunks of a catalog of 100,000.
func BenchmarkUpdate(b *testing.B) {
	const chunks = 50
	w := newBench(b)
	w.fill(chunks)
	var keys [chunks][]string
	for i := range keys {
		for _, it := range benchChunk(i) {
			keys[i] = append(keys[i], it.SKU)
		}
	}
	b.ResetTimer()
	for i := range b.N {
		w.write(func(ctx context.Context, tx store.Tx) error {
			found, err := tx.Find(ctx, catalog.KindProduct, catalog.KeySKU, keys[i%chunks])
			if err != nil {
				return err
			}
			handles := make([]int64, len(found))
			for j, f := range found {
				handles[j] = f.Handle
			}
			items, err := tx.Read(ctx, catalog.KindProduct, handles)
			if err != nil {
				return err
			}
			for j := range items {
				items[j].Version++
				items[j].Doc = items[j].Doc[:len(items[j].Doc)-2] + "7}"
			}
			return tx.Update(ctx, items)
		})
	}
	w.report()
}
