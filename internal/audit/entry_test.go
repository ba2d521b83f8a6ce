package audit_test

import (
	"context"
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/audit"
	"tallyman/internal/store"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

func TestEntry(t *testing.T) {
	shop := store.Actor{Name: "shop", ID: "key_1", Door: "rest", RequestID: "req_1"}
	by := store.WithActor(t.Context(), shop)
	for _, c := range []struct {
		name   string
		ctx    context.Context
		detail audit.Detail
		actor  store.Actor
		want   string
	}{
		{"nothing more to say", by, nil, shop, ""},
		{"zero values are left out", by, audit.Detail{"a": "", "b": 0, "c": false, "d": nil, "e": []string{}, "f": map[string]int64{}}, shop, ""},
		{"names are sorted", by, audit.Detail{"z": 1, "a": "x", "m": true}, shop, `{"a":"x","m":true,"z":1}`},
		{"from an address", audit.WithOrigin(by, audit.Origin{Address: netip.MustParseAddr("203.0.113.7")}), nil, shop, `{"address":"203.0.113.7"}`},
		{"from a terminal", audit.WithOrigin(by, audit.Origin{OSUser: "anna"}), audit.Detail{"n": 1}, shop, `{"n":1,"os_user":"anna"}`},
		{"by the program", audit.ByItself(audit.WithOrigin(by, audit.Origin{OSUser: "anna"})), nil, store.Actor{}, ""},
		{"marks that would break a line or a database", by, audit.Detail{"name": "a\x00b\nc\xff"}, shop, `{"name":"a b c` + "\uFFFD" + `"}`},
	} {
		e, err := audit.Entry(c.ctx, now, audit.ImportStart, "imp_1", c.detail)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := store.AuditEntry{At: now.Truncate(time.Millisecond), Actor: c.actor, Action: "import.start", Object: "imp_1"}
		if c.want != "" {
			want.Detail = []byte(c.want)
		}
		if diff := cmp.Diff(want, *e); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if _, err := audit.Entry(by, now, audit.ImportStart, "", audit.Detail{"n": math.NaN()}); err == nil {
		t.Error("a detail that is no JSON was taken")
	}
}

// TestTextsAreBounded: whatever a client calls its file, the entry is small, valid
// and on one line.
func TestTextsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 1, 1000).Draw(t, "text"))
		e, err := audit.Entry(context.Background(), now, audit.ImportStart, "", audit.Detail{"name": text})
		if err != nil {
			t.Fatal(err)
		}
		var d struct{ Name string }
		if err := json.Unmarshal(e.Detail, &d); err != nil || !utf8.Valid(e.Detail) || len(d.Name) > 200 || strings.ContainsAny(d.Name, "\x00\n") {
			t.Fatalf("%q is noted as %q, %v", text, e.Detail, err)
		}
	})
}

func TestWho(t *testing.T) {
	for want, a := range map[string]store.Actor{"tallyman": {}, "shop": {Name: "shop", Door: "rest"}, "cli": {Name: "cli", Door: "cli"}} {
		if got := audit.Who(a); got != want {
			t.Errorf("%+v is called %q, want %q", a, got, want)
		}
	}
}
