package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// note adds what is done to the audit log, in the transaction in which it is done.
func (s *Service) note(ctx context.Context, tx store.Tx, action, object string, d audit.Detail) error {
	e, err := audit.Entry(ctx, s.now(), action, object, d)
	if err == nil {
		err = tx.AppendAudit(ctx, e)
	}
	if err != nil {
		return fmt.Errorf("note %s: %w", action, err)
	}
	return nil
}

// fileDetail is what is noted of a file and how it is to be imported.
func fileDetail(imp *store.Import, opt *Options) audit.Detail {
	d := audit.Detail{"source": imp.Source, "source_name": imp.SourceName, "size": imp.FileSize, "sha256": imp.SHA256,
		"plan": opt.Plan, "policy": string(opt.Policy), "missing": opt.Missing, "rails": opt.Rails.Any()}
	if imp.State != store.Refused {
		d["mode"] = imp.Mode.String()
	}
	if imp.Feed != imp.Source {
		d["feed"] = imp.Feed
	}
	return d
}

// planDetail is what is noted of a plan that is applied.
func planDetail(imp *store.Import, opt ApplyOptions) audit.Detail {
	return audit.Detail{"fingerprint": opt.Fingerprint, "confirm": opt.Confirm, "round": imp.Round, "rows": tallyDetail(&imp.Plan)}
}

// tallyDetail is rows by outcome, without those that there are none of.
func tallyDetail(t *catalog.Tally) map[string]int64 {
	d := make(map[string]int64)
	for name, n := range map[string]int64{"created": t.Created, "updated": t.Updated, "unchanged": t.Unchanged, "deleted": t.Deleted,
		"failed": t.Failed, "skipped": t.Skipped, "held": t.Held} {
		if n != 0 {
			d[name] = n
		}
	}
	return d
}

// movement is what is noted where an import is asked to go to a state.
var movement = map[store.State]string{store.Paused: audit.ImportPause, store.Terminated: audit.ImportTerminate}

// noteEdit notes what an edit's one row did to its item. header is that of the row:
// the names of the fields that it sets.
func (s *Service) noteEdit(ctx context.Context, tx store.Tx, imp *store.Import, item string, outcome catalog.Outcome, header []string) error {
	d := audit.Detail{"import": imp.ID, "outcome": outcome.String(), "fields": editedFields(header)}
	action := audit.ItemEdit
	if outcome == catalog.Deleted {
		action = audit.ItemDelete
	}
	return s.note(ctx, tx, action, item, d)
}

// maxEditedFields is how many fields an entry names.
const maxEditedFields = 50

// editedFields are the columns that set fields.
func editedFields(header []string) []string {
	fields := slices.DeleteFunc(slices.Clone(header), func(column string) bool {
		return column == columnID || strings.HasPrefix(column, "@")
	})
	return fields[:min(len(fields), maxEditedFields)]
}
