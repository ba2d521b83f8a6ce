package rest

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server/upload"
	"tallyman/internal/store"
)

// isFile reports whether a body of this media type is the file itself.
func isFile(mediaType string) bool {
	switch mediaType {
	case "text/csv", "text/tab-separated-values", "application/json", "application/x-ndjson", "application/octet-stream",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return true
	}
	return false
}

// CreatedImport is the answer to a new import: the seed document's five fields
// and what the program made of the request.
type CreatedImport struct {
	ID         string  `json:"id" example:"imp_01HQ3K5V8Z6Y4X2W0T1R3P5N7M"`
	Status     string  `json:"status" enum:"pending,processing,completed,completed_with_errors,failed"`
	Format     *string `json:"format"`
	TotalRows  int64   `json:"total_rows"`
	CreatedAt  string  `json:"created_at" format:"date-time" example:"2024-03-15T09:00:00Z"`
	State      string  `json:"state"`
	Source     string  `json:"source"`
	SourceName string  `json:"source_name"`
	Mode       string  `json:"mode" enum:"create,update,upsert"`
	FileSize   int64   `json:"file_size"`
	SHA256     string  `json:"sha256"`
	// DuplicateOf is noted and stops nothing.
	DuplicateOf string `json:"duplicate_of,omitempty" doc:"An earlier import of the same content by the same source"`
}

func createdObject(imp store.Import) CreatedImport {
	o := ImportObject(imp, imp.CreatedAt)
	return CreatedImport{ID: o.ID, Status: o.Status, Format: o.Format, TotalRows: o.TotalRows, CreatedAt: o.CreatedAt, State: o.State,
		Source: o.Source, SourceName: o.SourceName, Mode: o.Mode, FileSize: o.FileSize, SHA256: o.SHA256, DuplicateOf: o.DuplicateOf}
}

// create registers POST /imports: a handler of its own, because the upload is
// taken part by part as it arrives.
func (d *door) create(api huma.API) {
	op := createOperation(api, d.fields)
	d.keyed.HandleFunc(op.Method+" "+Prefix+op.Path, d.createImport)
	api.OpenAPI().AddOperation(op)
}

func (d *door) createImport(w http.ResponseWriter, r *http.Request) {
	p, err := permitted(r.Context(), account.Import)
	var imp store.Import
	if err == nil {
		imp, err = d.takeImport(r, p)
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	w.Header().Set("Location", d.location(imp.ID))
	writeJSON(w, http.StatusCreated, createdObject(imp))
}

// takeImport reads the upload and starts it.
func (d *door) takeImport(r *http.Request, p account.Principal) (imp store.Import, err error) {
	receive := func(name string, body io.Reader) (*importer.Upload, error) {
		return d.cfg.Imports.Receive(r.Context(), p.WS, doorName, p.KeyID, name, body)
	}
	form, opt, err := d.readForm(r, receive)
	// What has arrived whole is imported, whether or not its sender waits for
	// the answer.
	ctx := context.WithoutCancel(r.Context())
	taken := false // the file is the import's, or gone with its refusal
	if err == nil {
		imp, taken, err = d.makeOnce(ctx, p.WS, func(requestKey string) (store.Import, error) {
			opt.Door, opt.CreatedBy, opt.RequestKey = doorName, p.KeyID, requestKey
			return d.cfg.Imports.Start(ctx, p.WS, form.File, opt)
		})
	}
	if form.File != nil && !taken {
		d.cfg.Imports.Discard(ctx, form.File)
	}
	return imp, err
}

// readForm reads a request that makes an import. The form is returned with an
// error too.
func (d *door) readForm(r *http.Request, receive upload.Receive) (form *upload.Form, opt importer.Options, err error) {
	spec := upload.Spec{File: partFile}
	for _, f := range d.fields {
		spec.Fields = append(spec.Fields, f.name)
	}
	form, err = readUpload(r, spec, receive)
	if err == nil {
		opt, err = options(d.fields, form.Fields)
	}
	if err == nil && form.File == nil {
		err = missingFile()
	}
	return form, opt, err
}

// readUpload reads the request as a form or, where its type is that of a file, as
// the file.
func readUpload(r *http.Request, spec upload.Spec, receive upload.Receive) (*upload.Form, error) {
	if isFile(upload.MediaType(r)) {
		return upload.ReadBare(r, spec, receive)
	}
	return upload.Read(r, spec, receive)
}

func missingFile() *catalog.Fault {
	return invalidField(partFile, "The file is missing: send it as the part named file.")
}

// createOperation describes POST /imports.
func createOperation(api huma.API, fields []field) *huma.Operation {
	schemas := api.OpenAPI().Components.Schemas
	op := documented(huma.Operation{
		OperationID: "create-import", Method: http.MethodPost, Path: "/imports", Tags: []string{tagImports},
		Summary: "Create an import",
		Description: "Starts a new import. Upload a file and say how it is to be read; the parts may come in any order. " +
			"A file that cannot be imported is refused with 422 or 413 and listed with its reason; import_id names it. " +
			"The file may also be the body itself (text/csv, application/octet-stream and the like), with name and the other fields in the query.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"multipart/form-data": {Schema: formSchema(fields)},
		}},
	})
	op.Responses["201"] = jsonResponse("Created", schemas.Schema(typeOf[CreatedImport](), true, ""))
	describeUpload(&op, schemas)
	return &op
}

// describeUpload says how an upload may fail.
func describeUpload(op *huma.Operation, schemas huma.Registry) {
	for status, text := range map[string]string{
		"400": "The upload broke off or could not be read",
		"413": "The file is too large",
		"415": "The body is neither a form nor a file",
		"422": "A field is not valid, or the file cannot be taken as it is",
	} {
		op.Responses[status] = failureResponse(schemas, text)
	}
}

func formSchema(fields []field) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Required: []string{partFile}, Properties: map[string]*huma.Schema{
		partFile: {Type: huma.TypeString, Format: "binary", Description: "The import file (CSV, XLSX or JSON)."},
	}}
	for _, f := range fields {
		s.Properties[f.name] = f.schema
	}
	return s
}
