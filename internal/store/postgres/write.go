package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/internal/store"
)

// tx is one transaction in one workspace, at the level READ COMMITTED: what it
// rests on it locks, or checks when it writes.
type tx struct {
	db *DB
	ws store.WS
	pg pgx.Tx
	// over is why nothing more may be done and nothing may be committed.
	over error
	// staged says that the staging table is not empty.
	staged bool
	// inserted counts the items inserted.
	inserted int
}

var _ store.Tx = (*tx)(nil)

// How a transaction begins. What is not durable is committed without waiting for
// the disk: power loss may take it, and whatever it was part of, in the order in
// which it came.
const (
	beginDurable = `BEGIN`
	beginQuick   = `BEGIN; SET LOCAL synchronous_commit = off; ` + planOnce
)

// Write implements store.Store.
func (db *DB) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	inserted := 0
	err := db.transact(ctx, durable, func(pg pgx.Tx) error {
		t := &tx{db: db, ws: ws, pg: pg}
		if err := fn(t); err != nil {
			return err
		}
		inserted = t.inserted
		return t.over
	})
	if err == nil {
		db.analyzer.inserted(inserted)
	}
	return err
}

// transact runs fn in a transaction.
func (db *DB) transact(ctx context.Context, durable bool, fn func(pgx.Tx) error) error {
	begin := beginQuick
	if durable {
		begin = beginDurable
	}
	if most := store.LockWait(ctx); most > 0 {
		begin += fmt.Sprintf("; SET LOCAL lock_timeout = %d", most.Milliseconds())
	}
	pg, err := db.writers.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return fmt.Errorf("begin: %w", interpret(ctx, err, nil))
	}
	defer rollback(ctx, pg) // after a commit it does nothing
	if err := fn(pg); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	// A commit that is given up half-way may have happened, so it is not, as long
	// as the database may still answer.
	ctx = context.WithoutCancel(ctx)
	patient, stop := context.WithTimeout(ctx, commitPatience)
	defer stop()
	if err := pg.Commit(patient); err != nil {
		return fmt.Errorf("commit: %w", interpret(ctx, err, nil))
	}
	return nil
}

// How long a transaction waits for the answer to its last word. A connection may
// be gone without anybody noticing.
const (
	commitPatience   = time.Minute
	rollbackPatience = 5 * time.Second
)

// rollback ends a transaction, whether or not its context has ended. One that does
// not answer loses its connection, which ends it too.
func rollback(ctx context.Context, pg pgx.Tx) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), rollbackPatience)
	defer stop()
	_ = pg.Rollback(ctx)
}

// usable reports why nothing may be done, if so.
func (t *tx) usable(ctx context.Context) error {
	if t.over != nil {
		return t.over
	}
	return ctx.Err()
}

// judge notes errors that end the transaction, and names the operation.
func (t *tx) judge(op string, err error) error {
	err = wrap(op, err)
	if endsTransaction(err) {
		t.over = err
	}
	return err
}

// do runs fn, a step of the transaction; taken is what a taken key means.
func (t *tx) do(ctx context.Context, op string, taken error, fn func() error) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return t.judge(op, interpret(ctx, fn(), taken))
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, op string, query string, args ...any) (n int64, err error) {
	err = t.do(ctx, op, nil, func() error {
		tag, err := t.pg.Exec(ctx, query, args...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// execOne is exec for a statement that must change exactly one row; changing
// none is none.
func (t *tx) execOne(ctx context.Context, op string, none error, query string, args ...any) error {
	n, err := t.exec(ctx, op, query, args...)
	if err == nil && n != 1 {
		return fmt.Errorf("%s: %w", op, none)
	}
	return err
}

// stepOne reads the one row of a query as a step of the transaction.
func stepOne[T any](ctx context.Context, t *tx, op string, scan func(pgx.Row) (T, error), query string, args ...any) (v T, err error) {
	err = t.do(ctx, op, nil, func() error {
		v, err = scan(t.pg.QueryRow(ctx, query, args...))
		return err
	})
	return v, err
}

// copyIn runs COPY … FROM STDIN with what data holds.
func copyIn(ctx context.Context, conn *pgconn.PgConn, data *copyData, query string) error {
	_, err := conn.CopyFrom(ctx, data.reader(), query)
	return err
}

// Enqueue implements store.Tx.
func (t *tx) Enqueue(ctx context.Context, j store.Job) (id int64, err error) {
	if j.WS != t.ws {
		return 0, fmt.Errorf("enqueue: job of workspace %d in a transaction of workspace %d", j.WS, t.ws)
	}
	enqueue := t.db.enqueue.Load()
	if enqueue == nil {
		return 0, errors.New("enqueue: no job engine is bound")
	}
	err = t.do(ctx, "enqueue", nil, func() error {
		id, err = (*enqueue)(ctx, t.pg, j)
		return err
	})
	return id, err
}
