package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/pgcopy"
	"tallyman/internal/bench/program"
	"tallyman/internal/store/postgres/pgtest"
)

// The cases, each on the catalog that the one before left.
const (
	caseCreate  = "create"  // a file of new products
	caseSame    = "same"    // the same file again: every row is unchanged
	caseUpdate  = "update"  // all products, 30 % of them changed
	caseWatched = "watched" // so again, with a small import behind it and watchers all the time
)

const (
	changedPercent = 30
	smallRows      = 200
)

// result is what one case took.
type result struct {
	nodes  int
	name   string
	rows   uint64
	ours   time.Duration // from the first byte sent to the end of the import
	engine time.Duration // of it, from the upload's end on, by the program's own books
	loader time.Duration
	// cpu is the processor time meanwhile, by program.
	cpu map[string]time.Duration
	// shares are how many batches each node did.
	shares []int
	answers
	// small is how long the small import took that began behind the big one; 0 for
	// none.
	small time.Duration
	// peak is the memory of the node that took most, of all cases together.
	peak int64
}

// bench is a server with everything that is measured on it.
type bench struct {
	options
	log    io.Writer
	server *pgtest.Server
	made   int // databases
}

// measure runs every case with every number of nodes and returns medians.
func (b *bench) measure(ctx context.Context) ([]result, error) {
	var all []result
	for _, n := range b.nodes {
		var trials [][]result
		for i := range b.runs {
			fmt.Fprintf(b.log, "nodes: %d rows on %d nodes, run %d of %d\n", b.rows, n, i+1, b.runs)
			results, err := b.trial(ctx, n)
			if err != nil {
				return nil, fmt.Errorf("%d nodes: %w", n, err)
			}
			trials = append(trials, results)
		}
		all = append(all, medians(trials)...)
	}
	return all, nil
}

// trial runs every case once, on an empty database.
func (b *bench) trial(ctx context.Context, n int) (results []result, err error) {
	c, err := b.begin(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() {
		peak, serr := c.stop()
		for i := range results {
			results[i].peak = peak
		}
		err = errors.Join(err, serr)
	}()
	full := catalogen.Config{Rows: b.rows, Seed: 1}
	next := full
	next.Changed, next.Round = changedPercent, 1
	watched := next
	watched.Round = 2
	for _, run := range []struct {
		name string
		file catalogen.Config
		load func(context.Context) (time.Duration, error)
	}{
		{caseCreate, full, c.loader.Load},
		{caseSame, full, c.loader.Load},
		{caseUpdate, next, func(ctx context.Context) (time.Duration, error) { return c.loader.Upsert(ctx, true) }},
		{caseWatched, watched, nil},
	} {
		r, err := c.importFile(ctx, run.name, run.file)
		if err == nil && run.load != nil {
			r.loader, err = run.load(ctx)
		}
		if err != nil {
			return results, fmt.Errorf("%s: %w", run.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// cluster is nodes at work on one database.
type cluster struct {
	dir    string
	rows   uint64
	loader pgcopy.Loader
	server *program.Server
	nodes  []*program.Server // the server first
}

// begin starts nodes on a new database.
func (b *bench) begin(ctx context.Context, n int) (c *cluster, err error) {
	b.made++
	name := fmt.Sprintf("nodes_%d", b.made)
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "psql", "-X", "-q", "-c", "CREATE DATABASE "+name, b.server.URL("postgres")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("create database: %w\n%s", err, out)
	}
	c = &cluster{dir: dir, rows: b.rows, loader: pgcopy.Loader{URL: b.server.URL(name), Dir: dir}}
	for i := range n {
		p := program.Program{Binary: b.binary, Data: filepath.Join(dir, fmt.Sprint("node-", i)), Database: c.loader.URL, Files: filepath.Join(dir, "files")}
		start := p.Work
		if i == 0 {
			start = p.Serve
		}
		node, err := start(ctx, "--workers", fmt.Sprint(b.workers), "--log-level", "warn")
		if err != nil {
			_, serr := c.stop()
			return nil, errors.Join(err, serr)
		}
		c.nodes = append(c.nodes, node)
	}
	c.server = c.nodes[0]
	return c, nil
}

// stop ends the nodes and says how much memory the largest took.
func (c *cluster) stop() (peak int64, err error) {
	for _, node := range slices.Backward(c.nodes) {
		u, serr := node.Stop()
		peak, err = max(peak, u.Peak), errors.Join(err, serr)
	}
	return peak, errors.Join(err, os.RemoveAll(c.dir))
}

// importFile imports a generated file and measures it.
func (c *cluster) importFile(ctx context.Context, name string, file catalogen.Config) (r result, err error) {
	path := filepath.Join(c.dir, "catalog.csv")
	stats, err := catalogen.WriteFile(path, file, nil)
	if err != nil {
		return r, err
	}
	defer os.Remove(path)
	flush()
	before, began := program.CPU(), time.Now()
	imp, err := c.server.Upload(ctx, path, catalogen.Columns(""))
	if err != nil {
		return r, err
	}
	if name == caseWatched {
		imp, err = c.watched(ctx, imp, &r)
	} else {
		imp, err = c.wait(ctx, imp.ID, 50*time.Millisecond)
	}
	if err != nil {
		return r, err
	}
	r.ours = time.Since(began)
	r.cpu = since(before, program.CPU())
	r.nodes, r.name, r.rows = len(c.nodes), name, stats.Records
	if err := right(name, imp, stats.Records); err != nil {
		return r, err
	}
	ms, err := c.loader.Number(ctx, fmt.Sprintf("SELECT completed_at - created_at FROM import WHERE id = '%s'", imp.ID))
	r.engine = time.Duration(ms) * time.Millisecond
	if err != nil {
		return r, err
	}
	r.shares, err = c.sharesOf(ctx, imp.ID)
	return r, err
}

// watched waits for the end of an import that many watch, and behind which a small
// one begins.
func (c *cluster) watched(ctx context.Context, imp program.Import, r *result) (ended program.Import, err error) {
	answers := watch(ctx, c.server, imp.ID)
	if r.small, err = c.small(ctx); err != nil {
		return imp, err
	}
	if ended, err = c.wait(ctx, imp.ID, 50*time.Millisecond); err != nil {
		return imp, err
	}
	r.answers, err = answers()
	return ended, err
}

// small starts a small import and returns how long it took.
func (c *cluster) small(ctx context.Context) (time.Duration, error) {
	path := filepath.Join(c.dir, "small.csv")
	if _, err := catalogen.WriteFile(path, catalogen.Config{Rows: smallRows, Start: c.rows, Seed: 1}, nil); err != nil {
		return 0, err
	}
	began := time.Now()
	imp, err := c.server.Upload(ctx, path, catalogen.Columns(""))
	if err != nil {
		return 0, err
	}
	if imp, err = c.wait(ctx, imp.ID, 25*time.Millisecond); err != nil {
		return 0, err
	}
	return time.Since(began), right(caseCreate, imp, smallRows)
}

// wait asks for an import until it has ended.
func (c *cluster) wait(ctx context.Context, id string, every time.Duration) (imp program.Import, err error) {
	for {
		if err := c.server.GetJSON(ctx, "/imports/"+id, &imp); err != nil {
			return imp, err
		}
		switch imp.State {
		case "done", "failed", "terminated", "refused", "stopped", "rolled_back":
			return imp, nil
		}
		select {
		case <-ctx.Done():
			return imp, ctx.Err()
		case <-time.After(every):
		}
	}
}

// right checks that an import ended as it should have: speed without that is
// worth nothing.
func right(name string, imp program.Import, rows uint64) error {
	got := imp.Counts()
	want := map[string]bool{
		caseCreate: got == program.Counts{Created: rows},
		caseSame:   got == program.Counts{Unchanged: rows},
		caseUpdate: got.Updated+got.Unchanged == rows && got.Updated > 0,
	}
	want[caseWatched] = want[caseUpdate]
	if imp.State != "done" || !want[name] {
		return fmt.Errorf("the import of %d rows ended as %+v", rows, imp)
	}
	return nil
}

// sharesOf counts the batches of an import's rows by node.
func (c *cluster) sharesOf(ctx context.Context, id string) ([]int, error) {
	var answer struct {
		Data []struct {
			Node string `json:"node"`
		} `json:"data"`
	}
	if err := c.server.GetJSON(ctx, "/imports/"+id+"/batches", &answer); err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, b := range answer.Data {
		count[b.Node]++
	}
	return slices.Collect(maps.Values(count)), nil
}

func since(before, after map[string]time.Duration) map[string]time.Duration {
	used := map[string]time.Duration{}
	for name, t := range after {
		used[name] = t - before[name]
	}
	return used
}
