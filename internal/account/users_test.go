package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/account"
	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// cheap is the least work that there is: tests are not about how slow it is.
var cheap = account.Cost{Memory: 8, Passes: 1}

const word = "correct horse"

// newUsers is newAccounts with cheap passwords, on a database that others may open
// accounts on, too.
func newUsers(t *testing.T) (*account.Accounts, store.Store) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return account.New(account.Config{Store: db, Now: func() time.Time { return start }, PasswordCost: cheap}), db
}

func mustUser(t *testing.T, a *account.Accounts, ws store.WS, name string, role account.Role) store.User {
	t.Helper()
	u, err := a.CreateUser(t.Context(), ws, name, role, word)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUserSignsIn(t *testing.T) {
	a, _ := newUsers(t)
	one, two := mustWorkspace(t, a, "one"), mustWorkspace(t, a, "two")
	mustUser(t, a, two.WS, "anna", account.Admin) // the same name is another user elsewhere
	for _, role := range account.Roles() {
		u := mustUser(t, a, one.WS, "Änna "+string(role), role)
		want := account.Principal{WS: one, UserID: u.ID, Name: "änna " + string(role), Role: role}
		for _, typed := range []string{"Änna ", " änna ", "A\u0308nna "} { // the last in two characters
			got, err := a.SignIn(t.Context(), "one", typed+string(role), word)
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("SignIn as %q = %+v, %v, want %+v", typed, got, err, want)
			}
		}
	}
}

func TestSignInRefuses(t *testing.T) {
	a, _ := newUsers(t)
	one := mustWorkspace(t, a, "one")
	mustWorkspace(t, a, "two")
	mustUser(t, a, one.WS, "anna", account.Read)
	mustUser(t, a, one.WS, "gone", account.Read)
	if _, err := a.Disable(t.Context(), one.WS, "gone"); err != nil {
		t.Fatal(err)
	}
	var said string
	for _, c := range []struct{ name, workspace, user, password string }{
		{"another password", "one", "anna", word + "s"},
		{"no password", "one", "anna", ""},
		{"a password in another case", "one", "anna", strings.ToUpper(word)},
		{"one that is too long", "one", "anna", strings.Repeat("x", 1<<20)},
		{"nobody", "one", "berta", word},
		{"no name", "one", "", word},
		{"another workspace", "two", "anna", word},
		{"no workspace", "none", "anna", word},
		{"a user who is disabled", "one", "gone", word},
	} {
		p, err := a.SignIn(t.Context(), c.workspace, c.user, c.password)
		f := wantFault(t, c.name, err, catalog.KindUnauthorized, "sign_in_failed")
		if said == "" {
			said = f.Message
		}
		if p != (account.Principal{}) || f.Message != said {
			t.Errorf("%s: %+v, %q; every refusal must read alike", c.name, p, f.Message)
		}
	}
}

// TestDamagedPasswordLetsNobodyIn: what is no stored password is a fault of the
// database, not of whoever signs in.
func TestDamagedPasswordLetsNobodyIn(t *testing.T) {
	a, db := newUsers(t)
	ws := mustWorkspace(t, a, "one")
	u := mustUser(t, a, ws.WS, "anna", account.Read)
	good := u.Password
	for _, stored := range []string{word, "$argon2id$", strings.Replace(good, "m=8", "m=9999999", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "argon2id", "argon2d", 1), good[:len(good)-2], good + "$"} {
		damaged := u
		damaged.Password = stored
		if err := db.UpdateUser(t.Context(), ws.WS, u, damaged); err != nil {
			t.Fatal(err)
		}
		u = damaged
		if p, err := a.SignIn(t.Context(), "one", "anna", word); err == nil || catalog.AsFault(err) != nil || p.UserID != "" {
			t.Errorf("stored as %q: %+v, %v", stored, p, err)
		}
	}
	none := u
	none.Password = ""
	if err := db.UpdateUser(t.Context(), ws.WS, u, none); err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"", word} {
		_, err := a.SignIn(t.Context(), "one", "anna", typed)
		wantFault(t, "no password is stored", err, catalog.KindUnauthorized, "sign_in_failed")
	}
}

func TestCreateUserRefuses(t *testing.T) {
	a, _ := newUsers(t)
	ws := mustWorkspace(t, a, "one")
	long := strings.Repeat("ü", account.MaxUserName)
	for _, c := range []struct {
		name     string
		role     account.Role
		password string
		field    string
	}{
		{"", account.Read, word, "name"},
		{" \t ", account.Read, word, "name"},
		{long + "ü", account.Read, word, "name"},
		{"an\nna", account.Read, word, "name"},
		{"an\u200bna", account.Read, word, "name"}, // cannot be seen
		{"an\u00a0na", account.Read, word, "name"}, // looks like a blank
		{"anna\xff", account.Read, word, "name"},
		{"CLI", account.Read, word, "name"},
		{"tallyman", account.Read, word, "name"},
		{"anna", "owner", word, "role"},
		{"anna", account.Read, "short", "password"},
		{"anna", account.Read, strings.Repeat("ü", account.MinPassword-1), "password"},
		{"anna", account.Read, strings.Repeat("xy", account.MaxPassword), "password"},
		{"anna", account.Read, "hi, I am ANNA", "password"},
		{"anna", account.Read, "aaaaaaaaaaaaaaa", "password"},
		{"anna", account.Read, "password\xff\xff\xff", "password"},
		{"a long name", account.Read, "A Long Name", "password"},
	} {
		_, err := a.CreateUser(t.Context(), ws.WS, c.name, c.role, c.password)
		f := wantFault(t, c.name, err, catalog.KindInvalid, "validation_error")
		if len(f.Fields) != 1 || len(f.Fields[c.field]) != 1 {
			t.Errorf("CreateUser(%q, %q, %q) names %v, want %s", c.name, c.role, c.password, f.Fields, c.field)
		}
		if strings.Contains(f.Error(), c.password) {
			t.Errorf("the fault shows the password: %v", f)
		}
	}
	mustUser(t, a, ws.WS, long, account.Read)
	mustUser(t, a, ws.WS, "Jo", account.Read) // too short to tell: "jo" is in many words
	_, err := a.CreateUser(t.Context(), ws.WS, " JO ", account.Read, "enjoy your day")
	wantFault(t, "a taken name", err, catalog.KindConflict, "user_exists")
	if users, err := a.Users(t.Context(), ws.WS); err != nil || len(users) != 2 {
		t.Errorf("%d users, %v, want the valid ones", len(users), err)
	}
}

// TestUserNameIsOneForm: the form of a name is its own form.
func TestUserNameIsOneForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		once := account.UserName(name)
		if twice := account.UserName(once); twice != once {
			t.Fatalf("%q is %q, and that is %q", name, once, twice)
		}
	})
}

func TestChangeUser(t *testing.T) {
	a, _ := newUsers(t)
	one, two := mustWorkspace(t, a, "one"), mustWorkspace(t, a, "two")
	mustUser(t, a, one.WS, "anna", account.Read)
	for what, change := range map[string]func(store.WS, string) (store.User, error){
		"SetRole": func(ws store.WS, name string) (store.User, error) {
			return a.SetRole(t.Context(), ws, name, account.Admin)
		},
		"SetPassword": func(ws store.WS, name string) (store.User, error) {
			return a.SetPassword(t.Context(), ws, name, "battery staple")
		},
		"Disable": func(ws store.WS, name string) (store.User, error) { return a.Disable(t.Context(), ws, name) },
		"Enable":  func(ws store.WS, name string) (store.User, error) { return a.Enable(t.Context(), ws, name) },
	} {
		_, err := change(two.WS, "anna")
		wantFault(t, what+" from another workspace", err, catalog.KindNotFound, "not_found")
		_, err = change(one.WS, "berta")
		wantFault(t, what+" of nobody", err, catalog.KindNotFound, "not_found")
	}
	signIn := func(password string, want account.Role) {
		t.Helper()
		p, err := a.SignIn(t.Context(), "one", "anna", password)
		if (err == nil) != (want != "") || p.Role != want {
			t.Errorf("SignIn = %+v, %v, want the role %q", p, err, want)
		}
	}
	must := func(u store.User, err error) {
		t.Helper()
		if err != nil || u.Name != "anna" {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	signIn(word, account.Read)
	must(a.SetRole(t.Context(), one.WS, "ANNA", account.Import))
	signIn(word, account.Import)
	must(a.SetPassword(t.Context(), one.WS, "anna", "battery staple"))
	signIn(word, "")
	signIn("battery staple", account.Import)
	must(a.Disable(t.Context(), one.WS, "anna"))
	signIn("battery staple", "")
	must(a.Enable(t.Context(), one.WS, "anna"))
	signIn("battery staple", account.Import)
	_, err := a.SetPassword(t.Context(), one.WS, "anna", "anna's cat 7")
	wantFault(t, "a password with the name", err, catalog.KindInvalid, "validation_error")
	_, err = a.SetRole(t.Context(), one.WS, "anna", "owner")
	wantFault(t, "no role", err, catalog.KindInvalid, "validation_error")
}

// TestPasswordHardens: once passwords are made to be more work, each is stored so
// when its user comes next, and only then.
func TestPasswordHardens(t *testing.T) {
	a, db := newUsers(t)
	ws := mustWorkspace(t, a, "one")
	was := mustUser(t, a, ws.WS, "anna", account.Read)
	stored := func() string {
		t.Helper()
		u, err := db.User(t.Context(), ws.WS, "anna")
		if err != nil {
			t.Fatal(err)
		}
		return u.Password
	}
	harder := account.New(account.Config{Store: db, PasswordCost: account.Cost{Memory: 16, Passes: 2}})
	if _, err := harder.SignIn(t.Context(), "one", "anna", "wrong password"); err == nil || stored() != was.Password {
		t.Error("a wrong password was stored anew, or let in")
	}
	if _, err := harder.SignIn(t.Context(), "one", "anna", word); err != nil {
		t.Fatal(err)
	}
	now := stored()
	if !strings.Contains(now, "$m=16,t=2,p=1$") {
		t.Errorf("it is stored as %q", now)
	}
	for _, node := range []*account.Accounts{a, harder} { // a lower setting changes nothing
		if _, err := node.SignIn(t.Context(), "one", "anna", word); err != nil || stored() != now {
			t.Errorf("%v, stored as %q, was %q", err, stored(), now)
		}
	}
}

func TestPasswordsAreSalted(t *testing.T) {
	a, _ := newUsers(t)
	ws := mustWorkspace(t, a, "one")
	if one, two := mustUser(t, a, ws.WS, "anna", account.Read), mustUser(t, a, ws.WS, "berta", account.Read); one.Password == two.Password || strings.Contains(one.Password, word) {
		t.Errorf("stored as %q and %q", one.Password, two.Password)
	}
	pw, err := a.NewPassword()
	if again, _ := a.NewPassword(); err != nil || len(pw) != 20 || pw == again {
		t.Errorf("NewPassword = %q, then %q, %v", pw, again, err)
	}
	if _, err := a.CreateUser(t.Context(), ws.WS, "carla", account.Read, pw); err != nil {
		t.Errorf("a password of our own is refused: %v", err)
	}
}

// TestSignInGivesUp: whoever waits for a turn waits no longer than their request.
func TestSignInGivesUp(t *testing.T) {
	a, _ := newUsers(t)
	ws := mustWorkspace(t, a, "one")
	mustUser(t, a, ws.WS, "anna", account.Read)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p, err := a.SignIn(ctx, "one", "anna", word); err == nil || catalog.AsFault(err) != nil {
		t.Errorf("with a cancelled context: %+v, %v", p, err)
	}
}

// entry is an entry of the audit log, without what changes from run to run.
type entry struct{ Who, Action, Object, Detail string }

func entries(t *testing.T, db store.Store, ws store.WS) []entry {
	t.Helper()
	all, err := db.Audit(t.Context(), ws, store.AuditFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for i := len(all) - 1; i >= 0; i-- {
		var d map[string]any
		if len(all[i].Detail) > 0 && json.Unmarshal(all[i].Detail, &d) != nil {
			t.Errorf("detail %q", all[i].Detail)
		}
		out = append(out, entry{audit.Who(all[i].Actor), all[i].Action, all[i].Object, string(all[i].Detail)})
	}
	return out
}

// TestWhatIsDoneIsNoted: every change, by whom, and nothing that changes nothing.
func TestWhatIsDoneIsNoted(t *testing.T) {
	a, db := newUsers(t)
	ctx := store.WithActor(t.Context(), store.Actor{Name: "cli", Door: "cli"})
	def, err := a.EnsureDefault(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ws, err := a.CreateWorkspace(ctx, "one", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	key, secret, err := a.CreateKey(ctx, ws.WS, "shop", account.Import)
	if err != nil {
		t.Fatal(err)
	}
	u, err := a.CreateUser(ctx, ws.WS, "Anna", account.Read, word)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing left to do
		for _, err := range []error{
			second(a.SetCurrency(ctx, "one", "CHF")), a.RevokeKey(ctx, ws.WS, key.ID), second(a.SetRole(ctx, ws.WS, "anna", account.Admin)),
			second(a.Disable(ctx, ws.WS, "anna")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := second(a.Enable(ctx, ws.WS, "anna")); err != nil {
		t.Fatal(err)
	}
	if err := second(a.SetPassword(ctx, ws.WS, "anna", "battery staple")); err != nil {
		t.Fatal(err)
	}
	if err := second(a.SetCurrency(ctx, "one", "")); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"cli", "workspace.create", "", `{"currency":"EUR","name":"one"}`},
		{"cli", "key.create", key.ID, `{"name":"shop","role":"import"}`},
		{"cli", "user.create", u.ID, `{"name":"anna","role":"read"}`},
		{"cli", "workspace.set", "", `{"currency":"CHF","was":"EUR"}`},
		{"cli", "key.revoke", key.ID, `{"name":"shop","role":"import"}`},
		{"cli", "user.role", u.ID, `{"name":"anna","role":"admin","was":"read"}`},
		{"cli", "user.disable", u.ID, `{"name":"anna"}`},
		{"cli", "user.enable", u.ID, `{"name":"anna"}`},
		{"cli", "user.password", u.ID, `{"name":"anna"}`},
		{"cli", "workspace.set", "", `{"currency":"none","was":"CHF"}`},
	}
	got := entries(t, db, ws.WS)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
	for _, e := range got {
		if strings.Contains(e.Detail, secret) || strings.Contains(e.Detail, word) {
			t.Errorf("the entry %+v holds a secret", e)
		}
	}
	if diff := cmp.Diff([]entry{{"tallyman", "workspace.create", "", `{"currency":"EUR","name":"default"}`}}, entries(t, db, def.WS)); diff != "" {
		t.Errorf("noted of the first start (-want +got):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

// TestRefusalsAreNoted: what is somebody's stands in their log, what is nobody's in
// that of the program: a workspace's log tells nothing of others.
func TestRefusalsAreNoted(t *testing.T) {
	_, db := newUsers(t)
	var log bytes.Buffer
	lines := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	a := account.New(account.Config{Store: db, Now: func() time.Time { return start }, PasswordCost: cheap, Log: lines})
	def, err := a.EnsureDefault(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ws := mustWorkspace(t, a, "one")
	key, secret := mustKey(t, a, ws.WS, "shop", account.Import)
	u := mustUser(t, a, ws.WS, "anna", account.Read)
	if err := a.RevokeKey(t.Context(), ws.WS, key.ID); err != nil {
		t.Fatal(err)
	}
	before := len(entries(t, db, ws.WS))
	ctx := audit.WithOrigin(store.WithActor(t.Context(), store.Actor{Door: "rest"}), audit.Origin{Address: netip.MustParseAddr("203.0.113.7")})
	for range 3 {
		for _, tried := range []string{secret, "tm_" + strings.Repeat("a", 40), "letmein", ""} {
			_, err := a.Authenticate(ctx, tried)
			wantFault(t, tried, err, catalog.KindUnauthorized, catalog.AsFault(err).Code)
		}
		for _, tried := range []struct{ workspace, name string }{{"one", "anna"}, {"one", "berta"}, {"none", "anna"}} {
			_, err := a.SignIn(ctx, tried.workspace, tried.name, "wrong password")
			wantFault(t, tried.name, err, catalog.KindUnauthorized, "sign_in_failed")
		}
	}
	if err := a.CloseRefusals(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := func(why, count string) string {
		return `{"address":"203.0.113.7","count":` + count + `,"why":"` + why + `"}`
	}
	want := []entry{
		{"nobody", "key.refuse", key.ID, said("revoked", "1")}, {"nobody", "user.refuse", u.ID, said("password", "1")}, {"nobody", "user.refuse", "", said("unknown", "1")},
		{"nobody", "key.refuse", key.ID, said("revoked", "2")}, {"nobody", "user.refuse", u.ID, said("password", "2")}, {"nobody", "user.refuse", "", said("unknown", "2")},
	}
	if diff := cmp.Diff(want, entries(t, db, ws.WS)[before:]); diff != "" {
		t.Errorf("noted of the workspace (-want +got):\n%s", diff)
	}
	if got := entries(t, db, def.WS)[1:]; len(got) != 0 {
		t.Errorf("noted of nobody's in the default workspace: %+v", got)
	}
	line := func(action, why, count string) string {
		return `level=WARN msg="somebody was refused" action=` + action + ` why=` + why + ` door=rest remote=203.0.113.7 count=` + count + "\n"
	}
	told := line("key.refuse", "unknown", "1") + line("key.refuse", "malformed", "1") + line("user.refuse", "unknown", "1") +
		line("key.refuse", "malformed", "2") + line("key.refuse", "unknown", "2") + line("user.refuse", "unknown", "2")
	if diff := cmp.Diff(told, log.String()); diff != "" {
		t.Errorf("the program's log (-want +got):\n%s", diff)
	}
}
