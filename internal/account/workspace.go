package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// DefaultCurrency is the currency of a workspace until somebody says otherwise.
const DefaultCurrency = "EUR"

// SetCurrency changes the currency that money has which names none, on items
// that have none; "" makes such rows errors. What is not allowed is a
// *catalog.Fault of kind KindInvalid or KindNotFound.
func (a *Accounts) SetCurrency(ctx context.Context, name, currency string) (store.Workspace, error) {
	if err := checkWorkspace(name, currency); err != nil {
		return store.Workspace{}, err
	}
	ws, err := a.Workspace(ctx, name)
	if err != nil {
		return ws, err
	}
	was := ws.Currency
	if was == currency {
		return ws, nil
	}
	if err := a.store.SetCurrency(ctx, ws.WS, currency); err != nil {
		return ws, fmt.Errorf("set currency: %w", err)
	}
	ws.Currency = currency
	return ws, a.note(ctx, ws.WS, audit.WorkspaceSet, "", audit.Detail{"currency": orNone(currency), "was": orNone(was)})
}

// orNone names a currency where "" would be left out.
func orNone(currency string) string {
	if currency == "" {
		return "none"
	}
	return currency
}

// EnsureDefault returns the workspace store.DefaultWorkspace, making it at the
// first start. Nodes that start together get the same one.
func (a *Accounts) EnsureDefault(ctx context.Context) (store.Workspace, error) {
	ws, err := a.store.Workspace(ctx, store.DefaultWorkspace)
	if !errors.Is(err, store.ErrNotFound) {
		return ws, wrap("read default workspace", err)
	}
	ws, err = a.create(audit.ByItself(ctx), store.DefaultWorkspace, DefaultCurrency)
	if errors.Is(err, store.ErrExists) {
		ws, err = a.store.Workspace(ctx, store.DefaultWorkspace)
	}
	return ws, wrap("make default workspace", err)
}

// CreateWorkspace makes a workspace. Its name has 1 to 63 characters of a-z,
// 0-9 and '-'; currency is the ISO 4217 code for money that names none, or
// empty. What is not allowed is a *catalog.Fault of kind KindInvalid, a name
// that is taken one of kind KindConflict.
func (a *Accounts) CreateWorkspace(ctx context.Context, name, currency string) (store.Workspace, error) {
	if err := checkWorkspace(name, currency); err != nil {
		return store.Workspace{}, err
	}
	ws, err := a.create(ctx, name, currency)
	if errors.Is(err, store.ErrExists) {
		return store.Workspace{}, catalog.Faultf(catalog.KindConflict, "workspace_exists", "There already is a workspace %q.", name)
	}
	return ws, wrap("create workspace", err)
}

func (a *Accounts) create(ctx context.Context, name, currency string) (store.Workspace, error) {
	ws, err := a.store.CreateWorkspace(ctx, store.Workspace{Name: name, Currency: currency, CreatedAt: a.now()})
	if err != nil {
		return ws, err
	}
	return ws, a.note(ctx, ws.WS, audit.WorkspaceCreate, "", audit.Detail{"name": name, "currency": orNone(currency)})
}

// Workspaces lists every workspace, by name.
func (a *Accounts) Workspaces(ctx context.Context) ([]store.Workspace, error) {
	all, err := a.store.Workspaces(ctx)
	return all, wrap("list workspaces", err)
}

// Workspace returns the workspace of this name; a *catalog.Fault of kind
// KindNotFound if there is none.
func (a *Accounts) Workspace(ctx context.Context, name string) (store.Workspace, error) {
	ws, err := a.store.Workspace(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Workspace{}, catalog.Faultf(catalog.KindNotFound, "not_found", "There is no workspace %q.", name)
	}
	return ws, wrap("read workspace", err)
}

// WorkspaceByWS returns the workspace of this number; a *catalog.Fault of kind
// KindNotFound if there is none.
func (a *Accounts) WorkspaceByWS(ctx context.Context, ws store.WS) (store.Workspace, error) {
	w, err := a.find(ctx, ws)
	if errors.Is(err, store.ErrNotFound) {
		return store.Workspace{}, catalog.Faultf(catalog.KindNotFound, "not_found", "There is no workspace number %d.", ws)
	}
	return w, err
}

// find is WorkspaceByWS with store.ErrNotFound for none. The store finds
// workspaces by name alone, hence the listing.
func (a *Accounts) find(ctx context.Context, ws store.WS) (store.Workspace, error) {
	if w, ok := a.recall(ws); ok {
		return w, nil
	}
	all, err := a.Workspaces(ctx)
	if err != nil {
		return store.Workspace{}, err
	}
	a.remember(all)
	if w, ok := a.recall(ws); ok {
		return w, nil
	}
	return store.Workspace{}, fmt.Errorf("workspace number %d: %w", ws, store.ErrNotFound)
}

func (a *Accounts) recall(ws store.WS) (store.Workspace, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	w, ok := a.known[ws]
	return w, ok
}

func (a *Accounts) remember(all []store.Workspace) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range all {
		a.known[w.WS] = w
	}
}

func checkWorkspace(name, currency string) error {
	fields := map[string][]string{}
	if !validName(name) {
		fields["name"] = []string{"must have 1 to 63 characters of a-z, 0-9 and '-'"}
	}
	if _, known := catalog.CurrencyDigits(currency); currency != "" && !known {
		fields["currency"] = []string{"must be an ISO 4217 code of three capital letters, such as EUR"}
	}
	return invalid("The workspace is not valid.", fields)
}

func validName(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return len(name) >= 1 && len(name) <= 63 && strings.Trim(name, allowed) == ""
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
