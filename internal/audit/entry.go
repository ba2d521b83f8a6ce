// Package audit is what is noted of who did what: the words for what can be done,
// the form of an entry, and the bound on entries that strangers can cause.
//
// What does not belong here: the table that holds the entries (package store),
// and who may do what (package account). Whoever does something notes it: in the
// transaction in which it is done where there is one, and right after it
// otherwise. Reading is not noted.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tallyman/internal/store"
)

// Names of actors that are neither keys nor users.
const (
	Program = "tallyman" // the program itself
	Nobody  = "nobody"   // who was not let in
	Command = "cli"      // the command line
)

// Who names an actor for people.
func Who(a store.Actor) string {
	if a == (store.Actor{}) {
		return Program
	}
	return a.Name
}

// Origin is where something that is done comes from, beside who does it.
type Origin struct {
	// Address is the client's, of a request.
	Address netip.Addr
	// OSUser is whose command it is, on the command line.
	OSUser string
}

type originKey struct{}

// WithOrigin returns a context in which everything that is done comes from o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf returns where what is done under a context comes from; the zero Origin
// where nobody said.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// ByItself returns a context for what the program does by itself, whatever it is
// that led to it.
func ByItself(ctx context.Context) context.Context {
	return WithOrigin(store.WithActor(ctx, store.Actor{}), Origin{})
}

// Detail is what else there is to know of something that was done: texts, numbers,
// true, and lists of them, by name. It never holds a secret nor a cell of a file.
// Zero values are left out, and long texts are cut.
type Detail map[string]any

// Entry makes the entry of what the actor of a context does. It fails where the
// detail is none that can be written.
func Entry(ctx context.Context, at time.Time, action, object string, d Detail) (*store.AuditEntry, error) {
	origin := OriginOf(ctx)
	all := Detail{"os_user": origin.OSUser}
	if origin.Address.IsValid() {
		all["address"] = origin.Address.String()
	}
	for name, value := range d {
		all[name] = value
	}
	text, err := all.encode()
	if err != nil {
		return nil, fmt.Errorf("write detail of %s: %w", action, err)
	}
	return &store.AuditEntry{At: at.UTC().Truncate(time.Millisecond), Actor: store.ActorOf(ctx), Action: action, Object: object, Detail: text}, nil
}

// encode returns the detail as a JSON object with sorted names, nil for nothing.
func (d Detail) encode() ([]byte, error) {
	kept := make(map[string]any, len(d))
	for name, value := range d {
		v := reflect.ValueOf(value)
		switch {
		case !v.IsValid(), v.IsZero(), (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0:
		case v.Kind() == reflect.String:
			kept[name] = cut(v.String())
		default:
			kept[name] = value
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	return json.Marshal(kept)
}

// maxText is how many bytes of a text are noted: names of files are their senders'.
const maxText = 200

// cut makes a text that a client chose fit to be kept and shown on one line.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= maxText {
		return s
	}
	end := maxText - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
