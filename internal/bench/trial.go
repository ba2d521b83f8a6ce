package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/program"
)

// The cases, in the order in which a trial runs them: each begins with the
// catalog that the one before left. bad and passes begin with empty ones.
const (
	caseCreate = "create" // a file of new products
	caseSame   = "same"   // the same file again: every row is unchanged
	caseFeeds  = "feeds"  // a feed of prices, then one of stocks, 30 % of each changed
	caseUpdate = "update" // a file of the 30 % of the products that changed
	caseBad    = "bad"    // a file of new products, 5 % of the rows bad
	casePasses = "passes" // plan, apply and undo of the files of create and update
)

var allCases = []string{caseCreate, caseSame, caseFeeds, caseUpdate, caseBad, casePasses}

// changedPercent and badPercent are the shares of such rows in the files.
const (
	changedPercent = 30
	badPercent     = 5
)

// result is what one case took.
type result struct {
	name   string
	rows   uint64
	ours   time.Duration // the whole process
	engine time.Duration // of it, from the upload's end to the import's
	loader time.Duration // 0 where it was not measured
	peak   int64
	size   int64  // of the database
	id     string // of the import, where there was one
	// base and basePeak are what the import itself took of the file that a pass was
	// about; 0 where the result is an import.
	base     time.Duration
	basePeak int64
}

// trial runs each case once.
type trial struct {
	*options
	rows    uint64
	dir     string
	log     io.Writer
	results []result
}

func (t *trial) wants(name string) bool { return slices.Contains(t.cases, name) }

func (t *trial) run(ctx context.Context) ([]result, error) {
	if err := t.growing(ctx); err != nil {
		return nil, err
	}
	if t.wants(caseBad) {
		c := catalogen.Config{Rows: t.rows, Seed: 1, Bad: badPercent}
		if err := t.fresh(ctx, caseBad, c, func(*program.Program, *loader) error { return nil }); err != nil {
			return nil, err
		}
	}
	if t.wants(casePasses) {
		if err := t.passes(ctx); err != nil {
			return nil, err
		}
	}
	return t.results, nil
}

// all is the catalog, changed the part of it that an update changes.
func (t *trial) all() catalogen.Config { return catalogen.Config{Rows: t.rows, Seed: 1} }

func (t *trial) changed() catalogen.Config {
	return catalogen.Config{Rows: t.rows, Seed: 1, Changed: changedPercent, OnlyChanged: true}
}

// growing runs the cases that build on each other.
func (t *trial) growing(ctx context.Context) error {
	all := t.all()
	return t.fresh(ctx, caseCreate, all, func(c *program.Program, l *loader) error {
		if t.wants(caseSame) {
			r, err := t.ours(ctx, c, caseSame, all)
			if err != nil {
				return err
			}
			// The loader has no way to tell that nothing changed but to load again.
			r.loader = t.results[0].loader
			t.results = append(t.results, r)
		}
		if t.wants(caseFeeds) {
			if err := t.feeds(ctx, c, l); err != nil {
				return err
			}
		}
		if !t.wants(caseUpdate) {
			return nil
		}
		r, err := t.change(ctx, c, l, caseUpdate, t.changed())
		t.results = append(t.results, r)
		return err
	})
}

func (t *trial) feeds(ctx context.Context, c *program.Program, l *loader) error {
	sum := result{name: caseFeeds}
	for _, feed := range []catalogen.Feed{catalogen.Price, catalogen.Stock} {
		r, err := t.change(ctx, c, l, caseFeeds, catalogen.Config{Rows: t.rows, Seed: 1, Feed: feed, Changed: changedPercent, Round: 1})
		if err != nil {
			return err
		}
		sum.rows += r.rows
		sum.ours, sum.engine, sum.loader = sum.ours+r.ours, sum.engine+r.engine, sum.loader+r.loader
		sum.peak, sum.size = max(sum.peak, r.peak), r.size
	}
	t.results = append(t.results, sum)
	return nil
}

// fresh imports a file into an empty catalog, lets the loader load the rows
// that came of it into an empty table, and then runs what builds on both.
func (t *trial) fresh(ctx context.Context, name string, g catalogen.Config, next func(*program.Program, *loader) error) error {
	dir, err := os.MkdirTemp(t.dir, name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c := &program.Program{Binary: t.binary, Data: filepath.Join(dir, "data")}
	r, err := t.ours(ctx, c, name, g)
	if err != nil {
		return err
	}
	l := &loader{database: filepath.Join(dir, "loader.db"), rows: filepath.Join(dir, "rows.csv")}
	if t.loader {
		if r.loader, err = l.load(ctx, c); err != nil {
			return fmt.Errorf("%s: loader: %w", name, err)
		}
	}
	t.results = append(t.results, r)
	return next(c, l)
}

// change imports a file over a catalog and lets the loader do the same.
func (t *trial) change(ctx context.Context, c *program.Program, l *loader, name string, g catalogen.Config) (result, error) {
	r, err := t.ours(ctx, c, name, g)
	if err != nil || !t.loader {
		return r, err
	}
	if r.loader, err = l.upsert(ctx, c, g.Feed != ""); err != nil {
		return r, fmt.Errorf("%s: loader: %w", name, err)
	}
	return r, nil
}

// ours writes the file and imports it.
func (t *trial) ours(ctx context.Context, c *program.Program, name string, g catalogen.Config) (result, error) {
	file := filepath.Join(t.dir, "import.csv")
	stats, err := catalogen.WriteFile(file, g, nil)
	if err != nil {
		return result{}, err
	}
	defer os.Remove(file)
	r, err := importFile(ctx, c, file, catalogen.Columns(g.Feed), stats)
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	r.name = name
	fmt.Fprintf(t.log, "bench: %-7s %9d rows in %v\n", name, r.rows, r.ours.Round(time.Millisecond))
	return r, nil
}
