package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// insertSizes are the numbers of rows of one INSERT, longest first. Fifty is
// where the gain of more rows a statement ends.
var insertSizes = [...]int{50, 10, 1}

// The columns of an INSERT: those that all of its rows share, then those of a
// row. Shared values are bound once.
const (
	sharedColumns = "ws, kind, import_no, version, created_at, updated_at, created_no"
	ownColumns    = "hash, row, live_state, gtin, gtin_seq, id, sku, slug, ref, doc, live"
	sharedCount   = 7
	ownCount      = 11
)

// prepared is a set of new items as arguments of INSERTs.
type prepared struct {
	ws   store.WS
	runs []run
	// err is why the items cannot be stored; Insert returns it.
	err error
}

// run is the arguments of one INSERT.
type run struct {
	rows int
	args []driver.NamedValue
}

// shared is what the rows of one INSERT have in common.
type shared struct {
	kind                        catalog.Kind
	importNo, version           int64
	createdMillis, updateMillis int64
	createdNo                   int64
}

func sharedOf(it *catalog.Item) shared {
	return shared{it.Kind, it.ImportNo, it.Version, millis(it.CreatedAt), millis(it.UpdatedAt), it.CreatedNo}
}

// Prepare implements store.Store: it flattens the items into arguments, so
// that the transaction has only to bind them.
func (r reader) Prepare(ws store.WS, items []catalog.Item) store.Prepared {
	p := &prepared{ws: ws, runs: make([]run, 0, len(items)/insertSizes[0]+len(insertSizes))}
	for len(items) > 0 {
		common := sharedOf(&items[0])
		n := 1
		for n < len(items) && n < insertSizes[0] && sharedOf(&items[n]) == common {
			n++
		}
		for _, size := range insertSizes {
			if size <= n {
				p.add(common, items[:size])
				items = items[size:]
				break
			}
		}
	}
	return p
}

func (p *prepared) add(common shared, items []catalog.Item) {
	args := make([]driver.NamedValue, 0, sharedCount+ownCount*len(items))
	put := func(values ...driver.Value) {
		for _, v := range values {
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: v})
		}
	}
	put(int64(p.ws), int64(common.kind), common.importNo, common.version, common.createdMillis, common.updateMillis, common.createdNo)
	for i := range items {
		it := &items[i]
		gtin, seq, err := gtinColumns(it)
		if err != nil && p.err == nil {
			p.err = err
		}
		put(it.Hash, it.Row, int64(it.Live.State), gtin, seq,
			it.ID, textOrNull(it.SKU), textOrNull(it.Slug), textOrNull(it.Ref), string(it.Doc), textOrNull(string(it.Live.Doc)))
	}
	p.runs = append(p.runs, run{rows: len(items), args: args})
}

// insertItems returns the INSERT of n rows. Its conflict clause is FAIL: the
// transaction is given up when a key is taken, so SQLite need not keep a
// journal of each statement to undo it alone.
func insertItems(n int) string {
	var b strings.Builder
	b.WriteString("INSERT OR FAIL INTO item (" + sharedColumns + ", " + ownColumns + ") VALUES ")
	row := "(?1, ?2, ?3, ?4, ?5, ?6, ?7" + strings.Repeat(", ?", ownCount) + ")"
	b.WriteString(row)
	b.WriteString(strings.Repeat(", "+row, n-1))
	return b.String()
}

// Insert implements store.Tx.
func (t *tx) Insert(ctx context.Context, set store.Prepared) error {
	p, ok := set.(*prepared)
	switch {
	case !ok:
		return fmt.Errorf("insert items: they were prepared by another store: %T", set)
	case p.ws != t.ws:
		return fmt.Errorf("insert items: they were prepared for workspace %d, the transaction is of %d", p.ws, t.ws)
	case p.err != nil:
		return fmt.Errorf("insert items: %w", p.err)
	}
	return t.hot(ctx, "insert items", func(s *session) error {
		for i := range p.runs {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.insert(&p.runs[i]); err != nil {
				return err
			}
			t.items += p.runs[i].rows
		}
		return nil
	})
}

func (s *session) insert(r *run) error {
	as := shape{"insert items", r.rows}
	st := s.stmts[as]
	if st == nil {
		var err error
		if st, err = s.prepare(as, insertItems(r.rows)); err != nil {
			return err
		}
	}
	_, err := st.exec(r.args)
	return err
}

// gtinDigits is the length of a GTIN's canonical form.
const gtinDigits = 14

// gtinNumber returns a canonical GTIN as a number, and whether it is one.
func gtinNumber(gtin string) (int64, bool) {
	if len(gtin) != gtinDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(gtin, 10, 63)
	return int64(n), err == nil
}

// gtinText is gtinNumber's inverse.
func gtinText(n int64) string {
	digits := strconv.FormatInt(n, 10)
	return "00000000000000"[min(gtinDigits, len(digits)):] + digits
}

// gtinColumns returns an item's gtin and gtin_seq.
func gtinColumns(it *catalog.Item) (gtin driver.Value, seq int64, err error) {
	if it.GTINShared {
		seq = shareOf(it.ID)
	}
	if it.GTIN == "" {
		return nil, seq, nil
	}
	n, ok := gtinNumber(it.GTIN)
	if !ok {
		return nil, 0, fmt.Errorf("item %s: gtin %q is not %d digits", it.ID, it.GTIN, gtinDigits)
	}
	return n, seq, nil
}

// shareOf is the number that tells an item apart from the others that share
// its GTIN. It is never 0, which says that the GTIN identifies.
func shareOf(id string) int64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return int64(h.Sum64() | 1)
}

func textOrNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}
