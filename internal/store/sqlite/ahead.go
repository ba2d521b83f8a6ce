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

// ReadItems implements store.Store.
func (db *DB) ReadItems(ctx context.Context, ws store.WS, fn func(store.ItemReader) error) error {
	return wrap("read items at one moment", db.aheads.read(ctx, ws, fn))
}

// DecidesAhead implements store.Store: with one writer it always pays.
func (reader) DecidesAhead() bool { return true }

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
	return fn(&itemReader{ws: ws, conn: conn, session: a.session})
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

// ReadItems implements store.Store: it reads at the snapshot's moment.
func (s snapshot) ReadItems(_ context.Context, ws store.WS, fn func(store.ItemReader) error) (err error) {
	var own *session
	defer func() {
		if own != nil {
			err = errors.Join(err, own.close())
		}
	}()
	return wrap("read items at one moment", fn(&itemReader{ws: ws, conn: s.conn, session: func(conn driver.Conn) *session {
		if own == nil {
			own = newSession(conn)
		}
		return own
	}}))
}

// itemReader reads items at one moment, that of the transaction its connection
// is in.
type itemReader struct {
	ws      store.WS
	conn    *sql.Conn
	session func(driver.Conn) *session
}

var _ store.ItemReader = (*itemReader)(nil)

// Find implements store.ItemReader.
func (r *itemReader) Find(ctx context.Context, kind catalog.Kind, field catalog.KeyField, keys []string) (found []store.Found, err error) {
	err = r.hot(ctx, func(s *session) error {
		found, err = s.find(r.ws, kind, field, keys)
		return err
	})
	return found, wrap("find items", err)
}

// Read implements store.ItemReader.
func (r *itemReader) Read(ctx context.Context, kind catalog.Kind, handles []int64) (items []catalog.Item, err error) {
	err = r.hot(ctx, func(s *session) error {
		items, err = s.read(r.ws, kind, handles)
		return err
	})
	return items, wrap("read items", err)
}

func (r *itemReader) hot(ctx context.Context, fn func(*session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := r.conn.Raw(func(driverConn any) error {
		conn, ok := driverConn.(driver.Conn)
		if !ok {
			return fmt.Errorf("driver connection is a %T", driverConn)
		}
		return fn(r.session(conn))
	})
	return interpret(err, nil)
}
