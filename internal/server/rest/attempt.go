package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// attempt is one try of a request with an Idempotency-Key. The process may have
// died in an earlier one, between making an import and saying so.
type attempt struct {
	// key is what an import that the request makes carries; "" without a key.
	key string
	// earlier is the import that an earlier try made; nil for none.
	earlier *store.Import
	// unsaid says that the answer is not the request's, but about its key.
	unsaid bool
}

type attemptKey struct{}

// findEarlier finds out what an earlier try of the request made.
//
// An import carries its key for good, which is longer than the key is good. So a
// key that comes again after that is carried by the next import together with the
// id of the one before.
func (d *door) findEarlier(ctx context.Context, ws store.Workspace) (*attempt, error) {
	try, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return &attempt{}, nil
	}
	for given := try.key; ; {
		imp, err := d.cfg.Imports.ImportByRequest(ctx, ws, try.key)
		switch {
		case errors.Is(err, store.ErrNotFound) || catalog.IsNotFound(err):
			return try, nil
		case err != nil:
			return try, err
		case d.cfg.Now().Sub(imp.CreatedAt) < d.cfg.KeepRequests:
			try.earlier = &imp
			return try, nil
		}
		try.key = given + "\n" + imp.ID
	}
}

// makeOnce makes an import, or returns the one that an earlier try of the request
// made. fits says whether that is what this request would make.
func (d *door) makeOnce(ctx context.Context, ws store.Workspace, fits func(*store.Import) bool, do func(requestKey string) (store.Import, error)) (store.Import, error) {
	try, err := d.findEarlier(ctx, ws)
	if err != nil {
		return store.Import{}, err
	}
	if try.earlier == nil {
		imp, err := do(try.key)
		return d.orEarlier(ctx, ws, imp, err)
	}
	if !fits(try.earlier) {
		return store.Import{}, aboutKey(ctx, keyReused())
	}
	return *try.earlier, asRefusal(try.earlier)
}

// orEarlier returns the import that was made, or, where another try of the same
// request was quicker, the one that it made.
func (d *door) orEarlier(ctx context.Context, ws store.Workspace, imp store.Import, err error) (store.Import, error) {
	if !isKeyTaken(err) {
		return imp, err
	}
	try, again := d.findEarlier(ctx, ws)
	switch {
	case again != nil:
		return imp, again
	case try.earlier == nil:
		return imp, aboutKey(ctx, inFlight())
	}
	return *try.earlier, asRefusal(try.earlier)
}

// isKeyTaken reports whether an import could not be made because its request has
// made one.
func isKeyTaken(err error) bool {
	f := catalog.AsFault(err)
	return f != nil && f.Code == codeRequestInFlight
}

// sameImport reads an upload that an earlier try of the request has made an import
// of, without storing it, and returns that import.
func (d *door) sameImport(r *http.Request, try *attempt) (store.Import, error) {
	hash := sha256.New()
	form, _, err := d.readForm(r, func(name string, body io.Reader) (*importer.Upload, error) {
		_, err := io.Copy(hash, body)
		return &importer.Upload{Name: name}, err
	})
	if err != nil {
		return store.Import{}, err
	}
	form.File.SHA256 = hex.EncodeToString(hash.Sum(nil))
	if form.File.SHA256 != try.earlier.SHA256 && try.earlier.State != store.Refused {
		return store.Import{}, aboutKey(r.Context(), keyReused())
	}
	return *try.earlier, asRefusal(try.earlier)
}
