package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/program"
)

// night is one feed and what it left.
type night struct {
	imported program.Import
	took     time.Duration
	peak     int64
	database int64 // bytes, after it
	ledger   int64 // bytes of the ledger's bodies, after it
	files    int64 // bytes of the stored files, after it
}

// feed imports the feed of a night; that of night 0 makes the catalog.
func (s *season) feed(ctx context.Context, round uint64) (n night, err error) {
	file := filepath.Join(s.dir, fmt.Sprintf("night-%02d.csv", round))
	g := catalogen.Config{Rows: s.rows, Seed: 1, Round: round, Cumulative: true}
	if round > 0 {
		g.Changed = changedPercent
	}
	if _, err := catalogen.WriteFile(file, g, nil); err != nil {
		return n, err
	}
	defer os.Remove(file)
	imp, u, err := s.program.Import(ctx, file, catalogen.Columns(""))
	if err != nil {
		return n, err
	}
	if imp.State != "done" || imp.Created+imp.Updated+imp.Unchanged != s.rows {
		return n, fmt.Errorf("the import ended as %+v", imp)
	}
	n = night{imported: imp, took: u.Wall, peak: u.Peak}
	if n.database, n.ledger, err = s.sizes(ctx); err != nil {
		return n, err
	}
	n.files, err = folderSize(filepath.Join(s.program.Data, "files"))
	return n, err
}

func folderSize(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// sizes are the database's bytes on disk once its log is in it, and of them those
// of the ledger's bodies.
func (s *season) sizes(ctx context.Context) (database, ledger int64, err error) {
	if _, err := program.Shell(ctx, s.program.Embedded(), "PRAGMA wal_checkpoint(TRUNCATE);"); err != nil {
		return 0, 0, err
	}
	ledger, err = s.program.Number(ctx, "SELECT ifnull(sum(ifnull(length(outcomes), 0) + ifnull(length(images), 0)), 0) FROM page;")
	return program.DiskSize(s.program.Embedded()), ledger, err
}

// growth is what the database grew by with the feed of a night.
func (s *season) growth(round int) int64 {
	if round == 0 {
		return s.nights[0].database
	}
	return s.nights[round].database - s.nights[round-1].database
}

func (s *season) printNights() error {
	tw := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "feed\tcreated\tupdated\tunchanged\tseconds\tpeak MiB\tdatabase MiB\tgrown KiB\tledger KiB\tbytes a changed row\tfiles MiB\t")
	before := int64(0)
	for i, n := range s.nights {
		grown := s.growth(i)
		fmt.Fprintf(tw, "%d\t%d\t%d\t%d\t%.2f\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t\n", i, n.imported.Created, n.imported.Updated, n.imported.Unchanged,
			n.took.Seconds(), float64(n.peak)/(1<<20), float64(n.database)/(1<<20), float64(grown)/1024, float64(n.ledger-before)/1024,
			float64(grown)/float64(max(n.imported.Created+n.imported.Updated, 1)), float64(n.files)/(1<<20))
		before = n.ledger
	}
	return tw.Flush()
}

// How much more a later feed may grow the database than an earlier one: feeds differ
// a little, and a database grows by whole pages, of tables and indexes that each have
// some room left.
const (
	tolerance = 1.10
	slack     = 64 << 10
)

// bounded compares the last third of the feeds with the first third.
func (s *season) bounded() error {
	third := s.feeds / 3
	early, late := int64(0), int64(0)
	for i := range third {
		early += s.growth(1 + i)
		late += s.growth(s.feeds - i)
	}
	mean := func(sum int64) float64 { return float64(sum) / float64(third) / 1024 }
	fmt.Fprintf(s.out, "growth of a feed: %.0f KiB in the first third, %.0f KiB in the last\n", mean(early), mean(late))
	if float64(late) > tolerance*float64(early)+float64(third*slack) {
		return fmt.Errorf("growth is not bounded: %.0f KiB for each of the last %d feeds, %.0f KiB for each of the first", mean(late), third, mean(early))
	}
	return nil
}
