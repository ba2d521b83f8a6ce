package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const (
	selectUser      = `SELECT ws, id, name, role, password, created_at, disabled_at FROM workspace_user WHERE ws = $1`
	insertUserQuery = `INSERT INTO workspace_user (ws, id, name, role, password, created_at, disabled_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	updateUserQuery = `UPDATE workspace_user SET role = $1, password = $2, disabled_at = $3 WHERE ws = $4 AND id = $5
	AND role = $6 AND password = $7 AND disabled_at IS NOT DISTINCT FROM $8`
)

func scanUser(s pgx.Row) (store.User, error) {
	var u store.User
	var created int64
	var disabled *int64
	err := s.Scan(&u.WS, (*free)(&u.ID), (*free)(&u.Name), &u.Role, (*free)(&u.Password), &created, &disabled)
	u.CreatedAt, u.DisabledAt = fromMillis(created), fromNull(disabled)
	return u, err
}

// Users implements store.Operation.
func (r reader) Users(ctx context.Context, ws store.WS) ([]store.User, error) {
	all, err := collect(ctx, r.q, scanUser, selectUser+` ORDER BY name`, ws)
	return all, wrap("list users", err)
}

// User implements store.Operation.
func (r reader) User(ctx context.Context, ws store.WS, name string) (store.User, error) {
	u, err := one(ctx, r.q, scanUser, selectUser+` AND name = $2`, ws, free(name))
	if err != nil {
		return store.User{}, wrap("user", err)
	}
	return u, nil
}

// CreateUser implements store.Operation.
func (db *DB) CreateUser(ctx context.Context, ws store.WS, u store.User) error {
	err := db.transact(ctx, true, func(pg pgx.Tx) error {
		_, err := pg.Exec(ctx, insertUserQuery, ws, free(u.ID), free(u.Name), u.Role, free(u.Password), millis(u.CreatedAt), millisOrNull(u.DisabledAt))
		return interpret(ctx, err, store.ErrExists)
	})
	return wrap("create user", err)
}

// UpdateUser implements store.Operation.
func (db *DB) UpdateUser(ctx context.Context, ws store.WS, was, u store.User) error {
	err := db.transact(ctx, true, func(pg pgx.Tx) error {
		tag, err := pg.Exec(ctx, updateUserQuery, u.Role, free(u.Password), millisOrNull(u.DisabledAt), ws, free(was.ID),
			was.Role, free(was.Password), millisOrNull(was.DisabledAt))
		if err != nil || tag.RowsAffected() == 1 {
			return interpret(ctx, err, nil)
		}
		if _, err := one(ctx, pg, scanUser, selectUser+` AND id = $2`, ws, free(was.ID)); err != nil {
			return err
		}
		return fmt.Errorf("%w: the user is no longer as it was read", store.ErrRetry)
	})
	return wrap("update user", err)
}
