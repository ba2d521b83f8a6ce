package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// change is one row of a diff: what is, or was, done to one item.
type change struct {
	Row     int64       `json:"row"`
	Outcome string      `json:"outcome"`
	Kind    string      `json:"kind"`
	ID      string      `json:"id,omitempty"`
	SKU     string      `json:"sku,omitempty"`
	EAN     string      `json:"ean,omitempty"`
	Fields  []fieldMove `json:"fields"`
	Gone    bool        `json:"gone,omitempty"`
}

// fieldMove is a field's value before and after, as JSON; null is none.
type fieldMove struct {
	Field string          `json:"field"`
	Old   json.RawMessage `json:"old"`
	New   json.RawMessage `json:"new"`
}

// changeOf is a change as the importer tells it.
func changeOf(c *importer.RowChange) change {
	return change{Row: c.Row, Outcome: c.Outcome.String(), Kind: c.Kind.String(), ID: c.ItemID, SKU: c.SKU, EAN: c.GTIN,
		Fields: movesOf(c.Fields), Gone: c.Gone}
}

func changesOf(cs []importer.RowChange) []change {
	out := make([]change, 0, len(cs))
	for i := range cs {
		out = append(out, changeOf(&cs[i]))
	}
	return out
}

func movesOf(fields []catalog.FieldChange) []fieldMove {
	out := make([]fieldMove, 0, len(fields))
	for _, f := range fields {
		out = append(out, fieldMove{Field: f.Field, Old: valueOf(f.Old), New: valueOf(f.New)})
	}
	return out
}

// valueOf is the JSON value of a catalog's token: an absent one is null.
func valueOf(token string) json.RawMessage {
	if token == "" {
		return nil
	}
	return json.RawMessage(token)
}

// changeFields is how many fields a line about one item shows.
const changeFields = 4

// words is a change on one line: what becomes of which item, and how.
func (c *change) words() string {
	parts := []string{changeWords[c.Outcome]}
	if parts[0] == "" {
		parts[0] = c.Outcome
	}
	parts = append(parts, c.name())
	line := strings.TrimSpace(strings.Join(parts, " "))
	if c.Gone {
		return line + ": values past their retention"
	}
	var moves []string
	for i := range c.Fields {
		if i == changeFields {
			moves = append(moves, fmt.Sprintf("and %d more", len(c.Fields)-i))
			break
		}
		moves = append(moves, c.Fields[i].words(c.Outcome))
	}
	if len(moves) > 0 {
		line += ": " + strings.Join(moves, ", ")
	}
	return line
}

// changeWords are the words of a diff, which tells of plans and of what was done.
var changeWords = map[string]string{"created": "new", "updated": "changed"}

// name is what people know the item by.
func (c *change) name() string {
	for _, name := range []string{c.SKU, c.EAN, c.ID} {
		if name != "" {
			return plain(name)
		}
	}
	return ""
}

// words is one field's move. What is new or goes as a whole has one side.
func (m *fieldMove) words(outcome string) string {
	was, is := tokenOf(m.Old), tokenOf(m.New)
	switch {
	case outcome == "created" && was == "":
		return m.Field + " " + spoken(is)
	case outcome == "deleted" && is == "":
		return m.Field + " " + spoken(was)
	}
	text := fmt.Sprintf("%s %s → %s", m.Field, spoken(was), spoken(is))
	if percent, ok := catalog.MovePercent(was, is); ok && percent > 0 && !math.IsInf(percent, 0) {
		text += " (by " + percentage(percent) + ")"
	}
	return text
}

// tokenOf is valueOf turned round.
func tokenOf(value json.RawMessage) string {
	if s := string(value); s != "null" {
		return s
	}
	return ""
}

// percentage writes a share for people: 7.5 %, 120 %.
func percentage(p float64) string {
	digits := 1
	switch {
	case p < 0.1:
		return "less than 0.1 %"
	case p >= 100:
		digits = 0
	}
	return strings.TrimSuffix(strconv.FormatFloat(p, 'f', digits, 64), ".0") + " %"
}

// spoken is a token for people: texts in quotes, numbers and amounts of money
// without, lists with their values side by side.
func spoken(token string) string {
	switch {
	case token == "":
		return "nothing"
	case token[0] == '[':
		var parts []string
		for _, e := range catalog.Elements(token) {
			parts = append(parts, quotedText(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case token[0] == '"':
		text := catalog.Unquote(token)
		if isMoney(text) {
			return text
		}
		return quotedText(text)
	}
	return token
}

// isMoney reports whether a text is an amount as the catalog writes it: 12.50 EUR.
func isMoney(text string) bool {
	amount, currency, ok := strings.Cut(text, " ")
	if !ok || len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return false
	}
	_, err := strconv.ParseFloat(amount, 64)
	return err == nil && strings.Trim(amount, "-.0123456789") == ""
}

// spokenLength is how many characters of a value one line shows.
const spokenLength = 60

func quotedText(s string) string { return strconv.Quote(shortened(s)) }

// plain is a text as it is, or in quotes where a terminal would take it for more
// than text.
func plain(s string) string {
	s = shortened(s)
	if quoted := strconv.Quote(s); len(quoted) != len(s)+2 {
		return quoted
	}
	return s
}

func shortened(s string) string {
	if utf8.RuneCountInString(s) <= spokenLength {
		return s
	}
	return string([]rune(s)[:spokenLength-1]) + "…"
}

// causeOf is a cause as the importer tells it.
func causeOf(c *importer.CauseReport) cause {
	out := cause{Code: string(c.Code), Severity: c.Severity.String(), Column: c.Column, Count: c.Count}
	for _, e := range c.Examples {
		out.Examples = append(out.Examples, example{Row: e.Row, Value: e.Value, Message: e.Message})
	}
	return out
}
