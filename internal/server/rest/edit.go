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
	done, made, err := d.makeEdit(ctx, p, &in.EditPath, func(e *importer.EditRequest) (err error) {
		e.Replace = replace
		if e.Set, err = in.Body.tokens(e.ID); err == nil && len(e.Set) == 0 && !replace {
			err = catalog.Faultf(catalog.KindInvalid, codeValidation, "The body names no field; name at least one.")
		}
		return err
	})
	if err == nil && !made {
		done.Item, err = d.editedItem(ctx, p.WS, &done.Import)
	}
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
	done, _, err := d.makeEdit(ctx, p, &in.EditPath, func(e *importer.EditRequest) error {
		e.Delete = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &deletedAnswer{ImportID: done.Import.ID}, nil
}

// makeEdit makes the edit that fill completes of the product that the path names,
// or finds the one that an earlier try of the request made: then made is false,
// and of the edit there is the import alone.
func (d *door) makeEdit(ctx context.Context, p account.Principal, in *EditPath, fill func(*importer.EditRequest) error) (done importer.Edited, made bool, err error) {
	// What has arrived whole is done, whether or not its sender waits for the
	// answer.
	ctx = context.WithoutCancel(ctx)
	imp, made, err := d.makeOnce(ctx, p.WS, func(requestKey string) (store.Import, error) {
		e, err := d.edit(ctx, p, in)
		if err == nil {
			err = fill(&e)
		}
		if err == nil {
			e.RequestKey = requestKey
			done, err = d.cfg.Imports.Edit(ctx, p.WS, e)
		}
		return done.Import, err
	})
	done.Import = imp
	return done, made, err
}

// edit begins an edit of the product that the path names.
func (d *door) edit(ctx context.Context, p account.Principal, in *EditPath) (e importer.EditRequest, err error) {
	e = importer.EditRequest{Kind: catalog.KindProduct, Door: doorName, By: p.KeyID}
	if e.Version, err = versionOf(in.IfMatch); err != nil {
		return e, err
	}
	it, err := d.product(ctx, p.WS, in.ID)
	e.ID = it.ID
	return e, err
}

// editedItem returns the product that an edit was of as it is now, nil for one
// that is deleted. What names it in the request may be what the edit changed.
func (d *door) editedItem(ctx context.Context, ws store.Workspace, edit *store.Import) (*catalog.Item, error) {
	rows, _, err := d.cfg.Imports.Rows(ctx, ws, edit.ID, importer.RowFilter{}, store.Range{Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	it, err := d.cfg.Items.Item(ctx, ws.WS, catalog.KindProduct, catalog.Key{Field: catalog.KeyID, Value: rows[0].ItemID})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &it, err
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
