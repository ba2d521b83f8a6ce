package rest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

// toldPasses notes what runs over rows it is asked for.
type toldPasses struct {
	told
	apply importer.ApplyOptions
	retry importer.RetryOptions
	undo  importer.Options
	moved string
}

func (f *toldPasses) Apply(_ context.Context, _ store.Workspace, _ string, opt importer.ApplyOptions) (store.Import, error) {
	f.apply = opt
	return f.imp, f.err
}
func (f *toldPasses) Replan(_ context.Context, _ store.Workspace, id string) (store.Import, error) {
	f.moved = id
	return f.imp, f.err
}
func (f *toldPasses) Retry(_ context.Context, _ store.Workspace, _ string, opt importer.RetryOptions) (store.Import, error) {
	f.retry = opt
	return f.imp, f.err
}
func (f *toldPasses) Undo(_ context.Context, _ store.Workspace, id string, opt importer.Options) (store.Import, error) {
	f.moved, f.undo = id, opt
	return f.imp, f.err
}

func TestApply(t *testing.T) {
	f := &toldPasses{told: told{imp: store.Import{ID: "imp_01", State: store.Running}}}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "POST", Prefix+"/imports/imp_01/apply", "import", strings.NewReader(`{"fingerprint":"f1","confirm":true}`))
	if a.Code != 200 || a.body["status"] != "processing" || f.apply != (importer.ApplyOptions{Fingerprint: "f1", Confirm: true}) {
		t.Errorf("got %d %s after %+v", a.Code, a.Body, f.apply)
	}
	for _, c := range []struct {
		body   string
		status int
		code   string
		field  string
	}{
		{"", 400, "malformed_request", ""},
		{"{}", 422, "validation_error", "fingerprint"},
		{`{"fingerprint":""}`, 422, "validation_error", "fingerprint"},
		{`{"fingerprint":"f1","force":true}`, 422, "validation_error", "force"},
		{`{"fingerprint":`, 400, "malformed_request", "body"},
		{`["f1"]`, 422, "validation_error", "body"},
	} {
		a := ask(t, h, "POST", Prefix+"/imports/imp_01/apply", "import", strings.NewReader(c.body))
		details, _ := a.body["details"].(map[string]any)
		if a.Code != c.status || a.body["error"] != c.code || c.field != "" && details[c.field] == nil && !strings.Contains(a.Body.String(), c.field) {
			t.Errorf("%q: %d %s", c.body, a.Code, a.Body)
		}
	}
	for code, status := range map[string]int{"plan_changed": 409, "confirmation_needed": 409, "wrong_state": 409} {
		f.err = catalog.Faultf(catalog.KindConflict, code, "No.")
		if a := ask(t, h, "POST", Prefix+"/imports/x/apply", "import", strings.NewReader(`{"fingerprint":"f1"}`)); a.Code != status || a.body["error"] != code {
			t.Errorf("%s: %d %s", code, a.Code, a.Body)
		}
	}
}

func TestReplan(t *testing.T) {
	f := &toldPasses{told: told{imp: store.Import{ID: "imp_01", State: store.Planning}}}
	h, _ := newDoor(t, f, server.Rates{})
	if a := ask(t, h, "POST", Prefix+"/imports/imp_01/plan", "import", nil); a.Code != 200 || f.moved != "imp_01" || a.body["state"] != "planning" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

func TestRetry(t *testing.T) {
	for body, want := range map[string]importer.RetryOptions{
		"":                      {Failed: true, Unprocessed: true},
		"{}":                    {Failed: true, Unprocessed: true},
		`{"held":true}`:         {Held: true, Failed: true, Unprocessed: true},
		`{"failed":false}`:      {Unprocessed: true},
		`{"unprocessed":false}`: {Failed: true},
		`{"plan":true}`:         {Plan: true, Failed: true, Unprocessed: true},
		`{"plan":false,"held":true,"failed":false,"unprocessed":false}`: {Held: true},
	} {
		f := &toldPasses{}
		h, _ := newDoor(t, f, server.Rates{})
		a := ask(t, h, "POST", Prefix+"/imports/x/retry", "import", strings.NewReader(body))
		want.By = "key_import"
		if d := cmp.Diff(want, f.retry); a.Code != 200 || d != "" {
			t.Errorf("%q: %d %s", body, a.Code, d)
		}
	}
}

// An import that stands still says why, and one that moves says nothing.
func TestWaitingFor(t *testing.T) {
	for _, why := range []string{"", "No node is at work; the import goes on when one is."} {
		f := &told{imp: store.Import{ID: "imp_01", State: store.Running}, waiting: why}
		h, _ := newDoor(t, f, server.Rates{})
		var want any
		if why != "" {
			want = why
		}
		a := ask(t, h, "GET", Prefix+"/imports/imp_01", "read", nil)
		if got, there := a.body["waiting_for"]; !there || got != want {
			t.Errorf("waits for %v (there: %t), want %v", got, there, want)
		}
	}
}

func TestUndo(t *testing.T) {
	until := time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC)
	f := &toldPasses{told: told{imp: store.Import{ID: "imp_02", UndoOf: "imp_01", State: store.Received}, until: until}}
	h, _ := newDoor(t, f, server.Rates{})
	a := ask(t, h, "POST", Prefix+"/imports/imp_01/undo", "import", nil)
	if a.Code != 201 || a.Header().Get("Location") != Prefix+"/imports/imp_02" || a.body["undo_of"] != "imp_01" || f.moved != "imp_01" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a.body["undoable_until"] != "2026-04-14T12:00:00Z" {
		t.Errorf("undoable until %v", a.body["undoable_until"])
	}
	if d := cmp.Diff(importer.Options{Door: "rest", CreatedBy: "key_import"}, f.undo); d != "" {
		t.Error(d)
	}
	ask(t, h, "POST", Prefix+"/imports/imp_01/undo", "import", strings.NewReader(`{"plan":true,"force":true}`))
	if d := cmp.Diff(importer.Options{Door: "rest", CreatedBy: "key_import", Plan: true, Force: true}, f.undo); d != "" {
		t.Error(d)
	}
	f.err = catalog.Faultf(catalog.KindConflict, "undo_expired", "Too late.")
	if a := ask(t, h, "POST", Prefix+"/imports/imp_01/undo", "import", nil); a.Code != 409 || a.body["error"] != "undo_expired" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}
