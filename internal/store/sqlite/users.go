package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"tallyman/internal/store"
)

const (
	selectUser      = `SELECT ws, id, name, role, password, created_at, disabled_at FROM workspace_user WHERE ws = ?`
	insertUserQuery = `INSERT INTO workspace_user (ws, id, name, role, password, created_at, disabled_at) VALUES (?, ?, ?, ?, ?, ?, ?)`
	updateUserQuery = `UPDATE workspace_user SET role = ?, password = ?, disabled_at = ? WHERE ws = ? AND id = ? AND role = ? AND password = ? AND disabled_at IS ?`
)

func scanUser(s scanner) (store.User, error) {
	var u store.User
	var created int64
	var disabled sql.NullInt64
	err := s.Scan(&u.WS, &u.ID, &u.Name, &u.Role, &u.Password, &created, &disabled)
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
	u, err := scanUser(r.q.QueryRowContext(ctx, selectUser+` AND name = ?`, ws, name))
	if err != nil {
		return store.User{}, wrap("user", interpret(err, nil))
	}
	return u, nil
}

// CreateUser implements store.Operation.
func (db *DB) CreateUser(ctx context.Context, ws store.WS, u store.User) error {
	err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertUserQuery, ws, u.ID, u.Name, u.Role, u.Password, millis(u.CreatedAt), millisOrNull(u.DisabledAt))
		return interpret(err, store.ErrExists)
	})
	return wrap("create user", err)
}

// UpdateUser implements store.Operation.
func (db *DB) UpdateUser(ctx context.Context, ws store.WS, was, u store.User) error {
	err := db.transact(ctx, true, func(_ *sql.Conn, tx *sql.Tx) error {
		n, err := changes(tx.ExecContext(ctx, updateUserQuery, u.Role, u.Password, millisOrNull(u.DisabledAt), ws, was.ID,
			was.Role, was.Password, millisOrNull(was.DisabledAt)))
		if err != nil || n == 1 {
			return err
		}
		if _, err := scanUser(tx.QueryRowContext(ctx, selectUser+` AND id = ?`, ws, was.ID)); err != nil {
			return interpret(err, nil)
		}
		return fmt.Errorf("%w: the user is no longer as it was read", store.ErrRetry)
	})
	return wrap("update user", err)
}
