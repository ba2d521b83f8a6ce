package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// While a Restore is not at its end, there is a table of this name. It is made
// and dropped by Restore alone, so that whole databases have none.
const (
	isUnfinished   = `SELECT to_regclass('unfinished_restore') IS NOT NULL`
	markUnfinished = `CREATE TABLE unfinished_restore ()`
	markFinished   = `DROP TABLE unfinished_restore`
)

// isUsed says that the database has more than what the first start of a node puts
// into it.
const isUsed = `SELECT EXISTS (SELECT 1 FROM item) OR EXISTS (SELECT 1 FROM import) OR EXISTS (SELECT 1 FROM api_key)
	OR EXISTS (SELECT 1 FROM workspace_user) OR EXISTS (SELECT 1 FROM request) OR EXISTS (SELECT 1 FROM workspace WHERE name <> '` + store.DefaultWorkspace + `')`

// contents are all tables of which a dump has something, and what hangs on them.
var contents = []string{"item", "audit", "request", "fix", "correction", "page", "batch", "import", "import_counter", "workspace_user", "api_key", "workspace"}

// countOn makes what comes after a Restore go on behind the numbers that are
// there. Imports have counted themselves.
var countOn = []string{
	`SELECT setval(pg_get_serial_sequence('workspace', 'ws'), max(ws)) FROM workspace HAVING max(ws) IS NOT NULL`,
	`SELECT setval(pg_get_serial_sequence('audit', 'no'), max(no)) FROM audit HAVING max(no) IS NOT NULL`,
}

// newInstallation makes another database of this one.
const newInstallation = `UPDATE installation SET id = replace(gen_random_uuid()::text, '-', '')`

// whole refuses a database that a Restore left half-filled.
func (db *DB) whole(ctx context.Context) error {
	var unfinished bool
	if err := db.writers.QueryRow(ctx, isUnfinished).Scan(&unfinished); err != nil {
		return interpret(ctx, err, nil)
	}
	if unfinished {
		return store.ErrUnfinished
	}
	return nil
}

// restoreKey is the advisory lock of whoever fills or empties the database.
const restoreKey = 7453010362720

// fillAlone runs fn unless another process fills the database.
func (db *DB) fillAlone(ctx context.Context, fn func() error) (err error) {
	conn, err := pgx.ConnectConfig(ctx, db.plain.Copy())
	if err != nil {
		return err
	}
	// The lock goes with its connection, but a moment later.
	defer func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), rollbackPatience)
		defer stop()
		_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
		err = errors.Join(err, conn.Close(ctx))
	}()
	var mine bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(restoreKey)).Scan(&mine); err != nil {
		return interpret(ctx, err, nil)
	}
	if !mine {
		return fmt.Errorf("another process is at it: %w", store.ErrUnfinished)
	}
	// The server notices the end of a connection only after a while.
	defer func() {
		_, uerr := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(restoreKey))
		err = errors.Join(err, interpret(ctx, uerr, nil))
	}()
	return fn()
}

// Restore implements store.Store.
func (db *DB) Restore(ctx context.Context, next func() (store.Record, error)) error {
	return wrap("restore", db.fillAlone(ctx, func() error {
		if err := db.whole(ctx); err != nil {
			return err
		}
		if err := db.transact(ctx, true, func(pg pgx.Tx) error { return beginRestore(ctx, pg) }); err != nil {
			return err
		}
		if err := store.Gather(next, func(what string, run []store.Record) error { return wrap(what, db.restore(ctx, run)) }); err != nil {
			return err
		}
		if err := db.transact(ctx, true, func(pg pgx.Tx) error {
			return each(ctx, pg, append(countOn[:len(countOn):len(countOn)], markFinished)...)
		}); err != nil {
			return err
		}
		return db.analyze(ctx)
	}))
}

// analyze tells the planner how large the tables have become at one go.
func (db *DB) analyze(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, db.plain.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, `ANALYZE item, page, batch, import`)
	return interpret(ctx, err, nil)
}

func beginRestore(ctx context.Context, pg pgx.Tx) error {
	var used bool
	if err := pg.QueryRow(ctx, isUsed).Scan(&used); err != nil {
		return interpret(ctx, err, nil)
	}
	if used {
		return fmt.Errorf("the database is in use: %w", store.ErrExists)
	}
	return each(ctx, pg, markUnfinished, truncate)
}

var truncate = `TRUNCATE ` + strings.Join(contents, ", ")

// each runs statements one after the other.
func each(ctx context.Context, pg pgx.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := pg.Exec(ctx, s); err != nil {
			return interpret(ctx, err, nil)
		}
	}
	return nil
}

// Abandon implements store.Store.
func (db *DB) Abandon(ctx context.Context) error {
	return wrap("abandon", db.fillAlone(ctx, func() error {
		if err := db.whole(ctx); !errors.Is(err, store.ErrUnfinished) {
			return err
		}
		return db.transact(ctx, true, func(pg pgx.Tx) error { return each(ctx, pg, truncate, newInstallation, markFinished) })
	}))
}

// restore stores records of one kind and workspace in one transaction.
func (db *DB) restore(ctx context.Context, run []store.Record) error {
	return db.Write(ctx, run[0].WS, false, func(stx store.Tx) error {
		t := stx.(*tx)
		switch first := &run[0]; {
		case first.Item != nil:
			return t.restoreItems(ctx, run)
		case first.Page != nil:
			return t.restorePages(ctx, run)
		case first.Batch != nil:
			return t.restoreBatches(ctx, run)
		}
		for i := range run {
			if err := t.restore(ctx, &run[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) restoreItems(ctx context.Context, run []store.Record) error {
	items := make([]catalog.Item, len(run))
	for i := range run {
		items[i] = *run[i].Item
	}
	return t.Insert(ctx, t.db.Prepare(t.ws, items))
}

func (t *tx) restoreBatches(ctx context.Context, run []store.Record) error {
	batches := make([]store.Batch, len(run))
	for i := range run {
		batches[i] = *run[i].Batch
		batches[i].JobID = 0
	}
	return t.InsertBatches(ctx, batches)
}

const (
	copyPages = `COPY page (ws, import_no, pass, batch, seq, first_row, last_row, rows,
	created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, causes, fields, digest, outcomes, images) FROM STDIN (FORMAT binary)`
	pageColumnCount = 24
)

func (t *tx) restorePages(ctx context.Context, run []store.Record) error {
	size := 0
	for i := range run {
		size += len(run[i].Page.Outcomes) + len(run[i].Page.Images) + 512
	}
	data := newCopyData(size)
	for i := range run {
		data.page(t.ws, run[i].Page)
	}
	data.end()
	return t.do(ctx, "insert pages", store.ErrExists, func() error { return copyIn(ctx, t.pg.Conn().PgConn(), data, copyPages) })
}

// page writes a page in the order of copyPages.
func (c *copyData) page(ws store.WS, p *ledger.Page) {
	c.row(pageColumnCount)
	c.int64(int64(ws))
	c.int64(p.ImportNo)
	c.text(string(p.Pass))
	y := &p.Tally
	for _, n := range [...]int64{int64(p.Batch), int64(p.Seq), p.FirstRow, p.LastRow, int64(p.Rows),
		y.Created, y.Updated, y.Unchanged, y.Deleted, y.Failed, y.Skipped, y.Held, y.Errors, y.Warnings, y.Warned, int64(p.Format)} {
		c.int64(n)
	}
	c.textOrNull(escape(string(ledger.EncodeCauses(p.Causes))))
	c.textOrNull(escape(string(ledger.EncodeFields(p.Fields))))
	c.bytes(p.Digest)
	c.bytes(p.Outcomes)
	c.bytes(p.Images)
}

// bytes writes nil as NULL.
func (c *copyData) bytes(b []byte) {
	if b == nil {
		c.null()
		return
	}
	c.text(string(b))
}

func (t *tx) restore(ctx context.Context, r *store.Record) error {
	switch {
	case r.Import != nil:
		return t.restoreImport(ctx, *r.Import)
	case r.Correction != nil:
		return t.SaveCorrections(ctx, r.ImportNo, []store.Correction{*r.Correction})
	}
	query, args := insertion(t.ws, r)
	return t.do(ctx, "insert", store.ErrExists, func() error {
		_, err := t.pg.Exec(ctx, query, args...)
		return err
	})
}

// restoreImport stores an import under the number that it has.
func (t *tx) restoreImport(ctx context.Context, imp store.Import) error {
	if _, err := t.exec(ctx, "number import", `INSERT INTO import_counter (ws, last) VALUES ($1, $2)
ON CONFLICT (ws) DO UPDATE SET last = excluded.last`, t.ws, imp.No-1); err != nil {
		return err
	}
	return t.InsertImport(ctx, &imp)
}

// insertion is the statement that stores a record as it is.
func insertion(ws store.WS, r *store.Record) (query string, args []any) {
	switch {
	case r.Installation != nil:
		return `UPDATE installation SET id = $1`, []any{*r.Installation}
	case r.Workspace != nil:
		w := r.Workspace
		return `INSERT INTO workspace (ws, name, currency, created_at) VALUES ($1, $2, $3, $4)`, []any{ws, w.Name, w.Currency, millis(w.CreatedAt)}
	case r.Key != nil:
		k := r.Key
		return `INSERT INTO api_key (ws, id, name, role, hash, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			[]any{ws, k.ID, free(k.Name), k.Role, k.Hash, millis(k.CreatedAt), millisOrNull(k.RevokedAt)}
	case r.User != nil:
		u := r.User
		return insertUserQuery, []any{ws, free(u.ID), free(u.Name), u.Role, free(u.Password), millis(u.CreatedAt), millisOrNull(u.DisabledAt)}
	case r.Fix != nil:
		f := r.Fix
		return `INSERT INTO fix (ws, import_no, no, code, heading, old, new, since, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			[]any{ws, r.ImportNo, f.No, f.Code, free(f.Column), free(f.From), free(f.To), f.Since, free(f.By), millis(f.At)}
	case r.Request != nil:
		q := r.Request
		return `INSERT INTO request (ws, key, hash, status, began_at, beat, header, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			[]any{ws, free(q.Key), q.Hash, q.Status, millis(q.At), millis(q.Beat), q.Header, q.Body}
	}
	e := r.Audit
	a := &e.Actor
	return `INSERT INTO audit (ws, no, ` + auditColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		[]any{ws, e.No, millis(e.At), free(a.Name), free(a.ID), free(a.Door), free(a.RequestID), free(e.Action), free(e.Object), e.Detail}
}
