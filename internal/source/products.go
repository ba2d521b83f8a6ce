package source

// products is the free table of products: any columns, matched by name or by a
// mapping, identified by EAN, or by SKU where a row has no EAN (contract
// sources.md 1.3). Aliases are the usual headings in English, French, German,
// Spanish, Italian and Dutch.
func products() Definition {
	return Definition{
		ID: Default, Version: 1, Name: "Products (any table)", Kind: "product",
		Match: []string{"gtin", "sku"}, ClearWord: `\delete`,
		Columns: []Column{
			{Name: "id", Field: "id"},
			{Name: "ean", Field: "ean", Aliases: []string{"ean13", "ean8", "ean code", "gtin", "gtin13", "gtin14", "barcode", "bar code", "code-barres", "code barre", "upc", "upc code", "upc/ean", "strichcode", "codigo de barras", "codice a barre", "streepjescode", "isbn", "jan"}},
			{Name: "sku", Field: "sku", Aliases: []string{"seller sku", "seller-sku", "merchant sku", "msku", "item sku", "item_sku", "artikelnummer", "artikelnr", "reference interne", "variant sku", "product code", "product code/sku", "item number"}},
			{Name: "title", Field: "title", Aliases: []string{"titre", "name", "nom", "product name", "product title", "item name", "item-name", "titel", "bezeichnung", "artikelbezeichnung", "nombre", "titulo", "nome", "titolo", "naam", "designation", "libelle"}},
			{Name: "brand", Field: "brand", Aliases: []string{"marque", "marke", "hersteller", "manufacturer", "brand name", "brand-name", "vendor", "marca", "merk", "fabricant"}},
			{Name: "description", Field: "description", Aliases: []string{"beschreibung", "descripcion", "descrizione", "omschrijving", "product description", "item-description", "body (html)", "long description"}},
			{Name: "category", Field: "category", Aliases: []string{"categorie", "kategorie", "categoria", "product category", "warengruppe", "categories"}},
			{Name: "price", Field: "price", Aliases: []string{"prix", "preis", "precio", "prezzo", "prijs", "your price", "selling price", "sale price", "unit price", "regular price", "variant price", "prix ttc", "verkaufspreis"}},
			{Name: "currency", Field: "currency", Aliases: []string{"devise", "waehrung", "währung", "moneda", "valuta", "currency code", "price currency"}},
			{Name: "list_price", Field: "list_price", Aliases: []string{"list price", "msrp", "rrp", "uvp", "compare at price", "compare-at price", "prix public"}},
			{Name: "stock", Field: "stock", Aliases: []string{"quantite", "quantity", "qty", "stock quantity", "inventory", "inventory quantity", "bestand", "menge", "lagerbestand", "existencias", "cantidad", "giacenza", "voorraad", "stock level", "quantity on stock", "variant inventory qty"}},
			{Name: "weight", Field: "weight", Aliases: []string{"poids", "gewicht", "peso"}},
			{Name: "images", Field: "images", Aliases: []string{"image", "image url", "image-url", "image_url", "images urls", "main image url", "main_image_url", "image link", "image src", "bild", "bild url", "photo", "imagen", "immagine", "afbeelding"}},
			{Name: "asin", Field: "asin", Aliases: []string{"asin1"}},
			{Name: "mpn", Field: "mpn", Aliases: []string{"manufacturer part number", "part number", "part_number", "herstellernummer"}},
			{Name: "slug", Field: "slug", Aliases: []string{"url handle", "handle", "url key", "url_key"}},
			{Name: "external_ref", Field: "external_ref", Aliases: []string{"external ref", "external id", "reference externe"}},
			{Name: "status", Field: "status"},
			{Name: "type", Field: "type", Aliases: []string{"product type", "produkttyp", "produktart", "type de produit", "tipo de producto", "tipo di prodotto", "producttype"}},
			{Name: "collections", Field: "collections"},
			{Name: "commodity_type", Field: "commodity_type"},
			{Name: "tags", Field: "tags", Aliases: []string{"schlagworte", "etiquettes"}},
		},
	}
}
