package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

func TestStoredCauses(t *testing.T) {
	for _, c := range []struct {
		stored string
		causes []Cause
	}{
		{"", nil},
		{`[["invalid_price",2,"Preis",7],["too_long",1,"",-1]]`, []Cause{{"invalid_price", catalog.Error, "Preis", 7}, {"too_long", catalog.Warning, "", -1}}},
	} {
		if got := string(EncodeCauses(c.causes)); got != c.stored {
			t.Errorf("%v is stored as %s, not %s", c.causes, got, c.stored)
		}
		got, err := DecodeCauses([]byte(c.stored))
		if d := cmp.Diff(c.causes, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", c.stored, err, d)
		}
	}
	old, err := DecodeCauses([]byte(`{"too_long":3,"invalid_price":-2}`))
	want := []Cause{{"invalid_price", catalog.Error, "", -2}, {"too_long", catalog.Error, "", 3}}
	if d := cmp.Diff(want, old); err != nil || d != "" {
		t.Errorf("counts by code: %v\n%s", err, d)
	}
}

func TestStoredFields(t *testing.T) {
	fields := []FieldCount{{"price", 0, 12, 1}, {"title@fr", 3, 0, 0}}
	const stored = `[["price",0,12,1],["title@fr",3,0,0]]`
	if got := string(EncodeFields(fields)); got != stored {
		t.Errorf("stored as %s", got)
	}
	got, err := DecodeFields([]byte(stored))
	if d := cmp.Diff(fields, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if got, err := DecodeFields(EncodeFields(nil)); err != nil || got != nil {
		t.Errorf("none came back as %v, %v", got, err)
	}
}

func TestStoredCountsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		causes := some(t, rapid.Custom(func(t *rapid.T) Cause {
			return Cause{catalog.Code(rapid.String().Draw(t, "code")), catalog.Severity(rapid.IntRange(1, 2).Draw(t, "severity")),
				rapid.String().Draw(t, "column"), genInt().Draw(t, "n")}
		}), 5, "causes")
		got, err := DecodeCauses(EncodeCauses(causes))
		if d := cmp.Diff(causes, got); err != nil || d != "" {
			t.Fatalf("causes: %v\n%s", err, d)
		}
		fields := some(t, rapid.Custom(func(t *rapid.T) FieldCount {
			return FieldCount{rapid.String().Draw(t, "field"), genInt().Draw(t, "added"), genInt().Draw(t, "changed"), genInt().Draw(t, "cleared")}
		}), 5, "fields")
		back, err := DecodeFields(EncodeFields(fields))
		if d := cmp.Diff(fields, back); err != nil || d != "" {
			t.Fatalf("fields: %v\n%s", err, d)
		}
	})
}

func TestStoredCountsThatAreNone(t *testing.T) {
	for _, s := range []string{`[`, `[1]`, `[["a",2,"b"]]`, `[["a",2,"b",1,1]]`, `[["a","2","b",1]]`, `[["a",300,"b",1]]`, `{"a":"b"}`, `"a"`} {
		if got, err := DecodeCauses([]byte(s)); err == nil {
			t.Errorf("%s was read as causes %v", s, got)
		}
		if got, err := DecodeFields([]byte(s)); err == nil {
			t.Errorf("%s was read as field counts %v", s, got)
		}
	}
}

func FuzzStoredCounts(f *testing.F) {
	f.Add([]byte(`[["invalid_price",2,"Preis",7]]`))
	f.Add([]byte(`{"too_long":3}`))
	f.Add([]byte(`[["price",0,12,1]]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if causes, err := DecodeCauses(b); err == nil {
			again, err := DecodeCauses(EncodeCauses(causes))
			if d := cmp.Diff(causes, again); err != nil || d != "" {
				t.Errorf("causes: %v\n%s", err, d)
			}
		}
		if fields, err := DecodeFields(b); err == nil {
			again, err := DecodeFields(EncodeFields(fields))
			if d := cmp.Diff(fields, again); err != nil || d != "" {
				t.Errorf("fields: %v\n%s", err, d)
			}
		}
	})
}
