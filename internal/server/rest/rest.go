// Package rest is the REST door under /api/v1: imports, their errors and
// batches, and the products they make, in the words of the products API that
// contract sources.md sections 1.3 and 8 write down.
//
// What does not belong here: anything that decides. Uploads, states and reports
// are the importer's, who may do what is the account package's, and what the
// door knows of its own is words: which field of a form is which option, which
// state is called what, and which fault has which status.
package rest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

// Prefix is where the door's paths begin.
const Prefix = "/api/v1"

// doorName is this door's name in imports (store.Import.Door).
const doorName = "rest"

// Authenticator finds out whose key a secret is; account.Accounts is one. No
// secret at all, and one that is nobody's or whose key was revoked, are a
// *catalog.Fault of kind KindUnauthorized.
type Authenticator interface {
	Authenticate(ctx context.Context, secret string) (account.Principal, error)
}

// Items reads the catalog; store.Store is one.
type Items interface {
	Item(ctx context.Context, ws store.WS, kind catalog.Kind, key catalog.Key) (catalog.Item, error)
	Items(ctx context.Context, ws store.WS, f store.ItemFilter, r store.Range) ([]catalog.Item, error)
	CountItems(ctx context.Context, ws store.WS, f store.ItemFilter) (int, error)
}

// Requests keeps requests that have an Idempotency-Key; store.Store is one.
type Requests interface {
	BeginRequest(ctx context.Context, ws store.WS, r store.Request, dead time.Time) (store.Request, bool, error)
	BeatRequest(ctx context.Context, ws store.WS, key string, began, now time.Time) error
	EndRequest(ctx context.Context, ws store.WS, r store.Request) error
	DropRequest(ctx context.Context, ws store.WS, key string, began time.Time) error
}

// Config is what the door is made of.
type Config struct {
	Imports  importer.API
	Items    Items
	Accounts Authenticator
	Requests Requests
	// KeepRequests is how long an Idempotency-Key is good; 0 means 24 hours.
	KeepRequests time.Duration
	// MaxUploadBytes bounds an uploaded file; 0 is unbounded. The importer holds
	// uploads to it, the door what it reads without the importer.
	MaxUploadBytes int64
	// Rates limit each key; the zero value sets no limit.
	Rates server.Rates
	// Unlimited is the id of a key that the rates are not for: the operator's own
	// commands on the server's machine. "" for none.
	Unlimited string
	// Audit is the log of who did what.
	Audit Audit
	// BaseURL is how clients reach the program, without a slash at the end; "" is
	// this machine. Addresses in answers have its path, and never a host: the
	// client knows where it has asked.
	BaseURL string
	Log     *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Version is the program's, shown in the API's description.
	Version string
}

// door answers the requests under Prefix.
type door struct {
	cfg Config
	// base is what stands before Prefix where clients ask: the path of BaseURL.
	base    string
	limiter *server.RateLimiter // nil: no limit
	fields  []field             // of the form that makes an import
	// open answers without a key: the API's description. keyed is the rest.
	open  *http.ServeMux
	keyed *routes
}

// New returns the door.
func New(cfg Config) (server.Door, error) {
	cfg.KeepRequests = cmp.Or(cfg.KeepRequests, defaultKeepRequests)
	d := &door{cfg: cfg, limiter: server.NewRateLimiter(cfg.Rates), fields: formFields(), open: http.NewServeMux(), keyed: newRoutes()}
	var err error
	if d.base, err = pathOf(cfg.BaseURL); err != nil {
		return server.Door{}, err
	}
	api := newAPI(d.keyed, cfg.Version, d.base)
	d.imports(api)
	d.products(api)
	d.edits(api)
	d.audit(api)
	d.describe(api)
	return server.Door{Prefix: Prefix, Name: doorName, Handler: d, Fail: d.fail}, nil
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := d.open.Handler(r); pattern != "" {
		routed(r, pattern)
		d.open.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	_, pattern := d.keyed.Handler(r)
	routed(r, pattern)
	r = r.WithContext(store.WithActor(r.Context(), d.actor(r.Context(), account.Principal{})))
	p, err := d.authenticate(r)
	if err == nil {
		err = d.admit(w, p)
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	r = r.WithContext(store.WithActor(context.WithValue(r.Context(), principalKey{}, p), d.actor(r.Context(), p)))
	if pattern == "" {
		d.unrouted(w, r)
		return
	}
	if once(r) {
		d.doOnce(w, r, p)
		return
	}
	d.keyed.ServeHTTP(w, r)
}

// unrouted answers what no route takes: 405 where the path exists for another
// method, which the mux knows, and 404 otherwise.
func (d *door) unrouted(w http.ResponseWriter, r *http.Request) {
	h, _ := d.keyed.Handler(r)
	asked := &statusOnly{header: make(http.Header)}
	h.ServeHTTP(asked, r)
	if asked.status != http.StatusMethodNotAllowed {
		d.fail(w, r, catalog.Faultf(catalog.KindNotFound, codeNotFound, "There is nothing at %s.", r.URL.Path))
		return
	}
	allow := asked.header.Get("Allow")
	w.Header().Set("Allow", allow)
	d.fail(w, r, catalog.Faultf(catalog.KindInvalid, codeMethodNotAllowed, "%s is not possible here; possible are %s.", r.Method, allow))
}

// statusOnly takes the status and headers of an answer and forgets its body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }

// operation registers an operation that answers JSON: who may call it, and what
// it does, given who calls.
func operation[I, O any](d *door, api huma.API, op huma.Operation, role account.Role, do func(context.Context, account.Principal, *I) (*O, error)) {
	huma.Register(api, documented(op), func(ctx context.Context, in *I) (*O, error) {
		p, err := permitted(ctx, role)
		if err == nil {
			err = d.claim(ctx)
		}
		if err != nil {
			return nil, d.failure(ctx, err)
		}
		out, err := do(ctx, p, in)
		if err != nil {
			return nil, d.failure(ctx, err)
		}
		return out, nil
	})
}
