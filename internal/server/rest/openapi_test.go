package rest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tallyman/internal/server"
)

// document reads the API's description as a client does.
func document(t *testing.T, h http.Handler) map[string]any {
	t.Helper()
	a := ask(t, h, "GET", Prefix+"/openapi.json", "", nil)
	var doc map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &doc); err != nil {
		t.Fatalf("status %d: %v", a.Code, err)
	}
	return doc
}

func TestDocumentDescribesTheDoor(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	doc := document(t, h)
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1") {
		t.Errorf("openapi %q", v)
	}
	paths, _ := doc["paths"].(map[string]any)
	for path, methods := range map[string]string{
		"/imports": "get post", "/imports/{id}": "get", "/imports/{id}/errors": "get", "/imports/{id}/errors.csv": "get", "/imports/{id}/batches": "get",
		"/imports/{id}/pause": "post", "/imports/{id}/resume": "post", "/imports/{id}/terminate": "post", "/imports/{id}/cancel": "post",
		"/imports/{id}/apply": "post", "/imports/{id}/plan": "post", "/imports/{id}/retry": "post", "/imports/{id}/undo": "post",
		"/imports/{id}/summary": "get", "/imports/{id}/changes": "get", "/imports/{id}/changes.csv": "get", "/imports/{id}/causes": "get",
		"/imports/{id}/rows": "get", "/imports/{id}/rows/{row}": "get patch", "/imports/{id}/rows/{row}/corrections": "delete",
		"/imports/{id}/rows.csv": "get", "/imports/{id}/failed-rows.csv": "get",
		"/imports/{id}/corrections": "post", "/imports/{id}/fixes": "get post", "/imports/{id}/fixes/{no}": "delete",
		"/products": "get", "/products/{id}": "get patch put delete", "/products/{id}/history": "get", "/products/sku/{sku}": "get",
		"/audit": "get",
	} {
		item, _ := paths[path].(map[string]any)
		for m := range strings.FieldsSeq(methods) {
			if item[m] == nil {
				t.Errorf("%s %s is not described", m, path)
			}
		}
	}
	if len(paths) != 30 {
		t.Errorf("%d paths are described", len(paths))
	}
}

// TestDocumentIsTrue asks for every described operation: none may be unknown.
func TestDocumentIsTrue(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	paths, _ := document(t, h)["paths"].(map[string]any)
	ids := make(map[any]bool)
	for path, item := range paths {
		for method, op := range item.(map[string]any) {
			url := Prefix + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
			// Nobody's key is refused before the path is looked at, and a mere
			// reader's right before anything is done; what must not come is 404.
			a := ask(t, h, strings.ToUpper(method), url+"?page=none&severity=none&wait=none", "read", nil)
			if a.Code == 404 || a.Code == 405 {
				t.Errorf("%s %s is described and answers %d", method, path, a.Code)
			}
			id := op.(map[string]any)["operationId"]
			if ids[id] || id == nil {
				t.Errorf("the operation id %v stands twice", id)
			}
			ids[id] = true
		}
	}
}

// TestEverythingIsDescribed: no operation, parameter or field goes without words,
// but for fields whose names say all.
func TestEverythingIsDescribed(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	paths, _ := document(t, h)["paths"].(map[string]any)
	for path, item := range paths {
		for method, op := range item.(map[string]any) {
			op := op.(map[string]any)
			if op["summary"] == nil {
				t.Errorf("%s %s has no summary", method, path)
			}
			params, _ := op["parameters"].([]any)
			keyed := false
			for _, p := range params {
				p := p.(map[string]any)
				keyed = keyed || p["name"] == keyHeader
				if p["description"] == nil {
					t.Errorf("%s %s does not say what %s is", method, path, p["name"])
				}
			}
			responses := op["responses"].(map[string]any)
			if (method != "get") != keyed || keyed && responses["409"] == nil {
				t.Errorf("%s %s and its key: %v", method, path, op)
			}
			if strings.Contains(path, "{") && responses["404"] == nil {
				t.Errorf("%s %s does not say that it may be nowhere", method, path)
			}
			if responses["default"] == nil || len(responses) < 2 {
				t.Errorf("%s %s answers %v", method, path, responses)
			}
		}
	}
}

func TestDocumentSpeaksTheDoorsWords(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	doc := document(t, h)
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for _, s := range []string{"ErrorModel", "ErrorDetail"} {
		if schemas[s] != nil {
			t.Errorf("%s is described, which no answer is", s)
		}
	}
	if text := ask(t, h, "GET", Prefix+"/openapi.json", "", nil).Body.String(); strings.Contains(text, "problem+json") || strings.Contains(text, "ErrorModel") {
		t.Error("the document speaks of another error body")
	}
	for _, s := range []string{"Import", "CreatedImport", "Failure", "Product", "RowError", "Batch", "Meta", "ListImport", "Summary", "Change", "Cause", "Row", "RowDetail", "Check", "Corrections", "Fix", "History", "PlanCounts", "Finding"} {
		if schemas[s] == nil {
			t.Errorf("%s is not described", s)
		}
	}
}

func TestDocsPageNeedsNoNetwork(t *testing.T) {
	h, _ := newDoor(t, &told{}, server.Rates{})
	a := ask(t, h, "GET", Prefix+"/docs", "", nil)
	page := a.Body.String()
	if a.Code != 200 || !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("got %d %s", a.Code, a.Header().Get("Content-Type"))
	}
	for _, foreign := range regexp.MustCompile(`(?:src|href|url\()\s*=?\s*["']?(https?:)?//[^"')]+`).FindAllString(page, -1) {
		t.Errorf("the page fetches %s", foreign)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<no value>") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page holds what it must not")
	}
	paths, _ := document(t, h)["paths"].(map[string]any)
	for path := range paths {
		if !strings.Contains(page, Prefix+path) {
			t.Errorf("%s is not on the page", path)
		}
	}
	if csp := a.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'sha256-") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
}
