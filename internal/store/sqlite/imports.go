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
	i.created_by, i.created_at, i.started_at, i.completed_at, i.updated_at, i.version, i.definition, i.layout`

// withTally selects the imports that the query i names, newest first, each
// with the sum over its batches. The tally is never stored twice.
const withTally = ` SELECT ` + importColumns + `, t.beat,
	coalesce(t.created, 0), coalesce(t.updated, 0), coalesce(t.unchanged, 0), coalesce(t.deleted, 0), coalesce(t.failed, 0),
	coalesce(t.skipped, 0), coalesce(t.held, 0), coalesce(t.errors, 0), coalesce(t.warnings, 0), coalesce(t.warned, 0)
FROM i LEFT JOIN (
	SELECT b.ws, b.import_no, max(b.beat) AS beat,
		sum(b.created)   FILTER (WHERE b.pass <> 'plan') AS created,
		sum(b.updated)   FILTER (WHERE b.pass <> 'plan') AS updated,
		sum(b.unchanged) FILTER (WHERE b.pass <> 'plan') AS unchanged,
		sum(b.deleted)   FILTER (WHERE b.pass <> 'plan') AS deleted,
		sum(b.failed)    FILTER (WHERE b.pass <> 'plan') AS failed,
		sum(b.skipped)   FILTER (WHERE b.pass <> 'plan') AS skipped,
		sum(b.held)      FILTER (WHERE b.pass <> 'plan') AS held,
		sum(b.errors)    FILTER (WHERE b.pass <> 'plan') AS errors,
		sum(b.warnings)  FILTER (WHERE b.pass <> 'plan') AS warnings,
		sum(b.warned)    FILTER (WHERE b.pass <> 'plan') AS warned
	FROM batch b WHERE (b.ws, b.import_no) IN (SELECT ws, no FROM i) GROUP BY b.ws, b.import_no
) t ON t.ws = i.ws AND t.import_no = i.no
ORDER BY i.no DESC`

// importFilter fits the imports of workspace ?1 that an ImportFilter leaves.
const importFilter = ` FROM import WHERE ws = ?1 AND (?2 = '' OR state = ?2) AND (?3 = '' OR source = ?3) AND (?4 = '' OR door = ?4)`

const (
	selectImport      = `WITH i AS (SELECT * FROM import WHERE ws = ? AND id = ?)` + withTally
	selectImports     = `WITH i AS (SELECT *` + importFilter + ` ORDER BY no DESC LIMIT ?5 OFFSET ?6)` + withTally
	countImports      = `SELECT count(*)` + importFilter
	selectImportNo    = `SELECT ` + importColumns + ` FROM import i WHERE i.ws = ? AND i.no = ?`
	selectImportByID  = `SELECT ` + importColumns + ` FROM import i WHERE i.ws = ? AND i.id = ?`
	insertImportQuery = `INSERT INTO import (ws, no, id, state, door, source, mode, format, source_name,
	file_key, file_size, sha256, rows, sliced, small, fault_code, fault_message,
	created_by, created_at, started_at, completed_at, updated_at, version, definition, layout)
VALUES (?1, (SELECT coalesce(max(no), 0) + 1 FROM import WHERE ws = ?1),
	?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING no`
	updateImportQuery = `UPDATE import SET state = ?, format = ?, layout = ?, definition = ?, rows = ?, sliced = ?, small = ?,
	fault_code = ?, fault_message = ?, started_at = ?, completed_at = ?, updated_at = ?, version = version + 1
WHERE ws = ? AND no = ? RETURNING version`
)

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
		&i.CreatedBy, &r.created, &r.started, &r.completed, &r.updated, &i.Version, &i.Definition, &i.Layout}
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

// scanImportTally reads an import with what its batches say.
func scanImportTally(s scanner) (store.Import, error) {
	var imp store.Import
	r := importRow{imp: &imp}
	err := s.Scan(append(append(r.own(), &r.beat), tallyDest(&imp.Tally)...)...)
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
	imp, err := scanImportTally(r.q.QueryRowContext(ctx, selectImport, ws, id))
	return imp, wrap("import", interpret(err, nil))
}

// Imports implements store.Store.
func (r reader) Imports(ctx context.Context, ws store.WS, f store.ImportFilter, rg store.Range) (list []store.Import, n int, err error) {
	err = r.atOneMoment(ctx, func(still reader) error {
		filter := []any{ws, f.State, f.Source, f.Door}
		if err := still.q.QueryRowContext(ctx, countImports, filter...).Scan(&n); err != nil {
			return err
		}
		list, err = collect(ctx, still.q, scanImportTally, selectImports, append(filter, limit(rg), rg.Offset)...)
		return err
	})
	return list, n, wrap("list imports", err)
}

// LockImport implements store.Tx. The transaction is the only one that writes,
// so reading is locking.
func (t *tx) LockImport(ctx context.Context, importNo int64) (store.Import, error) {
	return t.lockImport(ctx, selectImportNo, importNo)
}

// LockImportID implements store.Tx.
func (t *tx) LockImportID(ctx context.Context, id string) (store.Import, error) {
	return t.lockImport(ctx, selectImportByID, id)
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
		millis(imp.UpdatedAt), imp.Version, imp.Definition, imp.Layout)
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
		imp.FaultCode, imp.FaultMessage, millisOrNull(imp.StartedAt), millisOrNull(imp.CompletedAt), millis(imp.UpdatedAt),
		t.ws, imp.No)
	var version int64
	if err := row.Scan(&version); err != nil {
		return t.judge("update import", interpret(err, nil))
	}
	imp.Version = version
	return nil
}
