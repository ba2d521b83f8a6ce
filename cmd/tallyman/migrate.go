package main

import (
	"context"
	"errors"
	"fmt"

	"tallyman/internal/jobs/postgresjobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/sqlite"
)

// migrateCommand brings the tables of the database up to date.
type migrateCommand struct {
	Check bool `help:"Change nothing; exit code 2 if there is something to do."`
	JSON  bool `name:"json" help:"Print the versions as JSON."`
	place
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
	set, err := c.settings(p)
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
	// To open a node is to migrate.
	if err := c.open(ctx, p, func(*node) error { return nil }); err != nil {
		return err
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
	for _, t := range now {
		if t.Have < t.Know {
			return &exit{code: exitErrors}
		}
	}
	return nil
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
