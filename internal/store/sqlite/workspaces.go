package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tallyman/internal/store"
)

const selectWorkspace = `SELECT ws, name, currency, created_at FROM workspace`

func scanWorkspace(s scanner) (store.Workspace, error) {
	var w store.Workspace
	var created int64
	err := s.Scan(&w.WS, &w.Name, &w.Currency, &created)
	w.CreatedAt = fromMillis(created)
	return w, err
}

// Workspaces implements store.Store.
func (r reader) Workspaces(ctx context.Context) ([]store.Workspace, error) {
	all, err := collect(ctx, r.q, scanWorkspace, selectWorkspace+` ORDER BY name`)
	return all, wrap("list workspaces", err)
}

// Workspace implements store.Store.
func (r reader) Workspace(ctx context.Context, name string) (store.Workspace, error) {
	w, err := scanWorkspace(r.q.QueryRowContext(ctx, selectWorkspace+` WHERE name = ?`, name))
	return w, wrap("workspace", interpret(err, nil))
}

// CreateWorkspace implements store.Store; it chooses the number itself.
func (db *DB) CreateWorkspace(ctx context.Context, w store.Workspace) (store.Workspace, error) {
	err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, `INSERT INTO workspace (name, currency, created_at) VALUES (?, ?, ?) RETURNING ws`,
			w.Name, w.Currency, millis(w.CreatedAt))
		return interpret(row.Scan(&w.WS), store.ErrExists)
	})
	w.CreatedAt = fromMillis(millis(w.CreatedAt))
	return w, wrap("create workspace", err)
}

// SetCurrency implements store.Store.
func (db *DB) SetCurrency(ctx context.Context, ws store.WS, currency string) error {
	err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		var found store.WS
		row := tx.QueryRowContext(ctx, `UPDATE workspace SET currency = ? WHERE ws = ? RETURNING ws`, currency, ws)
		return interpret(row.Scan(&found), nil)
	})
	return wrap("set currency", err)
}

const selectKey = `SELECT ws, id, name, role, hash, created_at, revoked_at FROM api_key`

func scanKey(s scanner) (store.Key, error) {
	var k store.Key
	var created int64
	var revoked sql.NullInt64
	err := s.Scan(&k.WS, &k.ID, &k.Name, &k.Role, &k.Hash, &created, &revoked)
	k.CreatedAt, k.RevokedAt = fromMillis(created), fromNull(revoked)
	return k, err
}

// Keys implements store.Store.
func (r reader) Keys(ctx context.Context, ws store.WS) ([]store.Key, error) {
	all, err := collect(ctx, r.q, scanKey, selectKey+` WHERE ws = ? ORDER BY created_at, id`, ws)
	return all, wrap("list keys", err)
}

// KeyByHash implements store.Store.
func (r reader) KeyByHash(ctx context.Context, hash string) (store.Key, error) {
	k, err := scanKey(r.q.QueryRowContext(ctx, selectKey+` WHERE hash = ?`, hash))
	return k, wrap("key", interpret(err, nil))
}

// CreateKey implements store.Store.
func (db *DB) CreateKey(ctx context.Context, ws store.WS, k store.Key) error {
	err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO api_key (ws, id, name, role, hash, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			ws, k.ID, k.Name, k.Role, k.Hash, millis(k.CreatedAt), millisOrNull(k.RevokedAt))
		return interpret(err, store.ErrExists)
	})
	return wrap("create key", err)
}

// RevokeKey implements store.Store. A key that is revoked already keeps its
// first time.
func (db *DB) RevokeKey(ctx context.Context, ws store.WS, id string, at time.Time) error {
	err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked_at = coalesce(revoked_at, ?) WHERE ws = ? AND id = ?`, millis(at), ws, id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return store.ErrNotFound
	})
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return nil
}
