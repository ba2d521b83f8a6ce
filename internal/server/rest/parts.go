package rest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/server/upload"
)

// part is what counts of one part of a body: two bodies with the same parts ask
// for the same, whatever stands between the parts and in which order they come.
type part struct{ name, file, sum string }

// maxHashed bounds the parts of a form.
const maxHashed = 200

// readParts reads a body to its end. One that is no form is a single part without
// a name. A body that cannot be read whole is a *catalog.Fault.
func readParts(contentType string, body io.Reader) ([]part, error) {
	parts, err := splitParts(contentType, body)
	if err == nil {
		_, err = io.Copy(io.Discard, body) // what stands behind the last part
	}
	switch {
	case err == nil:
		return parts, nil
	case catalog.AsFault(err) != nil:
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: upload.CodeTimeout, Message: "The request stood still for too long and was given up.", Err: err}
	}
	return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: upload.CodeMalformed, Message: "The request could not be read; send it again.", Err: err}
}

func splitParts(contentType string, body io.Reader) ([]part, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		sum, err := sumOf(body)
		return []part{{sum: sum}}, err
	}
	form := upload.NewFormReader(body, params["boundary"])
	var parts []part
	for {
		p, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			slices.SortFunc(parts, func(a, b part) int {
				return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.file, b.file), cmp.Compare(a.sum, b.sum))
			})
			return parts, nil
		case err != nil:
			return nil, err
		case len(parts) == maxHashed:
			return nil, errors.New("the form has too many parts")
		}
		sum, err := sumOf(p)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{name: p.FormName(), file: p.FileName(), sum: sum})
	}
}

func sumOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// hashRequest names what a request asks for: its method, path, query and parts.
func hashRequest(r *http.Request, parts []part) string {
	h := sha256.New()
	writeTexts(h, r.Method, r.URL.Path, r.URL.Query().Encode(), r.Header.Get("If-Match"))
	for _, p := range parts {
		writeTexts(h, p.name, p.file, p.sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeTexts writes texts so that no two lists of them look alike.
func writeTexts(h hash.Hash, texts ...string) {
	for _, s := range texts {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
}

// What of a body that the handler left unread is read to know the request.
const (
	restTime  = 5 * time.Second
	restBytes = 64 << 20
)

// digest is a request's body that is taken apart while it is read.
type digest struct {
	io.ReadCloser
	pipe  *io.PipeWriter
	whole bool  // it was read to its end
	err   error // it is read no further
	found chan taken
	taken *taken // once it was found
}

// taken is what a body was found to be.
type taken struct {
	parts []part
	err   error
}

// digestBody begins to take a request's body apart.
func digestBody(r *http.Request) *digest {
	in, out := io.Pipe()
	b := &digest{ReadCloser: r.Body, pipe: out, found: make(chan taken, 1)}
	contentType := r.Header.Get("Content-Type")
	go func() {
		parts, err := readParts(contentType, in)
		// Whoever reads the body does not care what it is taken for.
		_, _ = io.Copy(io.Discard, in)
		b.found <- taken{parts, err}
	}()
	return b
}

func (b *digest) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		_, _ = b.pipe.Write(p[:n]) // its reader never leaves before the end
	}
	if err != nil {
		b.err, b.whole = err, errors.Is(err, io.EOF)
		b.close()
	}
	return n, err
}

// Close does nothing: the body belongs to the server, and what its handler leaves
// is still read.
func (b *digest) Close() error { return nil }

// close ends the taking apart.
func (b *digest) close() {
	if b.whole {
		b.pipe.Close()
		return
	}
	b.pipe.CloseWithError(cmp.Or(b.err, io.ErrUnexpectedEOF))
}

// end reads what is left, within bounds, and returns the parts. A body that did
// not come whole, or is none that can be read, is a *catalog.Fault.
func (b *digest) end() ([]part, error) {
	if b.taken == nil {
		b.readRest()
		b.close()
		t := <-b.found
		b.taken = &t
	}
	return b.taken.parts, b.taken.err
}

func (b *digest) readRest() {
	// The bound is the network's, so it is reckoned by the system's clock.
	deadline := time.Now().Add(restTime)
	buf := make([]byte, 32<<10)
	for n := 0; b.err == nil && n < restBytes && time.Now().Before(deadline); {
		m, _ := b.Read(buf)
		n += m
	}
}

// bounded is a body of an upload's length at most, beside what may stand round
// the file.
func (d *door) bounded(body io.Reader) io.Reader {
	if d.cfg.MaxUploadBytes <= 0 {
		return body
	}
	return &boundedReader{r: body, left: d.cfg.MaxUploadBytes + upload.MaxFieldsBytes + restBytes}
}

// boundedReader fails where there is more than left.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, catalog.Faultf(catalog.KindTooLarge, codeBodyTooLarge, "The request is longer than any that may be sent.")
	}
	return n, err
}
