package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// While a Restore is not at its end, there is a table of this name. It is made
// and dropped by Restore alone, so that whole databases have none.
const (
	isUnfinished   = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'unfinished_restore')`
	markUnfinished = `CREATE TABLE unfinished_restore (mark INTEGER)`
	markFinished   = `DROP TABLE unfinished_restore`
)

// isUsed says that the database has more than what the first start of a node puts
// into it.
const isUsed = `SELECT EXISTS (SELECT 1 FROM item) OR EXISTS (SELECT 1 FROM import) OR EXISTS (SELECT 1 FROM api_key)
	OR EXISTS (SELECT 1 FROM workspace_user) OR EXISTS (SELECT 1 FROM request) OR EXISTS (SELECT 1 FROM workspace WHERE name <> '` + store.DefaultWorkspace + `')`

// contents are all tables of which a dump has something, and what hangs on them.
var contents = []string{"item", "audit", "audit_counter", "request", "fix", "correction", "page", "batch", "import", "workspace_user", "api_key", "workspace"}

// newInstallation makes another database of this one.
const newInstallation = `UPDATE installation SET id = lower(hex(randomblob(16)))`

// whole refuses a database that a Restore left half-filled.
func (db *DB) whole(ctx context.Context) error {
	var unfinished bool
	if err := db.writer.QueryRowContext(ctx, isUnfinished).Scan(&unfinished); err != nil {
		return interpret(err, nil)
	}
	if unfinished {
		return store.ErrUnfinished
	}
	return nil
}

// Restore implements store.Store.
func (db *DB) Restore(ctx context.Context, next func() (store.Record, error)) error {
	if err := db.whole(ctx); err != nil {
		return wrap("restore", err)
	}
	if err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error { return beginRestore(ctx, tx) }); err != nil {
		return wrap("restore", err)
	}
	if err := store.Gather(next, func(what string, run []store.Record) error {
		return wrap("restore "+what, db.restore(ctx, run))
	}); err != nil {
		return err
	}
	return wrap("restore", db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, countAudit); err != nil {
			return interpret(err, nil)
		}
		_, err := tx.ExecContext(ctx, markFinished)
		return interpret(err, nil)
	}))
}

// countAudit makes the audit log's numbers go on behind the newest.
const countAudit = `INSERT INTO audit_counter (ws, last) SELECT ws, max(no) FROM audit GROUP BY ws`

func beginRestore(ctx context.Context, tx *sql.Tx) error {
	var used bool
	if err := tx.QueryRowContext(ctx, isUsed).Scan(&used); err != nil {
		return interpret(err, nil)
	}
	if used {
		return fmt.Errorf("the database is in use: %w", store.ErrExists)
	}
	if _, err := tx.ExecContext(ctx, markUnfinished); err != nil {
		return interpret(err, store.ErrUnfinished)
	}
	return empty(ctx, tx)
}

func empty(ctx context.Context, tx *sql.Tx) error {
	for _, table := range contents {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
			return interpret(err, nil)
		}
	}
	return nil
}

// Abandon implements store.Store.
func (db *DB) Abandon(ctx context.Context) error {
	err := db.whole(ctx)
	if !errors.Is(err, store.ErrUnfinished) {
		return wrap("abandon", err)
	}
	return wrap("abandon", db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		if err := empty(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, newInstallation); err != nil {
			return interpret(err, nil)
		}
		_, err := tx.ExecContext(ctx, markFinished)
		return interpret(err, nil)
	}))
}

// restore stores records of one kind and workspace in one transaction.
func (db *DB) restore(ctx context.Context, run []store.Record) error {
	return db.Write(ctx, run[0].WS, false, func(stx store.Tx) error {
		t := stx.(*tx)
		if run[0].Item != nil {
			return t.restoreItems(ctx, run)
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

func (t *tx) restore(ctx context.Context, r *store.Record) error {
	switch {
	case r.Import != nil:
		return t.restoreImport(ctx, *r.Import)
	case r.Page != nil:
		return t.InsertPage(ctx, r.Page)
	case r.Batch != nil:
		b := *r.Batch
		b.JobID = 0
		return t.InsertBatches(ctx, []store.Batch{b})
	case r.Correction != nil:
		return t.SaveCorrections(ctx, r.ImportNo, []store.Correction{*r.Correction})
	}
	query, args := insertion(t.ws, r)
	_, err := t.exec(ctx, "insert", store.ErrExists, query, args...)
	return err
}

// restoreImport stores an import under the number that it has.
func (t *tx) restoreImport(ctx context.Context, imp store.Import) error {
	no := imp.No
	if err := t.InsertImport(ctx, &imp); err != nil || imp.No == no {
		return err
	}
	_, err := t.exec(ctx, "number import", store.ErrExists, `UPDATE import SET no = ? WHERE ws = ? AND no = ?`, no, t.ws, imp.No)
	return err
}

// insertion is the statement that stores a record as it is.
func insertion(ws store.WS, r *store.Record) (query string, args []any) {
	switch {
	case r.Installation != nil:
		return `UPDATE installation SET id = ?`, []any{*r.Installation}
	case r.Workspace != nil:
		w := r.Workspace
		return `INSERT INTO workspace (ws, name, currency, created_at) VALUES (?, ?, ?, ?)`, []any{ws, w.Name, w.Currency, millis(w.CreatedAt)}
	case r.Key != nil:
		k := r.Key
		return `INSERT INTO api_key (ws, id, name, role, hash, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			[]any{ws, k.ID, k.Name, k.Role, k.Hash, millis(k.CreatedAt), millisOrNull(k.RevokedAt)}
	case r.User != nil:
		u := r.User
		return insertUserQuery, []any{ws, u.ID, u.Name, u.Role, u.Password, millis(u.CreatedAt), millisOrNull(u.DisabledAt)}
	case r.Fix != nil:
		f := r.Fix
		return `INSERT INTO fix (ws, import_no, no, code, heading, old, new, since, made_by, made_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			[]any{ws, r.ImportNo, f.No, f.Code, f.Column, f.From, f.To, f.Since, f.By, millis(f.At)}
	case r.Request != nil:
		q := r.Request
		return `INSERT INTO request (ws, key, hash, status, began_at, beat, header, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			[]any{ws, q.Key, q.Hash, q.Status, millis(q.At), millis(q.Beat), q.Header, q.Body}
	}
	e := r.Audit
	return insertAuditQuery, []any{ws, e.No, millis(e.At), e.Actor.Name, e.Actor.ID, e.Actor.Door, e.Actor.RequestID, e.Action, e.Object, e.Detail}
}

// Restore and Abandon implement store.Store.

func (snapshot) Restore(context.Context, func() (store.Record, error)) error { return errStill }
func (snapshot) Abandon(context.Context) error                               { return errStill }
