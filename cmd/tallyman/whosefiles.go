package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tallyman/internal/files/marker"
	"tallyman/internal/health"
)

// belong makes sure that the file store is this database's: a node that works
// marks one that is nobody's, a command beside it only looks. A store that does
// not answer is nobody else's: whoever needs it finds out, and the guard of a node
// looks again.
func (n *node) belong(ctx context.Context) error {
	if _, none := n.files.(noFiles); none {
		return nil
	}
	id, err := n.store.Installation(ctx)
	if err != nil {
		return err
	}
	n.ours = func(ctx context.Context) error { return n.aboutFiles(marker.Check(ctx, n.files, id)) }
	first := n.ours
	if !n.beside {
		first = func(ctx context.Context) error { return n.aboutFiles(marker.Claim(ctx, n.files, id)) }
	}
	err = first(ctx)
	if err != nil && !isOthers(err) && ctx.Err() == nil {
		n.settings.log.Debug("it was not found out whose files they are", slog.Any("error", err))
		return nil
	}
	return err
}

// aboutFiles says which file store an error is about.
func (n *node) aboutFiles(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("file store %s: %w", n.filesAt, err)
}

// isOthers reports whether an error says that the files are another database's.
func isOthers(err error) bool {
	var other *marker.Other
	return errors.As(err, &other)
}

// filesWell is what the guard asks of the file store: that it answers, and is not
// marked by another database, which may have come at the same moment as this one.
func (n *node) filesWell(ctx context.Context) error {
	if err := n.checkFiles(ctx); err != nil || n.ours == nil {
		return err
	}
	err := n.ours(ctx)
	if isOthers(err) {
		return &health.Bad{Sentence: "The file store belongs to another database.", Cause: err}
	}
	return err
}

// mayDelete keeps the node from removing files of another database.
func (n *node) mayDelete(ctx context.Context) error {
	if n.ours == nil {
		return nil
	}
	return n.ours(ctx)
}
