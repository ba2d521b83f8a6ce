package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

const importColumns = `i.ws, i.no, i.id, i.state, i.door, i.source, i.mode, i.format, i.source_name,
	i.file_key, i.file_size, i.sha256, i.rows, i.sliced, i.small, i.fault_code, i.fault_message,
	i.created_by, i.created_at, i.started_at, i.completed_at, i.updated_at, i.version, i.definition, i.layout,
	i.round, i.pass, i.cut, i.fingerprint, i.feed, i.extra, i.undo_of, i.undone_by, i.duplicate_of, i.request_key,
	i.images_gone, i.outcomes_gone, i.options, i.findings, i.files_gone`

// planning fits what belongs to plans, as Pass.Planning says.
const planning = `(pass = 'plan' OR pass GLOB 'plan-*')`

// withTallies selects the imports that the query i names, each with the sum
// over the batches that count, with the sum over those of its round's plan, and
// with how far the pass at work is. Nothing of it is stored twice.
const withTallies = ` SELECT ` + importColumns + `, t.beat,
	coalesce(t.created, 0), coalesce(t.updated, 0), coalesce(t.unchanged, 0), coalesce(t.deleted, 0), coalesce(t.failed, 0),
	coalesce(t.skipped, 0), coalesce(t.held, 0), coalesce(t.errors, 0), coalesce(t.warnings, 0), coalesce(t.warned, 0),
	coalesce(p.created, 0), coalesce(p.updated, 0), coalesce(p.unchanged, 0), coalesce(p.deleted, 0), coalesce(p.failed, 0),
	coalesce(p.skipped, 0), coalesce(p.held, 0), coalesce(p.errors, 0), coalesce(p.warnings, 0), coalesce(p.warned, 0),
	coalesce(w.rows, 0), coalesce(w.done, 0)
FROM i LEFT JOIN (
	SELECT b.ws, b.import_no, max(b.beat) AS beat,
		sum(b.created)   FILTER (WHERE NOT ` + planning + `) AS created,
		sum(b.updated)   FILTER (WHERE NOT ` + planning + `) AS updated,
		sum(b.unchanged) FILTER (WHERE NOT ` + planning + `) AS unchanged,
		sum(b.deleted)   FILTER (WHERE NOT ` + planning + `) AS deleted,
		sum(b.failed)    FILTER (WHERE NOT ` + planning + `) AS failed,
		sum(b.skipped)   FILTER (WHERE NOT ` + planning + `) AS skipped,
		sum(b.held)      FILTER (WHERE NOT ` + planning + `) AS held,
		sum(b.errors)    FILTER (WHERE NOT ` + planning + `) AS errors,
		sum(b.warnings)  FILTER (WHERE NOT ` + planning + `) AS warnings,
		sum(b.warned)    FILTER (WHERE NOT ` + planning + `) AS warned
	FROM batch b WHERE (b.ws, b.import_no) IN (SELECT ws, no FROM i) GROUP BY b.ws, b.import_no
) t ON t.ws = i.ws AND t.import_no = i.no LEFT JOIN (
	SELECT b.ws, b.import_no,
		sum(b.created) AS created, sum(b.updated) AS updated, sum(b.unchanged) AS unchanged, sum(b.deleted) AS deleted, sum(b.failed) AS failed,
		sum(b.skipped) AS skipped, sum(b.held) AS held, sum(b.errors) AS errors, sum(b.warnings) AS warnings, sum(b.warned) AS warned
	FROM batch b WHERE (b.ws, b.import_no, b.pass) IN (SELECT ws, no, iif(round = 0, 'plan', 'plan-' || round) FROM i) GROUP BY b.ws, b.import_no
) p ON p.ws = i.ws AND p.import_no = i.no LEFT JOIN (
	SELECT b.ws, b.import_no, sum(b.rows) AS rows, sum(b.rows) FILTER (WHERE b.state = 'done') AS done
	FROM batch b WHERE (b.ws, b.import_no, b.pass) IN (SELECT ws, no, pass FROM i WHERE pass <> 'slice') GROUP BY b.ws, b.import_no
) w ON w.ws = i.ws AND w.import_no = i.no`

const (
	selectImport          = `WITH i AS (SELECT * FROM import WHERE ws = ? AND id = ?)` + withTallies
	selectImportNo        = `WITH i AS (SELECT * FROM import WHERE ws = ? AND no = ?)` + withTallies
	selectImportByRequest = `WITH i AS (SELECT * FROM import WHERE ws = ? AND request_key = ? AND request_key <> '')` + withTallies
	lockImportNo          = `SELECT ` + importColumns + ` FROM import i WHERE i.ws = ? AND i.no = ?`
	lockImportID          = `SELECT ` + importColumns + ` FROM import i WHERE i.ws = ? AND i.id = ?`
	insertImportQuery     = `INSERT INTO import (ws, no, id, state, door, source, mode, format, source_name,
	file_key, file_size, sha256, rows, sliced, small, fault_code, fault_message,
	created_by, created_at, started_at, completed_at, updated_at, version, definition, layout,
	round, pass, cut, fingerprint, feed, extra, undo_of, undone_by, duplicate_of, request_key,
	images_gone, outcomes_gone, options, findings, files_gone)
VALUES (?1, (SELECT coalesce(max(no), 0) + 1 FROM import WHERE ws = ?1),
	?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
	?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING no`
	updateImportQuery = `UPDATE import SET state = ?, format = ?, layout = ?, definition = ?, rows = ?, sliced = ?, small = ?,
	round = ?, pass = ?, cut = ?, fingerprint = ?, findings = ?, extra = ?, undone_by = ?, images_gone = ?, outcomes_gone = ?, files_gone = ?,
	fault_code = ?, fault_message = ?, started_at = ?, completed_at = ?, updated_at = ?, version = version + 1
WHERE ws = ? AND no = ? RETURNING version`
)

// selectImports lists the imports that a condition leaves; countImports counts them.
func selectImports(where string) string {
	return `WITH i AS (SELECT * FROM import` + where + ` ORDER BY no DESC LIMIT ? OFFSET ?)` + withTallies + ` ORDER BY i.no DESC`
}

func countImports(where string) string { return `SELECT count(*) FROM import` + where }

// importWhere is the condition of a filter. What it does not narrow is left
// out, so that the indexes serve what it does.
func importWhere(ws store.WS, f store.ImportFilter) (string, []any) {
	where, args := " WHERE ws = ?", []any{ws}
	for _, c := range []struct{ term, value string }{
		{"state = ?", string(f.State)}, {"source = ?", f.Source}, {"door = ?", f.Door}, {"feed = ?", f.Feed},
		{"sha256 = ?", f.SHA256}, {"undo_of <> '' AND undo_of = ?", f.UndoOf},
	} {
		if c.value != "" {
			where, args = where+" AND "+c.term, append(args, c.value)
		}
	}
	return where, args
}

// importRow is an import between its columns and itself.
type importRow struct {
	imp                      *store.Import
	mode                     int64
	created, updated         int64
	started, completed, beat sql.NullInt64
}

func (r *importRow) own() []any {
	i := r.imp
	return []any{&i.WS, &i.No, &i.ID, &i.State, &i.Door, &i.Source, &r.mode, &i.Format, &i.SourceName,
		&i.FileKey, &i.FileSize, &i.SHA256, &i.Rows, &i.Sliced, &i.Small, &i.FaultCode, &i.FaultMessage,
		&i.CreatedBy, &r.created, &r.started, &r.completed, &r.updated, &i.Version, &i.Definition, &i.Layout,
		&i.Round, &i.Pass, &i.Cut, &i.Fingerprint, &i.Feed, &i.Extra, &i.UndoOf, &i.UndoneBy, &i.DuplicateOf, &i.RequestKey,
		&i.ImagesGone, &i.OutcomesGone, &i.Options, &i.Findings, &i.FilesGone}
}

func (r *importRow) finish() {
	r.imp.Mode = catalog.Mode(r.mode)
	r.imp.CreatedAt, r.imp.UpdatedAt = fromMillis(r.created), fromMillis(r.updated)
	r.imp.StartedAt, r.imp.CompletedAt, r.imp.Beat = fromNull(r.started), fromNull(r.completed), fromNull(r.beat)
}

// scanImport reads an import's own record.
func scanImport(s scanner) (store.Import, error) {
	var imp store.Import
	r := importRow{imp: &imp}
	err := s.Scan(r.own()...)
	r.finish()
	return imp, err
}

// scanImportTallies reads an import with what its batches say.
func scanImportTallies(s scanner) (store.Import, error) {
	var imp store.Import
	r := importRow{imp: &imp}
	dest := append(append(r.own(), &r.beat), tallyDest(&imp.Tally)...)
	err := s.Scan(append(append(dest, tallyDest(&imp.Plan)...), &imp.PassRows, &imp.PassDone)...)
	r.finish()
	return imp, err
}

// tallyDest and tallyArgs list a tally's counts in the order of the columns.
func tallyDest(t *catalog.Tally) []any {
	return []any{&t.Created, &t.Updated, &t.Unchanged, &t.Deleted, &t.Failed, &t.Skipped, &t.Held, &t.Errors, &t.Warnings, &t.Warned}
}

func tallyArgs(t *catalog.Tally) []any {
	return []any{t.Created, t.Updated, t.Unchanged, t.Deleted, t.Failed, t.Skipped, t.Held, t.Errors, t.Warnings, t.Warned}
}

// Import implements store.Store.
func (r reader) Import(ctx context.Context, ws store.WS, id string) (store.Import, error) {
	return r.oneImport(ctx, "import", selectImport, ws, id)
}

// ImportNo implements store.Store.
func (r reader) ImportNo(ctx context.Context, ws store.WS, no int64) (store.Import, error) {
	return r.oneImport(ctx, "import by number", selectImportNo, ws, no)
}

// ImportByRequest implements store.Store.
func (r reader) ImportByRequest(ctx context.Context, ws store.WS, requestKey string) (store.Import, error) {
	return r.oneImport(ctx, "import by request", selectImportByRequest, ws, requestKey)
}

func (r reader) oneImport(ctx context.Context, op, query string, ws store.WS, key any) (store.Import, error) {
	imp, err := scanImportTallies(r.q.QueryRowContext(ctx, query, ws, key))
	return imp, wrap(op, interpret(err, nil))
}

// Imports implements store.Store.
func (r reader) Imports(ctx context.Context, ws store.WS, f store.ImportFilter, rg store.Range) (list []store.Import, n int, err error) {
	where, args := importWhere(ws, f)
	err = r.atOneMoment(ctx, func(still reader) error {
		if err := still.q.QueryRowContext(ctx, countImports(where), args...).Scan(&n); err != nil {
			return err
		}
		list, err = collect(ctx, still.q, scanImportTallies, selectImports(where), append(args, limit(rg), rg.Offset)...)
		return err
	})
	return list, n, wrap("list imports", err)
}

// LockImport implements store.Tx. The transaction is the only one that writes,
// so reading is locking.
func (t *tx) LockImport(ctx context.Context, importNo int64) (store.Import, error) {
	return t.lockImport(ctx, lockImportNo, importNo)
}

// LockImportID implements store.Tx.
func (t *tx) LockImportID(ctx context.Context, id string) (store.Import, error) {
	return t.lockImport(ctx, lockImportID, id)
}

func (t *tx) lockImport(ctx context.Context, query string, key any) (store.Import, error) {
	if err := t.usable(ctx); err != nil {
		return store.Import{}, fmt.Errorf("lock import: %w", err)
	}
	imp, err := scanImport(t.sql.QueryRowContext(context.WithoutCancel(ctx), query, t.ws, key))
	return imp, t.judge("lock import", interpret(err, nil))
}

// InsertImport implements store.Tx.
func (t *tx) InsertImport(ctx context.Context, imp *store.Import) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("insert import: %w", err)
	}
	row := t.sql.QueryRowContext(context.WithoutCancel(ctx), insertImportQuery,
		t.ws, imp.ID, imp.State, imp.Door, imp.Source, int64(imp.Mode), imp.Format, imp.SourceName,
		imp.FileKey, imp.FileSize, imp.SHA256, imp.Rows, imp.Sliced, imp.Small, imp.FaultCode, imp.FaultMessage,
		imp.CreatedBy, millis(imp.CreatedAt), millisOrNull(imp.StartedAt), millisOrNull(imp.CompletedAt),
		millis(imp.UpdatedAt), imp.Version, imp.Definition, imp.Layout,
		imp.Round, imp.Pass, imp.Cut, imp.Fingerprint, imp.Feed, imp.Extra, imp.UndoOf, imp.UndoneBy, imp.DuplicateOf, imp.RequestKey,
		imp.ImagesGone, imp.OutcomesGone, imp.Options, imp.Findings, imp.FilesGone)
	var no int64
	if err := row.Scan(&no); err != nil {
		return t.judge("insert import", interpret(err, store.ErrExists))
	}
	imp.WS, imp.No = t.ws, no
	return nil
}

// UpdateImport implements store.Tx.
func (t *tx) UpdateImport(ctx context.Context, imp *store.Import) error {
	if err := t.usable(ctx); err != nil {
		return fmt.Errorf("update import: %w", err)
	}
	row := t.sql.QueryRowContext(context.WithoutCancel(ctx), updateImportQuery,
		imp.State, imp.Format, imp.Layout, imp.Definition, imp.Rows, imp.Sliced, imp.Small,
		imp.Round, imp.Pass, imp.Cut, imp.Fingerprint, imp.Findings, imp.Extra, imp.UndoneBy, imp.ImagesGone, imp.OutcomesGone, imp.FilesGone,
		imp.FaultCode, imp.FaultMessage, millisOrNull(imp.StartedAt), millisOrNull(imp.CompletedAt), millis(imp.UpdatedAt),
		t.ws, imp.No)
	var version int64
	if err := row.Scan(&version); err != nil {
		return t.judge("update import", interpret(err, nil))
	}
	imp.Version = version
	return nil
}
