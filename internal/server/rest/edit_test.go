package rest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

const productID = "01980000-0000-7000-8000-000000000001"

// toldEdits notes edits and says what it is told to.
type toldEdits struct {
	told
	edit   importer.EditRequest
	edited importer.Edited
	limit  int
}

func (f *toldEdits) Edit(_ context.Context, _ store.Workspace, e importer.EditRequest) (importer.Edited, error) {
	f.edit = e
	return f.edited, f.err
}
func (f *toldEdits) History(_ context.Context, _ store.Workspace, _ catalog.Kind, _ string, limit int) ([]importer.HistoryStep, bool, error) {
	f.limit = limit
	return []importer.HistoryStep{{Import: store.Import{ID: "imp_01", Source: "edit", SourceName: "edit", CreatedBy: "key_1"}, Row: 2, Outcome: catalog.Updated, Version: 4,
		At: time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC), Fields: []catalog.FieldChange{{Field: "title", Old: `"a"`, New: `"b"`}}}}, true, f.err
}

// shelf has one product.
type shelf struct{ it catalog.Item }

func (s *shelf) Item(_ context.Context, _ store.WS, _ catalog.Kind, key catalog.Key) (catalog.Item, error) {
	if s.it.Get(key.Field) != key.Value || key.Value == "" {
		return catalog.Item{}, store.ErrNotFound
	}
	return s.it, nil
}
func (*shelf) Items(context.Context, store.WS, store.ItemFilter, store.Range) ([]catalog.Item, error) {
	return nil, nil
}
func (*shelf) CountItems(context.Context, store.WS, store.ItemFilter) (int, error) { return 0, nil }

// newShelfDoor returns a door to one product.
func newShelfDoor(t *testing.T, f importer.API) http.Handler {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))
	it := catalog.Item{ID: productID, Kind: catalog.KindProduct, GTIN: "03760000000000", SKU: "A-1", Version: 7,
		Doc: `{"ean":"3760000000000","price":"29.90 EUR","sku":"A-1","title":"Graines"}`}
	d, err := New(Config{Imports: f, Items: &shelf{it: it}, Accounts: keyring{}, Log: logger, Now: time.Now, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return server.New(server.Config{Doors: []server.Door{d}, Log: logger, Now: time.Now, Ready: func(context.Context) error { return nil }})
}

func TestProductByIDAndETag(t *testing.T) {
	h := newShelfDoor(t, &toldEdits{})
	for _, path := range []string{"/products/" + productID, "/products/3760000000000", "/products/sku/A-1"} {
		a := ask(t, h, "GET", Prefix+path, "read", nil)
		if a.Code != 200 || a.body["id"] != productID || a.Header().Get("ETag") != `"7"` {
			t.Errorf("%s: %d %s, version %s", path, a.Code, a.Body, a.Header().Get("ETag"))
		}
	}
	other := strings.Replace(productID, "1", "2", 1)
	for _, path := range []string{"/products/" + other, "/products/4006381333931", "/products/sku/history", "/products/" + productID + "/nothing"} {
		if a := ask(t, h, "GET", Prefix+path, "read", nil); a.Code != 404 || a.body["error"] != "not_found" {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
}

func TestPatchProduct(t *testing.T) {
	f := &toldEdits{edited: importer.Edited{Import: store.Import{ID: "imp_09"}, Outcome: catalog.Updated,
		Item: &catalog.Item{ID: productID, Version: 8, Doc: `{"price":"31.00 EUR","title":"Graines"}`}}}
	h := newShelfDoor(t, f)
	a := ask(t, h, "PATCH", Prefix+"/products/03760000000000", "import", strings.NewReader(`{"price":31.00,"currency":"EUR","brand":null,"images":["a", "b"],
		"attributes":{"color":"ro\u00fct","size":null},"properties":{"mpn":"x","weight":1.50,"tags":["t"],"list_price":null},"stock":"5","sku":" A/1"}`), "If-Match", `"7"`)
	if a.Code != 200 || a.Header().Get("ETag") != `"8"` || a.Header().Get("X-Import-Id") != "imp_09" || !strings.Contains(a.Body.String(), `"price":31.00,`) {
		t.Errorf("got %d %v %s", a.Code, a.Header(), a.Body)
	}
	want := importer.EditRequest{Kind: catalog.KindProduct, ID: productID, Version: 7, Door: "rest", By: "key_import", Set: map[string]string{
		"price": `"31.00 EUR"`, "brand": "null", "images": `["a","b"]`, "attributes.color": `"roüt"`, "attributes.size": "null", "mpn": `"x"`, "weight": "1.50",
		"tags": `["t"]`, "list_price": "null", "stock": `"5"`, "sku": `" A/1"`}}
	if d := cmp.Diff(want, f.edit); d != "" {
		t.Error(d)
	}
}

func TestPrices(t *testing.T) {
	for body, want := range map[string]string{
		`{"price":29.90}`:                            `"29.90"`,
		`{"price":"29.90"}`:                          `"29.90"`,
		`{"price":"29.90 EUR"}`:                      `"29.90 EUR"`,
		`{"price":"29.90 EUR","currency":"EUR"}`:     `"29.90 EUR"`,
		`{"price":29.90,"currency":"USD"}`:           `"29.90 USD"`,
		`{"price":29.90,"currency":null}`:            `"29.90"`,
		`{"price":0,"currency":"USD"}`:               `"0 USD"`,
		`{"price":null}`:                             `null`,
		`{"price":null,"currency":null}`:             `null`,
		`{"price":12345678901234567890.12345678901}`: `"12345678901234567890.12345678901"`,
		`{"price":1.250e1,"currency":"EUR"}`:         `"12.50 EUR"`,
	} {
		f := &toldEdits{edited: importer.Edited{Item: &catalog.Item{Doc: "{}"}}}
		a := ask(t, newShelfDoor(t, f), "PATCH", Prefix+"/products/"+productID, "import", strings.NewReader(body))
		if d := cmp.Diff(map[string]string{"price": want}, f.edit.Set); a.Code != 200 || d != "" {
			t.Errorf("%s: %d %s", body, a.Code, d)
		}
	}
}

func TestNumbersWithAnExponent(t *testing.T) {
	f := &toldEdits{edited: importer.Edited{Item: &catalog.Item{Doc: "{}"}}}
	a := ask(t, newShelfDoor(t, f), "PATCH", Prefix+"/products/"+productID, "import", strings.NewReader(`{"stock":1e2,"properties":{"weight":1.5E-1,"note":"1e2"}}`))
	if d := cmp.Diff(map[string]string{"stock": "100", "weight": "0.15", "note": `"1e2"`}, f.edit.Set); a.Code != 200 || d != "" {
		t.Errorf("%d %s", a.Code, d)
	}
	a = ask(t, newShelfDoor(t, f), "PATCH", Prefix+"/products/"+productID, "import", strings.NewReader(`{"stock":1e400}`))
	if !strings.Contains(a.Body.String(), "stock has an exponent beyond 40; write the number out in digits.") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

func TestPutProduct(t *testing.T) {
	f := &toldEdits{edited: importer.Edited{Item: &catalog.Item{Doc: "{}"}}}
	h := newShelfDoor(t, f)
	// What a GET shows can be sent back as it is.
	shown := ask(t, h, "GET", Prefix+"/products/"+productID, "read", nil).Body
	a := ask(t, h, "PUT", Prefix+"/products/"+productID, "import", shown, "If-Match", "*")
	want := importer.EditRequest{Kind: catalog.KindProduct, ID: productID, Replace: true, Door: "rest", By: "key_import", Set: map[string]string{
		"ean": `"3760000000000"`, "sku": `"A-1"`, "title": `"Graines"`, "price": `"29.90 EUR"`,
		"brand": "null", "category": "null", "description": "null", "stock": "null", "images": "[]"}}
	if d := cmp.Diff(want, f.edit); a.Code != 200 || d != "" {
		t.Errorf("%d %s", a.Code, d)
	}
}

func TestDeleteProduct(t *testing.T) {
	f := &toldEdits{edited: importer.Edited{Import: store.Import{ID: "imp_09"}, Outcome: catalog.Deleted}}
	a := ask(t, newShelfDoor(t, f), "DELETE", Prefix+"/products/"+productID, "import", nil)
	if a.Code != 204 || a.Header().Get("X-Import-Id") != "imp_09" || a.Body.Len() != 0 {
		t.Errorf("got %d %v %s", a.Code, a.Header(), a.Body)
	}
	if d := cmp.Diff(importer.EditRequest{Kind: catalog.KindProduct, ID: productID, Delete: true, Door: "rest", By: "key_import"}, f.edit); d != "" {
		t.Error(d)
	}
}

func TestWrongEdits(t *testing.T) {
	for _, c := range []struct {
		body   string
		status int
		fields string
	}{
		{"", 400, ""},
		{"{", 422, "body"},
		{"[]", 422, "body"},
		{"null", 422, "body"},
		{"{}", 422, ""},
		{`{"title":1,"images":"a","stock":[],"attributes":[],"price":true}`, 422, "attributes images price stock title"},
		{`{"images":[1],"attributes":{"a":1},"properties":{"b":{"c":1},"d":[1]}}`, 422, "attributes.a images properties.b properties.d"},
		{`{"properties":{"title":"x","attributes.color":"y","price":1}}`, 422, "properties.attributes.color properties.price properties.title"},
		{`{"colour":"red"}`, 422, "colour"},
		{`{"currency":"EUR"}`, 422, "currency"},
		{`{"price":null,"currency":"EUR"}`, 422, "currency"},
		{`{"price":1,"currency":5}`, 422, "currency"},
		{`{"currency":null}`, 422, "currency"},
		{`{"currency":null,"title":"x"}`, 422, "currency"},
		{`{"stock":1e400,"price":-1e41,"properties":{"weight":1e-400}}`, 422, "price properties.weight stock"},
		{`{"id":"another"}`, 422, "id"},
	} {
		f := &toldEdits{}
		a := ask(t, newShelfDoor(t, f), "PATCH", Prefix+"/products/"+productID, "import", strings.NewReader(c.body))
		details, _ := a.body["details"].(map[string]any)
		for field := range strings.FieldsSeq(c.fields) {
			if details[field] == nil {
				t.Errorf("%s: %s is not blamed in %v", c.body, field, details)
			}
		}
		if a.Code != c.status || len(details) != len(strings.Fields(c.fields)) || f.edit.ID != "" {
			t.Errorf("%s: %d %s", c.body, a.Code, a.Body)
		}
	}
}

func TestEditsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name    string
		id      string
		ifMatch string
		err     error
		status  int
		code    string
	}{
		{"gone", productID, "", catalog.Faultf(catalog.KindNotFound, "not_found", "No."), 404, "not_found"},
		{"no such EAN", "4006381333931", "", nil, 404, "not_found"},
		{"another version", productID, `"6"`, catalog.Faultf(catalog.KindConflict, "version_conflict", "No."), 412, "version_conflict"},
		{"no version", productID, "7", nil, 412, "version_conflict"},
		{"version nought", productID, `"0"`, nil, 412, "version_conflict"},
		{"a weak one", productID, `W/"7"`, nil, 412, "version_conflict"},
		{"a signed one", productID, `"+7"`, nil, 412, "version_conflict"},
		{"a wrong value", productID, "", &catalog.Fault{Kind: catalog.KindInvalid, Code: "invalid_price", Message: "No.", Fields: map[string][]string{"price": {"No."}}}, 422, "validation_error"},
	} {
		h := newShelfDoor(t, &toldEdits{told: told{err: c.err}})
		header := []string{}
		if c.ifMatch != "" {
			header = append(header, "If-Match", c.ifMatch)
		}
		for method, body := range map[string]string{"PATCH": `{"title":"x"}`, "PUT": `{"title":"x"}`, "DELETE": ""} {
			a := ask(t, h, method, Prefix+"/products/"+c.id, "import", strings.NewReader(body), header...)
			if a.Code != c.status || a.body["error"] != c.code {
				t.Errorf("%s, %s: %d %s", c.name, method, a.Code, a.Body)
			}
		}
	}
	h := newShelfDoor(t, &toldEdits{})
	if a := ask(t, h, "DELETE", Prefix+"/products/"+productID, "read", nil); a.Code != 403 {
		t.Errorf("without the right: %d", a.Code)
	}
}

func TestHistory(t *testing.T) {
	f := &toldEdits{}
	h := newShelfDoor(t, f)
	want := map[string]any{"truncated": true, "steps": []any{map[string]any{"import_id": "imp_01", "source": "edit", "source_name": "edit", "by": "key_1", "row": 2.0,
		"outcome": "updated", "version": 4.0, "at": "2026-03-15T09:00:00Z", "fields": []any{map[string]any{"field": "title", "old": "a", "new": "b"}}}}}
	for _, id := range []string{productID, "3760000000000"} {
		a := ask(t, h, "GET", Prefix+"/products/"+id+"/history?limit=5", "read", nil)
		if d := cmp.Diff(want, a.body); a.Code != 200 || d != "" || f.limit != 5 {
			t.Errorf("%s: %d %s", id, a.Code, d)
		}
	}
	if a := ask(t, h, "GET", Prefix+"/products/4006381333931/history", "read", nil); a.Code != 404 {
		t.Errorf("got %d", a.Code)
	}
}
