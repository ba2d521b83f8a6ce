package rest

import (
	"context"
	"errors"
	"net/http"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// attempt is one try of a request with an Idempotency-Key. The process may have
// died in an earlier one, between doing what was asked and saying so.
type attempt struct {
	flight *flight
	r      *http.Request // as it came
	body   *digest       // of r
}

type attemptKey struct{}

// asked names what the request asks for. It reads its body to the end.
func (try *attempt) asked() (hash string, err error) {
	parts, err := try.body.end()
	if err != nil {
		return "", err
	}
	return hashRequest(try.r, parts), nil
}

// claim records what the request asks for before any of it is done. After a
// crash the key is good for that alone: whether it was done is found out by
// asking for the same again.
func (d *door) claim(ctx context.Context) error {
	try, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return nil
	}
	hash, err := try.asked()
	if err != nil {
		return err
	}
	return try.flight.claim(hash)
}

// findEarlier returns the import that an earlier try of the request made, nil for
// none, and the key that an import which the request makes has to carry; "" for
// a request without a key. What the request asks for is a part of that key, so
// that no import is taken for that of another request.
//
// An import carries its key for good, which is longer than the key is good. So a
// key that comes again after that is carried by the next import together with the
// id of the one before.
func (d *door) findEarlier(ctx context.Context, ws store.Workspace) (earlier *store.Import, key string, err error) {
	try, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return nil, "", nil
	}
	if err := d.claim(ctx); err != nil {
		return nil, "", err
	}
	given := try.flight.request.Key + "\n" + try.flight.request.Hash
	for key = given; ; {
		imp, err := d.cfg.Imports.ImportByRequest(ctx, ws, key)
		switch {
		case errors.Is(err, store.ErrNotFound) || catalog.IsNotFound(err):
			return nil, key, nil
		case err != nil:
			return nil, key, err
		case d.cfg.Now().Sub(imp.CreatedAt) < d.cfg.KeepRequests:
			return &imp, key, nil
		}
		key = given + "\n" + imp.ID
	}
}

// makeOnce makes an import, or returns the one that an earlier try of the request
// made: then made is false.
func (d *door) makeOnce(ctx context.Context, ws store.Workspace, do func(requestKey string) (store.Import, error)) (imp store.Import, made bool, err error) {
	earlier, key, err := d.findEarlier(ctx, ws)
	if err != nil {
		return imp, false, err
	}
	if earlier == nil {
		if imp, err = do(key); !isKeyTaken(err) {
			return imp, true, err
		}
		// Another try of the same request was quicker.
		if earlier, _, err = d.findEarlier(ctx, ws); err != nil {
			return imp, false, err
		}
		if earlier == nil {
			return imp, false, inFlight()
		}
	}
	return *earlier, false, asRefusal(earlier)
}

// isKeyTaken reports whether an import could not be made because its request has
// made one.
func isKeyTaken(err error) bool {
	f := catalog.AsFault(err)
	return f != nil && f.Code == codeRequestInFlight
}
