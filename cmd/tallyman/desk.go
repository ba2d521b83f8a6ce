package main

import (
	"context"
	"io"
)

// desk is where an import runs: in this process, or at a server.
type desk interface {
	// start hands the file over and sets it going. A file that cannot be
	// imported is a *catalog.Fault; the view is then the refused import as it is
	// recorded, with an empty ID where it is not.
	start(ctx context.Context, up upload) (view, error)
	// show returns an import as it stands.
	show(ctx context.Context, id string) (view, error)
	// wait returns the import when its state has changed since v was taken, or
	// after a moment.
	wait(ctx context.Context, v view) (view, error)
	// resume sets a paused import going again.
	resume(ctx context.Context, id string) (view, error)
	// errors returns the first errors of rows, in order of rows.
	errors(ctx context.Context, id string, limit int) ([]rowError, error)
	// leave is called when nobody follows the import any more though it has not
	// ended. It says in a sentence or two what becomes of it.
	leave(ctx context.Context, v view) (string, error)
	// seeImport and seeErrors are where people see an import and every error of
	// its rows: a command line or an address.
	seeImport(id string) string
	seeErrors(id string) string
	close() error
}

// upload is a file with what the command line says about it; empty strings
// leave the choice to the source.
type upload struct {
	name string
	body io.Reader

	source, mode                string
	mapping                     []columnField
	format, delimiter, encoding string
	currency, decimal, blank    string
	gtinCheck                   string
}

// columnField maps a column of the file to a field of the catalog.
type columnField struct{ column, field string }
