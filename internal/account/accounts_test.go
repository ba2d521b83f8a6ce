package account_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// newAccounts returns Accounts on a database of their own, and the database.
func newAccounts(t *testing.T) (*account.Accounts, store.Store) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return account.New(account.Config{Store: db, Now: func() time.Time { return start }}), db
}

func mustWorkspace(t *testing.T, a *account.Accounts, name string) store.Workspace {
	t.Helper()
	ws, err := a.CreateWorkspace(t.Context(), name, "")
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func mustKey(t *testing.T, a *account.Accounts, ws store.WS, name string, role account.Role) (store.Key, string) {
	t.Helper()
	key, secret, err := a.CreateKey(t.Context(), ws, name, role)
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

// wantFault checks that err is a fault of this kind and code.
func wantFault(t *testing.T, what string, err error, kind catalog.ErrorKind, code string) *catalog.Fault {
	t.Helper()
	f := catalog.AsFault(err)
	if f == nil || f.Kind != kind || f.Code != code || f.Message == "" {
		t.Errorf("%s: %v, want a fault of kind %d, code %s", what, err, kind, code)
		return &catalog.Fault{}
	}
	return f
}

func TestKeyAuthenticates(t *testing.T) {
	a, _ := newAccounts(t)
	one, two := mustWorkspace(t, a, "one"), mustWorkspace(t, a, "two")
	for _, ws := range []store.Workspace{one, two} {
		for _, role := range account.Roles() {
			key, secret := mustKey(t, a, ws.WS, " nightly "+string(role)+" ", role)
			got, err := a.Authenticate(t.Context(), secret)
			want := account.Principal{WS: ws, KeyID: key.ID, Name: "nightly " + string(role), Role: role}
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("Authenticate = %+v, %v, want %+v", got, err, want)
			}
		}
	}
}

func TestCreateKey(t *testing.T) {
	a, _ := newAccounts(t)
	ws := mustWorkspace(t, a, "one")
	key, secret := mustKey(t, a, ws.WS, "nightly", account.Import)
	id, ok := strings.CutPrefix(key.ID, "key_")
	if parsed, err := ulid.ParseStrict(id); !ok || err != nil || !parsed.Timestamp().Equal(start) {
		t.Errorf("id %q is not key_ and a ULID of %v", key.ID, start)
	}
	keys, err := a.Keys(t.Context(), ws.WS)
	if err != nil || len(keys) != 1 || !cmp.Equal(keys[0], key) {
		t.Errorf("Keys = %+v, %v, want the one created, %+v", keys, err, key)
	}
	if strings.Contains(key.Hash, secret) || len(key.Hash) != 64 {
		t.Errorf("hash %q", key.Hash)
	}
}

func TestCreateKeyRefuses(t *testing.T) {
	a, _ := newAccounts(t)
	ws := mustWorkspace(t, a, "one")
	for _, c := range []struct {
		name  string
		role  account.Role
		field string
	}{
		{"", account.Read, "name"},
		{" \t ", account.Read, "name"},
		{strings.Repeat("ü", account.MaxKeyName+1), account.Read, "name"},
		{"a\nb", account.Read, "name"},
		{"a\xff", account.Read, "name"},
		{"a", "", "role"},
		{"a", "owner", "role"},
	} {
		_, secret, err := a.CreateKey(t.Context(), ws.WS, c.name, c.role)
		f := wantFault(t, c.name, err, catalog.KindInvalid, "validation_error")
		if len(f.Fields) != 1 || len(f.Fields[c.field]) != 1 || secret != "" {
			t.Errorf("CreateKey(%q, %q) names %v, want %s", c.name, c.role, f.Fields, c.field)
		}
	}
	mustKey(t, a, ws.WS, strings.Repeat("ü", account.MaxKeyName), account.Read)
	if keys, err := a.Keys(t.Context(), ws.WS); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v, want the valid one", len(keys), err)
	}
}

func TestRandomRunsOut(t *testing.T) {
	_, db := newAccounts(t)
	a := account.New(account.Config{Store: db, Random: bytes.NewReader(make([]byte, 45))}) // a secret, half an id
	ws := mustWorkspace(t, a, "one")
	if _, secret, err := a.CreateKey(t.Context(), ws.WS, "nightly", account.Read); err == nil || secret != "" {
		t.Errorf("CreateKey = %q, %v, want an error and no secret", secret, err)
	}
	if keys, err := a.Keys(t.Context(), ws.WS); err != nil || len(keys) != 0 {
		t.Errorf("%d keys, %v, want none", len(keys), err)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	a, _ := newAccounts(t)
	ws := mustWorkspace(t, a, "one")
	key, secret := mustKey(t, a, ws.WS, "nightly", account.Read)
	revoked, revokedSecret := mustKey(t, a, ws.WS, "old", account.Read)
	if _, err := a.Authenticate(t.Context(), revokedSecret); err != nil {
		t.Fatal(err)
	}
	if err := a.RevokeKey(t.Context(), ws.WS, revoked.ID); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, secret, code string }{
		{"no secret", "", "authentication_required"},
		{"another secret", "tm_" + strings.Repeat("a", 40), "invalid_api_key"},
		{"a secret in another case", swapCase(secret), "invalid_api_key"},
		{"a word", "letmein", "invalid_api_key"},
		{"the id", key.ID, "invalid_api_key"},
		{"the hash", key.Hash, "invalid_api_key"},
		{"a revoked key", revokedSecret, "invalid_api_key"},
	} {
		p, err := a.Authenticate(t.Context(), c.secret)
		wantFault(t, c.name, err, catalog.KindUnauthorized, c.code)
		if p != (account.Principal{}) || p.Role.Allows(account.Read) {
			t.Errorf("%s: got the principal %+v", c.name, p)
		}
	}
	if _, err := a.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("the other key: %v", err)
	}
}

func swapCase(secret string) string {
	return "tm_" + strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r ^ 0x20
		}
		return r
	}, secret[3:])
}

func TestAuthenticateSaysWhatIsTheStoresFault(t *testing.T) {
	a, db := newAccounts(t)
	ws := mustWorkspace(t, a, "one")
	_, secret := mustKey(t, a, ws.WS, "nightly", account.Read)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Authenticate(ctx, secret); !errors.Is(err, context.Canceled) || catalog.AsFault(err) != nil {
		t.Errorf("with a cancelled context: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(t.Context(), secret); err == nil || catalog.AsFault(err) != nil {
		t.Errorf("with a closed database: %v, want an error that is no fault of the request", err)
	}
}

func TestRevokeKey(t *testing.T) {
	_, db := newAccounts(t)
	now := start
	a := account.New(account.Config{Store: db, Now: func() time.Time { return now }})
	one, two := mustWorkspace(t, a, "one"), mustWorkspace(t, a, "two")
	key, secret := mustKey(t, a, one.WS, "nightly", account.Read)

	wantFault(t, "from another workspace", a.RevokeKey(t.Context(), two.WS, key.ID), catalog.KindNotFound, "not_found")
	wantFault(t, "an unknown key", a.RevokeKey(t.Context(), one.WS, "key_none"), catalog.KindNotFound, "not_found")
	if _, err := a.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("the key was revoked from another workspace: %v", err)
	}
	for range 2 {
		now = now.Add(time.Hour)
		if err := a.RevokeKey(t.Context(), one.WS, key.ID); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := a.Keys(t.Context(), one.WS)
	if err != nil || len(keys) != 1 || keys[0].RevokedAt == nil || !keys[0].RevokedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("Keys = %+v, %v, want one revoked at the first time", keys, err)
	}
	if keys, err := a.Keys(t.Context(), two.WS); err != nil || len(keys) != 0 {
		t.Errorf("the other workspace has the keys %+v, %v", keys, err)
	}
}

func TestAuthorize(t *testing.T) {
	p := account.Principal{Role: account.Import}
	for _, need := range []account.Role{account.Read, account.Import} {
		if err := p.Authorize(need); err != nil {
			t.Errorf("Authorize(%s) = %v", need, err)
		}
	}
	f := wantFault(t, "admin", p.Authorize(account.Admin), catalog.KindForbidden, "permission_denied")
	if !strings.Contains(f.Error(), "admin") {
		t.Errorf("fault %q does not name the role", f)
	}
	wantFault(t, "nobody", account.Principal{}.Authorize(account.Read), catalog.KindForbidden, "permission_denied")
}

func TestEnsureDefault(t *testing.T) {
	a, db := newAccounts(t)
	var wg sync.WaitGroup
	got := make([]store.Workspace, 4)
	for i := range got {
		wg.Go(func() {
			// A node of its own, on the same database.
			node := account.New(account.Config{Store: db})
			var err error
			if got[i], err = node.EnsureDefault(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, ws := range got {
		if ws.Name != store.DefaultWorkspace || ws.WS != got[0].WS {
			t.Errorf("EnsureDefault = %+v, another node has %+v", ws, got[0])
		}
	}
	if all, err := a.Workspaces(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("Workspaces = %+v, %v, want the default one", all, err)
	}
}

func TestCreateWorkspace(t *testing.T) {
	a, _ := newAccounts(t)
	long := strings.Repeat("x", 63)
	var created []store.Workspace
	for _, name := range []string{"a-1", "b", long} {
		ws, err := a.CreateWorkspace(t.Context(), name, "EUR")
		if err != nil || ws.Name != name || ws.Currency != "EUR" || ws.WS == 0 || !ws.CreatedAt.Equal(start) {
			t.Errorf("CreateWorkspace(%q) = %+v, %v", name, ws, err)
		}
		created = append(created, ws)
		if got, err := a.Workspace(t.Context(), name); err != nil || !cmp.Equal(got, ws) {
			t.Errorf("Workspace(%q) = %+v, %v", name, got, err)
		}
		if got, err := a.WorkspaceByWS(t.Context(), ws.WS); err != nil || !cmp.Equal(got, ws) {
			t.Errorf("WorkspaceByWS(%d) = %+v, %v", ws.WS, got, err)
		}
	}
	if got, err := a.Workspaces(t.Context()); err != nil || !cmp.Equal(got, created) {
		t.Errorf("Workspaces = %+v, %v", got, err)
	}
	_, err := a.CreateWorkspace(t.Context(), "b", "")
	wantFault(t, "a taken name", err, catalog.KindConflict, "workspace_exists")
}

func TestCreateWorkspaceRefuses(t *testing.T) {
	a, _ := newAccounts(t)
	for _, c := range []struct{ name, currency, field string }{
		{"", "", "name"},
		{strings.Repeat("x", 64), "", "name"},
		{"A", "", "name"},
		{"a_b", "", "name"},
		{"a b", "", "name"},
		{"ä", "", "name"},
		{"../a", "", "name"},
		{"a", "eur", "currency"},
		{"a", "XXX", "currency"},
	} {
		_, err := a.CreateWorkspace(t.Context(), c.name, c.currency)
		f := wantFault(t, c.name, err, catalog.KindInvalid, "validation_error")
		if len(f.Fields) != 1 || len(f.Fields[c.field]) != 1 {
			t.Errorf("CreateWorkspace(%q, %q) names %v, want %s", c.name, c.currency, f.Fields, c.field)
		}
	}
	if all, err := a.Workspaces(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("Workspaces = %+v, %v, want none", all, err)
	}
}

func TestUnknownWorkspace(t *testing.T) {
	a, _ := newAccounts(t)
	_, err := a.Workspace(t.Context(), "none")
	wantFault(t, "by name", err, catalog.KindNotFound, "not_found")
	_, err = a.WorkspaceByWS(t.Context(), 99)
	wantFault(t, "by number", err, catalog.KindNotFound, "not_found")
	late := mustWorkspace(t, a, "late")
	if got, err := a.WorkspaceByWS(t.Context(), late.WS); err != nil || got != late {
		t.Errorf("a workspace made later: %+v, %v, want %+v", got, err, late)
	}
}
