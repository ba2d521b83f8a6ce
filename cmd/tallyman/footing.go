package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tallyman/internal/files"
	"tallyman/internal/files/disk"
	"tallyman/internal/files/marker"
	"tallyman/internal/files/s3"
	"tallyman/internal/importer"
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
	// filesAt names the file store for people. sweepFiles removes what crashes left
	// of files that were being written; nil where opening the store does so.
	filesAt    string
	sweepFiles func(context.Context) error
	// ours says why the files are not this database's, or nil; nil where there are
	// none.
	ours func(context.Context) error
	// unclaimed marks the files as this database's, which could not be done yet; nil
	// where it was.
	unclaimed func(context.Context) error
	// endStuck ends what other nodes, which stand still, do in the database; nil where
	// none can.
	endStuck func(context.Context) (int, error)
	// aboutDatabase says what is to be known of the database, for people.
	aboutDatabase func(context.Context) (string, error)
	// makeEngine returns the job engine on the database, its tables made and
	// transactions of the store bound to it.
	makeEngine func(context.Context, jobs.Config) (engine, error)
	// chunkRows is the size of a transaction, and spareJobs how many batches more
	// than there are workers are worked on at once.
	chunkRows, spareJobs int
	// unfinished says that a database which a move left half-filled is opened too.
	unfinished bool
	// filesPatience is how long a request to a bucket is tried; 0 is for long.
	filesPatience time.Duration
	// migrate is what may be done to the tables.
	migrate store.Migrate
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
	db, err := sqlite.Open(ctx, n.settings.folder.database(), sqlite.Options{Log: n.settings.log, Migrate: n.migrate})
	if err != nil {
		return n.settings.oldTables(fmt.Errorf("open database: %w", err))
	}
	n.onClose("close database", db.Close)
	n.store, n.chunkRows, n.spareJobs = db, sqliteChunkRows, sqliteSpareJobs
	n.aboutDatabase = func(context.Context) (string, error) {
		path := n.settings.folder.database()
		return byteSize(fileSize(path) + fileSize(path+"-wal")), nil
	}
	n.makeEngine = func(ctx context.Context, cfg jobs.Config) (engine, error) {
		cfg.SoleOwner = true
		e, err := sqlitejobs.New(db.Writer(), cfg)
		if err == nil {
			err = n.migrateJobs(ctx, e.Migrate, func(ctx context.Context) (int64, int64, error) { return sqlitejobs.Versions(ctx, db.Writer()) })
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
	db, err := postgres.Open(ctx, n.settings.config.Database, postgres.Options{Log: n.settings.log, Unfinished: n.unfinished, Migrate: n.migrate, Jobs: n.batchJobs()})
	if err != nil {
		return n.settings.oldTables(err)
	}
	n.onClose("close database", db.Close)
	n.store, n.endStuck = db, db.EndStuck
	n.aboutDatabase = func(ctx context.Context) (string, error) { return aboutPostgres(ctx, db) }
	n.makeEngine = func(ctx context.Context, cfg jobs.Config) (engine, error) {
		e, err := postgresjobs.New(db.Pool(), cfg)
		if err == nil {
			err = n.migrateJobs(ctx, func(ctx context.Context) error { return db.Alone(ctx, e.Migrate) },
				func(ctx context.Context) (int64, int64, error) { return postgresjobs.Versions(ctx, db.Pool()) })
		}
		if err != nil {
			return nil, err
		}
		db.BindEnqueue(e.InsertTx)
		return e, nil
	}
	return nil
}

// aboutPostgres says which server it is.
func aboutPostgres(ctx context.Context, db *postgres.DB) (string, error) {
	var server string
	if err := db.Pool().QueryRow(ctx, `SHOW server_version`).Scan(&server); err != nil {
		return "", fmt.Errorf("ask for the server's version: %w", err)
	}
	return "PostgreSQL " + server, nil
}

// probeFolder is where the files lie that the file store is tried with.
const probeFolder = "probe/"

// probeText is what the file store is tried with.
const probeText = "tallyman tries this file store\n"

// tryFiles writes a file, reads it back and removes it.
func (n *node) tryFiles(ctx context.Context) (err error) {
	key := probeFolder + rand.Text()
	w, err := n.files.Create(ctx, key)
	if err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	defer w.Abort()
	if _, err = io.WriteString(w, probeText); err == nil {
		_, err = w.Commit(ctx)
	}
	if err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	defer func() {
		if derr := n.files.Delete(context.WithoutCancel(ctx), key); derr != nil {
			err = errors.Join(err, fmt.Errorf("remove a file: %w", derr))
		}
	}()
	r, err := n.files.Open(ctx, key)
	if err != nil {
		return fmt.Errorf("read a file back: %w", err)
	}
	defer r.Close()
	back := make([]byte, len(probeText))
	if _, err := r.ReadAt(back, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read a file back: %w", err)
	}
	if string(back) != probeText {
		return errors.New("read a file back: it is another one")
	}
	return nil
}

func (n *node) openFiles(ctx context.Context) error {
	where := n.settings.config.Files
	if n.settings.fileless || where == "" && n.folderless() && !isFolder(n.settings.folder.files()) {
		n.files = noFiles{where: n.settings.folder.files()}
		n.checkFiles = func(context.Context) error { return nil }
		return nil
	}
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
	n.files, n.filesAt = st, where
	n.checkFiles = func(context.Context) error { _, err := freeSpace(where); return err }
	return nil
}

func (n *node) openBucket(ctx context.Context, url string) error {
	cfg, err := s3.ParseURL(url)
	if err != nil {
		return fmt.Errorf("--files: %w", err)
	}
	st, err := s3.Open(ctx, cfg, s3.Options{Log: n.settings.log, Now: n.now, Patience: n.filesPatience, OpenPatience: n.filesPatience})
	if err != nil {
		return err
	}
	n.onClose("close file store", st.Close)
	n.files, n.checkFiles, n.filesAt = st, st.Check, cfg.String()
	n.sweepFiles = func(ctx context.Context) error {
		return st.Sweep(ctx, func(key string) bool {
			return importer.OwnKey(key) || key == marker.Key || strings.HasPrefix(key, probeFolder)
		})
	}
	return nil
}
