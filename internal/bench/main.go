// Command bench measures imports against the limit: what the sqlite3 shell's
// .import does with the same final rows, into a table of the same columns and
// indexes as our items, in the same run and in turn with ours. What a plan and an
// undo take, it measures against the import itself.
//
// It builds the program, writes catalogs (package catalogen), runs whole
// processes (package program), and prints rows a second of both, their ratio,
// peak memory and the database's size. Numbers of one machine mean little; ratios
// of medians are what to quote. An import that does not end with the counts it
// should have is an error: speed without them is worth nothing.
//
// What does not belong here: assertions about time. Nothing fails for being slow.
// What must hold whatever the size is held by the commands below this folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tallyman/internal/bench/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// options say what to measure.
type options struct {
	rows   []uint64
	runs   int // 0: 3 for catalogs below a million rows, else 1
	cases  []string
	loader bool
	dir    string
	binary string // "" builds it
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var rows, cases string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&rows, "rows", "100000", "sizes of catalogs, separated by commas")
	flags.IntVar(&o.runs, "runs", 0, "runs of which the median counts; 0 is 3, and 1 from a million rows on")
	flags.StringVar(&cases, "cases", strings.Join(allCases, ","), "what to measure; create always is, for the others build on it")
	flags.BoolVar(&o.loader, "loader", true, "measure the loader too")
	flags.StringVar(&o.dir, "dir", "", "folder for files and databases; the default is a temporary one")
	flags.StringVar(&o.binary, "binary", "", "the program; the default is to build it")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, s := range strings.Split(rows, ",") {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil || n == 0 {
			return o, fmt.Errorf("-rows %q: give numbers, separated by commas", rows)
		}
		o.rows = append(o.rows, n)
	}
	o.cases = strings.Split(cases, ",")
	for _, c := range o.cases {
		if !slices.Contains(allCases, c) {
			return o, fmt.Errorf("-cases: there is no case %q; choose from %s", c, strings.Join(allCases, ","))
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	// The program's database is read with the shell too, so it is needed either way.
	if err := program.NeedShell(); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "tallyman-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	if o.binary == "" {
		if o.binary, err = program.Build(ctx, o.dir); err != nil {
			return err
		}
	}
	var t table
	for _, n := range o.rows {
		results, err := o.measure(ctx, n, stderr)
		if err != nil {
			return fmt.Errorf("%d rows: %w", n, err)
		}
		t.add(results)
	}
	return t.print(stdout)
}

// measure runs every case of one size and returns medians, in order of cases.
func (o *options) measure(ctx context.Context, n uint64, stderr io.Writer) ([]result, error) {
	runs := o.runs
	if runs == 0 {
		if runs = 3; n >= 1_000_000 {
			runs = 1
		}
	}
	dir := filepath.Join(o.dir, strconv.FormatUint(n, 10))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var trials [][]result
	for i := range runs {
		fmt.Fprintf(stderr, "bench: %d rows, run %d of %d\n", n, i+1, runs)
		t := trial{options: o, rows: n, dir: dir, log: stderr}
		results, err := t.run(ctx)
		if err != nil {
			return nil, err
		}
		trials = append(trials, results)
	}
	return medians(trials), nil
}
