// Command badmillion imports a file in which every row is bad, a million of them,
// and holds what is promised of that: the causes are counted exactly, the full
// reports are streamed at bounded memory, and the database grows by a bounded
// amount. It prints what it measured and fails where a bound is broken.
//
//	go run ./internal/bench/badmillion -rows 20000     a trial
//
// What does not belong here: how fast it is (package bench), and which cell is
// wrong in which way (packages source and catalog).
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/program"
)

// The bounds, whatever the number of rows.
const (
	mostMemory = 300 << 20     // bytes, of any of the processes
	mostGrowth = 200 * 1000000 // bytes, of the database
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "badmillion:", err)
		stop()
		os.Exit(1)
	}
}

// trial is one run.
type trial struct {
	program program.Program
	rows    uint64
	dir     string
	out     *tabwriter.Writer
	broken  []error // bounds and counts that do not hold
}

func newTrial(stdout io.Writer) *trial {
	return &trial{out: tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t := newTrial(stdout)
	flags := flag.NewFlagSet("badmillion", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&t.rows, "rows", 1_000_000, "rows of the file, all of them bad")
	flags.StringVar(&t.dir, "dir", "", "folder for the file and the database; the default is a temporary one")
	flags.StringVar(&t.program.Binary, "binary", "", "the program; the default is to build it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	err := t.measure(ctx)
	return errors.Join(append(t.broken, err, t.out.Flush())...)
}

func (t *trial) prepare(ctx context.Context) (err error) {
	if err := program.NeedShell(); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp(t.dir, "tallyman-badmillion-"); err != nil {
		return err
	}
	t.program.Data = filepath.Join(t.dir, "data")
	if t.program.Binary == "" {
		t.program.Binary, err = program.Build(ctx, t.dir)
	}
	return err
}

// cause is what problems are grouped by.
type cause struct{ Code, Column string }

// causeOf is what the program calls the faults of the generated file.
var causeOf = map[catalogen.Fault]cause{
	catalogen.BadEAN:     {"gtin_check_digit", "ean"},
	catalogen.MissingKey: {"missing_identifier", "ean"},
	catalogen.BadPrice:   {"invalid_price", "price"},
}

func (t *trial) measure(ctx context.Context) error {
	file := filepath.Join(t.dir, "bad.csv")
	truth := map[cause]uint64{}
	stats, err := catalogen.WriteFile(file, catalogen.Config{Rows: t.rows, Seed: 1, Bad: 100}, func(x catalogen.Bad) error {
		truth[causeOf[x.Fault]]++
		return nil
	})
	if err != nil {
		return err
	}
	imp, err := t.importFile(ctx, file, stats)
	if err != nil {
		return err
	}
	server, err := t.program.Serve(ctx)
	if err != nil {
		return err
	}
	err = t.reports(ctx, server, imp, truth)
	u, serr := server.Stop()
	if err := errors.Join(err, serr); err != nil {
		return err
	}
	t.bound("server's peak memory", u.Peak, mostMemory)
	t.bound("database grown by the reports, too", program.DiskSize(t.program.Embedded()), mostGrowth)
	return nil
}

// importFile imports the file into an empty folder.
func (t *trial) importFile(ctx context.Context, file string, stats catalogen.Stats) (program.Import, error) {
	imp, u, err := t.program.Import(ctx, file, catalogen.Columns(""))
	if err != nil {
		return imp, err
	}
	if stats.Bad != t.rows || imp.State != "done" || imp.Failed != t.rows || imp.Processed != t.rows {
		return imp, fmt.Errorf("the import ended as %+v; %d rows are bad", imp, stats.Bad)
	}
	fmt.Fprintf(t.out, "import\t%d rows in %.2f s\t\n", t.rows, u.Wall.Seconds())
	t.bound("import's peak memory", u.Peak, mostMemory)
	t.bound("database grown", program.DiskSize(t.program.Embedded()), mostGrowth)
	bodies, err := t.program.Number(ctx, "SELECT sum(ifnull(length(outcomes), 0) + ifnull(length(images), 0)) FROM page;")
	if err != nil {
		return imp, err
	}
	fmt.Fprintf(t.out, "of it in the ledger\t%.1f MB, %.1f bytes a row\t\n", float64(bodies)/1e6, float64(bodies)/float64(t.rows))
	return imp, nil
}

// bound prints a number of bytes beside the most that it may be.
func (t *trial) bound(name string, n, most int64) {
	word := "ok"
	if n > most {
		word = "TOO MUCH"
		t.broken = append(t.broken, fmt.Errorf("%s: %.1f MB, at most %.1f MB are allowed", name, float64(n)/1e6, float64(most)/1e6))
	}
	fmt.Fprintf(t.out, "%s\t%.1f MB (%.1f MiB) of %.1f MB\t%s\n", name, float64(n)/1e6, float64(n)/(1<<20), float64(most)/1e6, word)
}

// reports reads what the server reports of the import in full.
func (t *trial) reports(ctx context.Context, s *program.Server, imp program.Import, truth map[cause]uint64) error {
	counted, err := t.causes(ctx, s, imp.ID)
	if err != nil {
		return err
	}
	t.exact("counts by cause", counted, truth)
	listed := map[cause]uint64{}
	if err := t.stream(ctx, s, "error report", "/imports/"+imp.ID+"/errors.csv", func(r record) {
		listed[cause{r["code"], r["column"]}]++
	}); err != nil {
		return err
	}
	t.exact("rows of the error report", listed, truth)
	failed := map[cause]uint64{}
	if err := t.stream(ctx, s, "failed rows", "/imports/"+imp.ID+"/failed-rows.csv", func(r record) {
		failed[cause{Code: r["tallyman_code"]}]++
	}); err != nil {
		return err
	}
	byCode := map[cause]uint64{}
	for c, n := range truth {
		byCode[cause{Code: c.Code}] += n
	}
	t.exact("failed rows to correct", failed, byCode)
	return nil
}

func (t *trial) causes(ctx context.Context, s *program.Server, id string) (map[cause]uint64, error) {
	var answer struct {
		Data []struct {
			Code   string `json:"code"`
			Column string `json:"column"`
			Count  uint64 `json:"count"`
		} `json:"data"`
	}
	start := time.Now()
	if err := s.GetJSON(ctx, "/imports/"+id+"/causes", &answer); err != nil {
		return nil, err
	}
	fmt.Fprintf(t.out, "causes\t%d in %.3f s\t\n", len(answer.Data), time.Since(start).Seconds())
	counted := map[cause]uint64{}
	for _, c := range answer.Data {
		counted[cause{c.Code, c.Column}] += c.Count
	}
	return counted, nil
}

// exact compares counts with the truth.
func (t *trial) exact(name string, got, want map[cause]uint64) {
	word := "exact"
	if !maps.Equal(got, want) {
		word = "WRONG"
		t.broken = append(t.broken, fmt.Errorf("%s: %v, the file has %v", name, got, want))
	}
	for _, c := range slices.SortedFunc(maps.Keys(got), func(a, b cause) int { return slices.Compare([]string{a.Code, a.Column}, []string{b.Code, b.Column}) }) {
		fmt.Fprintf(t.out, "%s\t%d × %s %s\t%s\n", name, got[c], c.Code, c.Column, word)
	}
}

// record is a record of a CSV file by its headings.
type record map[string]string

// stream reads a CSV report as it comes.
func (t *trial) stream(ctx context.Context, s *program.Server, name, path string, each func(record)) error {
	start := time.Now()
	body, err := s.Get(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	size := counter{r: body}
	if err := records(&size, each); err != nil {
		return fmt.Errorf("read GET %s: %w", path, err)
	}
	fmt.Fprintf(t.out, "%s\t%.1f MB in %.2f s\t\n", name, float64(size.n)/1e6, time.Since(start).Seconds())
	return nil
}

func records(r io.Reader, each func(record)) error {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	first, err := in.Read()
	if err != nil {
		return err
	}
	header := slices.Clone(first)
	rec := record{}
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, cell := range cells {
			rec[header[i]] = cell
		}
		each(rec)
	}
}

// counter counts the bytes read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
