package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
)

// checkpointer moves committed pages from the write-ahead log into the file
// beside the writer. Most of that work is waiting for the disk, and a bulk load
// that does it between its own transactions stands still for a fifth of its
// time. The writer's own checkpoint remains as the bound: it finds little left
// to do, and only with it can the log begin anew.
type checkpointer struct {
	db   *sql.DB
	log  *slog.Logger
	rows atomic.Int64 // items written since the last checkpoint
	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// checkpointRows is how many written items call for a checkpoint.
const checkpointRows = 10_000

func newCheckpointer(db *sql.DB, log *slog.Logger) *checkpointer {
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{db: db, log: log, wake: make(chan struct{}, 1), stop: stop}
	c.done.Go(func() { c.run(ctx) })
	return c
}

// wrote notes that a transaction wrote items.
func (c *checkpointer) wrote(items int) {
	if items == 0 || c.rows.Add(int64(items)) < checkpointRows {
		return
	}
	c.rows.Store(0)
	select {
	case c.wake <- struct{}{}:
	default: // one is due already
	}
}

func (c *checkpointer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		// PASSIVE waits for nobody and makes nobody wait. That it could not move
		// everything is usual; the next one will.
		if _, err := c.db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "checkpoint failed", "error", err)
		}
	}
}

// close waits for a checkpoint under way.
func (c *checkpointer) close() error {
	c.stop()
	c.done.Wait()
	return c.db.Close()
}
