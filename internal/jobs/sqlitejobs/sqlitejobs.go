// Package sqlitejobs runs the job engine on SQLite.
//
// What does not belong here: anything that is not about this database (package
// jobs), and SQL on tables other than River's (package store/sqlite).
package sqlitejobs

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"tallyman/internal/jobs"
)

// Engine is the job engine on SQLite.
type Engine = jobs.Engine[*sql.Tx]

// New returns an engine on db, which must be the one handle that the process
// writes with: a pool of a single connection (SetMaxOpenConns(1)). It is not
// started, and its tables are made by Migrate.
func New(db *sql.DB, cfg jobs.Config) (*Engine, error) {
	if n := db.Stats().MaxOpenConnections; n != 1 {
		return nil, fmt.Errorf("job engine on SQLite: the pool may open %d connections (0: any number) and must open one", n)
	}
	bell := newBell()
	return jobs.New(jobs.Database[*sql.Tx]{
		Driver:   &driver{Driver: riversqlite.New(db), bell: bell},
		Reclaim:  func(ctx context.Context) (int64, error) { return reclaim(ctx, db) },
		Announce: func(_ context.Context, _ *sql.Tx, queue string) error { bell.ring(queue); return nil },
	}, cfg)
}

// reclaim makes every running job available. The dead process's leadership goes
// too, or River's maintenance would wait for its term to end.
func reclaim(ctx context.Context, db *sql.DB) (int64, error) {
	res, err := db.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'`)
	if err != nil {
		return 0, err
	}
	if _, err := db.ExecContext(ctx, `DELETE FROM river_leader`); err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// driver is River's, but for how workers hear of new jobs. River's own way is a
// table that every insert writes to and that is read every 50 ms; here all who
// insert are in this process, and a bell costs nothing.
type driver struct {
	*riversqlite.Driver
	bell *bell
}

// SupportsListenNotify keeps River from writing to its notification table.
func (d *driver) SupportsListenNotify() bool { return false }

func (d *driver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return d.bell
}
