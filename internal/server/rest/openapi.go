package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Tags group the operations in the API's description.
const (
	tagImports  = "Imports"
	tagProducts = "Products"
	tagAudit    = "Audit log"
)

const securityScheme = "apiKey"

// newAPI returns an API without operations, whose errors are in the door's own
// words and whose description is served by describe. base is what stands before
// Prefix where clients ask.
func newAPI(mux humago.Mux, version, base string) huma.API {
	cfg := huma.DefaultConfig("Tallyman", version)
	cfg.Info.Description = "Imports allow you to load large volumes of products into your catalog from CSV, Excel, or JSON files. " +
		"Every row is accounted for, exactly once."
	cfg.Tags = []*huma.Tag{{Name: tagImports, Description: "Load files into the catalog and see what became of every row."},
		{Name: tagProducts, Description: "Read the catalog, and edit it product by product. An edit is an import of one row, so it can be undone like any other."},
		{Name: tagAudit, Description: "See who did what in the workspace, and when."}}
	cfg.Security = []map[string][]string{{securityScheme: {}}}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		securityScheme: {Type: "http", Scheme: "bearer", Description: "An API key: Authorization: Bearer KEY"},
	}
	cfg.Servers = []*huma.Server{{URL: base + Prefix}}
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.CreateHooks = nil // no $schema in bodies
	cfg.Transformers = []huma.Transformer{ownWords}
	return humago.NewWithPrefix(mux, Prefix, cfg)
}

// documented completes an operation with the answers that every one may give.
func documented(op huma.Operation) huma.Operation {
	if op.Responses == nil {
		op.Responses = make(map[string]*huma.Response)
	}
	return op
}

// failing says how an operation may fail, by status.
func failing(op huma.Operation, how map[string]string) huma.Operation {
	op = documented(op)
	for status, text := range how {
		op.Responses[status] = jsonResponse(text, &huma.Schema{Ref: "#/components/schemas/Failure"})
	}
	return op
}

// describe serves the API's description as a document and as a page, once all
// operations are registered. Each is made when somebody first asks for it: all of
// them take longer than everything else that a process does before it serves.
func (d *door) describe(api huma.API) {
	doc := api.OpenAPI()
	complete(doc)
	d.describeAs("openapi.json", "application/openapi+json", func() ([]byte, error) { return json.Marshal(doc) })
	d.describeAs("openapi.yaml", "application/openapi+yaml", doc.YAML)
	page := sync.OnceValues(func() (*docsPage, error) { return newDocsPage(doc, d.cfg.BaseURL) })
	d.open.HandleFunc("GET "+Prefix+"/docs", func(w http.ResponseWriter, r *http.Request) {
		made, err := page()
		if err != nil {
			d.fail(w, r, err)
			return
		}
		made.serve(w, r)
	})
}

// describeAs serves the description in one form.
func (d *door) describeAs(name, contentType string, form func() ([]byte, error)) {
	form = sync.OnceValues(form)
	d.open.HandleFunc("GET "+Prefix+"/"+name, func(w http.ResponseWriter, r *http.Request) {
		body, err := form()
		if err != nil {
			d.fail(w, r, fmt.Errorf("marshal OpenAPI document: %w", err))
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	})
}

// complete gives every operation the door's own error body, in place of the one
// that huma describes.
func complete(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if op.Method != http.MethodGet {
				describeKey(op, schemas)
			}
			if op.Responses["404"] == nil && strings.Contains(path, "{") {
				op.Responses["404"] = failureResponse(schemas, "There is no such thing in this workspace")
			}
			if op.Responses["422"] == nil && len(op.Parameters) > 0 {
				op.Responses["422"] = failureResponse(schemas, "The request is not valid; details names fields")
			}
			op.Responses["default"] = failureResponse(schemas, "Any other answer")
		}
	}
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
}

// describeKey says what an Idempotency-Key does to an operation.
func describeKey(op *huma.Operation, schemas huma.Registry) {
	shortest, longest := 1, maxKey
	op.Parameters = append(op.Parameters, &huma.Param{Name: keyHeader, In: "header",
		Description: "Makes the request safe to send again: within 24 hours the same request under the same key gives the first one's answer, with the header " + replayedHeader + ", and is not done twice. An answer about the moment, such as 409, is not kept: the request may be sent again.",
		Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest}})
	text := codeKeyReused + ": another request came under this key; " + codeRequestInFlight + ": the first one is still being done"
	if was := op.Responses["409"]; was != nil {
		text = was.Description + "; " + text
	}
	op.Responses["409"] = failureResponse(schemas, text)
}

func failureResponse(schemas huma.Registry, description string) *huma.Response {
	return jsonResponse(description, schemas.Schema(typeOf[Failure](), true, "Failure"))
}

func jsonResponse(description string, s *huma.Schema) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
