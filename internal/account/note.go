package account

import (
	"context"
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

// refused notes a refusal. One of a workspace that there is not stands in the log
// of the workspace that every database has. That it cannot be noted is no reason
// to let somebody in, nor to say anything else.
func (a *Accounts) refused(ctx context.Context, r audit.Refusal) {
	ctx = context.WithoutCancel(ctx)
	if r.WS == 0 {
		ws, err := a.store.Workspace(ctx, store.DefaultWorkspace)
		if err != nil {
			a.log.Warn("note refusal", slog.Any("error", err))
			return
		}
		r.WS = ws.WS
	}
	if err := a.refusals.Note(ctx, r); err != nil {
		a.log.Warn("note refusal", slog.Any("error", err))
	}
}

// FlushRefusals notes how often somebody was refused of late and is to be called
// about once a minute; CloseRefusals is for the end.
func (a *Accounts) FlushRefusals(ctx context.Context) error { return a.refusals.Flush(ctx) }

// CloseRefusals notes what is left to be noted of refusals.
func (a *Accounts) CloseRefusals(ctx context.Context) error { return a.refusals.Close(ctx) }
