// Package export writes items to files that import back without a change. It
// reads items through the store's contract in one snapshot, so that a file is
// of one moment however long it takes, and it never holds more than a page of
// items in memory.
//
// A format is one file here. What does not belong here: reading files back
// (packages tabular and source), reports of imports (package ledger and the
// doors), and where the bytes go: a writer is given.
package export

import (
	"context"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// Format names a file format that this package writes.
type Format string

const (
	CSV  Format = "csv"  // UTF-8, CRLF, one column for each field
	JSON Format = "json" // one array, one item a line
)

// Options say how a file is written.
type Options struct {
	Format Format
	// Schema declares the kind's properties; nil means the built-in ones.
	Schema *catalog.Schema
	// Spreadsheet makes a CSV file safe and readable for spreadsheet programs: a
	// byte-order mark, and a single quote before every text that would run as a
	// formula. A text so guarded does not import back unchanged.
	Spreadsheet bool
}

// Report says what a file holds.
type Report struct {
	Items int64
	// Bent are the fields that a CSV file cannot carry so that they read back
	// the same: a list's element that holds the separator. JSON has none.
	Bent int64
	// FirstBent names the first of them: the item's id and the field.
	FirstBent string
}

// pageSize is how many items are read and written at a time.
const pageSize = 1000

// Items writes every item of a kind, in order of ids, to w. An error leaves a
// part of the file written.
func Items(ctx context.Context, st store.Store, ws store.WS, kind catalog.Kind, w io.Writer, opt Options) (Report, error) {
	if opt.Schema == nil {
		opt.Schema = catalog.NewSchema(1, nil)
	}
	var rep Report
	err := st.Snapshot(ctx, func(st store.Store) error {
		e := newExporter(ctx, st, ws, kind, opt, &rep)
		switch opt.Format {
		case CSV:
			return e.csv(w)
		case JSON:
			return e.json(w)
		}
		return fmt.Errorf("unknown export format %q", opt.Format)
	})
	if err != nil {
		return rep, fmt.Errorf("export %s items: %w", kind, err)
	}
	return rep, nil
}

// exporter writes one file.
type exporter struct {
	ctx  context.Context
	st   store.Store
	ws   store.WS
	kind catalog.Kind
	opt  Options
	rep  *Report
	// types are the types of the kind's properties, maps those that are maps.
	types map[string]catalog.Type
	maps  map[string]bool
}

func newExporter(ctx context.Context, st store.Store, ws store.WS, kind catalog.Kind, opt Options, rep *Report) *exporter {
	e := &exporter{ctx: ctx, st: st, ws: ws, kind: kind, opt: opt, rep: rep,
		types: map[string]catalog.Type{}, maps: map[string]bool{}}
	for _, p := range opt.Schema.Properties(kind) {
		e.types[p.Name] = p.Type
		e.maps[p.Name] = p.Map
	}
	return e
}

// each calls fn with every item of the kind in order of ids.
func (e *exporter) each(fn func(*catalog.Item) error) error {
	f := store.ItemFilter{Kind: e.kind}
	for {
		items, err := e.st.Items(e.ctx, e.ws, f, store.Range{Limit: pageSize})
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
		for i := range items {
			if err := fn(&items[i]); err != nil {
				return err
			}
		}
		if len(items) < pageSize {
			return nil
		}
		f.AfterID = items[len(items)-1].ID
	}
}

// currency is the currency that the item's amounts of money share; "" where
// there are none or they differ.
func (e *exporter) currency(it *catalog.Item) string {
	shared, mixed := "", false
	it.Doc.Each(func(name, token string) bool {
		if e.types[name] != catalog.Money {
			return true
		}
		_, c := splitMoney(catalog.Unquote(token))
		mixed = mixed || shared != "" && c != shared
		shared = c
		return true
	})
	if mixed {
		return ""
	}
	return shared
}

// splitMoney cuts "29.90 EUR" into its amount and currency.
func splitMoney(text string) (amount, currency string) {
	amount, currency, _ = strings.Cut(text, " ")
	return amount, currency
}
