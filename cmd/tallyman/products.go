package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// productsCommand shows products and changes them by hand.
type productsCommand struct {
	Get     productsGet     `cmd:"" help:"Show a product."`
	Set     productsSet     `cmd:"" help:"Give fields of a product other values."`
	Unset   productsUnset   `cmd:"" help:"Clear fields of a product."`
	Delete  productsDelete  `cmd:"" help:"Delete a product."`
	History productsHistory `cmd:"" help:"Show who wrote a product and what changed, newest first."`
}

// byKey is what the commands about one product share.
type byKey struct {
	Key  string `arg:"" help:"The product's id, SKU or EAN."`
	JSON bool   `name:"json" help:"Print JSON."`
	place
}

// keysOf are the keys that a product may be named by, in order of trust. Eight
// digits do not tell whether they are an EAN-8 or a UPC-E.
func keysOf(name string) []catalog.Key {
	keys := []catalog.Key{{Field: catalog.KeyID, Value: name}, {Field: catalog.KeySKU, Value: name}}
	for _, hint := range []catalog.GTINHint{catalog.GTINIsEAN, catalog.GTINIsUPC} {
		if _, key, _ := catalog.ParseGTIN(name, hint, catalog.GTINOff, nil); key != "" {
			keys = append(keys, catalog.Key{Field: catalog.KeyGTIN, Value: key})
		}
	}
	return keys
}

// product finds the product that a key names. One that names two is refused.
func (n *node) product(ctx context.Context, ws store.Workspace, name string) (found catalog.Item, err error) {
	for _, key := range keysOf(name) {
		it, err := n.store.Item(ctx, ws.WS, catalog.KindProduct, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return found, fmt.Errorf("find product: %w", err)
		case found.ID != "" && !found.Is(&it):
			return found, fmt.Errorf("%q is the SKU of one product and the EAN of another; name it by its id: %s or %s", name, found.ID, it.ID)
		default:
			found = it
		}
	}
	if found.ID == "" {
		return found, fmt.Errorf("there is no product with the id, SKU or EAN %q", name)
	}
	return found, nil
}

// productObject is a product as --json shows it.
type productObject struct {
	ID         string          `json:"id"`
	Version    int64           `json:"version"`
	CreatedAt  time.Time       `json:"created_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
	Properties json.RawMessage `json:"properties"`
}

func showProduct(it *catalog.Item) productObject {
	return productObject{ID: it.ID, Version: it.Version, CreatedAt: wholeSeconds(it.CreatedAt), UpdatedAt: wholeSeconds(it.UpdatedAt), Properties: json.RawMessage(it.Doc)}
}

type productsGet struct{ byKey }

// Run shows the product.
func (c *productsGet) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		it, err := n.product(ctx, ws, c.Key)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, showProduct(&it))
		}
		return p.tellProduct(&it)
	})
}

func (p *program) tellProduct(it *catalog.Item) error {
	rows := [][]string{{"id", it.ID}, {"version", strconv.FormatInt(it.Version, 10)}, {"updated", clock(it.UpdatedAt)}}
	it.Doc.Each(func(name, token string) bool {
		rows = append(rows, []string{name, spoken(token)})
		return true
	})
	return table(p.stdout, []string{"FIELD", "VALUE"}, rows)
}

// editing is what the commands that change a product share.
type editing struct {
	byKey
	AtVersion int64 `help:"Only if the product still has this version." placeholder:"N"`
}

// Help is the part of the help text that flags cannot say.
func (editing) Help() string {
	return `The edit is an import of one row: it is listed among the imports, stands in the product's history, and "tallyman undo" takes it back.`
}

// edit changes the product as change says.
func (c *editing) edit(ctx context.Context, p *program, change func(it *catalog.Item, e *importer.EditRequest)) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		it, err := n.product(ctx, ws, c.Key)
		if err != nil {
			return err
		}
		e := importer.EditRequest{Kind: it.Kind, ID: it.ID, Version: c.AtVersion, Door: door, By: door}
		change(&it, &e)
		done, err := n.imports.Edit(ctx, ws, e)
		if err != nil {
			return err
		}
		return c.tell(p, n, &it, &done)
	})
}

// editObject is an edit as --json shows it.
type editObject struct {
	Outcome string         `json:"outcome"`
	ID      string         `json:"id"`
	Import  string         `json:"import_id"`
	Product *productObject `json:"product"`
}

// tell says what became of the product, which it was before.
func (c *editing) tell(p *program, n *node, it *catalog.Item, done *importer.Edited) error {
	if c.JSON {
		o := editObject{Outcome: done.Outcome.String(), ID: it.ID, Import: done.Import.ID}
		if done.Item != nil {
			product := showProduct(done.Item)
			o.Product = &product
		}
		return printJSON(p.stdout, o)
	}
	which := ", its id was " + it.ID
	if done.Item != nil {
		which = fmt.Sprintf(", version %d", done.Item.Version)
	}
	fmt.Fprintf(p.stdout, "%s: %s%s\n", plain(c.Key), done.Outcome, which)
	if done.Outcome != catalog.Unchanged && done.Import.ID != "" {
		fmt.Fprintf(p.stdout, "Take it back: %s\n", n.settings.commandLine("undo "+done.Import.ID))
	}
	return nil
}

type productsSet struct {
	editing
	Fields []string `arg:"" help:"Fields with their values, such as price=\"12.50 EUR\", stock=7, attributes.color=red. Values of a list go with | between them." placeholder:"FIELD=VALUE"`
}

// Run sets the fields.
func (c *productsSet) Run(ctx context.Context, p *program) error {
	values := make(map[string]string, len(c.Fields))
	for _, f := range c.Fields {
		field, value, err := assignment(f, "FIELD=VALUE", "stock=7")
		if err != nil {
			return err
		}
		values[field] = value
	}
	return c.edit(ctx, p, func(it *catalog.Item, e *importer.EditRequest) {
		schema := catalog.NewSchema(1, nil)
		e.Set = make(map[string]string, len(values))
		for field, value := range values {
			e.Set[field] = given(schema, it, field, value)
		}
	})
}

// given is a value from the command line as a JSON token: nothing clears the
// field, a list has its values between signs, and everything else is a text that
// the catalog reads as it reads cells.
func given(schema *catalog.Schema, it *catalog.Item, field, value string) string {
	if value == "" {
		return "null"
	}
	f, ok := schema.Field(it.Kind, it.Doc.Text(catalog.PropType), field)
	if !ok || !f.Property.List {
		return string(catalog.AppendQuoted(nil, value))
	}
	token := []byte{'['}
	for i, part := range strings.Split(value, "|") {
		if i > 0 {
			token = append(token, ',')
		}
		token = catalog.AppendQuoted(token, strings.TrimSpace(part))
	}
	return string(append(token, ']'))
}

type productsUnset struct {
	editing
	Fields []string `arg:"" help:"Fields to clear." placeholder:"FIELD"`
}

// Run clears the fields.
func (c *productsUnset) Run(ctx context.Context, p *program) error {
	return c.edit(ctx, p, func(_ *catalog.Item, e *importer.EditRequest) {
		e.Set = make(map[string]string, len(c.Fields))
		for _, field := range c.Fields {
			e.Set[field] = "null"
		}
	})
}

type productsDelete struct{ editing }

// Run deletes the product.
func (c *productsDelete) Run(ctx context.Context, p *program) error {
	return c.edit(ctx, p, func(_ *catalog.Item, e *importer.EditRequest) { e.Delete = true })
}

type productsHistory struct {
	byKey
	Limit int `help:"How many writes at most." default:"20" placeholder:"N"`
}

// Help is the part of the help text that flags cannot say.
func (productsHistory) Help() string {
	return `Each write is shown with the import and the row that made it, the newest first. The values themselves are kept as long as the setting keep-images says; who wrote what is kept longer. Of a product that is deleted nothing is shown.`
}

// historyObject is a write of a product as --json shows it.
type historyObject struct {
	Import  string      `json:"import_id"`
	Source  string      `json:"source"`
	File    string      `json:"source_name"`
	By      string      `json:"by"`
	Row     int64       `json:"row"`
	Outcome string      `json:"outcome"`
	Version int64       `json:"version"`
	At      time.Time   `json:"at"`
	Fields  []fieldMove `json:"fields"`
	Gone    bool        `json:"gone,omitempty"`
}

// Run shows the history.
func (c *productsHistory) Run(ctx context.Context, p *program) error {
	return c.beside(ctx, p, func(n *node, ws store.Workspace) error {
		id := c.Key
		it, missing := n.product(ctx, ws, c.Key)
		if missing == nil {
			id = it.ID
		}
		found := history{limit: c.Limit}
		steps, truncated, err := n.imports.History(ctx, ws, catalog.KindProduct, id, found.asked())
		if catalog.IsNotFound(err) || err == nil && len(steps) == 0 {
			err = errors.Join(missing, err)
			if missing != nil {
				err = missing
			}
		}
		if err != nil {
			return err
		}
		found.take(steps, truncated)
		return c.tell(p, &found)
	})
}

// history is as much of a product's writes as was asked for.
type history struct {
	limit int // 0 for no limit
	steps []importer.HistoryStep
	// more says that older writes are known, truncated that they are not any more.
	more, truncated bool
}

// asked is how many writes are read: one more than are shown tells whether there
// are more.
func (h *history) asked() int {
	if h.limit <= 0 {
		return 0
	}
	return h.limit + 1
}

func (h *history) take(steps []importer.HistoryStep, truncated bool) {
	h.steps, h.truncated = steps, truncated
	if h.limit > 0 && len(steps) > h.limit {
		h.steps, h.more, h.truncated = steps[:h.limit], true, false
	}
}

func (c *productsHistory) tell(p *program, found *history) error {
	steps := found.steps
	if c.JSON {
		objects := make([]historyObject, 0, len(steps))
		for i := range steps {
			s := &steps[i]
			objects = append(objects, historyObject{Import: s.Import.ID, Source: s.Import.Source, File: s.Import.SourceName, By: s.Import.CreatedBy,
				Row: s.Row, Outcome: s.Outcome.String(), Version: s.Version, At: wholeSeconds(s.At), Fields: movesOf(s.Fields), Gone: s.Gone})
		}
		return printJSON(p.stdout, map[string]any{"steps": objects, "more": found.more, "truncated": found.truncated})
	}
	for i := range steps {
		s := &steps[i]
		fmt.Fprintf(p.stdout, "version %d, %s: %s by %s (%s), row %d\n", s.Version, clock(s.At), s.Outcome, s.Import.ID, s.Import.SourceName, s.Row)
		for _, f := range movesOf(s.Fields) {
			fmt.Fprintf(p.stdout, "  %s\n", f.words(s.Outcome.String()))
		}
		if s.Gone {
			fmt.Fprintln(p.stdout, "  its values are past their retention")
		}
	}
	switch {
	case found.more:
		fmt.Fprintln(p.stdout, "There is more before that; see it with --limit.")
	case found.truncated:
		fmt.Fprintln(p.stdout, "What was before that is past its retention.")
	}
	return nil
}
