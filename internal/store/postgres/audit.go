package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const (
	auditColumns = `at, actor, actor_id, door, request_id, action, object, detail`

	insertAuditQuery = `INSERT INTO audit (ws, ` + auditColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING no`

	// purgeAuditQuery leaves to another node what that one takes at this moment. The
	// list is made once, whatever the plan: made anew, it would name other entries.
	purgeAuditQuery = `WITH old AS MATERIALIZED (SELECT ws, ctid AS place FROM audit WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
DELETE FROM audit a USING old WHERE a.ctid = old.place AND a.ws = old.ws`
)

// selectAudit lists the entries that a condition leaves.
func selectAudit(w *where, n int) string {
	return `SELECT no, ` + auditColumns + ` FROM audit` + w.text() + ` ORDER BY no DESC LIMIT ` + w.arg(limit(store.Range{Limit: n}))
}

// auditWhere is the condition of a filter; what it does not narrow is left out.
func auditWhere(ws store.WS, f store.AuditFilter) *where {
	w := &where{}
	w.add("ws = " + w.arg(ws))
	switch {
	case strings.HasSuffix(f.Action, "."):
		w.add("starts_with(action, " + w.arg(free(f.Action)) + ")")
	case f.Action != "":
		w.add("action = " + w.arg(free(f.Action)))
	}
	if f.Actor != "" {
		actor := w.arg(free(f.Actor))
		w.add("(actor = " + actor + " OR actor_id = " + actor + ")")
	}
	if f.Object != "" {
		w.add("object = " + w.arg(free(f.Object)))
	}
	if !f.From.IsZero() {
		w.add("at >= " + w.arg(millis(f.From)))
	}
	if !f.Until.IsZero() {
		w.add("at < " + w.arg(millis(f.Until)))
	}
	if f.Before != 0 {
		w.add("no < " + w.arg(f.Before))
	}
	return w
}

func scanAudit(s pgx.Row) (store.AuditEntry, error) {
	var e store.AuditEntry
	var at int64
	a := &e.Actor
	err := s.Scan(&e.No, &at, (*free)(&a.Name), (*free)(&a.ID), (*free)(&a.Door), (*free)(&a.RequestID), (*free)(&e.Action), (*free)(&e.Object), &e.Detail)
	e.At = fromMillis(at)
	return e, err
}

// Audit implements store.Operation.
func (r reader) Audit(ctx context.Context, ws store.WS, f store.AuditFilter, n int) ([]store.AuditEntry, error) {
	w := auditWhere(ws, f)
	query := selectAudit(w, n)
	list, err := collect(ctx, r.q, scanAudit, query, w.args...)
	return list, wrap("list audit log", err)
}

// AppendAudit implements store.Operation. Who did what must survive power loss.
func (db *DB) AppendAudit(ctx context.Context, ws store.WS, e *store.AuditEntry) error {
	return db.Write(ctx, ws, true, func(tx store.Tx) error { return tx.AppendAudit(ctx, e) })
}

// AppendAudit implements store.Tx.
func (t *tx) AppendAudit(ctx context.Context, e *store.AuditEntry) error {
	no, err := stepOne(ctx, t, "append to audit log", scanInt64, insertAuditQuery, t.ws, millis(e.At),
		free(e.Actor.Name), free(e.Actor.ID), free(e.Actor.Door), free(e.Actor.RequestID), free(e.Action), free(e.Object), e.Detail)
	if err == nil {
		e.No = no
	}
	return err
}

// PurgeAudit implements store.Operation.
func (db *DB) PurgeAudit(ctx context.Context, before time.Time, n int) (int, error) {
	var gone int64
	err := db.transact(ctx, false, func(pg pgx.Tx) error {
		tag, err := pg.Exec(ctx, purgeAuditQuery, millis(before), max(0, n))
		gone = tag.RowsAffected()
		return interpret(ctx, err, nil)
	})
	return int(gone), wrap("purge audit log", err)
}
