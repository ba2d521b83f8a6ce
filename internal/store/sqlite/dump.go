package sqlite

import (
	"context"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// dumped is a table of a workspace: how its rows are read, in the order of a
// dump, and what each of them is.
type dumped struct {
	query string
	scan  func(scanner) (store.Record, error)
}

// tables are those of a workspace in the order of a dump.
var tables = []dumped{
	{selectKey + ` WHERE ws = ? ORDER BY id`, record(scanKey, func(r *store.Record, k *store.Key) { r.Key = k })},
	{selectUser + ` ORDER BY id`, record(scanUser, func(r *store.Record, u *store.User) { r.User = u })},
	{`SELECT ` + importColumns + ` FROM import i WHERE i.ws = ? ORDER BY i.no`, record(scanImport, func(r *store.Record, imp *store.Import) { r.Import = imp })},
	{`SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = ? ORDER BY b.import_no, b.pass, b.no`, record(scanBatch, func(r *store.Record, b *store.Batch) {
		b.JobID, r.Batch = 0, b
	})},
	{selectWholePages, record(scanPage, func(r *store.Record, p *ledger.Page) { r.Page = p })},
	{`SELECT import_no, row, cells, made_by, made_at FROM correction WHERE ws = ? ORDER BY import_no, row`,
		recordOfImport(scanCorrection, func(r *store.Record, c *store.Correction) { r.Correction = c })},
	{`SELECT import_no, no, code, heading, old, new, since, made_by, made_at FROM fix WHERE ws = ? ORDER BY import_no, no`,
		recordOfImport(scanFix, func(r *store.Record, f *store.Fix) { r.Fix = f })},
	{`SELECT key, hash, status, began_at, beat, header, body FROM request WHERE ws = ? AND NOT ` + inFlight + ` ORDER BY began_at, key`,
		record(scanRequest, func(r *store.Record, q *store.Request) { r.Request = q })},
	{`SELECT ` + auditColumns + ` FROM audit WHERE ws = ? ORDER BY no`, record(scanAudit, func(r *store.Record, e *store.AuditEntry) { r.Audit = e })},
	{`SELECT ` + itemColumns + ` FROM item INDEXED BY item_id WHERE ws = ? ORDER BY kind, id`, record(scanItem, func(r *store.Record, it *catalog.Item) {
		it.Handle, r.Item = 0, it
	})},
}

const selectWholePages = `SELECT import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, causes, fields, digest, outcomes, images
FROM page WHERE ws = ? ORDER BY import_no, pass, batch, seq`

// record makes a scanner of records of one of things.
func record[T any](scan func(scanner) (T, error), put func(*store.Record, *T)) func(scanner) (store.Record, error) {
	return func(s scanner) (r store.Record, err error) {
		v, err := scan(s)
		put(&r, &v)
		return r, err
	}
}

// recordOfImport is record for rows that begin with the import's number.
func recordOfImport[T any](scan func(scanner) (T, error), put func(*store.Record, *T)) func(scanner) (store.Record, error) {
	return func(s scanner) (store.Record, error) {
		var no int64
		r, err := record(scan, put)(behind{s, &no})
		r.ImportNo = no
		return r, err
	}
}

// behind scans a row whose first column is not the scanner's.
type behind struct {
	scanner
	first any
}

func (b behind) Scan(dest ...any) error {
	return b.scanner.Scan(append([]any{b.first}, dest...)...)
}

// Dump implements store.Store. The write-ahead log cannot be emptied while it
// reads.
func (r reader) Dump(ctx context.Context, fn func(store.Record) error) error {
	return r.atOneMoment(ctx, func(still reader) error {
		id, err := still.Installation(ctx)
		if err != nil {
			return wrap("dump", err)
		}
		if err := fn(store.Record{Installation: &id}); err != nil {
			return err
		}
		workspaces, err := collect(ctx, still.q, scanWorkspace, selectWorkspace+` ORDER BY ws`)
		if err != nil {
			return wrap("dump", interpret(err, nil))
		}
		for i := range workspaces {
			w := &workspaces[i]
			if err := fn(store.Record{WS: w.WS, Workspace: w}); err != nil {
				return err
			}
			for _, t := range tables {
				if err := still.dump(ctx, w.WS, t, fn); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// dump calls fn with the rows of one table as they are read.
func (r reader) dump(ctx context.Context, ws store.WS, t dumped, fn func(store.Record) error) error {
	rows, err := r.q.QueryContext(ctx, t.query, ws)
	if err != nil {
		return wrap("dump", interpret(err, nil))
	}
	defer rows.Close()
	for rows.Next() {
		rec, err := t.scan(rows)
		if err != nil {
			return wrap("dump", interpret(err, nil))
		}
		rec.WS = ws
		if err := fn(rec); err != nil {
			return err
		}
	}
	return wrap("dump", interpret(rows.Err(), nil))
}
