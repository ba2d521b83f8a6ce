package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/store"
)

const (
	selectRequest = `SELECT key, hash, status, began_at, beat, header, body FROM request WHERE ws = ? AND key = ?`

	// beginRequestQuery stores nothing where the key is taken, unless whoever
	// began that request is dead (?5) and left no answer.
	beginRequestQuery = `INSERT INTO request (ws, key, hash, status, began_at, beat) VALUES (?1, ?2, '', 0, ?3, ?4)
ON CONFLICT DO UPDATE SET began_at = excluded.began_at, beat = excluded.beat WHERE ` + inFlight + ` AND beat < ?5`

	beatRequestQuery   = `UPDATE request SET beat = ? WHERE ws = ? AND key = ? AND began_at = ? AND ` + inFlight
	endRequestQuery    = `UPDATE request SET hash = ?, status = ?, header = ?, body = ? WHERE ws = ? AND key = ? AND began_at = ? AND ` + inFlight
	dropRequestQuery   = `DELETE FROM request WHERE ws = ? AND key = ? AND began_at = ? AND ` + inFlight
	purgeRequestsQuery = `DELETE FROM request WHERE began_at < ?`

	inFlight = `status = 0`
)

// BeginRequest implements store.Store.
func (db *DB) BeginRequest(ctx context.Context, ws store.WS, r store.Request, dead time.Time) (now store.Request, begun bool, err error) {
	err = db.transact(ctx, false, func(_ *sql.Conn, tx *sql.Tx) error {
		n, err := changes(tx.ExecContext(ctx, beginRequestQuery, ws, r.Key, millis(r.At), millis(r.Beat), millis(dead)))
		if err != nil {
			return err
		}
		begun = n == 1
		now, err = scanRequest(tx.QueryRowContext(ctx, selectRequest, ws, r.Key))
		return err
	})
	if err != nil {
		return store.Request{}, false, fmt.Errorf("begin request: %w", err)
	}
	return now, begun, nil
}

func scanRequest(s scanner) (store.Request, error) {
	var r store.Request
	var at, beat int64
	err := s.Scan(&r.Key, &r.Hash, &r.Status, &at, &beat, &r.Header, &r.Body)
	r.At, r.Beat = fromMillis(at), fromMillis(beat)
	return r, err
}

// BeatRequest implements store.Store.
func (db *DB) BeatRequest(ctx context.Context, ws store.WS, key string, began, now time.Time) error {
	return wrap("beat request", db.change(ctx, false, beatRequestQuery, millis(now), ws, key, millis(began)))
}

// EndRequest implements store.Store. An answer that was given must survive
// power loss: the same request may come again.
func (db *DB) EndRequest(ctx context.Context, ws store.WS, r store.Request) error {
	return wrap("end request", db.change(ctx, true, endRequestQuery, r.Hash, r.Status, r.Header, r.Body, ws, r.Key, millis(r.At)))
}

// DropRequest implements store.Store.
func (db *DB) DropRequest(ctx context.Context, ws store.WS, key string, began time.Time) error {
	err := db.change(ctx, false, dropRequestQuery, ws, key, millis(began))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return wrap("drop request", err)
}

// PurgeRequests implements store.Store.
func (db *DB) PurgeRequests(ctx context.Context, before time.Time) error {
	err := db.change(ctx, false, purgeRequestsQuery, millis(before))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return wrap("purge requests", err)
}
