package main

import (
	"context"
	"fmt"

	"tallyman/internal/store"
)

// beside runs an administration command in a workspace of a folder that exists.
func (pl *place) beside(ctx context.Context, p *program, do func(n *node, ws store.Workspace) error) error {
	set, err := pl.settings(p)
	if err != nil {
		return err
	}
	if err := set.mustExist(); err != nil {
		return err
	}
	return pl.open(ctx, p, func(n *node) error {
		ws, err := n.workspace(ctx)
		if err != nil {
			return err
		}
		return do(n, ws)
	})
}

// mustExist says what to do where the folder has no database.
func (s *settings) mustExist() error {
	if s.exists() {
		return nil
	}
	return s.nothingThere()
}

func (s *settings) nothingThere() error {
	return fmt.Errorf("there is nothing in the data folder %s yet; import a file or start the server, or name another folder with --data", s.folder)
}

// open runs an administration command on a folder. It works beside whoever owns the
// folder: everything it does is one short transaction in the database. That stays
// as it is: other programs may work on it, of another version.
func (pl *place) open(ctx context.Context, p *program, do func(n *node) error) error {
	return pl.openAs(ctx, p, store.MigrateNever, do)
}

func (pl *place) openAs(ctx context.Context, p *program, migrate store.Migrate, do func(n *node) error) error {
	set, err := pl.settings(p)
	if err != nil {
		return err
	}
	if migrate == store.MigrateNever {
		if err := set.mustExist(); err != nil {
			return err
		}
	}
	n, err := openNode(ctx, p, set, migrate)
	if err != nil {
		return err
	}
	err = do(n)
	if cerr := n.close(); err == nil {
		err = cerr
	}
	return err
}

// first is open for a command with which people begin: it makes the database where
// a folder has none. One that is shared is made by nodes and by migrate.
func (pl *place) first(ctx context.Context, p *program, do func(n *node) error) error {
	if pl.Shared() {
		return pl.open(ctx, p, do)
	}
	return pl.openAs(ctx, p, store.MigrateEmpty, do)
}
