package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"tallyman/internal/bench/program"
)

// loader is the limit: a database of its own, with nothing in it but a table
// like our items, into which the sqlite3 shell loads the rows that our import
// ended with.
type loader struct {
	database string
	rows     string // the file it loads
	columns  []string
	free     []string // columns that stand in no index
}

// durability is what the program's own writes have between synced moments.
const durability = "PRAGMA journal_mode = WAL;\nPRAGMA synchronous = NORMAL;\n"

// load makes the table and loads every row of the catalog into it.
func (l *loader) load(ctx context.Context, c *program.Program) (time.Duration, error) {
	if err := l.makeTable(ctx, c); err != nil {
		return 0, err
	}
	if err := l.dump(ctx, c, ""); err != nil {
		return 0, err
	}
	defer os.Remove(l.rows)
	u, err := program.Shell(ctx, l.database, durability+fmt.Sprintf(".mode csv\n.import '%s' item\n", l.rows))
	if err != nil {
		return 0, err
	}
	return u.Wall, l.same(ctx, c)
}

// upsert loads the rows that the catalog's last import wrote, or with all set
// those that it was about (all of them: a feed names every product), by way of
// a temporary table.
func (l *loader) upsert(ctx context.Context, c *program.Program, all bool) (time.Duration, error) {
	where := "WHERE import_no = (SELECT max(no) FROM import)"
	if all {
		where = ""
	}
	if err := l.dump(ctx, c, where); err != nil {
		return 0, err
	}
	defer os.Remove(l.rows)
	var set []string
	for _, name := range l.free {
		set = append(set, name+" = excluded."+name)
	}
	// The key of the row is the table's own affair, so it is left out; any other
	// conflict is with the row that is to be updated.
	names := strings.Join(l.columns[1:], ", ")
	u, err := program.Shell(ctx, l.database, durability+fmt.Sprintf(`CREATE TEMP TABLE fresh AS SELECT * FROM item WHERE false;
.mode csv
.import '%s' fresh
INSERT INTO item (%s) SELECT %s FROM fresh WHERE true ON CONFLICT DO UPDATE SET %s;
`, l.rows, names, names, strings.Join(set, ", ")))
	if err != nil {
		return 0, err
	}
	return u.Wall, l.same(ctx, c)
}

// dump writes our items, in the order in which they lie in the table.
func (l *loader) dump(ctx context.Context, c *program.Program, where string) error {
	_, err := program.Shell(ctx, c.Embedded(), fmt.Sprintf(".mode csv\n.output '%s'\nSELECT * FROM item %s ORDER BY nid;\n", l.rows, where))
	return err
}

// makeTable gives the loader's database our items' table and its indexes.
//
// A CSV file has no NULL: the shell reads an empty cell as an empty text. So
// indexes that leave out NULLs leave out empty texts here, and hold the same
// rows.
func (l *loader) makeTable(ctx context.Context, c *program.Program) error {
	u, err := program.Shell(ctx, c.Embedded(), "SELECT sql || ';' FROM sqlite_master WHERE tbl_name = 'item' AND sql IS NOT NULL ORDER BY type DESC, name;\n")
	if err != nil {
		return err
	}
	schema, indexes, ok := strings.Cut(string(u.Stdout), "CREATE UNIQUE INDEX")
	if !ok {
		return fmt.Errorf("the item table has no unique index:\n%s", u.Stdout)
	}
	indexes = strings.ReplaceAll("CREATE UNIQUE INDEX"+indexes, "IS NOT NULL", "<> ''")
	if _, err := program.Shell(ctx, l.database, durability+schema+indexes); err != nil {
		return err
	}
	l.columns, err = l.list(ctx, "SELECT name FROM pragma_table_info('item');")
	if err != nil {
		return err
	}
	l.free, err = l.list(ctx, `SELECT name FROM pragma_table_info('item') WHERE pk = 0 AND name NOT IN
  (SELECT i.name FROM pragma_index_list('item') l, pragma_index_info(l.name) i);`)
	return err
}

func (l *loader) list(ctx context.Context, query string) ([]string, error) {
	u, err := program.Shell(ctx, l.database, query)
	return strings.Fields(string(u.Stdout)), err
}

// same checks that the loader's table and ours hold the same documents: the two
// did the same work.
func (l *loader) same(ctx context.Context, c *program.Program) error {
	const query = "SELECT count(*), sum(length(CAST(doc AS BLOB))), sum(version), sum(hash % 1000003) FROM item;"
	ours, err := program.Shell(ctx, c.Embedded(), query)
	if err != nil {
		return err
	}
	theirs, err := program.Shell(ctx, l.database, query)
	if err != nil {
		return err
	}
	if !bytes.Equal(ours.Stdout, theirs.Stdout) {
		return fmt.Errorf("the loader's table differs from ours: %s and %s", bytes.TrimSpace(theirs.Stdout), bytes.TrimSpace(ours.Stdout))
	}
	return nil
}
