package rest

import (
	"net/http"
	"strings"
)

// routes is a mux of two: http.ServeMux takes /products/sku/{sku} and
// /products/{id}/history for a clash, for it cannot tell whose /products/sku/history
// is. Here everything below /products/sku/ is a SKU.
type routes struct{ skus, others *http.ServeMux }

func newRoutes() *routes { return &routes{skus: http.NewServeMux(), others: http.NewServeMux()} }

const skuPrefix = Prefix + "/products/sku/"

func (m *routes) of(path string) *http.ServeMux {
	if strings.HasPrefix(path, skuPrefix) {
		return m.skus
	}
	return m.others
}

// HandleFunc registers a handler for a pattern of method and path.
func (m *routes) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	_, path, _ := strings.Cut(pattern, " ")
	m.of(path).HandleFunc(pattern, h)
}

// Handler returns the handler of a request and its pattern, "" for none.
func (m *routes) Handler(r *http.Request) (http.Handler, string) { return m.of(r.URL.Path).Handler(r) }

func (m *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.of(r.URL.Path).ServeHTTP(w, r)
}
