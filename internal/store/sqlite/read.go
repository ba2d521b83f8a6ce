package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tallyman/internal/store"
)

// querier is what reads: a pool of connections, or one transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader has the store's read methods. One that already stands at one moment
// has no pool but the connection whose transaction holds that moment.
type reader struct {
	q    querier
	pool *sql.DB
	conn *sql.Conn
	now  func() time.Time
}

// Health checks that the file can be read.
func (r reader) Health(ctx context.Context) error {
	var n int
	if err := r.q.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		return fmt.Errorf("health: %w", interpret(err, nil))
	}
	return nil
}

// atOneMoment calls fn with a reader that sees one state of the database.
func (r reader) atOneMoment(ctx context.Context, fn func(reader) error) error {
	if r.pool == nil {
		return fn(r)
	}
	conn, err := r.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin reading: %w", interpret(err, nil))
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin reading: %w", interpret(err, nil))
	}
	defer tx.Rollback() // it has written nothing
	still := reader{q: tx, conn: conn, now: r.now}
	// The moment is that of the first read, not of the beginning.
	if err := still.Health(ctx); err != nil {
		return err
	}
	return fn(still)
}

// Snapshot implements store.Store.
func (r reader) Snapshot(ctx context.Context, fn func(store.Store) error) error {
	return r.atOneMoment(ctx, func(still reader) error { return fn(snapshot{still}) })
}

// snapshot is a store that stands still.
type snapshot struct{ reader }

var _ store.Store = snapshot{}

var errStill = errors.New("a snapshot cannot be written to")

func (snapshot) CreateWorkspace(context.Context, store.Workspace) (store.Workspace, error) {
	return store.Workspace{}, errStill
}
func (snapshot) SetCurrency(context.Context, store.WS, string) error  { return errStill }
func (snapshot) CreateKey(context.Context, store.WS, store.Key) error { return errStill }
func (snapshot) RevokeKey(context.Context, store.WS, string, time.Time) error {
	return errStill
}
func (snapshot) Write(context.Context, store.WS, bool, func(store.Tx) error) error {
	return errStill
}
func (snapshot) BeginRequest(context.Context, store.WS, store.Request, time.Time) (store.Request, bool, error) {
	return store.Request{}, false, errStill
}
func (snapshot) BeatRequest(context.Context, store.WS, string, time.Time, time.Time) error {
	return errStill
}
func (snapshot) EndRequest(context.Context, store.WS, store.Request) error { return errStill }
func (snapshot) DropRequest(context.Context, store.WS, string, time.Time) error {
	return errStill
}
func (snapshot) PurgeRequests(context.Context, time.Time) error { return errStill }
func (snapshot) CreateUser(context.Context, store.WS, store.User) error {
	return errStill
}
func (snapshot) UpdateUser(context.Context, store.WS, store.User, store.User) error {
	return errStill
}
func (snapshot) AppendAudit(context.Context, store.WS, *store.AuditEntry) error {
	return errStill
}
func (snapshot) PurgeAudit(context.Context, time.Time, int) (int, error) { return 0, errStill }
func (snapshot) BeatNode(context.Context, store.Node) error              { return errStill }
func (snapshot) LeaveNode(context.Context, string) error                 { return errStill }
func (snapshot) Writable(context.Context) error                          { return errStill }

// Close implements store.Store; the snapshot ends with the function it was
// given to.
func (snapshot) Close() error { return nil }

// scanner is a row, from wherever.
type scanner interface{ Scan(dest ...any) error }

// collect reads every row of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, interpret(err, nil)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, interpret(rows.Err(), nil)
}

func scanText(s scanner) (text string, err error) {
	err = s.Scan(&text)
	return text, err
}

// limit is a range's bound as SQLite wants it: negative for none.
func limit(r store.Range) int {
	if r.Limit == 0 {
		return -1
	}
	return r.Limit
}

// millis and its kin turn times into what is stored and back.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func millisOrNull(t *time.Time) sql.NullInt64 {
	if t == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: true}
}

func fromNull(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := fromMillis(ms.Int64)
	return &t
}
