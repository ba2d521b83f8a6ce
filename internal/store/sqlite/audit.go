package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"tallyman/internal/store"
)

const (
	auditColumns = `no, at, actor, actor_id, door, request_id, action, object, detail`

	// nextAuditNo counts on.
	nextAuditNo = `INSERT INTO audit_counter (ws, last) VALUES (?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last`

	insertAuditQuery = `INSERT INTO audit (ws, ` + auditColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	purgeAuditQuery  = `DELETE FROM audit WHERE rowid IN (SELECT rowid FROM audit WHERE at < ? ORDER BY at LIMIT ?)`
)

// selectAudit lists the entries that a condition leaves.
func selectAudit(where string) string {
	return `SELECT ` + auditColumns + ` FROM audit` + where + ` ORDER BY no DESC LIMIT ?`
}

// auditWhere is the condition of a filter; what it does not narrow is left out.
func auditWhere(ws store.WS, f store.AuditFilter) (string, []any) {
	where, args := ` WHERE ws = ?`, []any{ws}
	add := func(term string, values ...any) {
		where, args = where+" AND "+term, append(args, values...)
	}
	switch {
	case strings.HasSuffix(f.Action, "."):
		add("substr(action, 1, length(?)) = ?", f.Action, f.Action)
	case f.Action != "":
		add("action = ?", f.Action)
	}
	if f.Actor != "" {
		add("(actor = ? OR actor_id = ?)", f.Actor, f.Actor)
	}
	if f.Object != "" {
		add("object = ?", f.Object)
	}
	if !f.From.IsZero() {
		add("at >= ?", millis(f.From))
	}
	if !f.Until.IsZero() {
		add("at < ?", millis(f.Until))
	}
	if f.Before != 0 {
		add("no < ?", f.Before)
	}
	return where, args
}

func scanAudit(s scanner) (store.AuditEntry, error) {
	var e store.AuditEntry
	var at int64
	err := s.Scan(&e.No, &at, &e.Actor.Name, &e.Actor.ID, &e.Actor.Door, &e.Actor.RequestID, &e.Action, &e.Object, &e.Detail)
	e.At = fromMillis(at)
	return e, err
}

// Audit implements store.Operation.
func (r reader) Audit(ctx context.Context, ws store.WS, f store.AuditFilter, n int) ([]store.AuditEntry, error) {
	where, args := auditWhere(ws, f)
	list, err := collect(ctx, r.q, scanAudit, selectAudit(where), append(args, limit(store.Range{Limit: n}))...)
	return list, wrap("list audit log", err)
}

// AppendAudit implements store.Operation. Who did what must survive power loss.
func (db *DB) AppendAudit(ctx context.Context, ws store.WS, e *store.AuditEntry) error {
	return db.Write(ctx, ws, true, func(tx store.Tx) error { return tx.AppendAudit(ctx, e) })
}

// AppendAudit implements store.Tx.
func (t *tx) AppendAudit(ctx context.Context, e *store.AuditEntry) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	var no int64
	if err := t.sql.QueryRowContext(context.WithoutCancel(ctx), nextAuditNo, t.ws).Scan(&no); err != nil {
		return t.judge("number audit entry", interpret(err, nil))
	}
	_, err := t.exec(ctx, "append to audit log", nil, insertAuditQuery,
		t.ws, no, millis(e.At), e.Actor.Name, e.Actor.ID, e.Actor.Door, e.Actor.RequestID, e.Action, e.Object, e.Detail)
	if err == nil {
		e.No = no
	}
	return err
}

// PurgeAudit implements store.Operation.
func (db *DB) PurgeAudit(ctx context.Context, before time.Time, n int) (int, error) {
	var gone int64
	err := db.transact(ctx, false, func(_ *sql.Conn, tx *sql.Tx) (err error) {
		gone, err = changes(tx.ExecContext(ctx, purgeAuditQuery, millis(before), max(0, n)))
		return err
	})
	return int(gone), wrap("purge audit log", err)
}
