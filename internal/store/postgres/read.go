package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/internal/store"
)

// querier is what reads: a pool of connections, or one transaction.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// reader has the store's read methods. One that already stands at one moment
// has no pool.
type reader struct {
	q    querier
	pool *pgxpool.Pool
	// browsers are for what people search and list, and for what is handed on as fast
	// as somebody takes it: neither may use up what everything else reads with.
	browsers *pgxpool.Pool
	// patience is how long they are waited for.
	patience time.Duration
}

// Health checks that the database answers.
func (r reader) Health(ctx context.Context) error {
	var n int
	if err := r.q.QueryRow(ctx, "SELECT 1").Scan(&n); err != nil {
		return fmt.Errorf("health: %w", interpret(ctx, err, nil))
	}
	return nil
}

// beginStill begins a transaction that sees one state of the database. The
// moment is that of its first query.
const (
	beginStill      = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1`
	beginStillByKey = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ` + planOnce
)

// atOneMoment calls fn with a reader that sees one state of the database.
func (r reader) atOneMoment(ctx context.Context, begin string, fn func(reader) error) error {
	if r.pool == nil {
		return fn(r)
	}
	tx, err := r.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return fmt.Errorf("begin reading: %w", interpret(ctx, err, nil))
	}
	defer rollback(ctx, tx) // it has written nothing
	return fn(reader{q: tx})
}

// beginSearch begins what nobody waits for any longer after a while.
const beginSearch = `BEGIN READ ONLY; SET LOCAL statement_timeout = '30s'`

// browsePatience is how long somebody who browses waits for others who do.
const browsePatience = 5 * time.Second

// browse calls fn with a reader whose connection is one of those for browsing;
// ErrUnavailable where none comes free.
func (r reader) browse(ctx context.Context, begin string, fn func(reader) error) error {
	if r.browsers == nil {
		return fn(r)
	}
	patient, stop := context.WithTimeout(ctx, r.patience)
	defer stop()
	conn, err := r.browsers.Acquire(patient)
	if err != nil {
		if ctx.Err() == nil && patient.Err() != nil {
			return fmt.Errorf("%w: too many search or download at once; none of them ended within %s", store.ErrUnavailable, r.patience)
		}
		return fmt.Errorf("begin reading: %w", interpret(ctx, err, nil))
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return fmt.Errorf("begin reading: %w", interpret(ctx, err, nil))
	}
	defer rollback(ctx, tx) // it has written nothing
	return fn(reader{q: tx})
}

// Snapshot implements store.Store.
func (r reader) Snapshot(ctx context.Context, fn func(store.Store) error) error {
	return r.browse(ctx, beginStill, func(still reader) error { return fn(snapshot{still}) })
}

// DecidesAhead implements store.Store. It pays although many transactions
// write at once: the look-up of new keys is saved altogether, and what is read
// is read while the transaction before is under way.
func (reader) DecidesAhead() bool { return true }

// ReadItems implements store.Store.
func (r reader) ReadItems(ctx context.Context, ws store.WS, fn func(store.ItemReader) error) error {
	err := r.atOneMoment(ctx, beginStillByKey, func(still reader) error { return fn(&itemReader{ws: ws, q: still.q}) })
	return wrap("read items at one moment", err)
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

// collect reads every row of a query.
func collect[T any](ctx context.Context, q querier, scan func(pgx.Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, interpret(ctx, err, nil)
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
	return all, interpret(ctx, rows.Err(), nil)
}

// one reads the one row of a query; ErrNotFound.
func one[T any](ctx context.Context, q querier, scan func(pgx.Row) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRow(ctx, query, args...))
	return v, interpret(ctx, err, nil)
}

// limit is a range's bound as a query wants it.
func limit(r store.Range) int64 {
	if r.Limit == 0 {
		return math.MaxInt64
	}
	return int64(r.Limit)
}

// millis and its kin turn times into what is stored and back.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func millisOrNull(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func fromNull(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	t := fromMillis(*ms)
	return &t
}
