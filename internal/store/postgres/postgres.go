// Package postgres keeps the store in PostgreSQL, which any number of nodes
// share. Its tables can be spread by workspace: every key begins with it, and no
// statement of a transaction leaves it.
//
// What belongs here is SQL, the driver, and the settings of connections. What
// does not: what an item means (package catalog), when what is written (package
// importer), and the job engine that shares the database (package jobs).
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/internal/store"
)

// Options set a DB. The zero value is good.
type Options struct {
	// Log receives what an operator may want to know; nil discards it.
	Log *slog.Logger
	// Enqueue is how jobs are added; it may come later through BindEnqueue.
	Enqueue Enqueue
	// Writers, Readers, Browsers and Engine bound the connections that write, those
	// that read, those that search and list for people, and those of the job engine;
	// 0 chooses. A node opens all four kinds, as it needs them. Where the address has
	// a pool_max_conns, that bounds each kind too.
	Writers, Readers, Browsers, Engine int
	// Jobs is how many jobs work at once. What is chosen has connections for all of
	// them and for requests beside them.
	Jobs int
	// Silence is how long a connection that writes or reads waits for the server to
	// say anything; 0 chooses: a little longer than a statement may take.
	Silence time.Duration
	// BrowseWait is how long somebody who browses waits for others who do; 0 chooses.
	BrowseWait time.Duration
	// LockWait is how long a migration waits for a lock before it lets others go
	// first, and for how long it does; 0 chooses.
	LockWait time.Duration
	// Unfinished opens a database that a Restore left half-filled, too.
	Unfinished bool
	// Migrate is what may be done to the tables.
	Migrate store.Migrate
}

// Enqueue adds a job within a transaction and returns its id.
type Enqueue func(ctx context.Context, tx pgx.Tx, j store.Job) (int64, error)

// oldestServer is the oldest PostgreSQL that the settings of connections are
// known to.
const oldestServer = 14

// DB is a store in one PostgreSQL database.
type DB struct {
	reader
	writers *pgxpool.Pool
	engine  *pgxpool.Pool
	plain   *pgx.ConnConfig // connects as the pools do, without their settings
	log     *slog.Logger
	// lockWait is that of Options.
	lockWait time.Duration
	enqueue  atomic.Pointer[Enqueue]
	stuck    stuckSessions
	// analyzer keeps the planner's picture of a growing table up to date.
	analyzer *analyzer
}

var _ store.Store = (*DB)(nil)

// Open connects to the database that url names (a postgres:// URL or a list of
// key=value) and brings its tables up to date, as far as opt.Migrate lets it; a
// *store.OldTablesError where it does not. Other processes may do the same at the
// same time.
func Open(ctx context.Context, url string, opt Options) (*DB, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	server, err := parse(url)
	if err != nil {
		return nil, err
	}
	plain := server.plain()
	if err := check(ctx, plain); err != nil {
		return nil, fmt.Errorf("open %s: %w", place(plain), err)
	}
	writers, err := server.open(ctx, orDefault(opt.Writers, max(poolSize(), opt.Jobs+connsBeside)), orDefault(opt.Silence, writerSilence), writerSettings, makeStaging)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", place(plain), err)
	}
	readers, err := server.open(ctx, orDefault(opt.Readers, max(poolSize(), 2*opt.Jobs+connsBeside)), orDefault(opt.Silence, readerSilence), readerSettings)
	if err != nil {
		writers.Close()
		return nil, fmt.Errorf("open %s: %w", place(plain), err)
	}
	browsers, err := server.open(ctx, orDefault(opt.Browsers, browseSize()), orDefault(opt.Silence, readerSilence), readerSettings)
	if err != nil {
		readers.Close()
		writers.Close()
		return nil, fmt.Errorf("open %s: %w", place(plain), err)
	}
	engine, err := server.openEngine(ctx, orDefault(opt.Engine, engineSize()))
	if err != nil {
		browsers.Close()
		readers.Close()
		writers.Close()
		return nil, fmt.Errorf("open %s: %w", place(plain), err)
	}
	db := &DB{reader: reader{q: readers, pool: readers, browsers: browsers, patience: orDefault(opt.BrowseWait, browsePatience)}, writers: writers, engine: engine, plain: plain, log: opt.Log, lockWait: orDefault(opt.LockWait, migrationLockWait)}
	db.analyzer = newAnalyzer(plain, opt.Log)
	if opt.Enqueue != nil {
		db.BindEnqueue(opt.Enqueue)
	}
	if err = db.mayOpen(ctx, opt.Migrate); err == nil {
		err = db.Migrate(ctx)
	}
	if err == nil && !opt.Unfinished {
		err = db.whole(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", place(plain), inWords(err)), db.Close())
	}
	return db, nil
}

// connsBeside is how many connections there are at least for what is not a job's.
const connsBeside = 4

// poolSize is how many connections write, and how many read, at most, unless many
// jobs need more; browseSize is how many search, engineSize how many work for the job
// engine. They go by the processors that the process may
// use, not by those that the machine has.
func poolSize() int   { return max(8, 4*runtime.GOMAXPROCS(0)) }
func browseSize() int { return max(fewestConns, runtime.GOMAXPROCS(0)) }
func engineSize() int { return max(fewestConns, runtime.GOMAXPROCS(0)) }

// check refuses a server that the store cannot work with.
func check(ctx context.Context, c *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, c.Copy())
	if err != nil {
		return inWords(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int
	var encoding string
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding')`).Scan(&version, &encoding); err != nil {
		return err
	}
	if version < oldestServer*10000 {
		return fmt.Errorf("the server is PostgreSQL %d and must be %d or newer", version/10000, oldestServer)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s and must be UTF8; create it with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return nil
}

// Both kinds of connections look rows up by their keys in the order that the
// query has. Without these settings the planner, which knows nothing yet of a
// table that grows, joins whole workspaces for each chunk; and compiling a
// statement costs a second.
const plannerSettings = `
SET jit = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_seqscan = off;
SET enable_material = off;
SET enable_bitmapscan = off;
SET plan_cache_mode = force_custom_plan;
`

// A node that stands still within a transaction must not hold its locks for
// longer than it takes the others to notice. Nothing in a transaction waits for
// anything but the database. A reader may hand on what it reads.
const (
	// A row whose place is known is fetched there. At the usual price of a page the
	// planner would rather walk through a workspace, because its other pages were
	// fetched for the row before.
	writerSettings = plannerSettings + `
SET random_page_cost = 0.1;
SET statement_timeout = '60s';
SET idle_in_transaction_session_timeout = '8s';`
	readerSettings = plannerSettings + `
SET statement_timeout = '5min';
SET idle_in_transaction_session_timeout = '30min';`

	// planOnce makes a transaction whose statements look rows up by their keys plan
	// each of them once for its connection, which saves a chunk a millisecond. It does
	// so only where the planner cannot err: of a table that is nearly empty it may keep
	// a walk through the whole of it, long after that has grown.
	planOnce = `SELECT set_config('plan_cache_mode', CASE WHEN pg_relation_size('item') > 4194304 THEN 'force_generic_plan' ELSE 'force_custom_plan' END, true)`

	// noticeGone ends a statement whose client is gone. Not every system can tell.
	noticeGone = `SET client_connection_check_interval = '2s'`
)

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// BindEnqueue sets how transactions add jobs. The job engine needs the database
// before it can be made, so it is bound once both are there.
func (db *DB) BindEnqueue(f Enqueue) { db.enqueue.Store(&f) }

// Pool connects to the same database for the job engine, which has tables and
// habits of its own: it breaks off what it waits for, which must not cancel
// anything on the server.
func (db *DB) Pool() *pgxpool.Pool { return db.engine }

// Health checks that the database answers.
func (db *DB) Health(ctx context.Context) error { return db.reader.Health(ctx) }

// Close closes every connection, waiting for those in use.
func (db *DB) Close() error {
	db.analyzer.close()
	db.writers.Close()
	db.reader.pool.Close()
	db.browsers.Close()
	db.engine.Close()
	return nil
}
