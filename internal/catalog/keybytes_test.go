package catalog_test

import (
	"strings"
	"testing"

	"tallyman/internal/catalog"
)

// Keys are bounded in bytes, wherever a change comes from: what is longer no
// index takes.
func TestKeysAreBoundedInBytes(t *testing.T) {
	fits := strings.Repeat("界", 666) + "xy"
	for _, field := range []string{"sku", "slug", "external_ref"} {
		for _, c := range []struct {
			name, value string
			allowed     bool
		}{
			{"2,000 bytes", fits, true},
			{"2,001 bytes", fits + "z", false},
			{"2,000 letters", strings.Repeat("界", 2000), false},
		} {
			t.Run(field+" of "+c.name, func(t *testing.T) {
				f := facts()
				for _, w := range []shelf{nil, {item("a", "A", `{"sku":"A","title":"t"}`)}} {
					got, writes := decide1(group(change(sku("A"), set(f, field, c.value), set(f, "title", "t"))), w, f)
					if (got.Outcome != catalog.Failed) != c.allowed || (len(writes) == 1) != c.allowed {
						t.Fatalf("%s, %d writes, %+v", got.Outcome, len(writes), got.Row.Problems)
					}
					if !c.allowed {
						wantTooLong(t, &got.Row.Problems[0], field)
					}
				}
				if p, _ := f.Schema.Field(catalog.KindProduct, "", field); field != "sku" {
					problem := catalog.CheckText(p.Property, c.value)
					if (problem == nil) != c.allowed {
						t.Errorf("the cell: %+v", problem)
					}
				}
			})
		}
	}
}

func wantTooLong(t *testing.T, p *catalog.Problem, column string) {
	t.Helper()
	if p.Code != catalog.CodeTooLong || p.Column != column || !strings.Contains(p.Message, "at most 2000 are allowed") {
		t.Errorf("%+v", *p)
	}
}
