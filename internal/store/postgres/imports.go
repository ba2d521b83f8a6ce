package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

const importColumns = `i.ws, i.no, i.id, i.state, i.door, i.source, i.mode, i.format, i.source_name,
	i.file_key, i.file_size, i.sha256, i.rows, i.sliced, i.small, i.fault_code, i.fault_message,
	i.created_by, i.created_at, i.started_at, i.completed_at, i.updated_at, i.version, i.definition, i.layout,
	i.round, i.pass, i.cut, i.fingerprint, i.feed, i.extra, i.undo_of, i.undone_by, i.duplicate_of, i.request_key,
	i.images_gone, i.outcomes_gone, i.options, i.findings, i.files_gone`

// planning fits what belongs to plans, as Pass.Planning says.
const planning = `(pass = 'plan' OR pass LIKE 'plan-%')`

// sums are the sums of batches' counts, in the order of tallyDest.
func sums(filter string) (list string) {
	for i, count := range []string{"created", "updated", "unchanged", "deleted", "failed", "skipped", "held", "errors", "warnings", "warned"} {
		if i > 0 {
			list += ", "
		}
		list += "coalesce(sum(" + count + ")" + filter + ", 0)::bigint AS " + count
	}
	return list
}

const tallyColumns = `created, %[1]s.updated, %[1]s.unchanged, %[1]s.deleted, %[1]s.failed, %[1]s.skipped, %[1]s.held, %[1]s.errors, %[1]s.warnings, %[1]s.warned`

func talliesOf(table string) string { return table + "." + fmt.Sprintf(tallyColumns, table) }

// withTallies selects the imports that the query i names, each with the sum
// over the batches that count, with the sum over those of its round's plan, and
// with how far the pass at work is. Nothing of it is stored twice.
var withTallies = ` SELECT ` + importColumns + `, t.beat, ` + talliesOf("t") + `, ` + talliesOf("p") + `, w.rows, w.done
FROM i CROSS JOIN LATERAL (
	SELECT max(beat) AS beat, ` + sums(` FILTER (WHERE NOT `+planning+`)`) + ` FROM batch WHERE ws = i.ws AND import_no = i.no
) t CROSS JOIN LATERAL (
	SELECT ` + sums(``) + ` FROM batch WHERE ws = i.ws AND import_no = i.no AND pass = CASE i.round WHEN 0 THEN 'plan' ELSE 'plan-' || i.round END
) p CROSS JOIN LATERAL (
	SELECT coalesce(sum(rows), 0)::bigint AS rows, coalesce(sum(rows) FILTER (WHERE state = 'done'), 0)::bigint AS done
	FROM batch WHERE ws = i.ws AND import_no = i.no AND pass = i.pass AND i.pass <> 'slice'
) w`

var (
	selectImport          = `WITH i AS (SELECT * FROM import WHERE ws = $1 AND id = $2)` + withTallies
	selectImportNo        = `WITH i AS (SELECT * FROM import WHERE ws = $1 AND no = $2)` + withTallies
	selectImportByRequest = `WITH i AS (SELECT * FROM import WHERE ws = $1 AND request_key = $2 AND request_key <> '')` + withTallies
)

const (
	lockImportNo = `SELECT ` + importColumns + ` FROM import i WHERE i.ws = $1 AND i.no = $2 FOR UPDATE`
	lockImportID = `SELECT ` + importColumns + ` FROM import i WHERE i.ws = $1 AND i.id = $2 FOR UPDATE`

	// nextImportNo counts on. Its row is locked until the transaction ends, so that
	// imports are seen in the order of their numbers.
	nextImportNo = `INSERT INTO import_counter AS c (ws, last) VALUES ($1, 1) ON CONFLICT (ws) DO UPDATE SET last = c.last + 1 RETURNING last`

	insertImportQuery = `INSERT INTO import (ws, no, id, state, door, source, mode, format, source_name,
	file_key, file_size, sha256, rows, sliced, small, fault_code, fault_message,
	created_by, created_at, started_at, completed_at, updated_at, version, definition, layout,
	round, pass, cut, fingerprint, feed, extra, undo_of, undone_by, duplicate_of, request_key,
	images_gone, outcomes_gone, options, findings, files_gone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
	$21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40)
ON CONFLICT DO NOTHING`

	updateImportQuery = `UPDATE import SET state = $1, format = $2, layout = $3, definition = $4, rows = $5, sliced = $6, small = $7,
	round = $8, pass = $9, cut = $10, fingerprint = $11, findings = $12, extra = $13, undone_by = $14, images_gone = $15, outcomes_gone = $16, files_gone = $17,
	fault_code = $18, fault_message = $19, started_at = $20, completed_at = $21, updated_at = $22, version = version + 1
WHERE ws = $23 AND no = $24 RETURNING version`
)

// importWhere is the condition of a filter. What it does not narrow is left
// out, so that the indexes serve what it does.
func importWhere(ws store.WS, f store.ImportFilter) *where {
	w := &where{}
	w.add("ws = " + w.arg(ws))
	for _, c := range []struct{ term, value string }{
		{"state = ", string(f.State)}, {"source = ", f.Source}, {"door = ", f.Door}, {"feed = ", f.Feed},
		{"sha256 = ", f.SHA256}, {"undo_of <> '' AND undo_of = ", f.UndoOf},
	} {
		if c.value != "" {
			w.add(c.term + w.arg(free(c.value)))
		}
	}
	return w
}

// importRow is an import between its columns and itself.
type importRow struct {
	imp                      *store.Import
	mode                     int16
	created, updated         int64
	started, completed, beat *int64
}

func (r *importRow) own() []any {
	i := r.imp
	return []any{&i.WS, &i.No, &i.ID, &i.State, &i.Door, (*free)(&i.Source), &r.mode, &i.Format, (*free)(&i.SourceName),
		(*free)(&i.FileKey), &i.FileSize, &i.SHA256, &i.Rows, &i.Sliced, &i.Small, &i.FaultCode, (*free)(&i.FaultMessage),
		(*free)(&i.CreatedBy), &r.created, &r.started, &r.completed, &r.updated, &i.Version, &i.Definition, &i.Layout,
		&i.Round, &i.Pass, &i.Cut, &i.Fingerprint, (*free)(&i.Feed), &i.Extra, &i.UndoOf, &i.UndoneBy, &i.DuplicateOf, (*free)(&i.RequestKey),
		&i.ImagesGone, &i.OutcomesGone, &i.Options, &i.Findings, &i.FilesGone}
}

func (r *importRow) finish() {
	r.imp.Mode = catalog.Mode(r.mode)
	r.imp.CreatedAt, r.imp.UpdatedAt = fromMillis(r.created), fromMillis(r.updated)
	r.imp.StartedAt, r.imp.CompletedAt, r.imp.Beat = fromNull(r.started), fromNull(r.completed), fromNull(r.beat)
}

// scanImport reads an import's own record.
func scanImport(s pgx.Row) (store.Import, error) {
	var imp store.Import
	r := importRow{imp: &imp}
	err := s.Scan(r.own()...)
	r.finish()
	return imp, err
}

// scanImportTallies reads an import with what its batches say.
func scanImportTallies(s pgx.Row) (store.Import, error) {
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
	imp, err := one(ctx, r.q, scanImportTallies, selectImport, ws, free(id))
	return imp, wrap("import", err)
}

// ImportNo implements store.Store.
func (r reader) ImportNo(ctx context.Context, ws store.WS, no int64) (store.Import, error) {
	imp, err := one(ctx, r.q, scanImportTallies, selectImportNo, ws, no)
	return imp, wrap("import by number", err)
}

// ImportByRequest implements store.Store.
func (r reader) ImportByRequest(ctx context.Context, ws store.WS, requestKey string) (store.Import, error) {
	imp, err := one(ctx, r.q, scanImportTallies, selectImportByRequest, ws, free(requestKey))
	return imp, wrap("import by request", err)
}

// Imports implements store.Store.
func (r reader) Imports(ctx context.Context, ws store.WS, f store.ImportFilter, rg store.Range) (list []store.Import, n int, err error) {
	w := importWhere(ws, f)
	count := `SELECT count(*) FROM import` + w.text()
	counted := w.args
	query := `WITH i AS (SELECT * FROM import` + w.text() + ` ORDER BY no DESC LIMIT ` + w.arg(limit(rg)) + ` OFFSET ` + w.arg(rg.Offset) + `)` + withTallies + ` ORDER BY i.no DESC`
	err = r.atOneMoment(ctx, beginStill, func(still reader) error {
		if err := still.q.QueryRow(ctx, count, counted...).Scan(&n); err != nil {
			return interpret(ctx, err, nil)
		}
		list, err = collect(ctx, still.q, scanImportTallies, query, w.args...)
		return err
	})
	return list, n, wrap("list imports", err)
}

// LockImport implements store.Tx.
func (t *tx) LockImport(ctx context.Context, importNo int64) (store.Import, error) {
	return stepOne(ctx, t, "lock import", scanImport, lockImportNo, t.ws, importNo)
}

// LockImportID implements store.Tx.
func (t *tx) LockImportID(ctx context.Context, id string) (store.Import, error) {
	return stepOne(ctx, t, "lock import", scanImport, lockImportID, t.ws, free(id))
}

// InsertImport implements store.Tx.
func (t *tx) InsertImport(ctx context.Context, imp *store.Import) error {
	no, err := stepOne(ctx, t, "number import", scanInt64, nextImportNo, t.ws)
	if err != nil {
		return err
	}
	err = t.execOne(ctx, "insert import", store.ErrExists, insertImportQuery,
		t.ws, no, imp.ID, imp.State, imp.Door, free(imp.Source), int16(imp.Mode), imp.Format, free(imp.SourceName),
		free(imp.FileKey), imp.FileSize, imp.SHA256, imp.Rows, imp.Sliced, imp.Small, imp.FaultCode, free(imp.FaultMessage),
		free(imp.CreatedBy), millis(imp.CreatedAt), millisOrNull(imp.StartedAt), millisOrNull(imp.CompletedAt),
		millis(imp.UpdatedAt), imp.Version, imp.Definition, imp.Layout,
		imp.Round, imp.Pass, imp.Cut, imp.Fingerprint, free(imp.Feed), imp.Extra, imp.UndoOf, imp.UndoneBy, imp.DuplicateOf, free(imp.RequestKey),
		imp.ImagesGone, imp.OutcomesGone, imp.Options, imp.Findings, imp.FilesGone)
	if err == nil {
		imp.WS, imp.No = t.ws, no
	}
	return err
}

func scanInt64(s pgx.Row) (n int64, err error) {
	err = s.Scan(&n)
	return n, err
}

// UpdateImport implements store.Tx.
func (t *tx) UpdateImport(ctx context.Context, imp *store.Import) error {
	version, err := stepOne(ctx, t, "update import", scanInt64, updateImportQuery,
		imp.State, imp.Format, imp.Layout, imp.Definition, imp.Rows, imp.Sliced, imp.Small,
		imp.Round, imp.Pass, imp.Cut, imp.Fingerprint, imp.Findings, imp.Extra, imp.UndoneBy, imp.ImagesGone, imp.OutcomesGone, imp.FilesGone,
		imp.FaultCode, free(imp.FaultMessage), millisOrNull(imp.StartedAt), millisOrNull(imp.CompletedAt), millis(imp.UpdatedAt),
		t.ws, imp.No)
	if err == nil {
		imp.Version = version
	}
	return err
}
