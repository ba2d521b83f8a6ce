package export

import (
	"maps"
	"slices"
	"strings"

	"tallyman/internal/catalog"
)

// Names of columns that are no properties: the item's id, and the currency of
// the amounts beside it.
const (
	columnID       = "id"
	columnCurrency = "currency"
)

// lead are the properties that stand first, where people look for them; the
// others follow in the order of their names.
var lead = []string{catalog.PropSKU, catalog.PropGTIN, "title"}

// column is one column of a file and the type of its values; columns that are
// no properties are text.
type column struct {
	name string
	typ  catalog.Type
}

// layout is the columns of a file in order.
type layout struct {
	columns []column
	index   map[string]int
}

func (l *layout) add(name string, typ catalog.Type) {
	if _, ok := l.index[name]; ok {
		return
	}
	l.index[name] = len(l.columns)
	l.columns = append(l.columns, column{name: name, typ: typ})
}

// columns finds the columns of the kind's file: its declared properties,
// whether or not an item has them, because the file also serves as a template,
// and the map entries and translations that items hold.
func (e *exporter) columns() (*layout, error) {
	found := map[string]bool{}
	err := e.each(func(it *catalog.Item) error {
		it.Doc.Each(func(name, _ string) bool {
			if !found[name] {
				found[strings.Clone(name)] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e.arrange(found), nil
}

// arrange puts the columns in order. Entries and translations stand behind the
// property that they belong to, the currency behind the last amount of money.
func (e *exporter) arrange(found map[string]bool) *layout {
	names := slices.Sorted(maps.Keys(found))
	properties := e.properties()
	lastMoney := -1
	for i, p := range properties {
		if p.Type == catalog.Money {
			lastMoney = i
		}
	}
	l := &layout{index: make(map[string]int, len(names)+16)}
	l.add(columnID, catalog.Text)
	for i, p := range properties {
		if !p.Map {
			l.add(p.Name, p.Type)
		}
		for _, n := range names {
			if baseOf(n) == p.Name {
				l.add(n, p.Type)
			}
		}
		if i == lastMoney {
			l.add(columnCurrency, catalog.Text)
		}
	}
	for _, n := range names {
		l.add(n, catalog.Text)
	}
	return l
}

// baseOf is the name of the property that a field belongs to: title for
// "title@fr", attributes for "attributes.color".
func baseOf(field string) string {
	if i := strings.IndexAny(field, ".@"); i >= 0 {
		return field[:i]
	}
	return field
}

// properties lists the kind's properties in the order of columns.
func (e *exporter) properties() []*catalog.Property {
	ps := e.opt.Schema.Properties(e.kind)
	rank := func(p *catalog.Property) int {
		if i := slices.Index(lead, p.Name); i >= 0 {
			return i
		}
		return len(lead)
	}
	slices.SortStableFunc(ps, func(a, b *catalog.Property) int { return rank(a) - rank(b) })
	return ps
}
