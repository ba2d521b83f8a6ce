package account

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// Principal is whoever makes a request: a key of a workspace.
type Principal struct {
	WS    store.Workspace
	KeyID string
	Name  string // the key's name, for people
	Role  Role
}

// Authorize returns a *catalog.Fault of kind KindForbidden unless the principal
// may do what asks for the role.
func (p Principal) Authorize(need Role) error {
	if p.Role.Allows(need) {
		return nil
	}
	f := catalog.Faultf(catalog.KindForbidden, "permission_denied", "This API key does not have the %s permission.", need)
	f.Hint = fmt.Sprintf("Use a key with the role %q or higher.", need)
	return f
}

// Authenticate returns the principal whose key has this secret. No secret at
// all, and one that is not that of a key or is a revoked key's, are a
// *catalog.Fault of kind KindUnauthorized, which does not say more. The store
// is asked every time, so that a revoked key ends at once.
func (a *Accounts) Authenticate(ctx context.Context, secret string) (Principal, error) {
	if secret == "" {
		f := catalog.Faultf(catalog.KindUnauthorized, "authentication_required", "An API key is required.")
		f.Hint = "Send it in the header \"Authorization: Bearer KEY\"."
		return Principal{}, f
	}
	if !wellFormed(secret) {
		return Principal{}, invalidKey()
	}
	key, err := a.store.KeyByHash(ctx, hashSecret(secret))
	if errors.Is(err, store.ErrNotFound) || (err == nil && key.RevokedAt != nil) {
		return Principal{}, invalidKey()
	}
	if err != nil {
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	}
	p, err := a.principal(ctx, key)
	if err != nil {
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	}
	return p, nil
}

func invalidKey() error {
	return catalog.Faultf(catalog.KindUnauthorized, "invalid_api_key", "The API key is not valid or was revoked.")
}

func (a *Accounts) principal(ctx context.Context, key store.Key) (Principal, error) {
	role, err := ParseRole(key.Role)
	if err != nil {
		return Principal{}, fmt.Errorf("key %s: %w", key.ID, err)
	}
	ws, err := a.find(ctx, key.WS)
	if err != nil {
		return Principal{}, fmt.Errorf("key %s: %w", key.ID, err)
	}
	return Principal{WS: ws, KeyID: key.ID, Name: key.Name, Role: role}, nil
}
