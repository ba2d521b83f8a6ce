package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tallyman/internal/catalog"
)

// Exit codes. They are documented in the help text; scripts rely on them.
const (
	exitComplete = 0 // done, and every row as asked
	exitOther    = 1 // anything else: usage, faults, terminated or failed imports
	exitErrors   = 2 // done, and some rows have errors
	exitRefused  = 3 // the file or its header was refused; nothing was imported
)

// exit is an error that carries its exit code. A nil err says that everything
// there is to say has been said.
type exit struct {
	code int
	err  error
	// see is where more of it can be seen; "" for nowhere.
	see string
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// refused gives a fault that says that a file cannot be imported as it is its
// exit code; other errors are returned as they are.
func refused(err error) error {
	f := catalog.AsFault(err)
	if f == nil {
		return err
	}
	switch f.Kind {
	case catalog.KindRefused, catalog.KindTooLarge, catalog.KindInvalid:
		return &exit{code: exitRefused, err: f}
	}
	return err
}

// report says what went wrong and returns the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exitComplete
	}
	code, see := exitOther, ""
	var e *exit
	if errors.As(err, &e) {
		code, err, see = e.code, e.err, e.see
	}
	if err == nil {
		return code
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.stderr, "tallyman: interrupted")
		return code
	}
	fmt.Fprintf(p.stderr, "tallyman: %s\n", message(err))
	if see != "" {
		fmt.Fprintf(p.stderr, "See: %s\n", see)
	}
	return code
}

// message words an error for people: a fault speaks for itself, with what it
// says of single fields.
func message(err error) string {
	f := catalog.AsFault(err)
	if f == nil {
		return err.Error()
	}
	s := f.Message
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		for _, said := range f.Fields[name] {
			if !strings.Contains(s, said) {
				s += fmt.Sprintf(" %s: %s", name, said)
			}
		}
	}
	if f.Hint != "" {
		s += " " + f.Hint
	}
	if f.Err != nil && f.Kind != catalog.KindConflict { // a conflict says all there is
		s += fmt.Sprintf(" (%v)", f.Err)
	}
	return s
}
