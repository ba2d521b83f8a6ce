package rest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
)

func TestProductObject(t *testing.T) {
	at := time.Date(2024, 3, 15, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, doc, want string }{
		{"everything",
			`{"attributes.color":"red","attributes.color@fr":"rouge","brand":"Acme","category":"Birds","description":"Say \"hi\"","ean":"3760000000000","images":["https://a/1.jpg","https://a/2.jpg"],"list_price":"10.00 EUR","price":"9007199254740993.10 EUR","sku":"A<1","stock":12,"tags":["x"],"title":"Seed","title@fr":"Graine","weight":0.5}`,
			`{"id":"i","ean":"3760000000000","sku":"A<1","title":"Seed","brand":"Acme","description":"Say \"hi\"","category":"Birds","price":9007199254740993.10,"currency":"EUR","stock":12,"images":["https://a/1.jpg","https://a/2.jpg"],"attributes":{"color":"red","color@fr":"rouge"},"properties":{"list_price":"10.00 EUR","tags":["x"],"title@fr":"Graine","weight":0.5},"created_at":"2024-03-15T09:00:00Z","updated_at":"2024-03-15T09:00:00Z"}`},
		{"next to nothing", `{"title":"Seed"}`,
			`{"id":"i","ean":null,"sku":null,"title":"Seed","brand":null,"description":null,"category":null,"price":null,"currency":null,"stock":null,"images":[],"attributes":{},"created_at":"2024-03-15T09:00:00Z","updated_at":"2024-03-15T09:00:00Z"}`},
	} {
		b, err := marshal(productObject(&catalog.Item{ID: "i", Doc: catalog.Doc(c.doc), CreatedAt: at, UpdatedAt: at}))
		if err != nil || b != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, b, c.want)
		}
	}
}

// marshal writes JSON as the door does, without escaping for HTML.
func marshal(v any) (string, error) {
	var b jsonLine
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return string(b), err
}

// jsonLine is a line without its end.
type jsonLine []byte

func (l *jsonLine) Write(p []byte) (int, error) {
	*l = append(*l, p...)
	if n := len(*l); n > 0 && (*l)[n-1] == '\n' {
		*l = (*l)[:n-1]
	}
	return len(p), nil
}

func TestAnyFormOfANumberIsOneKey(t *testing.T) {
	for _, given := range []string{"012345678905", "0012345678905", "00012345678905", " 0123-4567 8905 "} {
		if got := gtinKeys(given); len(got) != 1 || got[0] != (catalog.Key{Field: catalog.KeyGTIN, Value: "00012345678905"}) {
			t.Errorf("%q is %+v", given, got)
		}
	}
	for given, want := range map[string]string{
		"04252614":      "00000004252614 00042100005264", // EAN-8 or UPC-E
		"96385074":      "00000096385074",
		"0-306-40615-2": "09780306406157",
	} {
		var got []string
		for _, key := range gtinKeys(given) {
			got = append(got, key.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q is %v, want %s", given, got, want)
		}
	}
	if got := gtinKeys("invalid-ean"); len(got) != 1 || got[0].Value == "" {
		t.Errorf("an empty key finds what has no number: %+v", got)
	}
}
