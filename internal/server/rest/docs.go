package rest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

// docsPage is the API's description as a page that needs nothing from any
// network: no script, one style.
type docsPage struct {
	body   []byte
	policy string
}

// newDocsPage renders the document. base is how clients reach the program, "" for
// this machine.
func newDocsPage(doc *huma.OpenAPI, base string) (*docsPage, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	v := &docsView{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description, Prefix: Prefix, Base: cmp.Or(base, thisMachine), Style: template.CSS(docsStyle)} //nolint:gosec // embedded
	for _, tag := range doc.Tags {
		v.Groups = append(v.Groups, docsGroup{Name: tag.Name, Description: tag.Description, Operations: operationsOf(doc, tag.Name)})
	}
	v.Schemas = schemasOf(doc)
	var page bytes.Buffer
	if err := t.Execute(&page, v); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	hash := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; frame-ancestors 'none'"
	return &docsPage{body: page.Bytes(), policy: policy}, nil
}

func (p *docsPage) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", p.policy)
	_, _ = w.Write(p.body)
}

// thisMachine is where the program serves unless it is told otherwise.
const thisMachine = "http://localhost:8080"

// docsView is what the template shows.
type docsView struct {
	Title, Version, Description string
	Prefix, Base                string
	Style                       template.CSS
	Groups                      []docsGroup
	Schemas                     []docsSchema
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description string
	Parameters                             []docsField
	Body                                   []docsField
	Answers                                []docsAnswer
}

type docsField struct{ Name, Where, Type, Description string }

type docsAnswer struct{ Status, Description, Schema string }

type docsSchema struct {
	Name   string
	Fields []docsField
}

// operationsOf lists the operations of a tag, those of one path together.
func operationsOf(doc *huma.OpenAPI, tag string) []docsOperation {
	paths := make([]string, 0, len(doc.Paths))
	for p := range doc.Paths {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var out []docsOperation
	for _, p := range paths {
		item := doc.Paths[p]
		for _, op := range []*huma.Operation{item.Post, item.Get, item.Put, item.Patch, item.Delete} {
			if op != nil && slices.Contains(op.Tags, tag) {
				out = append(out, operationView(doc, op))
			}
		}
	}
	return out
}

func operationView(doc *huma.OpenAPI, op *huma.Operation) docsOperation {
	v := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		v.Parameters = append(v.Parameters, docsField{Name: p.Name, Where: p.In, Type: typeText(p.Schema), Description: p.Description})
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Content {
			v.Body = append(v.Body, fieldsOf(resolved(doc, media.Schema))...)
		}
	}
	statuses := make([]string, 0, len(op.Responses))
	for s := range op.Responses {
		statuses = append(statuses, s)
	}
	sort.Strings(statuses) // "default" comes last
	for _, s := range statuses {
		v.Answers = append(v.Answers, answerView(s, op.Responses[s]))
	}
	return v
}

func answerView(status string, r *huma.Response) docsAnswer {
	a := docsAnswer{Status: status, Description: r.Description}
	for _, media := range r.Content {
		if media.Schema != nil {
			a.Schema = schemaName(media.Schema)
		}
	}
	return a
}

func schemasOf(doc *huma.OpenAPI) []docsSchema {
	all := doc.Components.Schemas.Map()
	names := make([]string, 0, len(all))
	for n := range all {
		names = append(names, n)
	}
	sort.Strings(names)
	out := make([]docsSchema, 0, len(names))
	for _, n := range names {
		out = append(out, docsSchema{Name: n, Fields: fieldsOf(all[n])})
	}
	return out
}

// fieldsOf lists a schema's properties, required ones first.
func fieldsOf(s *huma.Schema) []docsField {
	names := make([]string, 0, len(s.Properties))
	for n := range s.Properties {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := slices.Contains(s.Required, names[i]), slices.Contains(s.Required, names[j])
		return a && !b || a == b && names[i] < names[j]
	})
	out := make([]docsField, 0, len(names))
	for _, n := range names {
		p := s.Properties[n]
		out = append(out, docsField{Name: n, Type: typeText(p), Description: p.Description})
	}
	return out
}

// resolved is the schema that a schema refers to, or itself.
func resolved(doc *huma.OpenAPI, s *huma.Schema) *huma.Schema {
	if s.Ref == "" {
		return s
	}
	return doc.Components.Schemas.SchemaFromRef(s.Ref)
}

// schemaName is the name of the component that the schema refers to.
func schemaName(s *huma.Schema) string {
	return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

// typeText says in a few words what a value looks like.
func typeText(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	t := s.Type
	switch {
	case s.Ref != "":
		return schemaName(s)
	case s.Type == huma.TypeArray:
		t = "array of " + typeText(s.Items)
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		t = strings.Join(words, " | ")
	case s.Format != "":
		t += " (" + s.Format + ")"
	}
	if s.Nullable {
		t += " or null"
	}
	if s.Default != nil {
		if b, err := json.Marshal(s.Default); err == nil {
			t += ", default " + string(b)
		}
	}
	return t
}
