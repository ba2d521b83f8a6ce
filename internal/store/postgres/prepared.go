package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

const (
	insertColumns     = "ws, hash, import_no, row_no, version, created_no, created_at, updated_at, gtin, gtin_seq, kind, live_state, id, sku, slug, ref, doc, live"
	insertColumnCount = 18

	copyItems = `COPY item (` + insertColumns + `) FROM STDIN (FORMAT binary)`
)

// prepared is a set of new items as COPY wants them.
type prepared struct {
	ws   store.WS
	n    int
	data *copyData
	// err is why the items cannot be stored; Insert returns it.
	err error
}

// Prepare implements store.Store: it makes the bytes that the transaction has
// only to send.
func (r reader) Prepare(ws store.WS, items []catalog.Item) store.Prepared {
	p := &prepared{ws: ws, n: len(items), data: newCopyData(rowsSize(items))}
	for i := range items {
		p.err = errors.Join(p.err, p.add(&items[i]))
	}
	p.data.end()
	return p
}

// rowsSize is how many bytes the rows of items take.
func rowsSize(items []catalog.Item) int {
	const fixed = 2 + insertColumnCount*4 + 10*8 + 2*2
	size := fixed * len(items)
	for i := range items {
		it := &items[i]
		size += len(it.ID) + len(it.SKU) + len(it.Slug) + len(it.Ref) + len(it.Doc) + len(it.Live.Doc)
	}
	return size
}

func (p *prepared) add(it *catalog.Item) error {
	d := p.data
	d.row(insertColumnCount)
	d.int64(int64(p.ws))
	d.int64(it.Hash)
	d.int64(it.ImportNo)
	d.int64(it.Row)
	d.int64(it.Version)
	d.int64(it.CreatedNo)
	d.int64(millis(it.CreatedAt))
	d.int64(millis(it.UpdatedAt))
	if err := d.gtin(it); err != nil {
		return err
	}
	d.int16(int16(it.Kind))
	d.int16(int16(it.Live.State))
	d.text(escape(it.ID))
	d.keyTexts(it)
	d.text(string(it.Doc))
	d.textOrNull(string(it.Live.Doc))
	return nil
}

// gtin writes an item's gtin and gtin_seq.
func (c *copyData) gtin(it *catalog.Item) error {
	n, ok := gtinNumber(it.GTIN)
	switch {
	case it.GTIN == "":
		c.null()
	case !ok:
		return fmt.Errorf("item %s: gtin %q is not %d digits", it.ID, it.GTIN, gtinDigits)
	default:
		c.int64(n)
	}
	seq := int64(0)
	if it.GTINShared {
		seq = shareOf(it.ID)
	}
	c.int64(seq)
	return nil
}

// keyTexts writes an item's sku, slug and ref.
func (c *copyData) keyTexts(it *catalog.Item) {
	c.textOrNull(escape(it.SKU))
	c.textOrNull(escape(it.Slug))
	c.textOrNull(escape(it.Ref))
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
	return t.do(ctx, "insert items", store.ErrConflict, func() error {
		t.inserted += p.n
		return copyIn(ctx, t.pg.Conn().PgConn(), p.data, copyItems)
	})
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

// shareOf is the number that tells an item apart from the others that share
// its GTIN. It is never 0, which says that the GTIN identifies.
func shareOf(id string) int64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return int64(h.Sum64() | 1)
}
