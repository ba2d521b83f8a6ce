package sqlitejobs

import (
	"context"
	"database/sql"

	"github.com/riverqueue/river/riverdriver/riversqlite"

	"tallyman/internal/jobs"
)

// Versions says of which version the engine's tables on db are, 0 for none, and
// which one is the newest that this program knows. It changes nothing.
func Versions(ctx context.Context, db *sql.DB) (have, newest int64, err error) {
	return jobs.Versions(ctx, riversqlite.New(db))
}
