package account_test

import (
	"context"
	"testing"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// between is a store on which another process changes a user after this one has
// read it and before this one stores it.
type between struct {
	store.Store
	other func()
}

func (b *between) UpdateUser(ctx context.Context, ws store.WS, was, u store.User) error {
	if other := b.other; other != nil {
		b.other = nil
		other()
	}
	return b.Store.UpdateUser(ctx, ws, was, u)
}

// TestChangesOfTwoProcessesBothStay: neither puts back what the other changed.
func TestChangesOfTwoProcessesBothStay(t *testing.T) {
	there, db := newUsers(t)
	ws := mustWorkspace(t, there, "one")
	mustUser(t, there, ws.WS, "anna", account.Read)
	b := &between{Store: db}
	here := account.New(account.Config{Store: b, PasswordCost: cheap})

	b.other = func() {
		if _, err := there.Disable(t.Context(), ws.WS, "anna"); err != nil {
			t.Error(err)
		}
	}
	if u, err := here.SetRole(t.Context(), ws.WS, "anna", account.Admin); err != nil || u.DisabledAt == nil || u.Role != string(account.Admin) {
		t.Errorf("SetRole beside Disable makes %+v, %v", u, err)
	}
	if u, err := db.User(t.Context(), ws.WS, "anna"); err != nil || u.DisabledAt == nil || u.Role != string(account.Admin) {
		t.Errorf("what is stored is %+v, %v; want both changes", u, err)
	}
}

// TestHardeningKeepsANewPassword: a sign-in with the old one, which is to be stored
// anew, does not bring it back.
func TestHardeningKeepsANewPassword(t *testing.T) {
	there, db := newUsers(t)
	ws := mustWorkspace(t, there, "one")
	mustUser(t, there, ws.WS, "anna", account.Read)
	b := &between{Store: db}
	here := account.New(account.Config{Store: b, PasswordCost: account.Cost{Memory: 2 * cheap.Memory, Passes: cheap.Passes}})
	b.other = func() {
		if _, err := there.SetPassword(t.Context(), ws.WS, "anna", "battery staple"); err != nil {
			t.Error(err)
		}
	}
	if _, err := here.SignIn(t.Context(), "one", "anna", word); err != nil {
		t.Fatal(err)
	}
	if b.other != nil {
		t.Fatal("the password was not stored anew")
	}
	if _, err := here.SignIn(t.Context(), "one", "anna", "battery staple"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	_, err := here.SignIn(t.Context(), "one", "anna", word)
	wantFault(t, "the old password", err, catalog.KindUnauthorized, "sign_in_failed")
}
