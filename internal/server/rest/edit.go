package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// edits registers what changes a product by hand.
func (d *door) edits(api huma.API) {
	const edit = " It is an import of one row, which the header X-Import-Id names: listed, and undone, like any other. " +
		"With If-Match it is done only to the version that a GET named in its ETag, and otherwise answered with 412."
	operation(d, api, editOperation(huma.Operation{
		OperationID: "patch-product", Method: http.MethodPatch, Path: "/products/{id}", Tags: []string{tagProducts},
		Summary:     "Change a product",
		Description: "Changes the fields that the body names and no others; null clears one. In attributes and properties, too, only what is named changes." + edit,
	}), account.Import, func(ctx context.Context, p account.Principal, in *editRequest) (*editedAnswer, error) {
		return d.editProduct(ctx, p, in, false)
	})
	operation(d, api, editOperation(huma.Operation{
		OperationID: "put-product", Method: http.MethodPut, Path: "/products/{id}", Tags: []string{tagProducts},
		Summary:     "Replace a product",
		Description: "Makes the product what the body says: fields that it does not name are cleared." + edit,
	}), account.Import, func(ctx context.Context, p account.Principal, in *editRequest) (*editedAnswer, error) {
		return d.editProduct(ctx, p, in, true)
	})
	operation(d, api, editOperation(huma.Operation{
		OperationID: "delete-product", Method: http.MethodDelete, Path: "/products/{id}", Tags: []string{tagProducts},
		Summary: "Delete a product", Description: "Removes the product." + edit, DefaultStatus: http.StatusNoContent,
	}), account.Import, d.deleteProduct)
	d.history(api)
}

// editOperation says how an edit may fail.
func editOperation(op huma.Operation) huma.Operation {
	// The body's own rules word their faults by field and in the door's words.
	op.SkipValidateBody = true
	return failing(op, map[string]string{
		"404": "There is no such product",
		"412": "version_conflict: the product has another version than If-Match names",
		"422": "The body is not valid, or the product cannot be as it says; details names fields",
	})
}

// EditPath names the product of an edit, and its version.
type EditPath struct {
	ProductPath
	IfMatch string `header:"If-Match" doc:"The version that the product must still have, as ETag names it; * for any" example:"\"7\""`
}

type editRequest struct {
	EditPath
	Body ProductEdit
}

type editedAnswer struct {
	ETag     string `header:"ETag" doc:"The product's version"`
	ImportID string `header:"X-Import-Id" doc:"The edit as an import"`
	Body     Product
}

func (d *door) editProduct(ctx context.Context, p account.Principal, in *editRequest, replace bool) (*editedAnswer, error) {
	e, it, err := d.edit(ctx, p, &in.EditPath)
	if err != nil {
		return nil, err
	}
	e.Replace = replace
	if e.Set, err = in.Body.tokens(it.ID); err != nil {
		return nil, err
	}
	if len(e.Set) == 0 && !replace {
		return nil, catalog.Faultf(catalog.KindInvalid, codeValidation, "The body names no field; name at least one.")
	}
	done, err := d.makeEdit(ctx, p.WS, e)
	if err != nil {
		return nil, err
	}
	if done.Item == nil {
		return nil, store.ErrNotFound // deleted by somebody else since
	}
	return &editedAnswer{ETag: etagOf(done.Item.Version), ImportID: done.Import.ID, Body: productObject(done.Item)}, nil
}

type deletedAnswer struct {
	ImportID string `header:"X-Import-Id" doc:"The deletion as an import"`
}

func (d *door) deleteProduct(ctx context.Context, p account.Principal, in *struct{ EditPath }) (*deletedAnswer, error) {
	e, _, err := d.edit(ctx, p, &in.EditPath)
	if err != nil {
		return nil, err
	}
	e.Delete = true
	done, err := d.makeEdit(ctx, p.WS, e)
	if err != nil {
		return nil, err
	}
	return &deletedAnswer{ImportID: done.Import.ID}, nil
}

// edit begins an edit of the product that the path names.
func (d *door) edit(ctx context.Context, p account.Principal, in *EditPath) (e importer.EditRequest, it catalog.Item, err error) {
	e = importer.EditRequest{Kind: catalog.KindProduct, Door: doorName, By: p.KeyID}
	if e.Version, err = versionOf(in.IfMatch); err != nil {
		return e, it, err
	}
	it, err = d.product(ctx, p.WS, in.ID)
	if errors.Is(err, store.ErrNotFound) && isItemID(in.ID) {
		// Whether it is gone is the importer's to say: an edit that comes again may
		// be the one that removed it.
		it.ID, err = in.ID, nil
	}
	e.ID = it.ID
	return e, it, err
}

// makeEdit makes the edit, or finds the one that an earlier try of the request
// made.
func (d *door) makeEdit(ctx context.Context, ws store.Workspace, e importer.EditRequest) (importer.Edited, error) {
	// What has arrived whole is done, whether or not its sender waits for the
	// answer.
	ctx = context.WithoutCancel(ctx)
	var done importer.Edited
	imp, err := d.makeOnce(ctx, ws, func(imp *store.Import) bool { return imp.Source == importer.SourceEdit }, func(requestKey string) (store.Import, error) {
		e.RequestKey = requestKey
		var err error
		done, err = d.cfg.Imports.Edit(ctx, ws, e)
		return done.Import, err
	})
	if err != nil || done.Import.ID == imp.ID {
		return done, err
	}
	it, err := d.cfg.Items.Item(ctx, ws.WS, catalog.KindProduct, catalog.Key{Field: catalog.KeyID, Value: e.ID})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return importer.Edited{Import: imp}, nil
	case err != nil:
		return importer.Edited{}, err
	}
	return importer.Edited{Import: imp, Item: &it}, nil
}

// etagOf is the ETag of a version.
func etagOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// versionOf reads If-Match, 0 for any version. What is no ETag of ours is that of
// no version.
func versionOf(ifMatch string) (int64, error) {
	ifMatch = strings.TrimSpace(ifMatch)
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(ifMatch, `"`), 10, 64)
	if err != nil || version < 1 || etagOf(version) != ifMatch {
		return 0, catalog.Faultf(catalog.KindConflict, codeVersionConflict,
			"If-Match names no version that the product ever had; send the ETag of a GET, such as \"7\".")
	}
	return version, nil
}
