package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/audit"
	"tallyman/internal/store"
)

// Audit reads the log of who did what; store.Store is one.
type Audit interface {
	Audit(ctx context.Context, ws store.WS, f store.AuditFilter, limit int) ([]store.AuditEntry, error)
}

// AuditActor is who did something.
type AuditActor struct {
	Name string `json:"name" doc:"The key's or user's name; cli for the command line, tallyman for the program itself, nobody for who was not let in"`
	ID   string `json:"id,omitempty" doc:"The key's or user's id"`
	Door string `json:"door,omitempty" doc:"The face it came through: rest, cli and so on"`
}

// AuditEntry is an entry of the audit log.
type AuditEntry struct {
	Number    int64          `json:"number" doc:"Rises with time; before takes it"`
	At        string         `json:"at" format:"date-time" example:"2024-03-15T09:00:00Z"`
	Actor     AuditActor     `json:"actor" doc:"Who did it"`
	Action    string         `json:"action" doc:"What was done: a noun and a verb" example:"import.start"`
	Object    string         `json:"object,omitempty" doc:"The id of what it was done to; absent for the workspace itself" example:"imp_01HQ3K5V8Z6Y4X2W0T1R3P5N7M"`
	RequestID string         `json:"request_id,omitempty" doc:"The request that did it"`
	Detail    map[string]any `json:"detail" doc:"What else there is to know, by name"`
}

// AuditObject returns an entry in the door's shape. The command line prints the
// same.
func AuditObject(e *store.AuditEntry) AuditEntry {
	o := AuditEntry{Number: e.No, At: stamp(e.At), Action: e.Action, Object: e.Object, RequestID: e.Actor.RequestID,
		Actor: AuditActor{Name: audit.Who(e.Actor), ID: e.Actor.ID, Door: e.Actor.Door}, Detail: map[string]any{}}
	_ = json.Unmarshal(e.Detail, &o.Detail) // written by this program, or empty
	return o
}

// audit registers GET /audit.
func (d *door) audit(api huma.API) {
	operation(d, api, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/audit", Tags: []string{tagAudit},
		Summary: "List who did what",
		Description: "Lists what was done in the workspace, the newest first. Reading is not noted; failed sign-ins and refused keys are, " +
			"at most once a minute for each address and cause, with how many there were. next_before of an answer is before of the next request.",
	}, account.Admin, d.listAudit)
}

type listAuditRequest struct {
	Action string    `query:"action" doc:"Only what was done so; with a dot at the end, what begins so" example:"import."`
	Actor  string    `query:"actor" doc:"Only what the key or user with this name or id did"`
	Object string    `query:"object" doc:"Only what was done to the thing with this id"`
	From   time.Time `query:"from" doc:"Only what was done at this time or later" example:"2024-03-15T09:00:00Z"`
	Until  time.Time `query:"until" doc:"Only what was done before this time"`
	Before int64     `query:"before" minimum:"1" doc:"Only entries with smaller numbers"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Entries to list, at most"`
}

// AuditMeta says how to go on.
type AuditMeta struct {
	NextBefore *int64 `json:"next_before" doc:"Where the next, older entries begin; null where there are none"`
}

// AuditList is a part of the audit log.
type AuditList struct {
	Data []AuditEntry `json:"data" nullable:"false"`
	Meta AuditMeta    `json:"meta"`
}

type listAuditAnswer struct{ Body AuditList }

func (d *door) listAudit(ctx context.Context, p account.Principal, in *listAuditRequest) (*listAuditAnswer, error) {
	f := store.AuditFilter{Action: in.Action, Actor: in.Actor, Object: in.Object, From: in.From, Until: in.Until, Before: in.Before}
	// One more than asked for tells whether there are more.
	entries, err := d.cfg.Audit.Audit(ctx, p.WS.WS, f, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listAuditAnswer{}
	if len(entries) > in.Limit {
		entries = entries[:in.Limit]
		out.Body.Meta.NextBefore = &entries[in.Limit-1].No
	}
	out.Body.Data = make([]AuditEntry, len(entries))
	for i := range entries {
		out.Body.Data[i] = AuditObject(&entries[i])
	}
	return out, nil
}
