package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tallyman/internal/files"
	"tallyman/internal/files/marker"
	"tallyman/internal/health"
	"tallyman/internal/store"
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
		first = func(ctx context.Context) error { return n.aboutFiles(n.claim(ctx, id)) }
	}
	err = first(ctx)
	if err != nil && !isOthers(err) && ctx.Err() == nil {
		if !n.beside {
			n.unclaimed = first
		}
		n.settings.log.Debug("it was not found out whose files they are", slog.Any("error", err))
		return nil
	}
	return err
}

// claim marks files that are nobody's, unless other nodes are at work, which have
// marked theirs: then these are not the same.
func (n *node) claim(ctx context.Context, id string) error {
	if err := n.strayFiles(ctx); err != nil {
		return err
	}
	return marker.Claim(ctx, n.files, id)
}

// errStray says that a file store is not that of the other nodes. A node on it would
// take their batches and end imports whose files it does not see.
var errStray = errors.New("other nodes work on this database, and their files are not here: name the bucket, prefix or folder of theirs with --files")

// strayFiles returns errStray where nobody has marked the files, no file that the
// database names is among them, and other nodes are at work.
func (n *node) strayFiles(ctx context.Context) error {
	if !n.settings.config.Shared() {
		return nil
	}
	// Whoever is among these has marked its files before.
	others, err := n.others(ctx)
	if err != nil || len(others) == 0 {
		return err
	}
	owner, err := marker.Owner(ctx, n.files)
	if err != nil || owner != "" {
		return err
	}
	named, err := n.namesFiles(ctx)
	if err == nil && !named {
		err = errStray
	}
	return err
}

// mostAsked bounds how many imports are asked about of a workspace, the newest first.
const mostAsked = 20

// namesFiles reports whether the file of an import is there: nodes of before there
// were marks have marked none.
func (n *node) namesFiles(ctx context.Context) (bool, error) {
	workspaces, err := n.store.Workspaces(ctx)
	if err != nil {
		return false, err
	}
	for _, ws := range workspaces {
		imps, _, err := n.store.Imports(ctx, ws.WS, store.ImportFilter{}, store.Range{Limit: mostAsked})
		if err != nil {
			return false, err
		}
		for i := range imps {
			if imps[i].FileKey == "" {
				continue
			}
			_, err := n.files.Stat(ctx, imps[i].FileKey)
			if !errors.Is(err, files.ErrNotFound) {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// aboutFiles says which file store an error is about.
func (n *node) aboutFiles(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("file store %s: %w", n.filesAt, err)
}

// isOthers reports whether an error says that the files are another database's, or
// not those of this one's other nodes.
func isOthers(err error) bool {
	var other *marker.Other
	return errors.As(err, &other) || errors.Is(err, errStray)
}

// filesWell is what the guard asks of the file store: that it answers, and is not
// marked by another database, which may have come at the same moment as this one. One
// that did not answer when the node was opened is marked at its first answer.
func (n *node) filesWell(ctx context.Context) error {
	if err := n.checkFiles(ctx); err != nil || n.ours == nil {
		return err
	}
	whose := n.ours
	if n.unclaimed != nil {
		whose = n.unclaimed
	}
	err := whose(ctx)
	switch {
	case err == nil:
		n.unclaimed = nil
	case errors.Is(err, errStray):
		return &health.Bad{Sentence: "The file store is not that of the other nodes.", Cause: err}
	case isOthers(err):
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
