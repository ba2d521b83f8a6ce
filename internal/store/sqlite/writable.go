package sqlite

import (
	"context"
	"database/sql"
)

const (
	// probeBytes is how much room on the disk Writable asks for.
	probeBytes = 64 << 10
	// probePages is the page cache of its connection. What does not fit goes into
	// the write-ahead log before the commit, which never comes.
	probePages = "cache_size(4)"

	fillProbe = `INSERT INTO probe (filling) VALUES (zeroblob(?))`
)

// openProbe opens the handle that tries whether the file can be written to.
func openProbe(path string, opt Options) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "immediate", busyTimeout(opt), "synchronous(NORMAL)", probePages))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// Writable implements store.Operation. It writes to the log what it then takes
// back: the next transaction goes over the same place, so nothing grows by it.
func (db *DB) Writable(ctx context.Context) error {
	return wrap("try to write", interpret(db.tryWrite(ctx), nil))
}

// tryWrite waits for its turn among this process's writers, and holds it: its
// own connection would only poll for the lock, and lose against a bulk load.
func (db *DB) tryWrite(ctx context.Context) error {
	turn, err := db.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer turn.Close()
	tx, err := db.probe.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // the sense of it
	_, err = tx.ExecContext(ctx, fillProbe, probeBytes)
	return err
}
