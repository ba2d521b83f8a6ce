package catalog

import (
	"errors"
	"fmt"
)

// ErrorKind sorts request errors by what a caller can do about them. Each face
// of the program maps kinds once: to HTTP statuses, to exit codes.
type ErrorKind uint8

const (
	KindInternal     ErrorKind = iota // our fault: the caller is told no more than that
	KindInvalid                       // the request is wrong and can be corrected
	KindNotFound                      // no such thing in this workspace
	KindConflict                      // the thing is not in a state that allows this
	KindUnauthorized                  // no key, or not a valid one
	KindForbidden                     // a valid key without the right
	KindTooLarge                      // a limit of the operator or the source
	KindRefused                       // a file that cannot be imported as it is
	KindRateLimited                   // too many requests; see RetryAfter
	KindUnavailable                   // not now: shutting down, or a part is not healthy
)

// Fault is a request error in domain words: what is wrong, where, and what to
// do. A bad row is never a Fault, it is data (Problem).
type Fault struct {
	Kind ErrorKind
	// Code is stable and in lower snake case, such as "header_mismatch".
	Code string
	// Message is one sentence for people.
	Message string
	// Hint says what to do, where that is not plain from the message.
	Hint string
	// Fields names request fields with their messages, for validation errors.
	Fields map[string][]string
	// Err is the cause, if any; it is logged, never shown.
	Err error
}

// Error returns the message with its hint.
func (f *Fault) Error() string {
	s := f.Message
	if f.Hint != "" {
		s += " " + f.Hint
	}
	if f.Err != nil {
		s = fmt.Sprintf("%s (%v)", s, f.Err)
	}
	return s
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Faultf makes a Fault with a formatted message.
func Faultf(kind ErrorKind, code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsFault returns the Fault inside err, or nil.
func AsFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// IsNotFound reports whether err says that a thing does not exist.
func IsNotFound(err error) bool {
	f := AsFault(err)
	return f != nil && f.Kind == KindNotFound
}
