// Command nightly imports thirty full feeds in a row, each with 5 % of its rows
// changed since the one before, as a shop's systems send them every night. It
// prints how much the database grows with each, and fails where later feeds cost
// more than earlier ones. Then it lets the before-images age out and fails where
// a count or an item's history is not what it was, or an undo is still begun.
//
//	go run ./internal/bench/nightly -rows 10000 -feeds 6     a trial
//
// What does not belong here: how fast an import is (package bench).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"tallyman/internal/bench/program"
)

// changedPercent is the share of a feed's rows that changed since the feed before.
const changedPercent = 5

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "nightly:", err)
		stop()
		os.Exit(1)
	}
}

// season is one run: a first import, and the feeds of the nights after it.
type season struct {
	program program.Program
	rows    uint64
	feeds   int
	dir     string
	out     io.Writer
	log     io.Writer
	nights  []night
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s := season{out: stdout, log: stderr}
	flags := flag.NewFlagSet("nightly", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&s.rows, "rows", 100_000, "rows of each feed")
	flags.IntVar(&s.feeds, "feeds", 30, "feeds after the first import; at least 3")
	flags.StringVar(&s.dir, "dir", "", "folder for the files and the database; the default is a temporary one")
	flags.StringVar(&s.program.Binary, "binary", "", "the program; the default is to build it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.feeds < 3 {
		return fmt.Errorf("-feeds %d: growth is compared over at least 3 feeds", s.feeds)
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	return s.live(ctx)
}

func (s *season) prepare(ctx context.Context) (err error) {
	if err := program.NeedShell(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(s.dir, "tallyman-nightly-"); err != nil {
		return err
	}
	s.program.Data = filepath.Join(s.dir, "data")
	if s.program.Binary == "" {
		s.program.Binary, err = program.Build(ctx, s.dir)
	}
	return err
}

// live imports every feed, and then lets them age.
func (s *season) live(ctx context.Context) error {
	for round := range s.feeds + 1 {
		n, err := s.feed(ctx, uint64(round))
		if err != nil {
			return fmt.Errorf("feed %d: %w", round, err)
		}
		s.nights = append(s.nights, n)
		fmt.Fprintf(s.log, "nightly: feed %d of %d in %.2f s\n", round, s.feeds, n.took.Seconds())
	}
	if err := s.printNights(); err != nil {
		return err
	}
	return errors.Join(s.bounded(), s.age(ctx))
}
