// Command pgloader measures imports into PostgreSQL against psql's \copy of the
// same final rows into a table of the same columns and indexes, on one server, in
// the same run: an empty catalog, the same file again, all rows with 30 % of them
// changed, and the changed rows alone.
//
//	go run ./internal/bench/pgloader -n 100000
//
// It runs a server of its own with the settings of a small one, fsync on. What
// does not belong here: measuring the whole program (package bench).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/pgcopy"
	"tallyman/internal/bench/program"
	"tallyman/internal/files/disk"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/jobs/postgresjobs"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pgloader:", err)
		os.Exit(1)
	}
}

type options struct {
	rows    uint64
	workers int
	chunk   int
	profile string
}

func run(ctx context.Context, args []string) (err error) {
	var opt options
	flags := flag.NewFlagSet("pgloader", flag.ContinueOnError)
	flags.Uint64Var(&opt.rows, "n", 100_000, "rows of the catalog")
	flags.IntVar(&opt.workers, "workers", 2, "jobs at once")
	flags.IntVar(&opt.chunk, "chunk", 0, "rows of a transaction (the importer's own choice)")
	flags.StringVar(&opt.profile, "profile", "", "folder for CPU profiles of the imports")
	if err := flags.Parse(args); err != nil {
		return err
	}
	debug.SetGCPercent(400) // as the program does
	server, err := pgtest.Start(pgtest.Options{Durable: true, Settings: []string{"shared_buffers = 512MB", "max_wal_size = 8GB", "checkpoint_timeout = 30min"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	dir, err := os.MkdirTemp("", "pgloader-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: opt, dir: dir, loader: pgcopy.Loader{URL: server.URL("postgres"), Dir: dir}}
	if err := b.open(ctx); err != nil {
		return err
	}
	defer b.close(ctx)
	return b.measure(ctx)
}

type bench struct {
	options
	dir    string
	loader pgcopy.Loader
	db     *postgres.DB
	files  *disk.Store
	svc    *importer.Service
	engine *postgresjobs.Engine
	ws     store.Workspace
	// CPU time that generating the last file took, and the loader's last load.
	generated, loaderCPU time.Duration
}

func (b *bench) open(ctx context.Context) (err error) {
	if b.db, err = postgres.Open(ctx, b.loader.URL, postgres.Options{}); err != nil {
		return err
	}
	if b.files, err = disk.Open(filepath.Join(b.dir, "files"), disk.Options{}); err != nil {
		return err
	}
	scratch := filepath.Join(b.dir, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	b.svc, err = importer.New(importer.Config{Store: b.db, Files: b.files, Node: "bench", Workers: b.workers, ScratchDir: scratch, ChunkRows: b.chunk,
		JobsLive: func(ctx context.Context, ids []int64) (map[int64]bool, error) { return b.engine.Live(ctx, ids) }})
	if err != nil {
		return err
	}
	if b.engine, err = postgresjobs.New(b.db.Pool(), jobs.Config{Handler: b.svc, Log: slog.New(slog.DiscardHandler), Node: "bench", Workers: b.workers}); err != nil {
		return err
	}
	if err := b.db.Alone(ctx, b.engine.Migrate); err != nil {
		return err
	}
	b.db.BindEnqueue(b.engine.InsertTx)
	if b.ws, err = b.db.CreateWorkspace(ctx, store.Workspace{Name: "bench", Currency: "EUR", CreatedAt: time.Now()}); err != nil {
		return err
	}
	return b.engine.Start(ctx)
}

func (b *bench) close(ctx context.Context) {
	b.engine.Stop(ctx)
	b.files.Close()
	b.db.Close()
}

// measure runs each case and the loader's way to the same rows, and prints
// both. The loader's table is kept in step.
func (b *bench) measure(ctx context.Context) error {
	full := catalogen.Config{Rows: b.rows, Seed: 1}
	next, changed := full, full
	next.Changed, next.Round = 30, 1
	changed.Changed, changed.Round, changed.OnlyChanged = 30, 2, true
	// On a machine that does other work as well, the CPU time that each takes says
	// more than the clock: the last ratio is what cores as many as workers, all
	// their own, would give at best.
	fmt.Printf("%-22s %8s %12s %12s %7s %6s %6s %7s\n", "case", "rows", "import r/s", "loader r/s", "ratio", "cpu µs", "loader", "by cpu")
	for _, c := range []struct {
		name string
		file catalogen.Config
		load func(context.Context) (time.Duration, error)
	}{
		{"create", full, b.load(b.loader.Load)},
		{"same again", full, b.load(b.loader.Load)},
		{"30 % of all changed", next, b.load(func(ctx context.Context) (time.Duration, error) { return b.loader.Upsert(ctx, true) })},
		{"the changed 30 % alone", changed, b.load(func(ctx context.Context) (time.Duration, error) { return b.loader.Upsert(ctx, false) })},
	} {
		before := cpu()
		imp, ours, err := b.importFile(ctx, c.name, c.file)
		if err != nil {
			return err
		}
		oursCPU := cpu() - before - b.generated
		theirs, err := c.load(ctx)
		if err != nil {
			return err
		}
		rate := func(d time.Duration) float64 { return float64(imp.Rows) / d.Seconds() }
		fmt.Printf("%-22s %8d %12.0f %12.0f %7.2f %6.1f %6.1f %7.2f   created %d updated %d unchanged %d failed %d\n", c.name, imp.Rows, rate(ours), rate(theirs), theirs.Seconds()/ours.Seconds(),
			perRow(oursCPU, imp.Rows), perRow(b.loaderCPU, imp.Rows), float64(b.workers)*b.loaderCPU.Seconds()/oursCPU.Seconds(),
			imp.Tally.Created, imp.Tally.Updated, imp.Tally.Unchanged, imp.Tally.Failed)
	}
	return nil
}

// importFile imports a generated file, from its first byte to the end of the
// import.
func (b *bench) importFile(ctx context.Context, name string, c catalogen.Config) (imp store.Import, took time.Duration, err error) {
	path := filepath.Join(b.dir, "catalog.csv")
	before := cpu()
	if err := generate(path, c); err != nil {
		return imp, 0, err
	}
	b.generated = cpu() - before
	f, err := os.Open(path)
	if err != nil {
		return imp, 0, err
	}
	defer f.Close()
	stop, err := b.profileTo(name)
	if err != nil {
		return imp, 0, err
	}
	defer stop()
	began := time.Now()
	up, err := b.svc.Receive(ctx, b.ws, "bench", "", "catalog.csv", f)
	if err != nil {
		return imp, 0, err
	}
	if imp, err = b.svc.Start(ctx, b.ws, up, importer.Options{Door: "bench", Mapping: mapping()}); err != nil {
		return imp, 0, err
	}
	for !imp.State.Ended() {
		if imp, err = b.svc.Wait(ctx, b.ws, imp.ID, imp.Version); err != nil {
			return imp, 0, err
		}
	}
	took = time.Since(began)
	if imp.State != store.Done {
		return imp, 0, fmt.Errorf("%s: the import is %s: %s", name, imp.State, imp.FaultMessage)
	}
	return imp, took, nil
}

func (b *bench) profileTo(name string) (stop func(), err error) {
	if b.profile == "" {
		return func() {}, nil
	}
	f, err := os.Create(filepath.Join(b.profile, strings.NewReplacer(" ", "-", "%", "").Replace(name)+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

func generate(path string, c catalogen.Config) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = catalogen.Write(f, c, nil)
	return errors.Join(err, f.Close())
}

// mapping maps the generated columns that no source knows.
func mapping() []source.Mapping {
	m := []source.Mapping{{Column: "model", Field: "attributes.model"}}
	for _, column := range []string{"color", "size", "material", "warranty_months", "origin"} {
		m = append(m, source.Mapping{Column: "attr_" + column, Field: "attributes." + column})
	}
	return m
}

// load measures what a load takes of the processor.
func (b *bench) load(load func(context.Context) (time.Duration, error)) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		before := cpu()
		took, err := load(ctx)
		b.loaderCPU = cpu() - before
		return took, err
	}
}

// cpu is the processor time that this process and everything below it have taken.
func cpu() (sum time.Duration) {
	for _, used := range program.CPU() {
		sum += used
	}
	return sum
}

// perRow is microseconds a row.
func perRow(d time.Duration, rows int64) float64 {
	return float64(d.Microseconds()) / float64(rows)
}
