package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/catalog"
)

// EncodeCauses returns a page's causes as stores keep them: a JSON array with
// one [code, severity, column, count] for each; nil for none.
func EncodeCauses(causes []Cause) []byte {
	return encodeTuples(len(causes), func(i int) []any {
		c := &causes[i]
		return []any{c.Code, c.Severity, c.Column, c.Count}
	})
}

// DecodeCauses reads what EncodeCauses wrote, and the form that pages of format
// 1 have: an object of counts by code, whose causes are taken for errors of no
// column.
func DecodeCauses(b []byte) ([]Cause, error) {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		return decodeCodes(b)
	}
	var causes []Cause
	err := decodeTuples(b, func() []any {
		causes = append(causes, Cause{})
		c := &causes[len(causes)-1]
		return []any{&c.Code, &c.Severity, &c.Column, &c.Count}
	})
	if err != nil {
		return nil, fmt.Errorf("read causes: %w", err)
	}
	return causes, nil
}

func decodeCodes(b []byte) ([]Cause, error) {
	var codes map[catalog.Code]int64
	if err := json.Unmarshal(b, &codes); err != nil {
		return nil, fmt.Errorf("read counts by code: %w", err)
	}
	var causes []Cause
	for code, n := range codes {
		causes = append(causes, Cause{Code: code, Severity: catalog.Error, Count: n})
	}
	slices.SortFunc(causes, compareCauses)
	return causes, nil
}

// EncodeFields returns a page's field counts as stores keep them: a JSON array
// with one [field, added, changed, cleared] for each; nil for none.
func EncodeFields(fields []FieldCount) []byte {
	return encodeTuples(len(fields), func(i int) []any {
		f := &fields[i]
		return []any{f.Field, f.Added, f.Changed, f.Cleared}
	})
}

// DecodeFields reads what EncodeFields wrote.
func DecodeFields(b []byte) ([]FieldCount, error) {
	var fields []FieldCount
	err := decodeTuples(b, func() []any {
		fields = append(fields, FieldCount{})
		f := &fields[len(fields)-1]
		return []any{&f.Field, &f.Added, &f.Changed, &f.Cleared}
	})
	if err != nil {
		return nil, fmt.Errorf("read field counts: %w", err)
	}
	return fields, nil
}

func encodeTuples(n int, tuple func(int) []any) []byte {
	if n == 0 {
		return nil
	}
	tuples := make([][]any, n)
	for i := range tuples {
		tuples[i] = tuple(i)
	}
	b, err := json.Marshal(tuples)
	if err != nil {
		panic(fmt.Sprintf("ledger: texts and numbers have no JSON: %v", err))
	}
	return b
}

// decodeTuples reads an array of arrays; next gives the places for the values of
// the next of them.
func decodeTuples(b []byte, next func() []any) error {
	if len(b) == 0 {
		return nil
	}
	var tuples [][]json.RawMessage
	if err := json.Unmarshal(b, &tuples); err != nil {
		return err
	}
	for i, values := range tuples {
		places := next()
		if len(values) != len(places) {
			return fmt.Errorf("entry %d has %d values, not %d", i+1, len(values), len(places))
		}
		for j, v := range values {
			if err := json.Unmarshal(v, places[j]); err != nil {
				return fmt.Errorf("value %d of entry %d: %w", j+1, i+1, err)
			}
		}
	}
	return nil
}

// compareCauses orders causes by code, severity and column.
func compareCauses(a, b Cause) int {
	if by := strings.Compare(string(a.Code), string(b.Code)); by != 0 {
		return by
	}
	if a.Severity != b.Severity {
		return int(a.Severity) - int(b.Severity)
	}
	return strings.Compare(a.Column, b.Column)
}
