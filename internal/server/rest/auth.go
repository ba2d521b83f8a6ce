package rest

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

type principalKey struct{}

// authenticate finds out who asks: the key in the Authorization header, and the
// tenant that the client means, which must be the key's own.
func (d *door) authenticate(r *http.Request) (account.Principal, error) {
	p, err := d.cfg.Accounts.Authenticate(r.Context(), bearer(r.Header.Get("Authorization")))
	if err != nil {
		return p, err
	}
	server.Annotate(r.Context(), slog.String("workspace", p.WS.Name), slog.String("key", p.KeyID))
	if tenant := r.Header.Get("X-Tenant-ID"); tenant != "" && tenant != p.WS.Name {
		return p, catalog.Faultf(catalog.KindNotFound, codeNotFound, "There is no such tenant.")
	}
	return p, nil
}

// actor is who asks, as it is noted; the zero principal is nobody yet. The
// operator's own commands have no key that could be looked up.
func (d *door) actor(ctx context.Context, p account.Principal) store.Actor {
	a := store.Actor{Name: p.Name, ID: p.KeyID, Door: doorName, RequestID: server.RequestID(ctx)}
	if p.KeyID == d.cfg.Unlimited {
		a.ID = ""
	}
	return a
}

// bearer takes the secret out of an Authorization header; "" where it has none.
func bearer(header string) string {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// admit counts the request against its key's rate and tells the client where it
// stands (contract sources.md 1.3: three headers on every answer).
func (d *door) admit(w http.ResponseWriter, p account.Principal) error {
	if d.limiter == nil || p.KeyID == d.cfg.Unlimited {
		return nil
	}
	now := d.cfg.Now()
	quota, ok := d.limiter.Take(p.KeyID, now)
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(quota.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(quota.Remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(quota.Reset.Unix(), 10))
	if ok {
		return nil
	}
	return &rateExceeded{after: quota.Reset.Sub(now)}
}

// permitted returns who asks, if their role allows it.
func permitted(ctx context.Context, role account.Role) (account.Principal, error) {
	p, _ := ctx.Value(principalKey{}).(account.Principal)
	return p, p.Authorize(role)
}
