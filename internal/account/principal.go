package account

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// Principal is whoever makes a request: a key of a workspace, or a user.
type Principal struct {
	WS store.Workspace
	// KeyID is the key's id, UserID the user's; the other one is "".
	KeyID, UserID string
	Name          string // of the key or user, for people
	Role          Role
}

// Authorize returns a *catalog.Fault of kind KindForbidden unless the principal
// may do what asks for the role.
func (p Principal) Authorize(need Role) error {
	if p.Role.Allows(need) {
		return nil
	}
	if p.UserID != "" {
		f := catalog.Faultf(catalog.KindForbidden, "permission_denied", "You do not have the %s permission.", need)
		f.Hint = fmt.Sprintf("Ask for the role %q or higher.", need)
		return f
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
		return a.refuseKey(ctx, store.Key{}, "malformed")
	}
	key, err := a.store.KeyByHash(ctx, hashSecret(secret))
	if errors.Is(err, store.ErrNotFound) {
		return a.refuseKey(ctx, store.Key{}, "unknown")
	}
	if err == nil && key.RevokedAt != nil {
		return a.refuseKey(ctx, key, "revoked")
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

// refuseKey notes that somebody came with a key that opens nothing, and says no
// more than that.
func (a *Accounts) refuseKey(ctx context.Context, key store.Key, why string) (Principal, error) {
	a.refused(ctx, audit.Refusal{WS: key.WS, Action: audit.KeyRefuse, Why: why, Object: key.ID})
	return Principal{}, catalog.Faultf(catalog.KindUnauthorized, "invalid_api_key", "The API key is not valid or was revoked.")
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
