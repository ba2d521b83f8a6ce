package catalog

import (
	"slices"
	"strings"
)

// Property declares one property of a kind or of a product type.
type Property struct {
	Name string
	Type Type
	// List says that the property holds several values in order.
	List bool
	// Map says that the property is a map of named values: its fields are
	// Name.key, each with a value of Type.
	Map bool
	// Required says that an item cannot be without it.
	Required bool
	// Default is the canonical value that a new item gets when a row says
	// nothing, and that a cleared required property returns to; "" for none.
	Default string
	// Translatable says that it can have a value for each locale beside the
	// default one.
	Translatable bool
	// ReadOnly properties are shown and exported, never imported.
	ReadOnly bool
	// Options are the values an Enum allows, in canonical spelling.
	Options []string
	// Refers is the kind that a Reference names.
	Refers Kind
	// MaxLength bounds text in characters, MaxBytes in bytes and MaxItems a list; 0
	// is unbounded.
	MaxLength, MaxBytes, MaxItems int
	// NonNegative refuses numbers and money below zero.
	NonNegative bool
}

// Field is one place in an item's document: a property, the key inside it when
// it is a map, and a locale. Its Name, "attributes.color" or "title@fr", is the
// key in the document. Fields are made once per file by Schema.Field and shared.
type Field struct {
	Name     string
	Property *Property
	Key      string
	Locale   string
}

// MaxKeyBytes bounds a key of an item in bytes of UTF-8: stores index keys whole,
// and an entry of PostgreSQL's index has 2,704 bytes.
const MaxKeyBytes = 2000

// Names of the properties that also identify an item. Their values stand in
// the document like any other and are copied into Item's key fields.
const (
	PropSKU  = "sku"
	PropGTIN = "ean"
	PropSlug = "slug"
	PropRef  = "external_ref"
	PropType = "type"
)

// Schema is what a workspace's items may hold: the properties of each kind and
// those that product types add. It is immutable once made.
type Schema struct {
	// Version changes whenever the schema does; it is part of every change hash.
	Version int64
	kinds   map[Kind]map[string]*Property
	types   map[string]map[string]*Property
	// required caches, by kind, what a new item must have or be given.
	required map[Kind][]*Property
}

// NewSchema returns the schema made of the built-in properties of every kind
// and the properties that product types add to products, by type id.
func NewSchema(version int64, types map[string][]Property) *Schema {
	s := &Schema{
		Version:  version,
		kinds:    make(map[Kind]map[string]*Property),
		types:    make(map[string]map[string]*Property),
		required: make(map[Kind][]*Property),
	}
	for kind, props := range builtIn() {
		s.kinds[kind] = index(props)
		for i := range props {
			if props[i].Required || props[i].Default != "" {
				s.required[kind] = append(s.required[kind], &props[i])
			}
		}
		slices.SortFunc(s.required[kind], func(a, b *Property) int { return strings.Compare(a.Name, b.Name) })
	}
	for id, props := range types {
		s.types[id] = index(slices.Clone(props))
	}
	return s
}

func index(props []Property) map[string]*Property {
	m := make(map[string]*Property, len(props))
	for i := range props {
		m[props[i].Name] = &props[i]
	}
	return m
}

// Field resolves a field name of a kind: "title", "title@fr",
// "attributes.color", "images". productType may be empty; when it is not, its
// properties come after the kind's own. The second result is false when no
// such property is declared, when a map is named without a key or a plain
// property with one, when a locale is given to a property that cannot be
// translated, or when the key or the locale is none (see isMapKey, isLocale).
func (s *Schema) Field(kind Kind, productType, name string) (*Field, bool) {
	path, locale, hasLocale := strings.Cut(name, "@")
	base, key, hasKey := strings.Cut(path, ".")
	p := s.kinds[kind][base]
	if p == nil {
		p = s.types[productType][base]
	}
	if p == nil || p.Map != hasKey || hasKey && !isMapKey(key) || hasLocale && !(p.Translatable && isLocale(locale)) {
		return nil, false
	}
	return &Field{Name: name, Property: p, Key: key, Locale: locale}, true
}

// maxMapKey bounds the key of a map's field in bytes. Every item that has the
// field carries its name, so a long one costs as much as the file has rows.
const maxMapKey = 255

// isMapKey reports whether s can name a value of a map: text without blanks
// round it. What JSON would have to escape is refused, because documents hold
// the names of fields as they are.
func isMapKey(s string) bool {
	return s != "" && len(s) <= maxMapKey && s == strings.TrimSpace(s) && !hasControl(s) && !strings.ContainsAny(s, "\"\\")
}

// maxLocale is the most bytes that RFC 5646 asks programs to keep of a tag.
const maxLocale = 35

// isLocale reports whether s has the form of a language tag, with '-' or '_'
// between its parts: fr, pt-BR, zh_Hant_TW.
func isLocale(s string) bool {
	part := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i] | 0x20; {
		case 'a' <= c && c <= 'z' || isDigit(s, i):
			part++
		case (s[i] == '-' || s[i] == '_') && part > 0:
			part = 0
		default:
			return false
		}
		if part > 8 {
			return false
		}
	}
	return part > 0 && len(s) <= maxLocale
}

// Properties lists the properties of a kind, sorted by name.
func (s *Schema) Properties(kind Kind) []*Property {
	out := make([]*Property, 0, len(s.kinds[kind]))
	for _, p := range s.kinds[kind] {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Property) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// builtIn declares what every workspace's kinds hold. Doors and sources add
// columns for these names; a property has one home whichever door wrote it.
func builtIn() map[Kind][]Property {
	common := func(ps ...Property) []Property {
		return append([]Property{
			{Name: PropSKU, Type: Text, MaxLength: 255},
			{Name: PropSlug, Type: Text, MaxBytes: MaxKeyBytes},
			{Name: PropRef, Type: Text, MaxBytes: MaxKeyBytes},
			{Name: PropType, Type: Text, MaxLength: 255},
			{Name: "title", Type: Text, Translatable: true, MaxLength: 1000},
			{Name: "description", Type: RichText, Translatable: true},
			{Name: "attributes", Type: Text, Map: true, Translatable: true},
		}, ps...)
	}
	sellable := []Property{
		{Name: PropGTIN, Type: GTINText},
		{Name: "asin", Type: Text},
		{Name: "mpn", Type: Text, MaxLength: 255},
		{Name: "price", Type: Money, NonNegative: true},
		{Name: "list_price", Type: Money, NonNegative: true},
		{Name: "stock", Type: Integer, NonNegative: true},
		{Name: "weight", Type: Decimal, NonNegative: true},
		{Name: "status", Type: Text, MaxLength: 64},
		{Name: "images", Type: Image, List: true, MaxItems: 100},
	}
	product := common(append(sellable,
		Property{Name: "brand", Type: Text, MaxLength: 255},
		Property{Name: "category", Type: Text, MaxLength: 1000},
		Property{Name: "tags", Type: Text, List: true, MaxItems: 250},
		Property{Name: "collections", Type: Reference, List: true, Refers: KindCollection},
		Property{Name: "commodity_type", Type: Enum, Options: []string{"physical", "digital"}},
	)...)
	for i := range product {
		if product[i].Name == "title" {
			product[i].Required = true
		}
	}
	sku := common(append(sellable, Property{Name: "product", Type: Reference, Refers: KindProduct})...)
	return map[Kind][]Property{
		KindProduct: product,
		KindSKU:     sku,
		KindCollection: common(
			Property{Name: "parents", Type: Reference, List: true, Refers: KindCollection},
			Property{Name: "children", Type: Reference, List: true, Refers: KindCollection},
			Property{Name: "products", Type: Reference, List: true, Refers: KindProduct},
		),
		KindCatalog: common(
			Property{Name: "base", Type: Reference, Refers: KindCatalog},
			Property{Name: "roots", Type: Reference, List: true, Refers: KindCollection},
		),
		KindInventory: common(
			Property{Name: "stock", Type: Integer, NonNegative: true},
			Property{Name: "available_on", Type: Date},
		),
		KindPrice: common(
			Property{Name: "amount", Type: Money, NonNegative: true},
			Property{Name: "list", Type: Text},
		),
		KindListing: common(
			Property{Name: "item", Type: Text},
			Property{Name: "condition", Type: Text},
			Property{Name: "variant", Type: Text},
			Property{Name: "price", Type: Money, NonNegative: true},
			Property{Name: "stock", Type: Integer, NonNegative: true},
			Property{Name: "hidden", Type: Boolean},
		),
	}
}
