package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// Fix corrects all rows with one cause.
type Fix struct {
	No     int    `json:"no" doc:"Number of the fix within its import"`
	Code   string `json:"code" example:"invalid_price"`
	Column string `json:"column" doc:"The heading of the column"`
	From   string `json:"from" doc:"What the cells hold"`
	To     string `json:"to" doc:"What they are to hold"`
	By     string `json:"by" doc:"The key or user that made it"`
	At     string `json:"at" format:"date-time"`
}

// FixObject returns a fix in the door's shape. The command line prints the same.
func FixObject(f *store.Fix) Fix {
	return Fix{No: f.No, Code: string(f.Code), Column: f.Column, From: f.From, To: f.To, By: f.By, At: stamp(f.At)}
}

// MadeFix is a fix with how many rows it reaches.
type MadeFix struct {
	Fix  Fix   `json:"fix"`
	Rows int64 `json:"rows" doc:"Rows that it corrects"`
}

// fixes registers what corrects many rows at once.
func (d *door) fixes(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "list-import-fixes", Method: http.MethodGet, Path: "/imports/{id}/fixes", Tags: []string{tagImports},
		Summary: "List fixes",
	}, account.Read, d.listFixes)
	operation(d, api, failing(huma.Operation{
		OperationID: "fix-import", Method: http.MethodPost, Path: "/imports/{id}/fixes", Tags: []string{tagImports},
		Summary: "Correct all rows with one cause",
		Description: "In every row that is not done and has this problem in this column for this value, the cell is to hold another value. " +
			"A retry with plan shows what that would do.",
		DefaultStatus: http.StatusCreated,
	}, map[string]string{"409": "nothing_to_fix: no row that is not done has this problem; wrong_state: the import is at work"}), account.Import, d.makeFix)
	operation(d, api, failing(huma.Operation{
		OperationID: "unfix-import", Method: http.MethodDelete, Path: "/imports/{id}/fixes/{no}", Tags: []string{tagImports},
		Summary: "Take a fix away", DefaultStatus: http.StatusNoContent,
	}, map[string]string{"409": "fix_used: rows were run with it and are done; wrong_state: the import is at work"}), account.Import, d.unfix)
}

type fixesAnswer struct{ Body All[Fix] }

func (d *door) listFixes(ctx context.Context, p account.Principal, in *ImportPath) (*fixesAnswer, error) {
	found, err := d.cfg.Imports.Fixes(ctx, p.WS, in.ID)
	if err != nil {
		return nil, err
	}
	out := &fixesAnswer{}
	out.Body.Data = make([]Fix, len(found))
	for i := range found {
		out.Body.Data[i] = FixObject(&found[i])
	}
	return out, nil
}

type fixRequest struct {
	ImportPath
	Body struct {
		Code   string `json:"code" minLength:"1" doc:"The problem's code, as errors and causes show it" example:"invalid_price"`
		Column string `json:"column" minLength:"1" doc:"The heading of the column" example:"Price"`
		From   string `json:"from" doc:"The whole cell, blanks round it aside" example:"12,5O"`
		To     string `json:"to" doc:"What it is to hold" example:"12.50"`
	} `nameHint:"MakeFix"`
}

type fixAnswer struct{ Body MadeFix }

func (d *door) makeFix(ctx context.Context, p account.Principal, in *fixRequest) (*fixAnswer, error) {
	f, rows, err := d.cfg.Imports.Fix(ctx, p.WS, in.ID, store.Fix{Code: catalog.Code(in.Body.Code), Column: in.Body.Column,
		From: in.Body.From, To: in.Body.To, By: p.KeyID, At: d.cfg.Now()})
	if err != nil {
		return nil, err
	}
	return &fixAnswer{Body: MadeFix{Fix: FixObject(&f), Rows: rows}}, nil
}

func (d *door) unfix(ctx context.Context, p account.Principal, in *struct {
	ImportPath
	No int `path:"no" minimum:"1" doc:"The fix's number"`
}) (*struct{}, error) {
	if err := d.cfg.Imports.Unfix(ctx, p.WS, in.ID, in.No); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}
