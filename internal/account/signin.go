package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// SignIn returns the principal of the user with this name and password in the
// workspace of this name. Whatever of the three is wrong, and a user who is
// disabled, is the same *catalog.Fault of kind KindUnauthorized, after the same
// time.
func (a *Accounts) SignIn(ctx context.Context, workspace, name, password string) (Principal, error) {
	ws, u, err := a.userNamed(ctx, workspace, UserName(name))
	if err != nil {
		return Principal{}, fmt.Errorf("sign in: %w", err)
	}
	ok, stale, err := a.passwords.check(ctx, u.Password, password)
	if err != nil {
		return Principal{}, fmt.Errorf("sign in: user %s: %w", u.ID, err)
	}
	switch {
	case u.ID == "":
		return a.refuseUser(ctx, ws, u, "unknown")
	case !ok:
		return a.refuseUser(ctx, ws, u, "password")
	case u.DisabledAt != nil:
		return a.refuseUser(ctx, ws, u, "disabled")
	}
	role, err := ParseRole(u.Role)
	if err != nil {
		return Principal{}, fmt.Errorf("sign in: user %s: %w", u.ID, err)
	}
	if stale {
		a.harden(ctx, u, password)
	}
	return Principal{WS: ws, UserID: u.ID, Name: u.Name, Role: role}, nil
}

// userNamed finds a user; the zero user where there is none, or no such workspace.
func (a *Accounts) userNamed(ctx context.Context, workspace, name string) (store.Workspace, store.User, error) {
	ws, err := a.store.Workspace(ctx, workspace)
	if errors.Is(err, store.ErrNotFound) {
		return store.Workspace{}, store.User{}, nil
	}
	if err != nil {
		return ws, store.User{}, err
	}
	u, err := a.store.User(ctx, ws.WS, name)
	if errors.Is(err, store.ErrNotFound) {
		return ws, store.User{}, nil
	}
	return ws, u, err
}

func (a *Accounts) refuseUser(ctx context.Context, ws store.Workspace, u store.User, why string) (Principal, error) {
	a.refused(ctx, audit.Refusal{WS: ws.WS, Action: audit.UserRefuse, Why: why, Object: u.ID})
	return Principal{}, catalog.Faultf(catalog.KindUnauthorized, "sign_in_failed", "The workspace, name or password is not right.")
}

// harden stores a password anew that was stored when trying one was less work,
// unless the user has been changed meanwhile: the next time is soon enough. That it
// cannot is no reason to keep its user out.
func (a *Accounts) harden(ctx context.Context, seen store.User, password string) {
	hash, err := a.passwords.hash(ctx, password)
	if err == nil {
		anew := seen
		anew.Password = hash
		err = a.store.UpdateUser(ctx, seen.WS, seen, anew)
	}
	if err != nil && !errors.Is(err, store.ErrRetry) {
		a.log.Warn("store password anew", slog.String("user", seen.ID), slog.Any("error", err))
	}
}
