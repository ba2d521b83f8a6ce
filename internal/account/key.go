package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// keyPrefix begins a key's id; a ULID follows.
const keyPrefix = "key_"

// MaxKeyName is how many characters a key's name may have.
const MaxKeyName = 100

// CreateKey makes a key and returns it with its secret, which nobody can see
// again. A name or role that is not allowed is a *catalog.Fault of kind
// KindInvalid. Names need not be unique: they are for people. A key that cannot be
// noted in the audit log is revoked at once.
func (a *Accounts) CreateKey(ctx context.Context, ws store.WS, name string, role Role) (store.Key, string, error) {
	name = strings.TrimSpace(name)
	if err := checkKey(name, role); err != nil {
		return store.Key{}, "", err
	}
	key, secret, err := a.newKey(ws, name, role)
	if err != nil {
		return store.Key{}, "", fmt.Errorf("create key: %w", err)
	}
	if err := a.store.CreateKey(ctx, ws, key); err != nil {
		return store.Key{}, "", fmt.Errorf("create key: %w", err)
	}
	if err := a.note(ctx, ws, audit.KeyCreate, key.ID, audit.Detail{"name": name, "role": string(role)}); err != nil {
		return store.Key{}, "", errors.Join(err, a.store.RevokeKey(context.WithoutCancel(ctx), ws, key.ID, a.now()))
	}
	return key, secret, nil
}

func (a *Accounts) newKey(ws store.WS, name string, role Role) (store.Key, string, error) {
	secret, err := newSecret(a.random)
	if err != nil {
		return store.Key{}, "", err
	}
	now := a.now()
	id, err := ulid.New(ulid.Timestamp(now), a.random)
	if err != nil {
		return store.Key{}, "", fmt.Errorf("make id: %w", err)
	}
	return store.Key{
		ID:        keyPrefix + id.String(),
		WS:        ws,
		Name:      name,
		Role:      string(role),
		Hash:      hashSecret(secret),
		CreatedAt: now,
	}, secret, nil
}

func checkKey(name string, role Role) error {
	fields := map[string][]string{}
	switch {
	case name == "":
		fields["name"] = []string{"must not be empty"}
	case utf8.RuneCountInString(name) > MaxKeyName:
		fields["name"] = []string{fmt.Sprintf("must have at most %d characters", MaxKeyName)}
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		fields["name"] = []string{"must be text on one line"}
	}
	if _, err := ParseRole(string(role)); err != nil {
		fields["role"] = []string{"must be one of " + roleNames()}
	}
	return invalid("The key is not valid.", fields)
}

// Keys lists a workspace's keys, oldest first, revoked ones too.
func (a *Accounts) Keys(ctx context.Context, ws store.WS) ([]store.Key, error) {
	keys, err := a.store.Keys(ctx, ws)
	return keys, wrap("list keys", err)
}

// RevokeKey ends a key at once and for good. A key that the workspace does not
// have is a *catalog.Fault of kind KindNotFound; one that is revoked already
// stays as it is.
func (a *Accounts) RevokeKey(ctx context.Context, ws store.WS, id string) error {
	keys, err := a.Keys(ctx, ws)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, func(k store.Key) bool { return k.ID == id })
	switch {
	case i < 0:
		return catalog.Faultf(catalog.KindNotFound, "not_found", "There is no key %q.", id)
	case keys[i].RevokedAt != nil:
		return nil
	}
	if err := a.store.RevokeKey(ctx, ws, id, a.now()); err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return a.note(ctx, ws, audit.KeyRevoke, id, audit.Detail{"name": keys[i].Name, "role": keys[i].Role})
}

// invalid returns a validation fault for fields with messages, and nil when
// there are none.
func invalid(message string, fields map[string][]string) error {
	if len(fields) == 0 {
		return nil
	}
	f := catalog.Faultf(catalog.KindInvalid, "validation_error", "%s", message)
	f.Fields = fields
	return f
}
