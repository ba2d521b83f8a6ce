package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tallyman/internal/jobs/postgresjobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/sqlite"
)

// migrateCommand brings the tables of the database up to date.
type migrateCommand struct {
	Check bool `help:"Change nothing; exit code 2 if there is something to do."`
	JSON  bool `name:"json" help:"Print the versions as JSON."`
	base
}

// Help is the part of the help text that flags cannot say.
func (migrateCommand) Help() string {
	return `Every node does this by itself when it starts, one node at a time. With a command of its own it can be done at another moment than the start, or by somebody who may change tables where nodes may not. Nodes of the version before go on working unless the release notes say otherwise. Exit codes: 0 up to date; 2 with --check: something is to be done; 1 anything else.`
}

// tables are some tables of the database: of which version they are, 0 for none,
// and which one this program has.
type tables struct {
	Name string `json:"tables"`
	Have int64  `json:"have"`
	Know int64  `json:"know"`
}

// words say how the tables stand.
func (t tables) words() string {
	switch {
	case t.Have == t.Know:
		return "up to date"
	case t.Have > t.Know:
		return "of a newer program"
	case t.Have == 0:
		return "to be made"
	}
	return "to be brought up to date"
}

// Run brings the tables up to date, or says what there is to do.
func (c *migrateCommand) Run(ctx context.Context, p *program) error {
	set, err := c.at().settings(p)
	if err != nil {
		return err
	}
	if err := set.mustExist(); err != nil {
		return err
	}
	before, err := set.tables(ctx)
	if err != nil {
		return err
	}
	if c.Check {
		return c.check(p, before)
	}
	if behind(before) {
		if err := set.migrate(ctx, p); err != nil {
			return err
		}
	}
	after, err := set.tables(ctx)
	if err != nil {
		return err
	}
	return c.print(p, before, after)
}

func (c *migrateCommand) check(p *program, now []tables) error {
	if err := c.print(p, now, now); err != nil {
		return err
	}
	if behind(now) {
		return &exit{code: exitErrors}
	}
	return nil
}

// behind reports whether there is something to bring up to date.
func behind(all []tables) bool {
	return slices.ContainsFunc(all, func(t tables) bool { return t.Have < t.Know })
}

// migrate brings the tables up to date, which is to open a node. A folder's own
// database has one program that works on it, and that goes by its tables: nobody
// brings them forward under it.
func (s *settings) migrate(ctx context.Context, p *program) error {
	if s.config.Shared() {
		n, err := openNode(ctx, p, s, store.MigrateAlways)
		if err != nil {
			return err
		}
		return n.close()
	}
	n, err := openOwner(ctx, p, s, "migrate")
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w: %s; end that first", err, s.inUse())
	}
	if err != nil {
		return err
	}
	return n.close()
}

// migrated are tables as --json shows them.
type migrated struct {
	tables
	From int64 `json:"from"`
}

func (c *migrateCommand) print(p *program, before, after []tables) error {
	objects, rows := make([]migrated, len(after)), make([][]string, len(after))
	for i, t := range after {
		objects[i] = migrated{tables: t, From: before[i].Have}
		words := t.words()
		if before[i].Have != t.Have {
			words = fmt.Sprintf("brought from version %d to %d", before[i].Have, t.Have)
		}
		rows[i] = []string{t.Name, fmt.Sprint(t.Have), fmt.Sprint(t.Know), words}
	}
	if c.JSON {
		return printJSON(p.stdout, objects)
	}
	return table(p.stdout, []string{"TABLES", "VERSION", "NEWEST KNOWN", ""}, rows)
}

// tables asks the database for its versions and changes nothing.
func (s *settings) tables(ctx context.Context) ([]tables, error) {
	all := []tables{{Name: "catalog"}, {Name: "jobs"}}
	ask := s.askSQLite
	if s.config.Shared() {
		ask = s.askPostgres
	}
	return all, ask(ctx, &all[0], &all[1])
}

func (s *settings) askSQLite(ctx context.Context, catalog, jobs *tables) error {
	db, err := sqlite.Look(s.folder.database())
	if err != nil {
		return err
	}
	catalog.Have, catalog.Know, err = sqlite.Versions(ctx, db)
	if err == nil {
		jobs.Have, jobs.Know, err = sqlitejobs.Versions(ctx, db)
	}
	return errors.Join(err, db.Close())
}

func (s *settings) askPostgres(ctx context.Context, catalog, jobs *tables) error {
	pool, err := postgres.Look(ctx, s.config.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	catalog.Have, catalog.Know, err = postgres.Versions(ctx, pool)
	if err == nil {
		jobs.Have, jobs.Know, err = postgresjobs.Versions(ctx, pool)
	}
	return err
}
