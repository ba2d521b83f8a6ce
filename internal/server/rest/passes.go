package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// passes registers what runs over an import's rows again: its plan, the writing
// of what the plan showed, a retry and an undo.
func (d *door) passes(api huma.API) {
	operation(d, api, failing(huma.Operation{
		OperationID: "apply-import", Method: http.MethodPost, Path: "/imports/{id}/apply", Tags: []string{tagImports},
		Summary:       "Apply a plan",
		Description:   "Writes exactly what the plan showed. A row whose product moved since in what the row touches is held: it is not written, and its new changes are shown.",
		DefaultStatus: http.StatusOK,
	}, map[string]string{"409": "plan_changed: the plan is another one by now; confirmation_needed: it ran into limits, and confirm is not given; rows_failed: it is all or nothing; wrong_state: there is no plan to be applied"}), account.Import, d.applyImport)
	operation(d, api, failing(huma.Operation{
		OperationID: "plan-import", Method: http.MethodPost, Path: "/imports/{id}/plan", Tags: []string{tagImports},
		Summary: "Plan again", Description: "Makes the plan of a planned import anew: after corrections, or because the catalog moved.",
		DefaultStatus: http.StatusOK,
	}, map[string]string{"409": "wrong_state: the import has no plan that waits to be applied"}), account.Import, func(ctx context.Context, p account.Principal, in *ImportPath) (*importAnswer, error) {
		return d.moved(ctx)(d.cfg.Imports.Replan(ctx, p.WS, in.ID))
	})
	operation(d, api, failing(huma.Operation{
		OperationID: "retry-import", Method: http.MethodPost, Path: "/imports/{id}/retry", Tags: []string{tagImports},
		Summary: "Retry rows",
		Description: "Runs rows of an import that has ended again, with their corrections, under the same import. " +
			"Held rows are decided on the catalog as it is now.",
		DefaultStatus: http.StatusOK,
	}, map[string]string{"409": "nothing_to_retry: there are no such rows; wrong_state: the import has not ended"}), account.Import, d.retryImport)
	operation(d, api, failing(huma.Operation{
		OperationID: "undo-import", Method: http.MethodPost, Path: "/imports/{id}/undo", Tags: []string{tagImports},
		Summary: "Undo an import",
		Description: "Starts an import that takes back what another one wrote, property by property. What others have changed since stays as it is, and its row says who changed it. " +
			"The new import is one like any other: it can be planned, paused and undone.",
		DefaultStatus: http.StatusCreated,
	}, map[string]string{"409": "nothing_to_undo: it wrote nothing; undo_expired: what an undo needs is past its retention; already_undone: it was taken back; wrong_state: it has not ended"}), account.Import, d.undoImport)
}

// moved answers with an import that was asked to move.
func (d *door) moved(ctx context.Context) func(store.Import, error) (*importAnswer, error) {
	return func(imp store.Import, err error) (*importAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &importAnswer{Body: d.object(ctx, imp)}, nil
	}
}

type applyRequest struct {
	ImportPath
	Body struct {
		Fingerprint string `json:"fingerprint" minLength:"1" doc:"The fingerprint of the plan as it was shown"`
		Confirm     bool   `json:"confirm,omitempty" doc:"Go on though the plan ran into limits"`
	} `nameHint:"Apply"`
}

func (d *door) applyImport(ctx context.Context, p account.Principal, in *applyRequest) (*importAnswer, error) {
	return d.moved(ctx)(d.cfg.Imports.Apply(ctx, p.WS, in.ID, importer.ApplyOptions{Fingerprint: in.Body.Fingerprint, Confirm: in.Body.Confirm}))
}

// Retry says which rows run again.
type Retry struct {
	Plan        bool  `json:"plan,omitempty" doc:"Stop once the plan of the retry is there"`
	Held        bool  `json:"held,omitempty" doc:"Take held rows too"`
	Failed      *bool `json:"failed,omitempty" default:"true" doc:"Take failed rows"`
	Unprocessed *bool `json:"unprocessed,omitempty" default:"true" doc:"Take rows that have no outcome yet"`
}

type retryRequest struct {
	ImportPath
	Body *Retry
}

func (d *door) retryImport(ctx context.Context, p account.Principal, in *retryRequest) (*importAnswer, error) {
	ask := in.Body
	if ask == nil {
		ask = &Retry{}
	}
	return d.moved(ctx)(d.cfg.Imports.Retry(ctx, p.WS, in.ID, importer.RetryOptions{
		Plan: ask.Plan, Held: ask.Held, Failed: unlessFalse(ask.Failed), Unprocessed: unlessFalse(ask.Unprocessed), By: p.KeyID,
	}))
}

func unlessFalse(b *bool) bool { return b == nil || *b }

// Undo says how an import is taken back.
type Undo struct {
	Plan  bool `json:"plan,omitempty" doc:"Stop once the plan of the undo is there"`
	Force bool `json:"force,omitempty" doc:"Take back even what others have changed since"`
}

type undoRequest struct {
	ImportPath
	Body *Undo
}

// startedAnswer is an import that a request has made.
type startedAnswer struct {
	Location string `header:"Location"`
	Body     Import
}

func (d *door) started(ctx context.Context, imp store.Import) *startedAnswer {
	return &startedAnswer{Location: d.location(imp.ID), Body: d.object(ctx, imp)}
}

func (d *door) undoImport(ctx context.Context, p account.Principal, in *undoRequest) (*startedAnswer, error) {
	opt := importer.Options{Door: doorName, CreatedBy: p.KeyID}
	if in.Body != nil {
		opt.Plan, opt.Force = in.Body.Plan, in.Body.Force
	}
	imp, _, err := d.makeOnce(ctx, p.WS, func(requestKey string) (store.Import, error) {
		opt.RequestKey = requestKey
		return d.cfg.Imports.Undo(ctx, p.WS, in.ID, opt)
	})
	if err != nil {
		return nil, err
	}
	return d.started(ctx, imp), nil
}

// asRefusal is the error of an import that was refused, nil for any other.
func asRefusal(imp *store.Import) error {
	if imp.State != store.Refused {
		return nil
	}
	return &importer.Refusal{Import: *imp, Fault: catalog.Faultf(catalog.KindRefused, imp.FaultCode, "%s", imp.FaultMessage)}
}
