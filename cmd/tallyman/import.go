package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
)

// importCommand imports one file and follows it to its end.
type importCommand struct {
	File string `arg:"" help:"File to import; - reads standard input."`
	Name string `help:"Name of the file in listings; the default is its own." placeholder:"NAME"`

	Source    string   `help:"How the file is to be read: a source's name. The default is what its header fits." placeholder:"SOURCE"`
	Map       []string `help:"Give a column a field of the catalog, such as UPC=ean or Colour=attributes.color. May be repeated; columns that are not named are then left out." sep:"none" placeholder:"COLUMN=FIELD"`
	Mode      string   `help:"What may happen to the catalog: create, update or upsert (both; the default)." enum:",create,update,upsert" default:"" placeholder:"MODE"`
	Currency  string   `help:"Currency of prices that name none (ISO 4217)." placeholder:"CODE"`
	Decimal   string   `help:"How numbers are written: auto (the default), point or comma." enum:",auto,point,comma" default:"" placeholder:"STYLE"`
	Blank     string   `help:"What an empty cell means: keep the value (the default), clear it, or default." enum:",keep,clear,default" default:"" placeholder:"RULE"`
	GTINCheck string   `name:"gtin-check" help:"What a wrong check digit is: strict (an error on new items, else a warning; the default), warn or off." enum:",strict,warn,off" default:"" placeholder:"RULE"`
	Format    string   `help:"Format of the file, where it is not told right: csv, xlsx or json." enum:",csv,xlsx,json" default:"" placeholder:"FORMAT"`
	Delimiter string   `help:"What separates cells, where it is not told right: comma, semicolon, tab or pipe, by name or itself." placeholder:"SIGN"`
	Encoding  string   `help:"Encoding of the text, where it is not told right, such as utf-8 or windows-1252." placeholder:"NAME"`

	JSON   bool   `name:"json" help:"Print the import in the REST API's shape as the last line; words for people go to stderr."`
	Quiet  bool   `short:"q" help:"Print no progress and no tally."`
	Server string `help:"Import at this server instead of in a data folder." env:"TALLYMAN_SERVER" placeholder:"URL" xor:"where"`
	Key    string `help:"API key for --server; it says which workspace. With --workspace, that must be it." env:"TALLYMAN_KEY" secret:"" placeholder:"KEY"`
	place
}

// Help is the part of the help text that flags cannot say.
func (importCommand) Help() string {
	return `The command runs until the import has ended and shows how it moves on: a bar on a terminal, plain lines in a pipe. It ends with a tally of every row.

Where a server works on the data folder, the file is handed over to it. Ctrl-C pauses an import of this process; "tallyman imports resume ID" goes on with it, and after a crash too: no row is lost, none is done twice.

Exit codes: 0 complete; 2 complete, with errors in some rows; 3 refused: the file or its header cannot be imported; 1 anything else.`
}

// Run imports the file.
func (c *importCommand) Run(ctx context.Context, p *program) error {
	up, err := c.upload()
	if err != nil {
		return err
	}
	body, err := p.open(c.File)
	if err != nil {
		return err
	}
	defer body.Close()
	up.body = contextReader{ctx: ctx, r: body}
	d, err := c.desk(ctx, p)
	if err != nil {
		return err
	}
	err = p.importTo(ctx, d, up, reporting{json: c.JSON, quiet: c.Quiet})
	if cerr := d.close(); err == nil {
		err = cerr
	}
	return err
}

// importTo hands the file over, follows the import and reports how it ended.
func (p *program) importTo(ctx context.Context, d desk, up upload, how reporting) error {
	v, err := d.start(ctx, up)
	if err != nil {
		return p.refusal(d, v, up, err, how)
	}
	return p.followToEnd(ctx, d, v, how)
}

// refusal ends a command whose file was not taken: people are told why and where
// the refusal is listed, a program that reads it gets the refused import.
func (p *program) refusal(d desk, v view, up upload, err error, how reporting) error {
	f := catalog.AsFault(err)
	err = refused(err)
	var e *exit
	if v.ID != "" && errors.As(err, &e) {
		e.see = d.seeImport(v.ID)
	}
	if !how.json || f == nil {
		return err
	}
	return errors.Join(err, p.printRefused(v, up, f))
}

// printRefused prints a refused import as JSON. One that could not be recorded
// is shown as it would have been.
func (p *program) printRefused(v view, up upload, f *catalog.Fault) error {
	if v.ID != "" {
		_, err := fmt.Fprintf(p.stdout, "%s\n", v.object)
		return err
	}
	now := p.now()
	return printJSON(p.stdout, rest.ImportObject(store.Import{State: store.Refused, Source: up.source, SourceName: up.name,
		FaultCode: f.Code, FaultMessage: f.Error(), CreatedAt: now, UpdatedAt: now, CompletedAt: &now}, now))
}

func (p *program) followToEnd(ctx context.Context, d desk, v view, how reporting) error {
	v, err := p.follow(ctx, d, v, p.display(how.people(p), how.quiet))
	if err != nil {
		return err
	}
	return p.conclude(ctx, d, v, how)
}

// desk finds where the import is to run.
func (c *importCommand) desk(ctx context.Context, p *program) (desk, error) {
	if c.Server != "" {
		d := newRemoteDesk(c.Server, c.Key, sightsAt(c.Server), p.now)
		if c.Workspace != store.DefaultWorkspace {
			d.tenant = c.Workspace
		}
		return d, nil
	}
	set, err := c.settings(p)
	if err != nil {
		return nil, err
	}
	return p.deskAt(ctx, set, "import")
}

// upload puts the flags together.
func (c *importCommand) upload() (upload, error) {
	up := upload{
		name: c.Name, source: c.Source, mode: c.Mode,
		format: c.Format, delimiter: meant(c.Delimiter, rest.DelimiterOf), encoding: meant(c.Encoding, rest.EncodingOf),
		currency: strings.ToUpper(c.Currency), decimal: c.Decimal, blank: c.Blank, gtinCheck: c.GTINCheck,
	}
	if up.name == "" {
		up.name = fileName(c.File)
	}
	for _, m := range c.Map {
		cut := strings.LastIndexByte(m, '=')
		if cut <= 0 || cut == len(m)-1 {
			return up, fmt.Errorf("--map %q: write COLUMN=FIELD, such as UPC=ean", m)
		}
		up.mapping = append(up.mapping, columnField{column: m[:cut], field: m[cut+1:]})
	}
	return up, nil
}

func fileName(path string) string {
	if path == "-" {
		return "stdin"
	}
	return filepath.Base(path)
}

// meant is what a flag's word stands for. One that stands for nothing is left to
// the importer, which refuses the file for it.
func meant(flag string, of func(name string) (string, bool)) string {
	if word, ok := of(flag); ok {
		return word
	}
	return flag
}

// open opens the file to be imported.
func (p *program) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(p.stdin), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &exit{code: exitRefused, err: err}
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		file.Close()
		return nil, &exit{code: exitRefused, err: fmt.Errorf("%s is a folder; name a file", path)}
	}
	return file, nil
}

// contextReader ends a long copy when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
