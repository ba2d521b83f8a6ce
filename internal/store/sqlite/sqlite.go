// Package sqlite keeps the store in one SQLite file: the embedded default,
// written in pure Go. It has one writer handle, on which every transaction of
// this process queues, and a pool of readers that never wait for it.
//
// What belongs here is SQL, the driver, and the file's settings. What does not:
// what an item means (package catalog), when what is written (package
// importer), the job engine that shares the writer handle (package jobs), and
// who may own the data folder (package main).
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"tallyman/internal/store"
)

// Options set a DB. The zero value is good.
type Options struct {
	// Log receives what an operator may want to know; nil discards it.
	Log *slog.Logger
	// Enqueue is how jobs are added; it may come later through BindEnqueue.
	Enqueue Enqueue
	// Readers is the number of reading connections; 0 chooses.
	Readers int
	// CacheBytes bounds the writer's page cache; 0 is DefaultCacheBytes.
	CacheBytes int64
	// BusyTimeout is how long a write waits for another process that writes to
	// the file; 0 is DefaultBusyTimeout.
	BusyTimeout time.Duration
	// Now is the clock; nil is the system's.
	Now func() time.Time
	// Unfinished opens a database that a Restore left half-filled, too.
	Unfinished bool
	// Migrate is what may be done to the tables.
	Migrate store.Migrate
}

// Enqueue adds a job within a transaction and returns its id.
type Enqueue func(ctx context.Context, tx *sql.Tx, j store.Job) (int64, error)

// Defaults of Options.
const (
	DefaultCacheBytes  = 48 << 20
	DefaultBusyTimeout = 10 * time.Second
)

const (
	// checkpointPages is how many pages the write-ahead log gathers before they
	// are moved into the file. With SQLite's own 1,000 a bulk load moves the hot
	// pages of its indexes again and again and runs at little more than half
	// the speed.
	checkpointPages = 32768
	// walBytesKept bounds the log file once a burst that made it grow is over.
	walBytesKept = 128 << 20
	// readerCacheBytes is each reader's page cache, aheadCacheBytes that of those
	// which look a chunk's keys up.
	readerCacheBytes = 8 << 20
	aheadCacheBytes  = 8 << 20
)

// DB is a store in one SQLite file.
type DB struct {
	reader
	writer  *sql.DB
	log     *slog.Logger
	enqueue atomic.Pointer[Enqueue]
	// checkpoints empties the write-ahead log beside the writer.
	checkpoints *checkpointer
	// aheads reads items for chunks that are decided before their transaction.
	aheads aheads
	// probe is the handle of Writable.
	probe *sql.DB
	// session belongs to the writer's connection; whoever holds that connection
	// may touch it.
	session *session
}

var _ store.Store = (*DB)(nil)

// Open opens the database file at path, making it if it is missing, and brings
// its tables up to date, as far as opt.Migrate lets it; a *store.OldTablesError
// where it does not. Other processes may have the same file open.
func Open(ctx context.Context, path string, opt Options) (*DB, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if err := mayOpen(ctx, path, opt.Migrate); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	writer, err := openWriter(path, opt)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	readers, err := openReaders(path, opt, readerCacheBytes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), writer.Close())
	}
	side, err := openSide(path, opt)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), readers.Close(), writer.Close())
	}
	ahead, err := openReaders(path, opt, aheadCacheBytes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), side.Close(), readers.Close(), writer.Close())
	}
	probe, err := openProbe(path, opt)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), ahead.Close(), side.Close(), readers.Close(), writer.Close())
	}
	db := &DB{reader: reader{q: readers, pool: readers, now: opt.Now}, writer: writer, probe: probe, checkpoints: newCheckpointer(side, opt.Log),
		aheads: aheads{pool: ahead}, log: opt.Log}
	if opt.Enqueue != nil {
		db.BindEnqueue(opt.Enqueue)
	}
	err = db.Migrate(ctx)
	if err == nil && !opt.Unfinished {
		err = db.whole(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// mayOpen looks at the file without touching it where it must stay as it is, and
// makes it otherwise if it is missing.
func mayOpen(ctx context.Context, path string, m store.Migrate) error {
	if _, err := os.Stat(path); err != nil && m == store.MigrateNever && errors.Is(err, fs.ErrNotExist) {
		newest, err := newestVersion()
		if err == nil {
			err = m.Allows(0, newest)
		}
		return err
	}
	if err := createPrivate(path); err != nil || m == store.MigrateAlways {
		return err
	}
	db, err := openReaders(path, Options{}, readerCacheBytes)
	if err != nil {
		return err
	}
	have, newest, err := Versions(ctx, db)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return m.Allows(have, newest)
}

// createPrivate makes the file if it is missing: SQLite would let everybody read it.
// What SQLite lays beside it gets the file's own mode. A file that is there keeps
// the one that its owner gave it.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func openWriter(path string, opt Options) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "immediate", busyTimeout(opt),
		"journal_mode(WAL)",
		"synchronous(NORMAL)",
		"wal_autocheckpoint("+strconv.Itoa(checkpointPages)+")",
		"journal_size_limit("+strconv.Itoa(walBytesKept)+")",
		"temp_store(MEMORY)",
		cacheSize(orDefault(opt.CacheBytes, DefaultCacheBytes)),
	))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, nil
}

func openReaders(path string, opt Options, cacheBytes int64) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "deferred", busyTimeout(opt),
		"query_only(1)",
		"temp_store(MEMORY)",
		cacheSize(cacheBytes),
	))
	if err != nil {
		return nil, err
	}
	n := orDefault(opt.Readers, max(4, runtime.GOMAXPROCS(0)))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// openSide opens the handle for checkpoints: they write, so no reader may do
// them, and they must not wait for the writer.
func openSide(path string, opt Options) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "deferred", busyTimeout(opt), "synchronous(NORMAL)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// dsn names the file and the settings of each connection to it, in the order
// they are applied: the busy timeout comes first, because setting the others
// may already have to wait for another process.
func dsn(path, txlock string, busy time.Duration, pragmas ...string) string {
	q := url.Values{"_txlock": {txlock}, "_pragma": {"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")"}}
	q["_pragma"] = append(q["_pragma"], pragmas...)
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func busyTimeout(opt Options) time.Duration { return orDefault(opt.BusyTimeout, DefaultBusyTimeout) }

// cacheSize is the pragma that bounds a page cache; a negative number counts KiB.
func cacheSize(bytes int64) string { return "cache_size(-" + strconv.FormatInt(bytes>>10, 10) + ")" }

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// BindEnqueue sets how transactions add jobs. The job engine needs the writer
// handle before it can be made, so it is bound once both are there.
func (db *DB) BindEnqueue(f Enqueue) { db.enqueue.Store(&f) }

// Writer is the one handle that writes, for the job engine's own tables. It
// has one connection: whoever holds a transaction on it must not ask for another.
func (db *DB) Writer() *sql.DB { return db.writer }

// Health checks that the file can be read.
func (db *DB) Health(ctx context.Context) error { return db.reader.Health(ctx) }

// Close closes every connection, the writer's last: as the last one it moves
// what is left in the write-ahead log into the file and removes the log.
func (db *DB) Close() error {
	return errors.Join(db.checkpoints.close(), db.probe.Close(), db.aheads.close(), db.reader.pool.Close(), db.closeWriter())
}

// closeWriter waits for the transaction under way.
func (db *DB) closeWriter() error {
	conn, err := db.writer.Conn(context.Background())
	if err != nil {
		return errors.Join(err, db.writer.Close())
	}
	err = conn.Raw(func(driverConn any) error {
		if db.session == nil || db.session.conn != driverConn {
			return nil
		}
		return db.session.close()
	})
	return errors.Join(err, conn.Close(), db.writer.Close())
}
