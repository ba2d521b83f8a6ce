package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const selectWorkspace = `SELECT ws, name, currency, created_at FROM workspace`

func scanWorkspace(s pgx.Row) (store.Workspace, error) {
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
	w, err := one(ctx, r.q, scanWorkspace, selectWorkspace+` WHERE name = $1`, free(name))
	return w, wrap("workspace", err)
}

// CreateWorkspace implements store.Store; it chooses the number itself.
func (db *DB) CreateWorkspace(ctx context.Context, w store.Workspace) (store.Workspace, error) {
	err := db.transact(ctx, true, func(pg pgx.Tx) error {
		row := pg.QueryRow(ctx, `INSERT INTO workspace (name, currency, created_at) VALUES ($1, $2, $3) RETURNING ws`, w.Name, w.Currency, millis(w.CreatedAt))
		return interpret(ctx, row.Scan(&w.WS), store.ErrExists)
	})
	w.CreatedAt = fromMillis(millis(w.CreatedAt))
	return w, wrap("create workspace", err)
}

// SetCurrency implements store.Store.
func (db *DB) SetCurrency(ctx context.Context, ws store.WS, currency string) error {
	return wrap("set currency", db.change(ctx, true, `UPDATE workspace SET currency = $1 WHERE ws = $2`, currency, ws))
}

const selectKey = `SELECT ws, id, name, role, hash, created_at, revoked_at FROM api_key`

func scanKey(s pgx.Row) (store.Key, error) {
	var k store.Key
	var created int64
	var revoked *int64
	err := s.Scan(&k.WS, &k.ID, (*free)(&k.Name), &k.Role, &k.Hash, &created, &revoked)
	k.CreatedAt, k.RevokedAt = fromMillis(created), fromNull(revoked)
	return k, err
}

// Keys implements store.Store.
func (r reader) Keys(ctx context.Context, ws store.WS) ([]store.Key, error) {
	all, err := collect(ctx, r.q, scanKey, selectKey+` WHERE ws = $1 ORDER BY created_at, id`, ws)
	return all, wrap("list keys", err)
}

// KeyByHash implements store.Store.
func (r reader) KeyByHash(ctx context.Context, hash string) (store.Key, error) {
	k, err := one(ctx, r.q, scanKey, selectKey+` WHERE hash = $1`, free(hash))
	return k, wrap("key", err)
}

// CreateKey implements store.Store.
func (db *DB) CreateKey(ctx context.Context, ws store.WS, k store.Key) error {
	err := db.transact(ctx, true, func(pg pgx.Tx) error {
		_, err := pg.Exec(ctx, `INSERT INTO api_key (ws, id, name, role, hash, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			ws, k.ID, free(k.Name), k.Role, k.Hash, millis(k.CreatedAt), millisOrNull(k.RevokedAt))
		return interpret(ctx, err, store.ErrExists)
	})
	return wrap("create key", err)
}

// RevokeKey implements store.Store. A key that is revoked already keeps its
// first time.
func (db *DB) RevokeKey(ctx context.Context, ws store.WS, id string, at time.Time) error {
	return wrap("revoke key", db.change(ctx, true, `UPDATE api_key SET revoked_at = coalesce(revoked_at, $1) WHERE ws = $2 AND id = $3`, millis(at), ws, free(id)))
}

// change runs a statement in a transaction of its own; changing no row is
// ErrNotFound.
func (db *DB) change(ctx context.Context, durable bool, query string, args ...any) error {
	return db.transact(ctx, durable, func(pg pgx.Tx) error {
		tag, err := pg.Exec(ctx, query, args...)
		if err == nil && tag.RowsAffected() == 0 {
			return store.ErrNotFound
		}
		return interpret(ctx, err, nil)
	})
}

// changeAny is change for a statement that may find nothing.
func (db *DB) changeAny(ctx context.Context, durable bool, query string, args ...any) error {
	err := db.change(ctx, durable, query, args...)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
