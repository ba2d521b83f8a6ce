package postgres

import (
	"context"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// Changed items go through a table of each writer's own connection: COPY is the
// fastest way in, and one statement takes them over. Documents are not
// compressed on the way.
const (
	makeStaging = `
CREATE TEMP TABLE item_change (
  nid bigint, hash bigint, import_no bigint, row_no bigint, version bigint, updated_at bigint, gtin bigint, gtin_seq bigint,
  kind smallint, live_state smallint, sku text COLLATE "C", slug text COLLATE "C", ref text COLLATE "C", doc text COLLATE "C", live text COLLATE "C"
) ON COMMIT DELETE ROWS;
ALTER TABLE item_change ALTER COLUMN doc SET STORAGE EXTERNAL, ALTER COLUMN live SET STORAGE EXTERNAL;`

	changeColumnCount = 15

	copyChanges  = `COPY pg_temp.item_change FROM STDIN (FORMAT binary)`
	emptyStaging = `TRUNCATE pg_temp.item_change`

	// stagedPlaces finds the staged items that are still as they were read, each by
	// its handle. One that another transaction changes meanwhile has another version
	// then, and is not counted. The place is for the plan alone: a server may look for
	// it no more once it has waited for the row, and where a table is in parts, it is
	// one of each part.
	stagedPlaces = `(SELECT c.*, l.place FROM pg_temp.item_change c CROSS JOIN LATERAL (
	SELECT ctid AS place FROM item WHERE ws = $1 AND nid = c.nid AND version = c.version - 1 OFFSET 0) l OFFSET 0) n
WHERE i.ctid = n.place AND i.ws = $1 AND i.nid = n.nid AND i.version = n.version - 1 AND i.kind = n.kind`

	// updateItems writes the staged items. To set a column to what it is costs
	// nothing.
	updateItems = `UPDATE item i SET doc = n.doc, live_state = n.live_state, live = n.live, hash = n.hash, import_no = n.import_no, row_no = n.row_no,
	updated_at = n.updated_at, version = n.version, sku = n.sku, slug = n.slug, ref = n.ref, gtin = n.gtin, gtin_seq = n.gtin_seq
FROM ` + stagedPlaces

	// updateContent leaves out those whose keys change too.
	updateContent = updateItems + `
	AND (i.sku, i.slug, i.ref, i.gtin, i.gtin_seq) IS NOT DISTINCT FROM (n.sku, n.slug, n.ref, n.gtin, n.gtin_seq)`

	// releaseKeys frees keys of the staged items, so that they can hand them to
	// each other.
	releaseKeys = `UPDATE item i SET sku = NULL, slug = NULL, ref = NULL, gtin = NULL FROM ` + stagedPlaces
)

// Update implements store.Tx.
func (t *tx) Update(ctx context.Context, items []catalog.Item) error {
	if len(items) == 0 {
		return nil
	}
	data, err := changes(items)
	if err != nil {
		return fmt.Errorf("update items: %w", err)
	}
	return t.do(ctx, "update items", store.ErrConflict, func() error {
		if t.staged {
			if _, err := t.pg.Exec(ctx, emptyStaging); err != nil {
				return err
			}
		}
		t.staged = true
		if err := copyIn(ctx, t.pg.Conn().PgConn(), data, copyChanges); err != nil {
			return err
		}
		tag, err := t.pg.Exec(ctx, updateContent, t.ws)
		if err != nil {
			return err
		}
		return t.rekey(ctx, len(items)-int(tag.RowsAffected()))
	})
}

// rekey writes the staged items that are left, whose keys change. All of them
// let go of their old keys before the first takes a new one: whether a key is free
// must not depend on the order of the items.
func (t *tx) rekey(ctx context.Context, left int) error {
	if left == 0 {
		return nil
	}
	if left > 1 {
		if err := t.mustChange(ctx, left, releaseKeys, t.ws); err != nil {
			return err
		}
	}
	return t.mustChange(ctx, left, updateItems, t.ws)
}

// changes are the items' rows of the staging table.
func changes(items []catalog.Item) (*copyData, error) {
	d := newCopyData(rowsSize(items))
	for i := range items {
		it := &items[i]
		d.row(changeColumnCount)
		d.int64(it.Handle)
		d.int64(it.Hash)
		d.int64(it.ImportNo)
		d.int64(it.Row)
		d.int64(it.Version)
		d.int64(millis(it.UpdatedAt))
		if err := d.gtin(it); err != nil {
			return nil, err
		}
		d.int16(int16(it.Kind))
		d.int16(int16(it.Live.State))
		d.keyTexts(it)
		d.text(string(it.Doc))
		d.textOrNull(string(it.Live.Doc))
	}
	d.end()
	return d, nil
}

// mustChange runs a statement that changes so many rows unless one moved.
func (t *tx) mustChange(ctx context.Context, rows int, query string, args ...any) error {
	tag, err := t.pg.Exec(ctx, query, args...)
	if err == nil && tag.RowsAffected() != int64(rows) {
		return fmt.Errorf("%w: %d of %d items are no longer as they were read", store.ErrRetry, int64(rows)-tag.RowsAffected(), rows)
	}
	return err
}
