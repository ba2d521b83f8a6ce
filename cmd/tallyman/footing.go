package main

import (
	"context"
	"fmt"
	"strings"

	"tallyman/internal/files"
	"tallyman/internal/files/disk"
	"tallyman/internal/files/s3"
	"tallyman/internal/jobs"
	"tallyman/internal/jobs/postgresjobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/sqlite"
)

// footing is what a node stands on: a database, which also carries its jobs, and
// a file store. Nothing but what is in this file knows which ones they are.
type footing struct {
	store store.Store
	files files.Store
	// checkFiles says why files cannot be stored or read just now, or nil.
	checkFiles func(context.Context) error
	// makeEngine returns the job engine on the database, its tables made and
	// transactions of the store bound to it.
	makeEngine func(context.Context, jobs.Config) (engine, error)
	// chunkRows is the size of a transaction, and spareJobs how many batches more
	// than there are workers are worked on at once.
	chunkRows, spareJobs int
}

// engine is the job engine, whichever database it is on.
type engine interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Health() error
	Live(ctx context.Context, ids []int64) (map[int64]bool, error)
}

func (n *node) openDatabase(ctx context.Context) error {
	if n.settings.config.Shared() {
		return n.openPostgres(ctx)
	}
	return n.openSQLite(ctx)
}

// SQLite has one writer. Fewer and larger transactions write fewer index pages,
// but hold more memory, and a pause takes hold within one of them. At any time
// one more batch than there are workers waits for the writer.
const (
	sqliteChunkRows = 6250
	sqliteSpareJobs = 1
)

func (n *node) openSQLite(ctx context.Context) error {
	db, err := sqlite.Open(ctx, n.settings.folder.database(), sqlite.Options{Log: n.settings.log})
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	n.onClose("close database", db.Close)
	n.store, n.chunkRows, n.spareJobs = db, sqliteChunkRows, sqliteSpareJobs
	n.makeEngine = func(ctx context.Context, cfg jobs.Config) (engine, error) {
		cfg.SoleOwner = true
		e, err := sqlitejobs.New(db.Writer(), cfg)
		if err == nil {
			err = e.Migrate(ctx)
		}
		if err != nil {
			return nil, err
		}
		db.BindEnqueue(e.InsertTx)
		return e, nil
	}
	return nil
}

func (n *node) openPostgres(ctx context.Context) error {
	db, err := postgres.Open(ctx, n.settings.config.Database, postgres.Options{Log: n.settings.log})
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	n.onClose("close database", db.Close)
	n.store = db
	n.makeEngine = func(ctx context.Context, cfg jobs.Config) (engine, error) {
		e, err := postgresjobs.New(db.Pool(), cfg)
		if err == nil {
			err = db.Alone(ctx, e.Migrate)
		}
		if err != nil {
			return nil, err
		}
		db.BindEnqueue(e.InsertTx)
		return e, nil
	}
	return nil
}

func (n *node) openFiles(ctx context.Context) error {
	where := n.settings.config.Files
	if strings.HasPrefix(where, "s3://") {
		return n.openBucket(ctx, where)
	}
	if where == "" {
		where = n.settings.folder.files()
	}
	st, err := disk.Open(where, disk.Options{Log: n.settings.log})
	if err != nil {
		return err
	}
	n.onClose("close file store", st.Close)
	n.files = st
	n.checkFiles = func(context.Context) error { _, err := freeSpace(where); return err }
	return nil
}

func (n *node) openBucket(ctx context.Context, url string) error {
	cfg, err := s3.ParseURL(url)
	if err != nil {
		return fmt.Errorf("--files: %w", err)
	}
	st, err := s3.Open(ctx, cfg, s3.Options{Log: n.settings.log, Now: n.now})
	if err != nil {
		return err
	}
	n.onClose("close file store", st.Close)
	n.files, n.checkFiles = st, st.Check
	return nil
}
