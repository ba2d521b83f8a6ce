package rest

import (
	"bytes"
	"net/http"
)

// maxKept bounds the body of an answer that is kept.
const maxKept = 1 << 20

// keptHeaders are the headers that belong to an answer, and not to the request
// that got it.
var keptHeaders = []string{"Content-Type", "Location", "ETag", "X-Import-Id", "Retry-After", "WWW-Authenticate"}

// heldAnswer holds an answer back, so that it is kept before it is sent. One that is
// too long to be kept is passed on as it comes.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	passed bool
}

// Unwrap lets http.ResponseController reach the connection.
func (a *heldAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader notes the status.
func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *heldAnswer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if !a.passed && a.body.Len()+len(p) > maxKept {
		a.pass()
	}
	if a.passed {
		return a.ResponseWriter.Write(p)
	}
	return a.body.Write(p)
}

// pass sends what was held back.
func (a *heldAnswer) pass() {
	a.passed = true
	if a.status != 0 {
		a.ResponseWriter.WriteHeader(a.status)
	}
	_, _ = a.ResponseWriter.Write(a.body.Bytes()) // a client that has gone is no error
}

// send ends the answer.
func (a *heldAnswer) send() {
	if !a.passed {
		a.pass()
	}
}

// keepable reports whether the same request would be answered so again, because
// it was done, or because of what it says. Every other answer is about the moment
// – how things stand, who asks and how often, what is wrong on our side – and
// nothing was done that may not be done again.
func (a *heldAnswer) keepable() bool {
	switch a.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return !a.passed
	}
	return !a.passed && a.status >= http.StatusOK && a.status < http.StatusMultipleChoices
}

// kept returns the headers to be kept.
func (a *heldAnswer) kept() map[string]string {
	kept := make(map[string]string)
	for _, name := range keptHeaders {
		if value := a.Header().Get(name); value != "" {
			kept[name] = value
		}
	}
	return kept
}
