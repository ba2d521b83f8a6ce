package postgresjobs

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"tallyman/internal/jobs"
)

// Versions says of which version the engine's tables are, 0 for none, and which
// one is the newest that this program knows. It changes nothing.
func Versions(ctx context.Context, pool *pgxpool.Pool) (have, newest int64, err error) {
	return jobs.Versions(ctx, riverpgxv5.New(pool))
}
