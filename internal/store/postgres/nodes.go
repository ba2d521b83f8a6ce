package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

const (
	selectNodes   = `SELECT name, version, workers, held, started_at, beat FROM node WHERE beat >= $1 ORDER BY name`
	beatNodeQuery = `INSERT INTO node (name, version, workers, held, started_at, beat) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, workers = excluded.workers, held = excluded.held, started_at = excluded.started_at, beat = excluded.beat`
	forgetNodesQuery = `DELETE FROM node WHERE ctid = ANY (ARRAY(SELECT ctid FROM node WHERE beat < $1 FOR UPDATE SKIP LOCKED))`
	leaveNodeQuery   = `DELETE FROM node WHERE name = $1`

	// nodesKept is how long a node is remembered that beats no more.
	nodesKept = 24 * time.Hour
)

func scanNode(s pgx.Row) (store.Node, error) {
	var n store.Node
	var started, beat int64
	err := s.Scan((*free)(&n.Name), (*free)(&n.Version), &n.Workers, (*free)(&n.Held), &started, &beat)
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
	err := db.transact(ctx, false, func(pg pgx.Tx) error {
		if _, err := pg.Exec(ctx, forgetNodesQuery, millis(n.Beat.Add(-nodesKept))); err != nil {
			return interpret(ctx, err, nil)
		}
		_, err := pg.Exec(ctx, beatNodeQuery, free(n.Name), free(n.Version), n.Workers, free(n.Held), millis(n.StartedAt), millis(n.Beat))
		return interpret(ctx, err, nil)
	})
	return wrap("beat node", err)
}

// LeaveNode implements store.Operation.
func (db *DB) LeaveNode(ctx context.Context, name string) error {
	return wrap("leave node", db.changeAny(ctx, false, leaveNodeQuery, free(name)))
}

// Installation implements store.Operation.
func (r reader) Installation(ctx context.Context) (string, error) {
	id, err := one(ctx, r.q, scanText, `SELECT id FROM installation`)
	return id, wrap("read the installation", err)
}

// Clock implements store.Operation.
func (r reader) Clock(ctx context.Context) (time.Time, error) {
	now, err := one(ctx, r.q, scanTime, `SELECT clock_timestamp()`)
	return now, wrap("read the database's clock", err)
}

func scanTime(s pgx.Row) (time.Time, error) {
	var at time.Time
	err := s.Scan(&at)
	return at.UTC(), err
}

// tryWrite is one message, so that no row stays locked while a node stands still.
// The series is too long for its memory and is laid down in a file: writing one
// row over and over would find room on a disk that is full.
const tryWrite = `SET LOCAL work_mem = '64kB';
SELECT count(*) FROM generate_series(1, 20000);
UPDATE pulse SET at = clock_timestamp()`

// Writable implements store.Operation.
func (db *DB) Writable(ctx context.Context) error {
	if _, err := db.writers.Exec(ctx, tryWrite); err != nil {
		return fmt.Errorf("try to write: %w", interpret(ctx, err, nil))
	}
	return nil
}
