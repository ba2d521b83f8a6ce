package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tallyman/internal/store"
)

const (
	selectNodes   = `SELECT name, version, workers, held, started_at, beat FROM node WHERE beat >= ? ORDER BY name`
	beatNodeQuery = `INSERT INTO node (name, version, workers, held, started_at, beat) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET version = excluded.version, workers = excluded.workers, held = excluded.held, started_at = excluded.started_at, beat = excluded.beat`
	forgetNodesQuery = `DELETE FROM node WHERE beat < ?`
	leaveNodeQuery   = `DELETE FROM node WHERE name = ?`

	// nodesKept is how long a node is remembered that beats no more.
	nodesKept = 24 * time.Hour
)

func scanNode(s scanner) (store.Node, error) {
	var n store.Node
	var started, beat int64
	err := s.Scan(&n.Name, &n.Version, &n.Workers, &n.Held, &started, &beat)
	n.StartedAt, n.Beat = fromMillis(started), fromMillis(beat)
	return n, err
}

// Nodes implements store.Operation.
func (r reader) Nodes(ctx context.Context, since time.Time) ([]store.Node, error) {
	all, err := collect(ctx, r.q, scanNode, selectNodes, millis(since))
	return all, wrap("list nodes", err)
}

// BeatNode implements store.Operation; it also forgets the nodes that are long
// gone.
func (db *DB) BeatNode(ctx context.Context, n store.Node) error {
	err := db.transact(ctx, false, func(_ *sql.Conn, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, forgetNodesQuery, millis(n.Beat.Add(-nodesKept))); err != nil {
			return interpret(err, nil)
		}
		_, err := tx.ExecContext(ctx, beatNodeQuery, n.Name, n.Version, n.Workers, n.Held, millis(n.StartedAt), millis(n.Beat))
		return interpret(err, nil)
	})
	return wrap("beat node", err)
}

// LeaveNode implements store.Operation.
func (db *DB) LeaveNode(ctx context.Context, name string) error {
	err := db.change(ctx, false, leaveNodeQuery, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return wrap("leave node", err)
}

// Installation implements store.Operation.
func (r reader) Installation(ctx context.Context) (string, error) {
	id, err := scanText(r.q.QueryRowContext(ctx, `SELECT id FROM installation`))
	return id, wrap("read the installation", interpret(err, nil))
}

// Clock implements store.Operation: the file has no clock but the process's.
func (r reader) Clock(context.Context) (time.Time, error) { return r.now().UTC(), nil }
