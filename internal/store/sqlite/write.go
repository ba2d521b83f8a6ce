package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"tallyman/internal/store"
)

// tx is one transaction in one workspace. Its items go through the session,
// everything else, which is a few rows a chunk, through database/sql.
type tx struct {
	db   *DB
	ws   store.WS
	conn *sql.Conn
	sql  *sql.Tx
	// over is why nothing more may be done and nothing may be committed.
	over error
	// items counts those written.
	items int
}

var _ store.Tx = (*tx)(nil)

// Write implements store.Store. fn must not call Write: there is one writer.
func (db *DB) Write(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	items := 0
	err := db.transact(ctx, durable, func(conn *sql.Conn, stx *sql.Tx) error {
		t := &tx{db: db, ws: ws, conn: conn, sql: stx}
		if err := fn(t); err != nil {
			return err
		}
		items = t.items
		return t.over
	})
	if err == nil {
		db.checkpoints.wrote(items)
	}
	return err
}

// transact runs fn in a transaction on the writer's connection.
func (db *DB) transact(ctx context.Context, durable bool, fn func(*sql.Conn, *sql.Tx) error) (err error) {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("write: %w", interpret(err, nil))
	}
	defer conn.Close()
	if durable {
		restore, err := syncFully(ctx, conn)
		if err != nil {
			return fmt.Errorf("write: %w", interpret(err, nil))
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	// A context that ends makes database/sql roll back from another goroutine,
	// and the next statement on the connection would commit by itself. So the
	// transaction does not know of it, and each step asks the context instead.
	stx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", interpret(err, nil))
	}
	defer stx.Rollback() // after a commit it does nothing
	if err := fn(conn, stx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := stx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", interpret(err, nil))
	}
	return nil
}

// syncFully makes the connection's next commit survive power loss, and returns
// how to go back. The pragma is ignored within a transaction, so it must come
// before one.
func syncFully(ctx context.Context, conn *sql.Conn) (restore func() error, err error) {
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous=FULL"); err != nil {
		return nil, err
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous=NORMAL")
		return err
	}, nil
}

// change runs a statement in a transaction of its own; changing no row is
// ErrNotFound.
func (db *DB) change(ctx context.Context, durable bool, query string, args ...any) error {
	return db.transact(ctx, durable, func(_ *sql.Conn, tx *sql.Tx) error {
		n, err := changes(tx.ExecContext(ctx, query, args...))
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// changes is how many rows a statement changed.
func changes(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, interpret(err, nil)
	}
	return r.RowsAffected()
}

// hot runs fn on the session of the transaction's connection. An error of the
// kinds that endsTransaction names ends it, whatever the caller makes of it.
func (t *tx) hot(ctx context.Context, op string, fn func(*session) error) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	err := t.conn.Raw(func(driverConn any) error {
		conn, ok := driverConn.(driver.Conn)
		if !ok {
			return fmt.Errorf("driver connection is a %T", driverConn)
		}
		if t.db.session == nil || t.db.session.conn != conn {
			t.db.session = newSession(conn)
		}
		return fn(t.db.session)
	})
	return t.judge(op, interpret(err, store.ErrConflict))
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

// exec runs a statement of the slower kind; taken is what a taken key means.
func (t *tx) exec(ctx context.Context, op string, taken error, query string, args ...any) (sql.Result, error) {
	if err := t.usable(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	r, err := t.sql.ExecContext(context.WithoutCancel(ctx), query, args...)
	return r, t.judge(op, interpret(err, taken))
}

// execOne is exec for a statement that must change exactly one row; changing
// none is ErrNotFound.
func (t *tx) execOne(ctx context.Context, op string, query string, args ...any) error {
	r, err := t.exec(ctx, op, nil, query, args...)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return wrap(op, err)
	}
	return fmt.Errorf("%s: %w", op, store.ErrNotFound)
}

// Enqueue implements store.Tx.
func (t *tx) Enqueue(ctx context.Context, j store.Job) (int64, error) {
	if err := t.usable(ctx); err != nil {
		return 0, fmt.Errorf("enqueue: %w", err)
	}
	if j.WS != t.ws {
		return 0, fmt.Errorf("enqueue: job of workspace %d in a transaction of workspace %d", j.WS, t.ws)
	}
	enqueue := t.db.enqueue.Load()
	if enqueue == nil {
		return 0, errors.New("enqueue: no job engine is bound")
	}
	id, err := (*enqueue)(context.WithoutCancel(ctx), t.sql, j)
	return id, t.judge("enqueue", interpret(err, nil))
}
