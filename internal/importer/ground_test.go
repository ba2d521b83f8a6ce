package importer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/jobs/postgresjobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
	"tallyman/internal/store/sqlite"
)

// storeEnv names the variable that says which store the tests run on: sqlite,
// which is the default, or postgres.
const storeEnv = "TALLYMAN_TEST_STORE"

// ground is what a stack stands on: a store and the job engine on it.
type ground struct {
	store.Store
	// makeEngine makes the engine and binds it to the store.
	makeEngine func(jobs.Config) (engine, error)
	// jobsLost forgets every job, as if nodes had died with them.
	jobsLost func(context.Context) error
	// setErrors gives every job a history of errors, as a JSON list.
	setErrors func(ctx context.Context, list string) error
}

// engine is a job engine, on whatever database.
type engine interface {
	Migrate(ctx context.Context) error
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Live(ctx context.Context, ids []int64) (map[int64]bool, error)
}

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// openGround opens a new, empty store of the kind that the tests run on.
func openGround(t testing.TB, dir string) *ground {
	t.Helper()
	var g *ground
	var err error
	switch kind := os.Getenv(storeEnv); kind {
	case "", "sqlite":
		path := filepath.Join(dir, "t.db")
		if err := os.WriteFile(path, migrated(t), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err = onSQLite(path)
	case "postgres":
		g, err = onPostgres(pgtest.New(t))
	default:
		err = fmt.Errorf("%s is %q and must be sqlite or postgres", storeEnv, kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func onSQLite(path string) (*ground, error) {
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	exec := func(ctx context.Context, query string, args ...any) error {
		_, err := db.Writer().ExecContext(ctx, query, args...)
		return err
	}
	return &ground{Store: db,
		makeEngine: func(cfg jobs.Config) (engine, error) {
			cfg.SoleOwner = true
			e, err := sqlitejobs.New(db.Writer(), cfg)
			if err == nil {
				db.BindEnqueue(e.InsertTx)
			}
			return e, err
		},
		jobsLost: func(ctx context.Context) error { return exec(ctx, "DELETE FROM river_job") },
		setErrors: func(ctx context.Context, list string) error {
			return exec(ctx, "UPDATE river_job SET errors = jsonb(?)", list)
		},
	}, nil
}

func onPostgres(url string) (*ground, error) {
	db, err := postgres.Open(context.Background(), url, postgres.Options{})
	if err != nil {
		return nil, err
	}
	exec := func(ctx context.Context, query string, args ...any) error {
		_, err := db.Pool().Exec(ctx, query, args...)
		return err
	}
	return &ground{Store: db,
		makeEngine: func(cfg jobs.Config) (engine, error) {
			e, err := postgresjobs.New(db.Pool(), cfg)
			if err == nil {
				db.BindEnqueue(e.InsertTx)
			}
			return e, err
		},
		jobsLost: func(ctx context.Context) error { return exec(ctx, "DELETE FROM river_job") },
		setErrors: func(ctx context.Context, list string) error {
			return exec(ctx, "UPDATE river_job SET errors = ARRAY(SELECT jsonb_array_elements($1::text::jsonb))", list)
		},
	}, nil
}

// template is a database with every table in it, made once: making the tables costs
// more than most tests do.
var template struct {
	once sync.Once
	file []byte
	err  error
}

func migrated(t testing.TB) []byte {
	t.Helper()
	template.once.Do(func() {
		template.file, template.err = migrate(filepath.Join(t.TempDir(), "template.db"))
	})
	if template.err != nil {
		t.Fatal(template.err)
	}
	return template.file
}

func migrate(file string) ([]byte, error) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, file, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	engine, err := sqlitejobs.New(db.Writer(), jobs.Config{Handler: &importer.Service{}, Log: slog.New(slog.DiscardHandler), Workers: 1, SoleOwner: true})
	if err == nil {
		err = engine.Migrate(ctx)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
