// Command libreoffice lets LibreOffice itself correct a file of failed rows: it
// imports a file, downloads its failed rows, has a person's work done on them in
// a headless LibreOffice (sheet.py), uploads what was saved, runs the rows again,
// and fails unless the catalog is then what the right file would have made.
//
// With -fixtures the files are kept: they are test data of package importer.
//
// What does not belong here: the rules by which a cell counts as corrected (package
// importer).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"tallyman/internal/bench/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "libreoffice:", err)
		stop()
		os.Exit(1)
	}
}

// sheets are the ways in which the file is opened, worked on and saved. Deleted
// columns are those that nobody needs for the correction.
var sheets = []sheet{
	{Name: "standard-comma-utf8", Columns: "standard", Language: "en-US", Delimiter: ",", Encoding: "utf-8", Sort: "title", Delete: []string{"brand"}},
	{Name: "text-semicolon-windows1252", Columns: "text", Language: "en-US", Delimiter: ";", Encoding: "windows-1252", Sort: "price", Delete: []string{"description", "note"}},
	{Name: "german-semicolon-utf8", Columns: "standard", Language: "de-DE", Delimiter: ";", Encoding: "utf-8", Sort: "stock", Delete: []string{"sku", "tallyman_message"}},
	{Name: "text-comma-windows1252", Columns: "text", Language: "en-US", Delimiter: ",", Encoding: "windows-1252", Sort: "tallyman_code", Delete: []string{"tallyman_status"}},
}

// sheet is one task of sheet.py.
type sheet struct {
	Name      string   `json:"-"`
	Open      string   `json:"open"`
	Save      string   `json:"save"`
	Columns   string   `json:"columns"`
	Language  string   `json:"language"`
	Delimiter string   `json:"delimiter"`
	Encoding  string   `json:"encoding"`
	Sort      string   `json:"sort"`
	Delete    []string `json:"delete"`
	Set       []typed  `json:"set"`
}

// typed is a cell that is typed anew.
type typed struct {
	Find    map[string]string `json:"find"`
	Heading string            `json:"heading"`
	Text    string            `json:"text"`
}

// trial is one run.
type trial struct {
	program  program.Program
	dir      string
	fixtures string
	script   string
	python   string
	out      io.Writer
	products []product
	imported program.Import
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t := trial{out: stdout, products: products()}
	flags := flag.NewFlagSet("libreoffice", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&t.fixtures, "fixtures", "", "folder to keep the files in; the default keeps none")
	flags.StringVar(&t.script, "script", "internal/bench/libreoffice/sheet.py", "the script that drives LibreOffice")
	flags.StringVar(&t.python, "python", "/usr/bin/python3", "a Python that has LibreOffice's uno")
	flags.StringVar(&t.program.Binary, "binary", "", "the program; the default is to build it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := program.NeedShell(); err != nil {
		return err
	}
	var err error
	if t.dir, err = os.MkdirTemp("", "tallyman-libreoffice-"); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	if t.program.Binary == "" {
		if t.program.Binary, err = program.Build(ctx, t.dir); err != nil {
			return err
		}
	}
	return t.work(ctx)
}

// path is that of a file of the trial.
func (t *trial) path(name string) string { return filepath.Join(t.dir, name) }

func (t *trial) work(ctx context.Context) error {
	if err := t.importAll(ctx); err != nil {
		return err
	}
	tasks := t.tasks()
	if err := t.drive(ctx, tasks); err != nil {
		return err
	}
	want, err := t.reference(ctx)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "saved as\trows\trows corrected\tcells\tas before\tfailed after\tcatalog")
	var wrong []error
	for _, task := range tasks {
		if err := t.correct(ctx, tw, task, want); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", task.Name, err))
		}
	}
	return errors.Join(errors.Join(wrong...), tw.Flush(), t.keep())
}

// importAll imports the file and downloads its failed rows.
func (t *trial) importAll(ctx context.Context) error {
	if err := writeProducts(t.path("products.csv"), t.products, func(p *product) []string { return p.cells }); err != nil {
		return err
	}
	if err := writeProducts(t.path("corrected.csv"), t.products, (*product).corrected); err != nil {
		return err
	}
	bad := uint64(0)
	for _, p := range t.products {
		if p.truth != nil {
			bad++
		}
	}
	t.program.Data = t.path("data")
	imp, _, err := t.program.Import(ctx, t.path("products.csv"), nil)
	if err != nil {
		return err
	}
	if imp.State != "done" || imp.Failed != bad {
		return fmt.Errorf("the import ended as %+v; %d rows are bad", imp, bad)
	}
	t.imported = imp
	_, err = t.program.Run(ctx, "imports", "failed-rows", imp.ID, "--out", t.path("failed-rows.csv"))
	return err
}

// tasks are the sheets with everything that is to be typed.
func (t *trial) tasks() []sheet {
	var tasks []sheet
	for _, task := range sheets {
		task.Open, task.Save = t.path("failed-rows.csv"), t.path(task.Name+".csv")
		for _, p := range t.products {
			for _, f := range p.truth {
				task.Set = append(task.Set, typed{Find: map[string]string{"title": p.title()}, Heading: f.heading, Text: task.spelled(f)})
			}
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// spelled is how a person types the text into the sheet: a price in the form of
// the sheet's language, and with an apostrophe before it what begins with zeros that
// are to stay.
func (s *sheet) spelled(f fix) string {
	switch {
	case s.Language == "de-DE" && f.heading == "price":
		return strings.ReplaceAll(f.text, ".", ",")
	case s.Columns == "standard" && strings.HasPrefix(f.text, "0"):
		return "'" + f.text
	}
	return f.text
}

// drive has the tasks done in LibreOffice.
func (t *trial) drive(ctx context.Context, tasks []sheet) error {
	text, err := json.Marshal(tasks)
	if err != nil {
		return err
	}
	u, err := program.Run(ctx, bytes.NewReader(text), t.python, t.script)
	if err != nil {
		var missing *exec.Error
		if errors.As(err, &missing) {
			return fmt.Errorf("%w; make libreoffice installs what is missing", err)
		}
		return err
	}
	_, err = t.out.Write(u.Stdout)
	return err
}

// reference is the catalog that the right file makes.
func (t *trial) reference(ctx context.Context) (string, error) {
	p := program.Program{Binary: t.program.Binary, Data: t.path("reference")}
	imp, _, err := p.Import(ctx, t.path("corrected.csv"), nil)
	if err != nil {
		return "", err
	}
	if imp.Failed > 0 {
		return "", fmt.Errorf("%d rows of the right file failed", imp.Failed)
	}
	return documents(ctx, &p)
}

func documents(ctx context.Context, p *program.Program) (string, error) {
	u, err := program.Shell(ctx, p.Embedded(), "SELECT sku, gtin, doc FROM item ORDER BY sku;")
	return string(u.Stdout), err
}

// corrections is what the program says of an uploaded file of corrected rows.
type corrections struct {
	Rows    int64 `json:"rows"`
	Changed int64 `json:"corrected_rows"`
	Cells   int64 `json:"corrected_cells"`
	Same    int64 `json:"unchanged_rows"`
}

// correct uploads a saved file to a copy of the catalog and runs the rows again.
func (t *trial) correct(ctx context.Context, tw io.Writer, task sheet, want string) error {
	p := program.Program{Binary: t.program.Binary, Data: t.path("data-" + task.Name)}
	if err := os.CopyFS(p.Data, os.DirFS(t.program.Data)); err != nil {
		return err
	}
	u, err := p.Run(ctx, "imports", "correct", t.imported.ID, task.Save, "--json")
	if err != nil {
		return err
	}
	var said corrections
	if err := json.Unmarshal(u.Stdout, &said); err != nil {
		return fmt.Errorf("read %q: %w", u.Stdout, err)
	}
	if _, err := p.Run(ctx, "imports", "retry", t.imported.ID, "--quiet"); err != nil {
		return err
	}
	left, err := p.Number(ctx, "SELECT sum(failed) FROM batch WHERE pass NOT GLOB 'plan*';")
	if err != nil {
		return err
	}
	got, err := documents(ctx, &p)
	if err != nil {
		return err
	}
	word := "as the right file makes it"
	if got != want {
		word = "OTHER"
		err = fmt.Errorf("the catalog is not what the right file makes:\n%s\n-- the right one:\n%s", got, want)
	}
	if n := int64(len(task.Set)); said.Cells != n || said.Rows != int64(t.imported.Failed) || said.Changed != said.Rows || left != 0 {
		err = errors.Join(err, fmt.Errorf("%d cells of %d rows were corrected; the program took %+v, and %d rows still fail", n, t.imported.Failed, said, left))
	}
	fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", filepath.Base(task.Save), said.Rows, said.Changed, said.Cells, said.Same, left, word)
	return err
}

// keep copies the files to the folder of fixtures.
func (t *trial) keep() error {
	if t.fixtures == "" {
		return nil
	}
	names := []string{"products.csv", "corrected.csv", "failed-rows.csv"}
	for _, s := range sheets {
		names = append(names, s.Name+".csv")
	}
	for _, name := range names {
		text, err := os.ReadFile(t.path(name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(t.fixtures, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
