// Package postgresjobs runs the job engine on PostgreSQL.
//
// What does not belong here: anything that is not about this database (package
// jobs), and SQL on tables other than River's (package store/postgres).
package postgresjobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"tallyman/internal/jobs"
)

// Engine is the job engine on PostgreSQL.
type Engine = jobs.Engine[pgx.Tx]

// New returns an engine on the database that pool connects to, which any number
// of processes may share: jobs.Config.SoleOwner is refused. One connection of the
// pool is kept to hear of new jobs, which the database announces to every process
// when the transaction that enqueued them commits. The engine is not started, and
// its tables are made by Migrate, by one process at a time.
func New(pool *pgxpool.Pool, cfg jobs.Config) (*Engine, error) {
	driver := riverpgxv5.New(pool)
	return jobs.New(jobs.Database[pgx.Tx]{
		Driver: driver,
		Announce: func(ctx context.Context, tx pgx.Tx, queue string) error {
			return driver.UnwrapExecutor(tx).NotifyMany(ctx, &riverdriver.NotifyManyParams{
				Topic: insertTopic, Payload: []string{fmt.Sprintf(`{"queue":%q}`, queue)}})
		},
	}, cfg)
}

// insertTopic is where River's workers listen for new jobs.
const insertTopic = "river_insert"
