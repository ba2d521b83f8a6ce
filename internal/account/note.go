package account

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"tallyman/internal/audit"
	"tallyman/internal/store"
)

// note adds what was just done to the audit log. Whoever did it may be gone.
func (a *Accounts) note(ctx context.Context, ws store.WS, action, object string, d audit.Detail) error {
	e, err := audit.Entry(ctx, a.now(), action, object, d)
	if err == nil {
		err = a.store.AppendAudit(context.WithoutCancel(ctx), ws, e)
	}
	if err != nil {
		return fmt.Errorf("it is done, but could not be noted in the audit log: %w", err)
	}
	return nil
}

// refused notes a refusal: in the workspace's log, or in the program's where no
// workspace is known. That it cannot be noted is no reason to let somebody in, nor
// to say anything else.
func (a *Accounts) refused(ctx context.Context, r audit.Refusal) {
	if err := a.refusals.Note(context.WithoutCancel(ctx), r); err != nil {
		a.log.Warn("note refusal", slog.Any("error", err))
	}
}

// refusalLog takes entries about refusals. Those of no workspace go to the program's
// log: they tell where others' clients are, which is no tenant's business.
type refusalLog struct {
	store store.Store
	log   *slog.Logger
}

// AppendAudit implements audit.Log.
func (l refusalLog) AppendAudit(ctx context.Context, ws store.WS, e *store.AuditEntry) error {
	if ws != 0 {
		return l.store.AppendAudit(ctx, ws, e)
	}
	var d struct {
		Address, Why string
		Count        int64
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return fmt.Errorf("read what is noted: %w", err)
	}
	l.log.Warn("somebody was refused", slog.String("action", e.Action), slog.String("why", d.Why),
		slog.String("door", e.Actor.Door), slog.String("remote", d.Address), slog.Int64("count", d.Count))
	return nil
}

// FlushRefusals notes how often somebody was refused of late and is to be called
// about once a minute; CloseRefusals is for the end.
func (a *Accounts) FlushRefusals(ctx context.Context) error { return a.refusals.Flush(ctx) }

// CloseRefusals notes what is left to be noted of refusals.
func (a *Accounts) CloseRefusals(ctx context.Context) error { return a.refusals.Close(ctx) }
