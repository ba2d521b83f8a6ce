// Command nodes measures the whole program on PostgreSQL: imports against psql's
// \copy of the same final rows on the same server in the same run, what one, two
// and three nodes make of it, and how long status and list answers take meanwhile.
//
//	go run ./internal/bench/nodes -rows 1000000 -nodes 1,2,3
//
// It starts a PostgreSQL server of its own, with the settings of a small one and
// fsync on, and whole processes of the program. What does not belong here:
// assertions about time; nothing fails for being slow. What goes on inside of one
// process is for pgloader, which writes profiles.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"tallyman/internal/bench/program"
	"tallyman/internal/store/postgres/pgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		stop()
		os.Exit(1)
	}
}

// options say what to measure.
type options struct {
	rows    uint64
	runs    int
	nodes   []int
	workers int
	dir     string
	binary  string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var nodes string
	flags := flag.NewFlagSet("nodes", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&o.rows, "rows", 100_000, "rows of the catalog")
	flags.IntVar(&o.runs, "runs", 1, "runs of which the median counts")
	flags.StringVar(&nodes, "nodes", "1", "how many nodes, several numbers separated by commas")
	flags.IntVar(&o.workers, "workers", 2, "workers of each node")
	flags.StringVar(&o.dir, "dir", "", "folder for files; the default is a temporary one")
	flags.StringVar(&o.binary, "binary", "", "the program; the default is to build it")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, s := range strings.Split(nodes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 16 {
			return o, fmt.Errorf("-nodes %q: give numbers from 1 to 16, separated by commas", nodes)
		}
		o.nodes = append(o.nodes, n)
	}
	if o.rows == 0 || o.runs < 1 || o.workers < 1 {
		return o, errors.New("-rows, -runs and -workers must be above zero")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "tallyman-nodes-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	if o.binary == "" {
		if o.binary, err = program.Build(ctx, o.dir); err != nil {
			return err
		}
	}
	// The settings of a small server that is meant to be used.
	server, err := pgtest.Start(pgtest.Options{Durable: true, Settings: []string{"shared_buffers = 512MB", "max_wal_size = 8GB", "checkpoint_timeout = 30min"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	b := &bench{options: o, log: stderr, server: server}
	results, err := b.measure(ctx)
	if err != nil {
		return err
	}
	return print(stdout, results)
}
