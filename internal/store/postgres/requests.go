package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const (
	selectRequest = `SELECT key, hash, status, began_at, beat, header, body FROM request WHERE ws = $1 AND key = $2`

	// beginRequestQuery stores nothing where the key is taken, unless whoever
	// began that request is dead ($5) and left no answer.
	beginRequestQuery = `INSERT INTO request AS r (ws, key, hash, status, began_at, beat) VALUES ($1, $2, '', 0, $3, $4)
ON CONFLICT (ws, key) DO UPDATE SET began_at = excluded.began_at, beat = excluded.beat WHERE r.status = 0 AND r.beat < $5`

	beatRequestQuery   = `UPDATE request SET beat = $1 WHERE ws = $2 AND key = $3 AND began_at = $4 AND ` + inFlight
	endRequestQuery    = `UPDATE request SET hash = $1, status = $2, header = $3, body = $4 WHERE ws = $5 AND key = $6 AND began_at = $7 AND ` + inFlight
	dropRequestQuery   = `DELETE FROM request WHERE ws = $1 AND key = $2 AND began_at = $3 AND ` + inFlight
	purgeRequestsQuery = `DELETE FROM request WHERE began_at < $1`

	inFlight = `status = 0`
)

// BeginRequest implements store.Store.
func (db *DB) BeginRequest(ctx context.Context, ws store.WS, r store.Request, dead time.Time) (now store.Request, begun bool, err error) {
	err = db.transact(ctx, false, func(pg pgx.Tx) error {
		tag, err := pg.Exec(ctx, beginRequestQuery, ws, free(r.Key), millis(r.At), millis(r.Beat), millis(dead))
		if err != nil {
			return interpret(ctx, err, nil)
		}
		begun = tag.RowsAffected() == 1
		// A key that is dropped at this moment is found by nobody; the next try begins.
		now, err = one(ctx, pg, scanRequest, selectRequest, ws, free(r.Key))
		return err
	})
	if err != nil {
		return store.Request{}, false, fmt.Errorf("begin request: %w", err)
	}
	return now, begun, nil
}

func scanRequest(s pgx.Row) (store.Request, error) {
	var r store.Request
	var at, beat int64
	err := s.Scan((*free)(&r.Key), &r.Hash, &r.Status, &at, &beat, &r.Header, &r.Body)
	r.At, r.Beat = fromMillis(at), fromMillis(beat)
	return r, err
}

// BeatRequest implements store.Store.
func (db *DB) BeatRequest(ctx context.Context, ws store.WS, key string, began, now time.Time) error {
	return wrap("beat request", db.change(ctx, false, beatRequestQuery, millis(now), ws, free(key), millis(began)))
}

// EndRequest implements store.Store. An answer that was given must survive
// power loss: the same request may come again.
func (db *DB) EndRequest(ctx context.Context, ws store.WS, r store.Request) error {
	return wrap("end request", db.change(ctx, true, endRequestQuery, r.Hash, r.Status, r.Header, r.Body, ws, free(r.Key), millis(r.At)))
}

// DropRequest implements store.Store.
func (db *DB) DropRequest(ctx context.Context, ws store.WS, key string, began time.Time) error {
	return wrap("drop request", db.changeAny(ctx, false, dropRequestQuery, ws, free(key), millis(began)))
}

// PurgeRequests implements store.Store.
func (db *DB) PurgeRequests(ctx context.Context, before time.Time) error {
	return wrap("purge requests", db.changeAny(ctx, false, purgeRequestsQuery, millis(before)))
}
