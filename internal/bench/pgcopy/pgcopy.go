// Package pgcopy is the limit on PostgreSQL: what psql's \copy does with the rows
// of our items, into a table of the same columns and indexes on the same server.
//
// What does not belong here: the import that is measured against it.
package pgcopy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Loader loads rows of the items of one database into a table of its own there.
type Loader struct {
	// URL is the database's and Dir a folder for files.
	URL, Dir string
}

// columns are those of the table of items, in its order.
const columns = `nid, ws, hash, import_no, row_no, version, created_no, created_at, updated_at, gtin, gtin_seq, kind, live_state, id, sku, slug, ref, doc, live`

// Load loads every item into a new table and returns how long that took.
func (l *Loader) Load(ctx context.Context) (time.Duration, error) {
	file, err := l.dump(ctx, "")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file)
	if _, err := l.psql(ctx, `DROP TABLE IF EXISTS loaded; CREATE TABLE loaded (LIKE item INCLUDING ALL);`); err != nil {
		return 0, err
	}
	took, err := l.psql(ctx, fmt.Sprintf(`\copy loaded (%s) from '%s'`, columns, file))
	if err != nil {
		return 0, err
	}
	return took, l.same(ctx)
}

// Upsert brings the items that the newest import wrote, or all where whole is set,
// into the table of a Load before, by way of a temporary one, and returns how long
// that took.
func (l *Loader) Upsert(ctx context.Context, whole bool) (time.Duration, error) {
	where := "WHERE import_no = (SELECT max(no) FROM import)"
	if whole {
		where = ""
	}
	file, err := l.dump(ctx, where)
	if err != nil {
		return 0, err
	}
	defer os.Remove(file)
	var set []string
	for _, c := range strings.Split(columns, ", ")[2:] {
		set = append(set, c+" = excluded."+c)
	}
	took, err := l.psql(ctx, "CREATE TEMP TABLE fresh (LIKE item);\n"+fmt.Sprintf(`\copy fresh (%s) from '%s'`, columns, file)+"\n"+
		fmt.Sprintf("INSERT INTO loaded (%s) SELECT %s FROM fresh ON CONFLICT (ws, nid) DO UPDATE SET %s;", columns, columns, strings.Join(set, ", ")))
	if err != nil {
		return 0, err
	}
	return took, l.same(ctx)
}

// Drop removes the table.
func (l *Loader) Drop(ctx context.Context) error {
	_, err := l.psql(ctx, "DROP TABLE IF EXISTS loaded;")
	return err
}

func (l *Loader) dump(ctx context.Context, where string) (string, error) {
	file := filepath.Join(l.Dir, "rows")
	_, err := l.psql(ctx, fmt.Sprintf(`\copy (SELECT %s FROM item %s ORDER BY nid) to '%s'`, columns, where, file))
	return file, err
}

// same checks that both tables hold the same: the two did the same work.
func (l *Loader) same(ctx context.Context) error {
	n, err := l.Number(ctx, `SELECT count(*) FROM item i FULL JOIN loaded l USING (ws, nid) WHERE (i.doc, i.version, i.hash, i.id) IS DISTINCT FROM (l.doc, l.version, l.hash, l.id)`)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d rows of the loader's table are not ours", n)
	}
	return err
}

// Number asks the database for one number.
func (l *Loader) Number(ctx context.Context, query string) (int64, error) {
	out, err := exec.CommandContext(ctx, "psql", "-X", "-q", "-At", "-c", query, l.URL).Output()
	if err != nil {
		return 0, fmt.Errorf("psql: %w", err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

// psql runs a script and returns how long it took.
func (l *Loader) psql(ctx context.Context, script string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", l.URL)
	cmd.Stdin = strings.NewReader(script)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("psql: %w\n%s", err, out)
	}
	return time.Since(began), nil
}
