package main

import (
	"context"
	"io"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// desk is where imports run: in this process, or at a server.
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
	// replan makes an import's plan again, apply sets it going, undo starts an import
	// that takes another one back, retry runs rows of an import again.
	replan(ctx context.Context, id string) (view, error)
	apply(ctx context.Context, id string, opt importer.ApplyOptions) (view, error)
	undo(ctx context.Context, id string, opt undoing) (view, error)
	retry(ctx context.Context, id string, opt importer.RetryOptions) (view, error)
	// sameContent returns the newest import of a file with this hash that may have
	// changed the catalog; ok is false for none.
	sameContent(ctx context.Context, sha256, source string) (v view, ok bool, err error)
	// problems returns the first problems of rows, in order of rows.
	problems(ctx context.Context, id string, f problemFilter, limit int) ([]rowError, error)
	// summary, changes and causes are what the newest plan would do: in numbers,
	// row by row as far as limit with how many fit the filter, and what is wrong.
	summary(ctx context.Context, id string) (summary, error)
	changes(ctx context.Context, id string, f importer.ChangeFilter, limit int) ([]change, int, error)
	causes(ctx context.Context, id string, examples int) ([]cause, error)
	// leave is called when nobody follows the import any more though it has not
	// ended. It says in a sentence or two what becomes of it.
	leave(ctx context.Context, v view) (string, error)
	// see is where people see more.
	see() sights
	close() error
}

// sights say where people see an import, every error of its rows, changes and rows
// of it, and where they get the failed ones as a file: a command line or an
// address. command is the command line that says these words at the same place.
type sights struct {
	imp, errors func(id string) string
	changes     func(id string, f importer.ChangeFilter) string
	kept        func(id string) string
	failed      func(id string, plan bool) string
	command     func(words string) string
}

// problemFilter selects problems; the zero value selects errors.
type problemFilter struct {
	warnings bool         // warnings instead
	code     catalog.Code // only of this code; "" for all
}

// undoing says how an import is to be taken back.
type undoing struct {
	Plan  bool `json:"plan"`
	Force bool `json:"force"`
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

	plan          bool
	policy        importer.Policy
	stopAfter     int64
	rails         rails
	feed, missing string
}

// rails are the limits beyond which an import asks first; nil sets none.
type rails struct {
	changed, priceMove, rowsDown *float64
	cleared                      *int64
}

// columnField maps a column of the file to a field of the catalog.
type columnField struct{ column, field string }

// summary is what a plan would do beside the counts of its rows.
type summary struct {
	Cleared int64        `json:"cleared_values"`
	Fields  []fieldCount `json:"fields"`
}

// fieldCount counts the updated items whose field is given a value it did not
// have, another one, or none any more.
type fieldCount struct {
	Field   string `json:"field"`
	Added   int64  `json:"added"`
	Changed int64  `json:"changed"`
	Cleared int64  `json:"cleared"`
}

// cause is what problems have in common.
type cause struct {
	Code     string    `json:"code"`
	Severity string    `json:"severity"`
	Column   string    `json:"column"`
	Count    int64     `json:"count"`
	Examples []example `json:"examples"`
}

// example is one problem of a cause.
type example struct {
	Row     int64  `json:"row"`
	Value   string `json:"value"`
	Message string `json:"message"`
}
