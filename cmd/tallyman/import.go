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
	"tallyman/internal/importer"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
)

// importCommand imports one file and follows it to its end.
type importCommand struct {
	fileFlags
	Plan    bool `help:"Only plan: the same as tallyman plan."`
	Changes int  `help:"How many changes a plan shows; 0 for none." default:"20" placeholder:"N"`
	Yes     bool `short:"y" help:"Ask nothing: import the same content again. Guard rails hold all the same."`
	JSON    bool `name:"json" help:"Print the import in the REST API's shape as the last line; words for people go to stderr."`
	Quiet   bool `short:"q" help:"Print no progress and no tally."`
	deskFlags
}

// Help is the part of the help text that flags cannot say.
func (importCommand) Help() string {
	return `The command runs until the import has ended and shows how it moves on: a bar on a terminal, plain lines in a pipe. It ends with a tally of every row.

Where a server works on the data folder, the file is handed over to it. Ctrl-C pauses an import of this process, unless other nodes share its --database and go on with it; "tallyman imports resume ID" goes on with it, and after a crash too: no row is lost, none is done twice.

With --max-… the import is planned first. Where the plan goes beyond a limit, nothing is written: the rows are shown, and "tallyman apply ID --fingerprint … --confirm" goes on. On a terminal you are asked, and also before a file is imported whose very content was imported before.

Exit codes: 0 complete; 2 complete, with errors in some rows; 3 refused: the file or its header cannot be imported; 1 anything else, such as an import that stopped at a guard rail or was rolled back. With --plan they are those of tallyman plan.`
}

// Run imports the file.
func (c *importCommand) Run(ctx context.Context, p *program) error {
	how := reporting{json: c.JSON, quiet: c.Quiet, plan: c.Plan, changes: c.Changes}
	how.ask = p.asks && !c.JSON && !c.Yes && c.File != "-"
	return c.run(ctx, p, c.deskFlags, how)
}

// fileFlags are what the command line says about a file to be imported.
type fileFlags struct {
	File string `arg:"" help:"File to import; - reads standard input."`
	Name string `help:"Name of the file in listings; the default is its own." placeholder:"NAME"`

	Source    string   `help:"How the file is to be read: a source's name. The default is what its header fits." placeholder:"SOURCE"`
	Map       []string `help:"Give a column a field of the catalog, such as UPC=ean or Colour=attributes.color. May be repeated; columns that are not named are then left out." sep:"none" placeholder:"COLUMN=FIELD"`
	Mode      *string  `help:"What may happen to the catalog: create, update or upsert (both; the default)." enum:"create,update,upsert" placeholder:"MODE"`
	Currency  string   `help:"Currency of prices that name none (ISO 4217)." placeholder:"CODE"`
	Decimal   *string  `help:"How numbers are written: auto (the default), point or comma." enum:"auto,point,comma" placeholder:"STYLE"`
	Blank     *string  `help:"What an empty cell means: keep the value (the default), clear it, or default." enum:"keep,clear,default" placeholder:"RULE"`
	GTINCheck *string  `name:"gtin-check" help:"What a wrong check digit is: strict (an error on new items, else a warning; the default), warn or off." enum:"strict,warn,off" placeholder:"RULE"`
	Format    *string  `help:"Format of the file, where it is not told right: csv, xlsx or json." enum:"csv,xlsx,json" placeholder:"FORMAT"`
	Delimiter string   `help:"What separates cells, where it is not told right: comma, semicolon, tab or pipe, by name or itself." placeholder:"SIGN"`
	Encoding  string   `help:"Encoding of the text, where it is not told right, such as utf-8 or windows-1252." placeholder:"NAME"`

	Policy       *string  `help:"What a row with errors does to the others: skip (nothing; the default), stop (the import ends there; --stop-after says after how many) or all-or-nothing (nothing of the file is applied)." enum:"skip,stop,all-or-nothing" placeholder:"POLICY"`
	StopAfter    *int64   `help:"Stop the import after this many rows with errors." placeholder:"N"`
	MaxChanged   *float64 `help:"Stop before the first write if more than this share of the rows would change or delete something." placeholder:"PERCENT"`
	MaxPriceMove *float64 `help:"Stop before the first write if a price would move by more than this." placeholder:"PERCENT"`
	MaxCleared   *int64   `help:"Stop before the first write if more than this many values and items would go." placeholder:"N"`
	MaxRowsDown  *float64 `help:"Stop before the first write if the file has so many rows fewer than this feed's last one." placeholder:"PERCENT"`
	Feed         string   `help:"Name of the feed that the file belongs to; the default is its source. Items that it makes are the feed's." placeholder:"NAME"`
	Missing      *string  `help:"What becomes of the feed's items that the file does not name: leave (the default), deactivate or delete." enum:"leave,deactivate,delete" placeholder:"RULE"`
}

// run sends the file to a desk, unless a person does not want it sent twice, and
// follows the import to its end.
func (c *fileFlags) run(ctx context.Context, p *program, at deskFlags, how reporting) error {
	up, err := c.upload()
	if err != nil {
		return err
	}
	up.plan = how.plan
	body, err := p.open(c.File)
	if err != nil {
		return err
	}
	defer body.Close()
	up.body = contextReader{ctx: ctx, r: body}
	d, err := at.desk(ctx, p, "import")
	if err != nil {
		return err
	}
	again := true
	if how.ask && !how.plan {
		again, err = p.askAgain(ctx, d, body, up.source)
	}
	if err == nil && again {
		err = p.importTo(ctx, d, up, how)
	}
	if cerr := d.close(); err == nil {
		err = cerr
	}
	if err == nil && !again {
		fmt.Fprintln(p.stderr, "Nothing was imported.")
		err = &exit{code: exitOther}
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
		e.see = d.see().imp(v.ID)
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

// upload puts the flags together.
func (c *fileFlags) upload() (upload, error) {
	up := upload{
		name: c.Name, source: c.Source, mode: word(c.Mode),
		format: word(c.Format), delimiter: meant(c.Delimiter, rest.DelimiterOf), encoding: meant(c.Encoding, rest.EncodingOf),
		currency: strings.ToUpper(c.Currency), decimal: word(c.Decimal), blank: word(c.Blank), gtinCheck: word(c.GTINCheck),
		rails: rails{changed: c.MaxChanged, priceMove: c.MaxPriceMove, rowsDown: c.MaxRowsDown, cleared: c.MaxCleared},
		feed:  c.Feed, missing: word(c.Missing),
	}
	if err := c.policy(&up); err != nil {
		return up, err
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

// policies are the importer's names of the --policy flag's words.
var policies = map[string]importer.Policy{
	"": importer.PolicySkip, "skip": importer.PolicySkip, "stop": importer.PolicyStop, "all-or-nothing": importer.PolicyAll,
}

// policy reads the two flags about rows with errors. A number alone says that the
// import is to stop, the word alone that it is to stop at the first such row.
func (c *fileFlags) policy(up *upload) error {
	up.policy = policies[word(c.Policy)]
	switch {
	case c.StopAfter == nil && up.policy == importer.PolicyStop:
		up.stopAfter = 1
	case c.StopAfter == nil:
	case *c.StopAfter < 1:
		return fmt.Errorf("--stop-after %d: write a number from 1", *c.StopAfter)
	case c.Policy != nil && up.policy != importer.PolicyStop:
		return fmt.Errorf("--stop-after goes with --policy stop, not with --policy %s", *c.Policy)
	default:
		up.policy, up.stopAfter = importer.PolicyStop, *c.StopAfter
	}
	return nil
}

// word is what a flag that takes one of some words was given; "" where it was not.
func word(flag *string) string {
	if flag == nil {
		return ""
	}
	return *flag
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
