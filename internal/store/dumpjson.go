package store

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tallyman/internal/catalog"
)

// Lines writes records as JSON, each on a line: its workspace's number and, under
// the name of what it is, every field that is not empty, in the order and by the
// names of the types of this package. Equal records are equal lines, and different
// ones are different. Times are in UTC to the millisecond; text and bytes are a
// string, or {"base64": …} where they are not UTF-8. The zero value is ready; it
// is for one goroutine.
type Lines struct {
	fields map[reflect.Type][]field // by struct
}

// field is a field of a struct as a line has it.
type field struct {
	index    int
	name     string
	embedded bool
}

// Append appends the line of a record, with its end.
func (l *Lines) Append(b []byte, r *Record) []byte {
	b = append(b, `{"ws":`...)
	b = strconv.AppendInt(b, int64(r.WS), 10)
	if r.ImportNo != 0 {
		b = strconv.AppendInt(append(b, `,"import_no":`...), r.ImportNo, 10)
	}
	of := reflect.ValueOf(r).Elem()
	for _, f := range l.of(of.Type()) {
		if p := of.Field(f.index); p.Kind() == reflect.Pointer && !p.IsNil() {
			b = append(append(append(b, ',', '"'), f.name...), '"', ':')
			b = l.value(b, p.Elem())
		}
	}
	return append(b, '}', '\n')
}

// MarshalJSON is the record's line.
func (r *Record) MarshalJSON() ([]byte, error) {
	line := new(Lines).Append(nil, r)
	return line[:len(line)-1], nil
}

func (l *Lines) value(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Pointer:
		return l.value(b, v.Elem())
	case reflect.Slice:
		return l.list(b, v)
	case reflect.Map:
		return l.numbered(b, v)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return v.Interface().(time.Time).UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
		}
		return append(l.members(append(b, '{'), v, true), '}')
	}
	panic(fmt.Sprintf("a record has a field of the kind %s", v.Kind())) // of a type of ours that no test has seen
}

func appendText(b []byte, s string) []byte {
	if utf8.ValidString(s) {
		return catalog.AppendQuoted(b, s)
	}
	b = append(b, `{"base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(s))
	return append(b, `"}`...)
}

func (l *Lines) list(b []byte, v reflect.Value) []byte {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return appendText(b, string(v.Bytes()))
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.value(b, v.Index(i))
	}
	return append(b, ']')
}

// numbered writes a map from numbers.
func (l *Lines) numbered(b []byte, v reflect.Value) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, c reflect.Value) int { return int(a.Int() - c.Int()) })
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(append(b, '"'), k.Int(), 10), '"', ':')
		b = l.value(b, v.MapIndex(k))
	}
	return append(b, '}')
}

// members writes a struct's fields without its braces.
func (l *Lines) members(b []byte, v reflect.Value, first bool) []byte {
	for _, f := range l.of(v.Type()) {
		value := v.Field(f.index)
		if f.embedded {
			n := len(b)
			b = l.members(b, value, first)
			first = first && len(b) == n
			continue
		}
		if empty(value) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(append(b, '"'), f.name...), '"', ':')
		b = l.value(b, value)
	}
	return b
}

func empty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// of lists a struct's fields. Its workspace is left out: the record has it.
func (l *Lines) of(t reflect.Type) []field {
	fields, ok := l.fields[t]
	if ok {
		return fields
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type != reflect.TypeFor[WS]() {
			fields = append(fields, field{index: i, name: snake(f.Name), embedded: f.Anonymous})
		}
	}
	if l.fields == nil {
		l.fields = make(map[reflect.Type][]field)
	}
	l.fields[t] = fields
	return fields
}

// snake writes a Go name as JSON has it: ImportNo is import_no, SHA256 is sha256,
// GTINShared is gtin_shared.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		ends := i+1 == len(runes) || !unicode.IsLower(runes[i+1])
		if i > 0 && unicode.IsUpper(r) && !(unicode.IsUpper(runes[i-1]) && ends) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
