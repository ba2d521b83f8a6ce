package catalog

// Kind says what an item is. Kinds are small fixed numbers, so that stores can
// key by them cheaply; a number is never reused.
type Kind uint8

// The kinds of items a catalog holds.
const (
	KindUnknown    Kind = 0
	KindProduct    Kind = 1 // what is described and found
	KindSKU        Kind = 2 // what is sold: a variant of a product
	KindCollection Kind = 3 // a category: a node in the tree that products hang on
	KindCatalog    Kind = 4 // a selection of collections shown to one audience
	KindInventory  Kind = 5 // stock that is not the stock of one product or sku
	KindPrice      Kind = 6 // a price in a price list
	KindListing    Kind = 7 // an offer: item, condition, variant
)

var kindNames = [...]string{"", "product", "sku", "collection", "catalog", "inventory", "price", "listing"}

// String returns the kind's name as files and APIs spell it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// ParseKind returns the kind named s, and whether there is one.
func ParseKind(s string) (Kind, bool) {
	for i, n := range kindNames {
		if i > 0 && n == s {
			return Kind(i), true
		}
	}
	return KindUnknown, false
}

// Kinds lists every kind, in the order of their numbers.
func Kinds() []Kind {
	ks := make([]Kind, 0, len(kindNames)-1)
	for i := range kindNames[1:] {
		ks = append(ks, Kind(i+1))
	}
	return ks
}
