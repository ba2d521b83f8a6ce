package upload

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

var testSpec = Spec{File: "file", Fields: []string{"format", "mapping"}}

// sink is a Receive that keeps what it is given.
type sink struct {
	name string
	body []byte
	err  error
}

func (s *sink) receive(name string, body io.Reader) (*importer.Upload, error) {
	if s.err != nil {
		return nil, s.err
	}
	var err error
	s.name = name
	if s.body, err = io.ReadAll(body); err != nil {
		return nil, err
	}
	return &importer.Upload{Name: name, Size: int64(len(s.body))}, nil
}

// part is one part of a form; a file has a file name.
type part struct{ name, fileName, value string }

func formRequest(t *testing.T, parts ...part) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		var dst io.Writer
		var err error
		if p.fileName != "" {
			dst, err = w.CreateFormFile(p.name, p.fileName)
		} else {
			dst, err = w.CreateFormField(p.name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(dst, p.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func TestPartsInAnyOrder(t *testing.T) {
	file := part{"file", "catalog.csv", "EAN,Titre\n1,2\n"}
	format := part{"format", "", "csv"}
	mapping := part{"mapping", "", `{"EAN":"ean"}`}
	for name, parts := range map[string][]part{
		"file first":  {file, format, mapping},
		"file last":   {format, mapping, file},
		"file within": {format, file, mapping},
	} {
		t.Run(name, func(t *testing.T) {
			var s sink
			r := formRequest(t, parts...)
			r.Body = io.NopCloser(iotest.OneByteReader(r.Body))
			form, err := Read(r, testSpec, s.receive)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"format": "csv", "mapping": mapping.value}
			if !maps.Equal(form.Fields, want) || s.name != "catalog.csv" || string(s.body) != file.value || form.File == nil {
				t.Errorf("got %v, file %q with %q", form.Fields, s.name, s.body)
			}
		})
	}
}

func TestWrongForms(t *testing.T) {
	file := part{"file", "catalog.csv", "EAN\n1\n"}
	for _, c := range []struct {
		name  string
		parts []part
		code  string
		field string
		kept  bool // the file is stored and must be discarded
	}{
		{"file twice", []part{file, file}, CodeInvalid, "file", true},
		{"field twice", []part{{"format", "", "csv"}, {"format", "", "csv"}, file}, CodeInvalid, "format", false},
		{"misspelt field", []part{file, {"maping", "", "{}"}}, CodeInvalid, "maping", true},
		{"part without a name", []part{{"", "", "x"}}, CodeMalformed, "", false},
		{"huge field", []part{{"mapping", "", strings.Repeat("x", maxFieldBytes+1)}}, CodeInvalid, "mapping", false},
		{"many parts", append([]part{file}, slicesOf(part{"format", "", ""}, maxParts)...), CodeInvalid, "format", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sink
			form, err := Read(formRequest(t, c.parts...), testSpec, s.receive)
			f := catalog.AsFault(err)
			if f == nil || f.Kind != catalog.KindInvalid || f.Code != c.code {
				t.Fatalf("got %v, want a fault %s", err, c.code)
			}
			if _, named := f.Fields[c.field]; c.field != "" && !named {
				t.Errorf("%v does not name %s", f.Fields, c.field)
			}
			if (form.File != nil) != c.kept {
				t.Errorf("stored file: %v", form.File)
			}
		})
	}
}

func slicesOf(p part, n int) []part {
	out := make([]part, n)
	for i := range out {
		out[i] = p
	}
	return out
}

func TestBrokenBodies(t *testing.T) {
	whole, err := io.ReadAll(formRequest(t, part{"file", "a.csv", strings.Repeat("row\n", 100)}).Body)
	if err != nil {
		t.Fatal(err)
	}
	contentType := "multipart/form-data; boundary=" + strings.TrimPrefix(strings.SplitN(string(whole), "\r\n", 2)[0], "--")
	for _, c := range []struct {
		name, contentType string
		body              io.Reader
		code              string
	}{
		{"no form", "application/x-www-form-urlencoded", strings.NewReader("a=b"), CodeUnsupportedMediaType},
		{"no type", "", strings.NewReader("a=b"), CodeUnsupportedMediaType},
		{"no boundary", "multipart/form-data", strings.NewReader("x"), CodeMalformed},
		{"cut in the file", contentType, bytes.NewReader(whole[:200]), CodeIncomplete},
		{"cut in a header", contentType, bytes.NewReader(whole[:70]), CodeMalformed},
		{"connection lost", contentType, io.MultiReader(bytes.NewReader(whole[:200]), iotest.ErrReader(errors.New("reset"))), CodeMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", c.body)
			r.Header.Set("Content-Type", c.contentType)
			var s sink
			form, err := Read(r, testSpec, s.receive)
			if f := catalog.AsFault(err); f == nil || f.Code != c.code {
				t.Errorf("got %v, want a fault %s", err, c.code)
			}
			if form.File != nil {
				t.Errorf("half a file was stored: %+v", form.File)
			}
		})
	}
}

func TestReceiversErrorsArePassedOn(t *testing.T) {
	refused := catalog.Faultf(catalog.KindRefused, "empty_file", "The file is empty.")
	s := sink{err: refused}
	_, err := Read(formRequest(t, part{"file", "a.csv", ""}), testSpec, s.receive)
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

func TestBareBody(t *testing.T) {
	for _, c := range []struct {
		query string
		code  string
		name  string
	}{
		{"name=feed.csv&format=csv", "", "feed.csv"},
		{"", "", "upload"},
		{"format=csv&format=json", CodeInvalid, ""},
		{"fromat=csv", CodeInvalid, ""},
	} {
		var s sink
		form, err := ReadBare(httptest.NewRequest(http.MethodPost, "/?"+c.query, strings.NewReader("a,b\n")), testSpec, s.receive)
		if c.code != "" {
			if f := catalog.AsFault(err); f == nil || f.Code != c.code {
				t.Errorf("%q: got %v, want %s", c.query, err, c.code)
			}
			continue
		}
		if err != nil || form.File.Name != c.name || string(s.body) != "a,b\n" {
			t.Errorf("%q: got %+v, %v", c.query, form.File, err)
		}
	}
}

func TestFileNames(t *testing.T) {
	for given, want := range map[string]string{
		"catalog.csv":                   "catalog.csv",
		`C:\Users\me\catalog.csv`:       "catalog.csv",
		"../../etc/passwd":              "passwd",
		"":                              "upload",
		"..":                            "upload",
		"a\x00b\nc.csv":                 "abc.csv",
		"Prix été.csv":                  "Prix été.csv",
		"bad\xff.csv":                   "bad.csv",
		strings.Repeat("é", 300):        strings.Repeat("é", maxNameRunes),
		"folder/":                       "folder",
		"two  blanks and 'quotes\".csv": "two  blanks and 'quotes\".csv",
	} {
		if got := fileName(given); got != want {
			t.Errorf("fileName(%q) = %q, want %q", given, got, want)
		}
	}
}

// FuzzRead sends any bytes as a form.
func FuzzRead(f *testing.F) {
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--x--\r\n"))
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\ncsv\r\n--x--"))
	f.Add([]byte("--x--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		var s sink
		form, err := Read(r, testSpec, s.receive)
		if err != nil && catalog.AsFault(err) == nil {
			t.Errorf("no fault but %v", err)
		}
		if form.File != nil && !bytes.Contains(body, s.body) {
			t.Errorf("stored %q, which was not sent", s.body)
		}
	})
}

// BenchmarkRead measures what the form costs a file on its way in.
func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	if _, err := w.CreateFormFile("file", "catalog.csv"); err != nil {
		b.Fatal(err)
	}
	line := []byte(strings.Repeat("3760000000000,Graines de tournesol,29.90\r\n", 1000))
	tail := "\r\n--" + w.Boundary() + "--\r\n"
	prefix := bytes.Clone(head.Bytes())
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		body := io.MultiReader(bytes.NewReader(prefix), io.LimitReader(&repeated{line: line}, size), strings.NewReader(tail))
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.Header.Set("Content-Type", w.FormDataContentType())
		_, err := Read(r, testSpec, func(_ string, body io.Reader) (*importer.Upload, error) {
			n, err := io.Copy(io.Discard, body)
			if n != size {
				b.Fatalf("%d bytes came", n)
			}
			return nil, err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// repeated gives one text over and over.
type repeated struct {
	line []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.line[r.at:])
	r.at = (r.at + n) % len(r.line)
	return n, nil
}
