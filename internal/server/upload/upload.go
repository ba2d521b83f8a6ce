// Package upload is how a file comes in through a door: a multipart form whose
// parts may stand in any order, or a bare body. The file goes to the importer as
// it arrives and is never held in memory; the other parts are short.
//
// What does not belong here: what the fields are called and mean (each door),
// and what happens to the file (package importer).
package upload

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"unicode"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// Codes of the faults that Read returns, beside those of the importer.
const (
	CodeUnsupportedMediaType = "unsupported_media_type"
	CodeMalformed            = "malformed_request"
	CodeIncomplete           = "upload_incomplete"
	CodeTimeout              = "request_timeout"
	CodeInvalid              = "validation_error"
)

// Bounds of what stands beside the file.
const (
	maxParts      = 100
	maxFieldBytes = 1 << 20
	maxNameRunes  = 255
)

// MaxFieldsBytes is the most that the fields beside the file may hold together.
const MaxFieldsBytes = maxParts * maxFieldBytes

// Form is an upload as it came.
type Form struct {
	// Fields are the values of the fields by name.
	Fields map[string]string
	// File is the stored file, nil when none came. Whoever does not start it
	// must discard it.
	File *importer.Upload
}

// Receive takes the file's bytes as they arrive; it is importer.API.Receive with
// the workspace and door filled in.
type Receive func(name string, body io.Reader) (*importer.Upload, error)

// Spec says what a door's form looks like.
type Spec struct {
	// File is the name of the part that holds the file.
	File string
	// Fields are the names of the other parts; an unknown one is refused, so
	// that a misspelt option does not pass unnoticed.
	Fields []string
}

// Read reads a multipart/form-data request: each part as it comes, the file
// into receive. A wrong request is a *catalog.Fault of kind KindInvalid with one
// of the codes above; faults of receive are passed on. The form is returned with
// an error too, so that a file stored before the error can be discarded.
func Read(r *http.Request, spec Spec, receive Receive) (*Form, error) {
	form := &Form{Fields: make(map[string]string)}
	parts, err := multipartReader(r)
	if err != nil {
		return form, err
	}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return form, nil
		case err != nil:
			return form, readFault(err)
		case n == maxParts:
			return form, catalog.Faultf(catalog.KindInvalid, CodeMalformed, "The form has more than %d parts.", maxParts)
		}
		if err := form.take(part, spec, receive); err != nil {
			return form, err
		}
	}
}

// ReadBare reads a request whose body is the file itself. Its fields are the
// query's, and the field "name" names the file.
func ReadBare(r *http.Request, spec Spec, receive Receive) (*Form, error) {
	form := &Form{Fields: make(map[string]string)}
	name := ""
	for k, v := range r.URL.Query() {
		switch {
		case k == "name":
			name = v[0]
		case len(v) > 1:
			return form, twice(k)
		case !spec.knows(k):
			return form, spec.unknown(k)
		default:
			form.Fields[k] = v[0]
		}
	}
	return form, form.receive(fileName(name), r.Body, receive)
}

// MediaType returns the type that the request says its body has, in lower case
// and without parameters; "" where it says none.
func MediaType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

func multipartReader(r *http.Request) (*multipart.Reader, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, catalog.Faultf(catalog.KindInvalid, CodeUnsupportedMediaType,
			"The body must be multipart/form-data with the file in it.")
	}
	if params["boundary"] == "" {
		return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: CodeMalformed,
			Message: "The Content-Type header has no boundary, so the form cannot be read.", Err: http.ErrMissingBoundary}
	}
	return NewFormReader(r.Body, params["boundary"]), nil
}

// formBuffer is how much of a form is read at once, if as much is there.
const formBuffer = 64 << 10

// NewFormReader returns a reader of a form's parts, which alone would ask for 4 KiB
// at a time: a system call, or a change of goroutines, for each.
func NewFormReader(body io.Reader, boundary string) *multipart.Reader {
	return multipart.NewReader(bufio.NewReaderSize(body, formBuffer), boundary)
}

// take reads one part.
func (f *Form) take(part *multipart.Part, spec Spec, receive Receive) error {
	name := part.FormName()
	if name == spec.File {
		if f.File != nil {
			return twice(name)
		}
		return f.receive(fileName(part.FileName()), part, receive)
	}
	if !spec.knows(name) {
		return spec.unknown(name)
	}
	if _, ok := f.Fields[name]; ok {
		return twice(name)
	}
	value, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
	switch {
	case err != nil:
		return readFault(err)
	case len(value) > maxFieldBytes:
		return invalid(name, "The value is longer than 1 MiB.")
	}
	f.Fields[name] = string(value)
	return nil
}

func (f *Form) receive(name string, body io.Reader, receive Receive) error {
	arriving := &arrival{r: body}
	up, err := receive(name, arriving)
	if failed := arriving.failure(); err != nil && failed != nil {
		return readFault(failed)
	}
	if err == nil {
		f.File = up
	}
	return err
}

func (s Spec) knows(field string) bool {
	for _, f := range s.Fields {
		if f == field {
			return true
		}
	}
	return false
}

func (s Spec) unknown(field string) error {
	if field == "" {
		return catalog.Faultf(catalog.KindInvalid, CodeMalformed, "A part of the form has no name.")
	}
	return invalid(catalog.Shorten(field), "There is no such field; known are "+s.File+", "+strings.Join(s.Fields, ", ")+".")
}

func twice(field string) error { return invalid(field, "The field is given twice; give it once.") }

func invalid(field, message string) error {
	return &catalog.Fault{Kind: catalog.KindInvalid, Code: CodeInvalid,
		Message: "The request is not valid.", Fields: map[string][]string{field: {message}}}
}

// readFault says why the request's body could not be read to its end.
func readFault(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &catalog.Fault{Kind: catalog.KindInvalid, Code: CodeTimeout,
			Message: "The upload stood still for too long and was given up.", Err: err}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &catalog.Fault{Kind: catalog.KindInvalid, Code: CodeIncomplete,
			Message: "The upload ended before its end; send it again.", Err: err}
	}
	return &catalog.Fault{Kind: catalog.KindInvalid, Code: CodeMalformed,
		Message: "The form could not be read.", Err: err}
}

// arrival is the file as it comes in. It remembers a failure to read: that one
// is the client's, whatever the importer makes of it.
type arrival struct {
	r   io.Reader
	err error
}

func (a *arrival) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if err != nil {
		a.err = err
	}
	return n, err
}

// failure returns why the file stopped coming, nil where it came whole or its
// receiver stopped first.
func (a *arrival) failure() error {
	if errors.Is(a.err, io.EOF) {
		return nil
	}
	return a.err
}

// fileName returns the file's own name, without the folders that some clients
// send along, fit to be shown.
func fileName(s string) string {
	s = path.Base(strings.ReplaceAll(s, `\`, "/"))
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxNameRunes {
		s = string(runes[:maxNameRunes])
	}
	if s == "" || s == "." || s == ".." || s == "/" {
		return "upload"
	}
	return s
}
