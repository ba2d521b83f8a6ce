package jobs

import (
	"context"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// Versions says of which version the engine's tables are, 0 where there are none,
// and which one is the newest that this program knows. It changes nothing. The
// database packages call it.
func Versions[TTx any](ctx context.Context, driver riverdriver.Driver[TTx]) (have, newest int64, err error) {
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the version of the job tables: %w", err)
	}
	for _, v := range migrator.AllVersions() {
		newest = max(newest, int64(v.Version))
	}
	exec := driver.GetExecutor()
	is, err := exec.TableExists(ctx, &riverdriver.TableExistsParams{Table: "river_migration"})
	if err != nil || !is {
		return 0, newest, wrapped("ask for the version of the job tables", err)
	}
	applied, err := exec.MigrationGetByLine(ctx, &riverdriver.MigrationGetByLineParams{Line: riverdriver.MigrationLineMain})
	for _, v := range applied {
		have = max(have, int64(v.Version))
	}
	return have, newest, wrapped("ask for the version of the job tables", err)
}

// wrapped names the operation an error came from; nil stays nil.
func wrapped(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}
