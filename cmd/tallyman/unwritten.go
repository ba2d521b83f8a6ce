package main

import (
	"context"
	"fmt"

	"tallyman/internal/store"
)

// readsPlan reports whether a listing reads the newest plan: because that was asked
// for, or because nothing of the import was written, so that there is nothing else.
func (n *node) readsPlan(ctx context.Context, p *program, ws store.Workspace, id string, asked bool) (bool, error) {
	if asked {
		return true, nil
	}
	imp, err := n.imports.Import(ctx, ws, id)
	if err != nil {
		return false, err
	}
	if imp.Tally.Rows() > 0 || imp.Plan.Rows() == 0 {
		return false, nil
	}
	fmt.Fprintln(p.stderr, "Nothing of the import is written; this is what its plan says.")
	return true, nil
}

// nothingFound says on stderr that a listing is empty, which a program that reads
// stdout sees by itself.
func (p *program) nothingFound(format string, args ...any) {
	fmt.Fprintf(p.stderr, format+"\n", args...)
}
