package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// dumped is a table of a workspace: how its rows are read, in the order of a
// dump, what each of them is, and how many are fetched at once.
type dumped struct {
	query string
	scan  func(pgx.Rows) (store.Record, error)
	rows  int
}

// fetchRows is how many rows are fetched at once, fetchBodies how many of those
// that may be large.
const (
	fetchRows   = 1000
	fetchBodies = 32
)

// tables are those of a workspace in the order of a dump.
var tables = []dumped{
	{selectKey + ` WHERE ws = $1 ORDER BY id`, record(scanKey, func(r *store.Record, k *store.Key) { r.Key = k }), fetchRows},
	{selectUser + ` ORDER BY id`, record(scanUser, func(r *store.Record, u *store.User) { r.User = u }), fetchRows},
	{`SELECT ` + importColumns + ` FROM import i WHERE i.ws = $1 ORDER BY i.no`, record(scanImport, func(r *store.Record, imp *store.Import) { r.Import = imp }), fetchRows},
	{`SELECT ` + batchColumns + ` FROM batch b WHERE b.ws = $1 ORDER BY b.import_no, b.pass, b.no`, record(scanBatch, func(r *store.Record, b *store.Batch) {
		b.JobID, r.Batch = 0, b
	}), fetchRows},
	{selectWholePages, record(scanPage, func(r *store.Record, p *ledger.Page) { r.Page = p }), fetchBodies},
	{`SELECT import_no, row_no, cells::text, made_by, made_at FROM correction WHERE ws = $1 ORDER BY import_no, row_no`,
		recordOfImport(scanCorrection, func(r *store.Record, c *store.Correction) { r.Correction = c }), fetchRows},
	{`SELECT import_no, no, code, heading, old, new, since, made_by, made_at FROM fix WHERE ws = $1 ORDER BY import_no, no`,
		recordOfImport(scanFix, func(r *store.Record, f *store.Fix) { r.Fix = f }), fetchRows},
	{`SELECT key, hash, status, began_at, beat, header, body FROM request WHERE ws = $1 AND NOT ` + inFlight + ` ORDER BY began_at, key`,
		record(scanRequest, func(r *store.Record, q *store.Request) { r.Request = q }), fetchBodies},
	{`SELECT no, ` + auditColumns + ` FROM audit WHERE ws = $1 ORDER BY no`, record(scanAudit, func(r *store.Record, e *store.AuditEntry) { r.Audit = e }), fetchRows},
	{`SELECT ` + itemColumns + ` FROM item i WHERE i.ws = $1 ORDER BY i.kind, i.id`, scanItemRecord, fetchRows},
}

const selectWholePages = `SELECT import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, coalesce(causes, ''), coalesce(fields, ''), digest, outcomes, images
FROM page WHERE ws = $1 ORDER BY import_no, pass, batch, seq`

// record makes a scanner of records of one of things.
func record[T any](scan func(pgx.Row) (T, error), put func(*store.Record, *T)) func(pgx.Rows) (store.Record, error) {
	return func(rows pgx.Rows) (store.Record, error) { return recordOf(rows, scan, put) }
}

// recordOfImport is record for rows that begin with the import's number.
func recordOfImport[T any](scan func(pgx.Row) (T, error), put func(*store.Record, *T)) func(pgx.Rows) (store.Record, error) {
	return func(rows pgx.Rows) (store.Record, error) {
		var no int64
		r, err := recordOf(behind{rows, &no}, scan, put)
		r.ImportNo = no
		return r, err
	}
}

func recordOf[T any](row pgx.Row, scan func(pgx.Row) (T, error), put func(*store.Record, *T)) (r store.Record, err error) {
	v, err := scan(row)
	put(&r, &v)
	return r, err
}

// behind scans a row whose first column is not the scanner's.
type behind struct {
	row   pgx.Row
	first any
}

func (b behind) Scan(dest ...any) error {
	return b.row.Scan(append([]any{b.first}, dest...)...)
}

func scanItemRecord(rows pgx.Rows) (store.Record, error) {
	it := itemFrom(rows.RawValues())
	it.Handle = 0
	return store.Record{Item: &it}, nil
}

// Dump implements store.Store.
func (r reader) Dump(ctx context.Context, fn func(store.Record) error) error {
	return r.atOneMoment(ctx, beginStill, func(still reader) error {
		id, err := still.Installation(ctx)
		if err != nil {
			return wrap("dump", err)
		}
		if err := fn(store.Record{Installation: &id}); err != nil {
			return err
		}
		workspaces, err := collect(ctx, still.q, scanWorkspace, selectWorkspace+` ORDER BY ws`)
		if err != nil {
			return wrap("dump", err)
		}
		for i := range workspaces {
			w := &workspaces[i]
			if err := fn(store.Record{WS: w.WS, Workspace: w}); err != nil {
				return err
			}
			for n, t := range tables {
				if err := still.dump(ctx, w.WS, fmt.Sprintf("dump_%d", n), t, fn); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// dump calls fn with the rows of one table, through a cursor: each statement is
// short, whatever the table and however long fn takes.
func (r reader) dump(ctx context.Context, ws store.WS, cursor string, t dumped, fn func(store.Record) error) error {
	if err := r.command(ctx, `DECLARE `+cursor+` NO SCROLL CURSOR FOR `+t.query, ws); err != nil {
		return wrap("dump", err)
	}
	fetch := fmt.Sprintf("FETCH %d FROM %s", t.rows, cursor)
	for {
		n, err := r.fetch(ctx, fetch, ws, t, fn)
		if err != nil {
			return err
		}
		if n < t.rows {
			return wrap("dump", r.command(ctx, `CLOSE `+cursor))
		}
	}
}

// command runs a statement that returns no rows, on what can only be read from.
func (r reader) command(ctx context.Context, query string, args ...any) error {
	rows, err := r.q.Query(ctx, query, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	return interpret(ctx, err, nil)
}

// fetch calls fn with the rows that come next, and counts them.
func (r reader) fetch(ctx context.Context, query string, ws store.WS, t dumped, fn func(store.Record) error) (n int, err error) {
	rows, err := r.q.Query(ctx, query, pgx.QueryExecModeDescribeExec)
	if err != nil {
		return 0, wrap("dump", interpret(ctx, err, nil))
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		rec, err := t.scan(rows)
		if err != nil {
			return n, wrap("dump", interpret(ctx, err, nil))
		}
		rec.WS = ws
		if err := fn(rec); err != nil {
			return n, err
		}
	}
	return n, wrap("dump", interpret(ctx, rows.Err(), nil))
}

// Restore and Abandon implement store.Store.

func (snapshot) Restore(context.Context, func() (store.Record, error)) error { return errStill }
func (snapshot) Abandon(context.Context) error                               { return errStill }
