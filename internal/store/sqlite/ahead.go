package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// aheads are the connections on which chunks are decided ahead of their
// transactions, while another chunk has the only one that writes. Each has a
// session of its own, whose statements stay prepared as long as the pool keeps
// the connection, which is until the store is closed.
type aheads struct {
	pool     *sql.DB
	mu       sync.Mutex
	sessions map[driver.Conn]*session
}

// Ahead implements store.Store: with one writer it always pays.
func (db *DB) Ahead(ctx context.Context, ws store.WS, fn func(store.ItemReader) error) (bool, error) {
	if err := db.aheads.read(ctx, ws, fn); err != nil {
		return true, fmt.Errorf("read ahead: %w", err)
	}
	return true, nil
}

func (a *aheads) read(ctx context.Context, ws store.WS, fn func(store.ItemReader) error) error {
	conn, err := a.pool.Conn(ctx)
	if err != nil {
		return interpret(err, nil)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return interpret(err, nil)
	}
	defer tx.Rollback() // it has written nothing
	return fn(&aheadReader{a: a, ws: ws, conn: conn})
}

// session returns the connection's session, making it at its first use.
func (a *aheads) session(conn driver.Conn) *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[conn]
	if s == nil {
		if a.sessions == nil {
			a.sessions = make(map[driver.Conn]*session)
		}
		s = newSession(conn)
		a.sessions[conn] = s
	}
	return s
}

func (a *aheads) close() (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sessions {
		err = errors.Join(err, s.close())
	}
	clear(a.sessions)
	return errors.Join(err, a.pool.Close())
}

// aheadReader reads items at one moment.
type aheadReader struct {
	a    *aheads
	ws   store.WS
	conn *sql.Conn
}

var _ store.ItemReader = (*aheadReader)(nil)

// Find implements store.ItemReader.
func (r *aheadReader) Find(ctx context.Context, kind catalog.Kind, field catalog.KeyField, keys []string) (found []store.Found, err error) {
	err = r.hot(ctx, func(s *session) error {
		found, err = s.find(r.ws, kind, field, keys)
		return err
	})
	return found, wrap("find items", err)
}

// Read implements store.ItemReader.
func (r *aheadReader) Read(ctx context.Context, kind catalog.Kind, handles []int64) (items []catalog.Item, err error) {
	err = r.hot(ctx, func(s *session) error {
		items, err = s.read(r.ws, kind, handles)
		return err
	})
	return items, wrap("read items", err)
}

func (r *aheadReader) hot(ctx context.Context, fn func(*session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := r.conn.Raw(func(driverConn any) error {
		conn, ok := driverConn.(driver.Conn)
		if !ok {
			return fmt.Errorf("driver connection is a %T", driverConn)
		}
		return fn(r.a.session(conn))
	})
	return interpret(err, nil)
}
