// Command gen writes an invented product catalog as CSV; see package catalogen.
//
//	go run ./internal/bench/gen -n 100000 -o catalog.csv
//	go run ./internal/bench/gen -n 100000 -update 30 -o changed.csv          the changed 30 % alone
//	go run ./internal/bench/gen -n 100000 -update 30 -all -o next.csv        all rows, 30 % of them changed
//	go run ./internal/bench/gen -n 100000 -update 5 -all -cumulative -round 3 -o third.csv   the third of nightly feeds
//	go run ./internal/bench/gen -n 100000 -bad 5 -truth t.tsv -o bad.csv     5 % bad rows and which they are
//	go run ./internal/bench/gen -n 100000 -feed price -update 30 -o p.csv    SKU, price and currency alone
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	"tallyman/internal/bench/catalogen"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	var c catalogen.Config
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&c.Rows, "n", 1000, "rows of the catalog")
	flags.Uint64Var(&c.Start, "start", 0, "index of the first row")
	flags.Uint64Var(&c.Seed, "seed", 1, "seed")
	flags.IntVar(&c.Changed, "update", 0, "percent of rows changed; the others are left out")
	all := flags.Bool("all", false, "with -update: write the unchanged rows too")
	flags.Uint64Var(&c.Round, "round", 0, "with -update: which of many possible changes")
	flags.BoolVar(&c.Cumulative, "cumulative", false, "with -update, -round and -all: keep the changes of the rounds before")
	flags.Float64Var(&c.Bad, "bad", 0, "percent of bad rows")
	feed := flags.String("feed", "full", "columns: full, price or stock")
	out := flags.String("o", "", "file to write (standard output)")
	truth := flags.String("truth", "", "file for the bad rows: record without the header, first line, kind, sku")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c.Feed = catalogen.Feed(*feed)
	c.OnlyChanged = c.Changed > 0 && !*all
	stats, err := write(c, *out, *truth, stdout)
	if err == nil && *out != "" {
		fmt.Fprintf(stderr, "%s: %d records, %d lines, %d bad\n", *out, stats.Records, stats.Lines, stats.Bad)
	}
	return err
}

func write(c catalogen.Config, out, truth string, stdout io.Writer) (stats catalogen.Stats, err error) {
	err = withFile(truth, io.Discard, func(tw io.Writer) error {
		t := bufio.NewWriter(tw)
		if _, err := t.WriteString(catalogen.TruthHeader); err != nil {
			return err
		}
		var line []byte
		err := withFile(out, stdout, func(w io.Writer) error {
			stats, err = catalogen.Write(w, c, func(x catalogen.Bad) error {
				line = catalogen.AppendTruth(line[:0], x)
				_, err := t.Write(line)
				return err
			})
			return err
		})
		if err != nil {
			return err
		}
		return t.Flush()
	})
	return stats, err
}

// withFile calls fn with a new file of that name, or with other where there is
// none.
func withFile(name string, other io.Writer, fn func(io.Writer) error) error {
	if name == "" {
		return fn(other)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := fn(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
