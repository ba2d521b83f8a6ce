package catalog

import "strings"

// Doc is an item's properties as one canonical JSON object: field names in
// byte order, no blanks, values as Value.AppendJSON writes them, and no null.
// Two documents that mean the same have the same bytes. The empty string is
// the document of an item that does not exist.
type Doc string

// tokenEnd returns the index just past the JSON value that starts at i of a
// canonical document: a string, a number, a boolean, or an array of those.
func tokenEnd(s string, i int) int {
	switch {
	case i >= len(s):
		return i
	case s[i] == '"':
		return stringEnd(s, i)
	case s[i] == '[':
		i++
		for i < len(s) && s[i] != ']' {
			if s[i] == ',' {
				i++
				continue
			}
			i = tokenEnd(s, i)
		}
		return i + 1
	}
	for i < len(s) && s[i] != ',' && s[i] != '}' && s[i] != ']' {
		i++
	}
	return i
}

func stringEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		q := strings.IndexByte(s[i:], '"')
		if q < 0 {
			return len(s)
		}
		i += q
		slashes := 0
		for j := i - 1; s[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return len(s)
}

// next reads the entry that starts at i (just past '{' or ','), returning its
// name, its value token and where the following entry starts. ok is false at
// the end. Field names never need escaping: Schema.Field refuses those that would.
func (d Doc) next(i int) (name, token string, after int, ok bool) {
	s := string(d)
	if i >= len(s) || s[i] != '"' {
		return "", "", i, false
	}
	nameEnd := i + 1 + strings.IndexByte(s[i+1:], '"')
	start := nameEnd + 2
	end := tokenEnd(s, start)
	return s[i+1 : nameEnd], s[start:end], end + 1, true
}

// Token returns the JSON token of a field, "" when it is absent.
func (d Doc) Token(field string) string {
	for i := 1; ; {
		name, token, after, ok := d.next(i)
		if !ok || name > field {
			return ""
		}
		if name == field {
			return token
		}
		i = after
	}
}

// Text returns a field's value as text, "" when it is absent.
func (d Doc) Text(field string) string { return Unquote(d.Token(field)) }

// Each calls f with every field and its JSON token, in order of the names,
// until f returns false.
func (d Doc) Each(f func(name, token string) bool) {
	for i := 1; ; {
		name, token, after, ok := d.next(i)
		if !ok || !f(name, token) {
			return
		}
		i = after
	}
}

// FieldChange is what a change did to one field: its JSON tokens before and
// after, "" where the field was or becomes absent.
type FieldChange struct {
	Field string
	Old   string
	New   string
}

// docWriter builds a canonical document from entries in order.
type docWriter struct{ b []byte }

func (w *docWriter) name(n string) {
	if len(w.b) == 0 {
		w.b = append(w.b, '{')
	} else {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, n...)
	w.b = append(w.b, '"', ':')
}

func (w *docWriter) entry(name, token string) {
	w.name(name)
	w.b = append(w.b, token...)
}

func (w *docWriter) doc() Doc {
	if len(w.b) == 0 {
		return "{}"
	}
	w.b = append(w.b, '}')
	return Doc(w.b)
}

// Apply returns the document with the given changes made: each field gets its
// New token. changes must be sorted by field.
func (d Doc) Apply(changes []FieldChange) Doc {
	var w docWriter
	w.patch(d, changes, func(c *FieldChange) string { return c.New })
	return w.doc()
}

// Revert returns the document with the given changes taken back: each field
// gets its Old token again. changes must be sorted by field.
func (d Doc) Revert(changes []FieldChange) Doc {
	var w docWriter
	w.patch(d, changes, func(c *FieldChange) string { return c.Old })
	return w.doc()
}

// patch writes the document with other tokens for the fields of changes, which
// are sorted; "" leaves a field out.
func (w *docWriter) patch(d Doc, changes []FieldChange, token func(*FieldChange) string) {
	name, old, after, ok := d.next(1)
	for c := 0; ok || c < len(changes); {
		if c == len(changes) || ok && name < changes[c].Field {
			w.entry(name, old)
			name, old, after, ok = d.next(after)
			continue
		}
		if t := token(&changes[c]); t != "" {
			w.entry(changes[c].Field, t)
		}
		if ok && name == changes[c].Field {
			name, old, after, ok = d.next(after)
		}
		c++
	}
}

// eachKey calls f with every key that the document holds, in canonical form.
func (d Doc) eachKey(f func(Key)) {
	d.Each(func(name, token string) bool {
		if key, ok := keyOfToken(name, token); ok {
			f(key)
		}
		return true
	})
}
