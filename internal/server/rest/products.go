package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// Product is a product as this door shows it (contract sources.md 1.3).
type Product struct {
	ID          string            `json:"id"`
	EAN         *string           `json:"ean" doc:"Trade item number as it was given"`
	SKU         *string           `json:"sku"`
	Title       *string           `json:"title"`
	Brand       *string           `json:"brand"`
	Description *string           `json:"description"`
	Category    *string           `json:"category"`
	Price       *number           `json:"price" doc:"Exact decimal"`
	Currency    *string           `json:"currency" doc:"ISO 4217 code of the price"`
	Stock       *number           `json:"stock"`
	Images      []string          `json:"images" doc:"URLs, the main image first"`
	Attributes  map[string]string `json:"attributes"`
	Properties  map[string]any    `json:"properties,omitempty" doc:"Everything else that is known of the product, by field name"`
	CreatedAt   string            `json:"created_at" format:"date-time"`
	UpdatedAt   string            `json:"updated_at" format:"date-time"`
}

// number is a JSON number with exactly the digits that are stored.
type number string

// MarshalJSON returns the digits.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// Schema describes it to clients, who may read it as they read numbers.
func (number) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true}
}

// raw is a value as it stands in the document, which is JSON already.
type raw string

// MarshalJSON returns the value.
func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// Names of properties in the document, beside those of the catalog's keys.
const (
	propTitle       = "title"
	propBrand       = "brand"
	propDescription = "description"
	propCategory    = "category"
	propPrice       = "price"
	propStock       = "stock"
	propImages      = "images"
	attributePrefix = "attributes."
)

func productObject(it *catalog.Item) Product {
	p := Product{ID: it.ID, Images: []string{}, Attributes: map[string]string{}, CreatedAt: stamp(it.CreatedAt), UpdatedAt: stamp(it.UpdatedAt)}
	it.Doc.Each(func(name, token string) bool {
		p.set(name, token)
		return true
	})
	return p
}

// set puts one field of the document where the door shows it.
func (p *Product) set(name, token string) {
	switch name {
	case catalog.PropGTIN:
		p.EAN = textOf(token)
	case catalog.PropSKU:
		p.SKU = textOf(token)
	case propTitle:
		p.Title = textOf(token)
	case propBrand:
		p.Brand = textOf(token)
	case propDescription:
		p.Description = textOf(token)
	case propCategory:
		p.Category = textOf(token)
	case propPrice:
		p.setPrice(catalog.Unquote(token))
	case propStock:
		n := number(token)
		p.Stock = &n
	case propImages:
		p.Images = catalog.Elements(token)
	default:
		p.setOther(name, token)
	}
}

// setPrice takes an amount and its currency apart: "29.90 EUR".
func (p *Product) setPrice(money string) {
	amount, currency, ok := strings.Cut(money, " ")
	n := number(amount)
	p.Price = &n
	if ok {
		p.Currency = &currency
	}
}

func (p *Product) setOther(name, token string) {
	if key, ok := strings.CutPrefix(name, attributePrefix); ok {
		p.Attributes[key] = catalog.Unquote(token)
		return
	}
	if p.Properties == nil {
		p.Properties = make(map[string]any)
	}
	p.Properties[name] = raw(token)
}

func textOf(token string) *string {
	s := catalog.Unquote(token)
	return &s
}

// products registers everything under /products.
func (d *door) products(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "list-products", Method: http.MethodGet, Path: "/products", Tags: []string{tagProducts},
		Summary: "List products",
	}, account.Read, d.listProducts)
	operation(d, api, huma.Operation{
		OperationID: "get-product", Method: http.MethodGet, Path: "/products/{id}", Tags: []string{tagProducts},
		Summary:     "Get a product by id or EAN",
		Description: "Any form of the EAN finds the product: with or without leading zeros, blanks and hyphens, as ISBN-10 or UPC-E. The header ETag names the version that If-Match takes.",
	}, account.Read, d.getProduct)
	operation(d, api, huma.Operation{
		OperationID: "get-product-by-sku", Method: http.MethodGet, Path: "/products/sku/{sku}", Tags: []string{tagProducts},
		Summary: "Get a product by SKU",
	}, account.Read, d.productBySKU)
}

// ProductPath names a product.
type ProductPath struct {
	ID string `path:"id" doc:"The product's id, or its EAN in any form" example:"3760000000000"`
}

type productAnswer struct {
	ETag string `header:"ETag" doc:"The product's version"`
	Body Product
}

func answerProduct(it *catalog.Item) *productAnswer {
	return &productAnswer{ETag: etagOf(it.Version), Body: productObject(it)}
}

func (d *door) getProduct(ctx context.Context, p account.Principal, in *struct{ ProductPath }) (*productAnswer, error) {
	it, err := d.product(ctx, p.WS, in.ID)
	if err != nil {
		return nil, err
	}
	return answerProduct(&it), nil
}

func (d *door) productBySKU(ctx context.Context, p account.Principal, in *struct {
	SKU string `path:"sku" doc:"The product's SKU; a slash in it is sent as %2F"`
}) (*productAnswer, error) {
	it, err := d.bySKU(ctx, p.WS, in.SKU)
	if err != nil {
		return nil, err
	}
	return answerProduct(&it), nil
}

// product returns the product with an id or a trade item number;
// store.ErrNotFound.
func (d *door) product(ctx context.Context, ws store.Workspace, id string) (catalog.Item, error) {
	if isItemID(id) {
		return d.cfg.Items.Item(ctx, ws.WS, catalog.KindProduct, catalog.Key{Field: catalog.KeyID, Value: id})
	}
	return d.byEAN(ctx, ws, id)
}

// isItemID reports whether s has the form of an item's id, a UUID, which no
// trade item number has.
func isItemID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
}

// gtinKeys are the keys that a trade item number may stand for, the likeliest
// first. There is one, but for eight digits, which do not tell whether they are
// an EAN-8 or a UPC-E (contract sources.md 2.3).
func gtinKeys(s string) []catalog.Key {
	var keys []catalog.Key
	for _, hint := range []catalog.GTINHint{catalog.GTINIsEAN, catalog.GTINIsUPC} {
		_, key, _ := catalog.ParseGTIN(s, hint, catalog.GTINOff, nil)
		if key == "" {
			key = catalog.GTINKey(strings.TrimSpace(s))
		}
		if k := (catalog.Key{Field: catalog.KeyGTIN, Value: key}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// byEAN returns the product with a trade item number; store.ErrNotFound.
func (d *door) byEAN(ctx context.Context, ws store.Workspace, ean string) (it catalog.Item, err error) {
	for _, key := range gtinKeys(ean) {
		it, err = d.cfg.Items.Item(ctx, ws.WS, catalog.KindProduct, key)
		if !errors.Is(err, store.ErrNotFound) {
			return it, err
		}
	}
	return it, err
}

// bySKU returns the product with a SKU; store.ErrNotFound.
func (d *door) bySKU(ctx context.Context, ws store.Workspace, sku string) (catalog.Item, error) {
	return d.cfg.Items.Item(ctx, ws.WS, catalog.KindProduct, catalog.Key{Field: catalog.KeySKU, Value: sku})
}

type listProductsRequest struct {
	Paging
	Query    string `query:"q" doc:"Looked for in title, SKU, EAN and brand"`
	Brand    string `query:"brand" doc:"Only products of this brand"`
	Category string `query:"category" doc:"Only products of this category"`
	SKU      string `query:"sku" doc:"Only the product with this SKU"`
	EAN      string `query:"ean" doc:"Only the product with this EAN, in any form"`
}

type listProductsAnswer struct{ Body List[Product] }

func (d *door) listProducts(ctx context.Context, p account.Principal, in *listProductsRequest) (*listProductsAnswer, error) {
	var items []catalog.Item
	var total int
	var err error
	if in.SKU != "" || in.EAN != "" {
		items, total, err = d.identified(ctx, p.WS, in)
	} else {
		items, total, err = d.searched(ctx, p.WS, in)
	}
	if err != nil {
		return nil, err
	}
	out := &listProductsAnswer{}
	out.Body.Meta = in.meta(total)
	out.Body.Data = make([]Product, len(items))
	for i := range items {
		out.Body.Data[i] = productObject(&items[i])
	}
	return out, nil
}

// searched lists the products that fit the filters.
func (d *door) searched(ctx context.Context, ws store.Workspace, in *listProductsRequest) ([]catalog.Item, int, error) {
	f := store.ItemFilter{Kind: catalog.KindProduct, Query: in.Query, Equal: map[string]string{}}
	if in.Brand != "" {
		f.Equal[propBrand] = in.Brand
	}
	if in.Category != "" {
		f.Equal[propCategory] = in.Category
	}
	total, err := d.cfg.Items.CountItems(ctx, ws.WS, f)
	if err != nil {
		return nil, 0, err
	}
	items, err := d.cfg.Items.Items(ctx, ws.WS, f, in.span())
	return items, total, err
}

// identified lists the product with the SKU or EAN asked for, if it fits the
// other filters too: a look-up by key, however large the catalog is.
func (d *door) identified(ctx context.Context, ws store.Workspace, in *listProductsRequest) ([]catalog.Item, int, error) {
	find, what := d.bySKU, in.SKU
	if in.SKU == "" {
		find, what = d.byEAN, in.EAN
	}
	it, err := find(ctx, ws, what)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	case !in.fits(&it):
		return nil, 0, nil
	case in.span().Offset > 0:
		return nil, 1, nil
	}
	return []catalog.Item{it}, 1, nil
}

func (in *listProductsRequest) fits(it *catalog.Item) bool {
	text := func(field string) string { return it.Doc.Text(field) }
	switch {
	case in.EAN != "" && !slices.Contains(gtinKeys(in.EAN), catalog.Key{Field: catalog.KeyGTIN, Value: it.GTIN}),
		in.Brand != "" && text(propBrand) != in.Brand,
		in.Category != "" && text(propCategory) != in.Category:
		return false
	}
	query := strings.ToLower(in.Query)
	for _, field := range []string{propTitle, catalog.PropSKU, catalog.PropGTIN, propBrand} {
		if strings.Contains(strings.ToLower(text(field)), query) {
			return true
		}
	}
	return query == ""
}
