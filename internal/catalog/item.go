package catalog

import "time"

// Item is one thing in the catalog, as it stands.
type Item struct {
	ID   string
	Kind Kind

	// Keys other than the id; "" when the item has none. They are copies of
	// what Doc holds, kept beside it so that stores can index them.
	SKU  string
	Slug string
	Ref  string
	// GTIN is the 14-digit form of the trade item number.
	GTIN string
	// GTINShared says that the number does not identify this item alone, as
	// when several listings offer one product; then it is not unique.
	GTINShared bool

	// Doc is the working document: every property, keys included.
	Doc Doc
	// Live says what the storefront sees.
	Live Live

	// Hash is that of the change that last wrote the item, or 0 when the same change
	// would have to be decided again.
	Hash int64
	// Version counts the writes, from 1.
	Version int64
	// ImportNo and Row name the import and the row that last wrote the item.
	ImportNo int64
	Row      int64

	// CreatedNo names the import that created the item; its feed owns it.
	CreatedNo int64
	CreatedAt time.Time
	UpdatedAt time.Time

	// Handle is the store's own locator of the record, good within the
	// transaction that read it; the domain only passes it on.
	Handle int64
}

// Live is what the storefront sees of an item. The zero value says that it
// sees the working document, which is the usual case and costs no write.
type Live struct {
	State LiveState
	// Doc is the published document where State is LiveOlder.
	Doc Doc
}

// LiveState says how the storefront's view differs from the working document.
type LiveState uint8

const (
	LiveSame     LiveState = 0 // it sees the working document
	LiveOlder    LiveState = 1 // it sees an older document: Live.Doc
	LiveNothing  LiveState = 2 // it sees nothing yet
	LiveDeleting LiveState = 3 // it sees Live.Doc; the working item is deleted
)

// KeyField names a way to identify an item of a kind.
type KeyField uint8

const (
	KeyID   KeyField = 1
	KeySKU  KeyField = 2
	KeyGTIN KeyField = 3
	KeyRef  KeyField = 4
	KeySlug KeyField = 5
)

var keyNames = [...]string{"", "id", "sku", "gtin", "external_ref", "slug"}

// String returns the key field's name as source definitions spell it.
func (k KeyField) String() string { return keyNames[k] }

// Label is the key field's name in sentences for people.
func (k KeyField) Label() string {
	switch k {
	case KeySKU:
		return "SKU"
	case KeyGTIN:
		return "EAN"
	case KeyRef:
		return "reference"
	}
	return k.String()
}

// ParseKeyField returns the key field named s, and whether there is one.
func ParseKeyField(s string) (KeyField, bool) {
	for i, n := range keyNames {
		if i > 0 && n == s {
			return KeyField(i), true
		}
	}
	return 0, false
}

// Key is one identifying value in canonical form: a GTIN has 14 digits, the
// others are as given after trimming.
type Key struct {
	Field KeyField
	Value string
}

// Get returns the item's value of a key field, "" when it has none.
func (it *Item) Get(f KeyField) string {
	switch f {
	case KeyID:
		return it.ID
	case KeySKU:
		return it.SKU
	case KeyGTIN:
		return it.GTIN
	case KeyRef:
		return it.Ref
	case KeySlug:
		return it.Slug
	}
	return ""
}

// Is reports whether both are the same item, whatever its version.
func (it *Item) Is(other *Item) bool { return it.ID == other.ID }

// takeKeys moves the key fields along with the operations that were applied to
// the document they are copies of.
func (it *Item) takeKeys(ops []Op) {
	for i := range ops {
		op := &ops[i]
		f := keyFieldOf(op.Field)
		if f == 0 {
			continue
		}
		key, _ := KeySetBy(op)
		it.setKey(Key{f, key.Value})
	}
}

// readKeys sets the key fields to what the document holds.
func (it *Item) readKeys() {
	it.SKU, it.GTIN, it.Ref, it.Slug = "", "", "", ""
	it.Doc.eachKey(it.setKey)
}

func (it *Item) setKey(k Key) {
	switch k.Field {
	case KeySKU:
		it.SKU = k.Value
	case KeyGTIN:
		it.GTIN = k.Value
	case KeyRef:
		it.Ref = k.Value
	case KeySlug:
		it.Slug = k.Value
	}
}

// keyFieldOf returns the key that a field is, 0 for none.
func keyFieldOf(f *Field) KeyField {
	if f.Locale != "" {
		return 0
	}
	return KeyOfProperty(f.Property.Name)
}

// KeyOfProperty returns the key whose values a property holds, 0 for none.
func KeyOfProperty(name string) KeyField {
	switch name {
	case PropSKU:
		return KeySKU
	case PropGTIN:
		return KeyGTIN
	case PropRef:
		return KeyRef
	case PropSlug:
		return KeySlug
	}
	return 0
}

// KeySetBy returns the key that an operation gives its item, in canonical form,
// and whether it gives one.
func KeySetBy(op *Op) (Key, bool) {
	if op.Kind != OpSet {
		return Key{}, false
	}
	return canonicalKey(keyFieldOf(op.Field), op.Value.Text)
}

// keyOfToken returns the key that a document's field holds, in canonical form,
// and whether it holds one.
func keyOfToken(field, token string) (Key, bool) {
	f := KeyOfProperty(field)
	if f == 0 {
		return Key{}, false
	}
	return canonicalKey(f, Unquote(token))
}

func canonicalKey(f KeyField, text string) (Key, bool) {
	switch {
	case f == 0 || text == "":
		return Key{}, false
	case f == KeyGTIN:
		return Key{f, GTINKey(text)}, true
	}
	return Key{f, text}, true
}
