package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/catalog"
)

// ProductEdit is what an edit says of a product, in the shape of Product. It tells
// a field that is null from one that is not named.
type ProductEdit struct{ fields map[string]json.RawMessage }

// UnmarshalJSON keeps the fields as they come.
func (e *ProductEdit) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &e.fields); err != nil || e.fields == nil {
		return errors.New("must be an object of the product's fields")
	}
	return nil
}

// Schema describes it to clients.
func (ProductEdit) Schema(huma.Registry) *huma.Schema {
	text := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Nullable: true, Description: doc}
	}
	numeric := func(doc string) *huma.Schema {
		return &huma.Schema{Description: doc, AnyOf: []*huma.Schema{{Type: huma.TypeNumber}, {Type: huma.TypeString}, {Type: "null"}}}
	}
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"ean":         text("Trade item number"),
		"sku":         text(""),
		"title":       text(""),
		"brand":       text(""),
		"description": text(""),
		"category":    text(""),
		"price":       numeric("Exact decimal, as a number or as text"),
		"currency":    text("ISO 4217 code of the price; goes along with it"),
		"stock":       numeric("Whole number"),
		"images":      {Type: huma.TypeArray, Nullable: true, Items: &huma.Schema{Type: huma.TypeString}, Description: "URLs, the main image first"},
		"attributes": {Type: huma.TypeObject, Nullable: true, AdditionalProperties: &huma.Schema{Type: huma.TypeString, Nullable: true},
			Description: "Values by name; null clears one"},
		"properties": {Type: huma.TypeObject, Nullable: true, AdditionalProperties: true,
			Description: "Everything else, by field name: text, number, boolean, or an array of text; null clears one"},
		"id":         {Type: huma.TypeString, Description: "May be sent back as it was shown"},
		"created_at": {Type: huma.TypeString, Description: "May be sent back; ignored"},
		"updated_at": {Type: huma.TypeString, Description: "May be sent back; ignored"},
	}}
}

const null = "null"

// tokens returns what the catalog's fields become, as JSON tokens; "null" clears
// one. Every wrong field is named at once.
func (e *ProductEdit) tokens(id string) (map[string]string, error) {
	t := &editTokens{set: make(map[string]string), wrong: make(map[string][]string)}
	for name, value := range e.fields {
		t.take(name, value, id)
	}
	t.takePrice(e.fields["price"], e.fields["currency"])
	if len(t.wrong) > 0 {
		return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: codeValidation, Message: "The request is not valid.", Fields: t.wrong}
	}
	return t.set, nil
}

// editTokens gathers what an edit sets and what is wrong with it.
type editTokens struct {
	set   map[string]string
	wrong map[string][]string
}

func (t *editTokens) blame(field, message string) { t.wrong[field] = append(t.wrong[field], message) }

func (t *editTokens) take(name string, value json.RawMessage, id string) {
	switch name {
	case catalog.PropGTIN, catalog.PropSKU, propTitle, propBrand, propDescription, propCategory:
		t.put(name, name, value, isText, "must be text or null")
	case propStock:
		t.put(name, name, value, isNumeric, "must be a number or null")
	case propImages:
		t.put(name, name, value, isTexts, "must be an array of text or null")
	case "attributes":
		t.takeEach(name, value, func(key string, value json.RawMessage) {
			t.put(name+"."+key, attributePrefix+key, value, isText, "must be text or null")
		})
	case "properties":
		t.takeEach(name, value, t.takeProperty)
	case "id":
		if s, ok := textIn(value); !ok || s != id {
			t.blame(name, "The id of a product cannot change.")
		}
	case propPrice, "currency", "created_at", "updated_at":
	default:
		t.blame(catalog.Shorten(name), "There is no such field of a product; what has none of its own goes into properties.")
	}
}

// takeProperty takes one of the fields that have no place of their own.
func (t *editTokens) takeProperty(name string, value json.RawMessage) {
	switch name {
	case catalog.PropGTIN, catalog.PropSKU, propTitle, propBrand, propDescription, propCategory, propPrice, propStock, propImages:
		t.blame("properties."+name, name+" is a field of its own; give it beside properties.")
		return
	}
	if strings.HasPrefix(name, attributePrefix) {
		t.blame("properties."+catalog.Shorten(name), "Give it in attributes.")
		return
	}
	t.put("properties."+name, name, value, isSimple, "must be text, a number, a boolean, an array of text, or null")
}

// put sets a field, if its value is of the right form.
func (t *editTokens) put(place, field string, value json.RawMessage, fits func(json.RawMessage) bool, rule string) {
	place = catalog.Shorten(place)
	if !isNull(value) && !fits(value) {
		t.blame(place, place+" "+rule+".")
		return
	}
	token, ok := canonical(value)
	if !ok {
		t.blame(place, place+tooFar)
		return
	}
	t.set[field] = token
}

// takeEach takes the members of an object; null is as good as none.
func (t *editTokens) takeEach(name string, value json.RawMessage, take func(string, json.RawMessage)) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		t.blame(name, name+" must be an object or null.")
		return
	}
	for key, member := range members {
		take(key, member)
	}
}

// takePrice puts a price and its currency together: "29.90 EUR".
func (t *editTokens) takePrice(price, currency json.RawMessage) {
	code, isCode := "", true
	if currency != nil && !isNull(currency) {
		code, isCode = textIn(currency)
	}
	amount, why := amountIn(price)
	switch {
	case !isCode:
		t.blame("currency", "currency must be text or null.")
	case why != "":
		t.blame(propPrice, propPrice+why)
	case amount == "" && (code != "" || price == nil && currency != nil):
		t.blame("currency", "A currency is that of a price; give the price along with it.")
	case amount != "":
		if code != "" && !strings.HasSuffix(amount, " "+code) {
			amount += " " + code
		}
		t.set[propPrice] = string(catalog.AppendQuoted(nil, amount))
	case price != nil:
		t.set[propPrice] = null
	}
}

// amountIn is the text of a number, however it is given; "" for null and none.
// why ends the sentence that says what is wrong with it.
func amountIn(value json.RawMessage) (amount, why string) {
	if value == nil || isNull(value) {
		return "", ""
	}
	if isNumber(value) {
		if amount, ok := plainNumber(string(value)); ok {
			return amount, ""
		}
		return "", tooFar
	}
	s, ok := textIn(value)
	if !ok {
		return "", " must be a number, text or null."
	}
	return strings.TrimSpace(s), ""
}

// canonical is a value as documents hold it: text with only what must be escaped,
// arrays without blanks, numbers without an exponent. ok is false for a number
// whose exponent is out of bounds.
func canonical(value json.RawMessage) (token string, ok bool) {
	if s, ok := textIn(value); ok {
		return string(catalog.AppendQuoted(nil, s)), true
	}
	if texts, ok := textsIn(value); ok {
		return string(catalog.Value{Type: catalog.Text, List: texts, IsList: true}.AppendJSON(nil)), true
	}
	if isNumber(value) {
		return plainNumber(string(value))
	}
	return string(bytes.TrimSpace(value)), true
}

func textIn(value json.RawMessage) (s string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(value, &s) == nil
}

func textsIn(value json.RawMessage) (texts []string, ok bool) {
	if len(value) == 0 || value[0] != '[' {
		return nil, false
	}
	var elements []json.RawMessage
	if json.Unmarshal(value, &elements) != nil {
		return nil, false
	}
	texts = make([]string, len(elements))
	for i, e := range elements {
		if texts[i], ok = textIn(e); !ok {
			return nil, false
		}
	}
	return texts, true
}

func isNull(value json.RawMessage) bool { return string(value) == null }

func isText(value json.RawMessage) bool { _, ok := textIn(value); return ok }

func isTexts(value json.RawMessage) bool { _, ok := textsIn(value); return ok }

// isNumber: a JSON value that begins as a number is one.
func isNumber(value json.RawMessage) bool {
	return len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9')
}

func isNumeric(value json.RawMessage) bool { return isNumber(value) || isText(value) }

func isSimple(value json.RawMessage) bool {
	s := string(value)
	return isNumeric(value) || isTexts(value) || s == "true" || s == "false"
}
