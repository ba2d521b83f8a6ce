package importer

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/jobs"
	"tallyman/internal/store"
)

// Refusal is the error of a file that cannot be imported and whose refusal is
// recorded: it is listed among the imports, in state refused, with its reason.
// A *catalog.Fault is found in it with errors.As.
type Refusal struct {
	// Import is the refused import as recorded.
	Import store.Import
	// Fault says why.
	Fault *catalog.Fault
}

// Error returns the fault's message.
func (r *Refusal) Error() string { return r.Fault.Error() }

// Unwrap returns the fault.
func (r *Refusal) Unwrap() error { return r.Fault }

// refuse records that an upload cannot be imported and lets its bytes go. It
// returns the *Refusal; where it cannot be recorded, the fault, which the sender
// must hear in any case, joined with why.
func (s *Service) refuse(ctx context.Context, ws store.Workspace, up *Upload, opt Options, f *catalog.Fault) error {
	now := s.now()
	imp := store.Import{ID: newImportID(now), State: store.Refused, Door: opt.Door, Source: opt.Source, Mode: opt.Mode,
		Format: opt.Format, SourceName: up.Name, FileSize: up.Size, SHA256: up.SHA256, Definition: []byte("{}"), Layout: []byte("{}"),
		FaultCode: f.Code, FaultMessage: f.Error(), CreatedBy: opt.CreatedBy, CreatedAt: now, CompletedAt: &now, UpdatedAt: now}
	// Its sender may be gone, which is no reason to forget what was sent.
	ctx = context.WithoutCancel(ctx)
	s.Discard(ctx, up)
	s.cfg.Observer.UploadRefused(ctx, f.Code)
	err := s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		if err := tx.InsertImport(ctx, &imp); err != nil {
			return err
		}
		d := fileDetail(&imp, &opt)
		d["code"] = f.Code
		return s.note(ctx, tx, audit.ImportRefuse, imp.ID, d)
	})
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "record refusal", jobs.LogImport, imp.ID, "code", f.Code, "error", err)
		return errors.Join(f, fmt.Errorf("record refusal: %w", err))
	}
	return &Refusal{Import: imp, Fault: f}
}
