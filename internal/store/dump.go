package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
)

// ErrUnfinished: a Restore is filling the database, or one has left it
// half-filled. Nothing may be done there but to end it or to begin again.
var ErrUnfinished = errors.New("the database is half-filled: it is being moved to, or a move did not end and must be begun again")

// Dumper is the part of a Store about all of it at once: to compare two, and to
// bring one to another place.
type Dumper interface {
	// Dump calls fn with everything that the database holds, as it is at one
	// moment, until fn returns an error, which Dump returns. The record is fn's to
	// keep. What means nothing elsewhere is left out: jobs, nodes, requests in
	// flight, and the store's own handles.
	//
	// The order is the same in every store: the installation, then workspaces by
	// their numbers, and behind each its keys and users by id, imports by number, batches and pages by
	// (import, pass, batch, sequence), corrections, fixes, requests by time and key,
	// the audit log, and items by kind and id.
	Dump(ctx context.Context, fn func(Record) error) error
	// Restore fills the database with what next returns, in the order of Dump and
	// up to io.EOF: numbers, ids, versions and times stay, and what comes after
	// counts on from them. It takes many transactions. Until it has ended well the
	// database is marked, and cannot be opened but for Abandon. ErrExists where there
	// is anything in it but the workspace that the first start makes, ErrUnfinished
	// where another Restore is under way or was left.
	Restore(ctx context.Context, next func() (Record, error)) error
	// Abandon empties a database that a Restore left half-filled, and makes it an
	// installation of its own. It does nothing to another; ErrUnfinished where one is
	// under way.
	Abandon(ctx context.Context) error
}

// Record is one thing of a dump: exactly one of its pointers is set.
type Record struct {
	WS WS
	// ImportNo is whose a correction or a fix is, 0 of other records.
	ImportNo int64

	// Installation is the database's own, of no workspace.
	Installation *string
	Workspace    *Workspace
	Key          *Key
	User         *User
	// Import has nothing that is summed from its batches.
	Import *Import
	// Batch has no job.
	Batch *Batch
	// Page has both bodies, as far as they are kept.
	Page       *ledger.Page
	Correction *Correction
	Fix        *Fix
	// Request has its answer.
	Request *Request
	Audit   *AuditEntry
	// Item has no handle.
	Item *catalog.Item
}

// What names the thing that the record is: installation, workspace, key, user, import, batch,
// page, correction, fix, request, audit or item; "" where it is not one thing.
func (r *Record) What() string {
	name := ""
	for _, p := range [...]struct {
		name string
		set  bool
	}{
		{"installation", r.Installation != nil}, {"workspace", r.Workspace != nil}, {"key", r.Key != nil}, {"user", r.User != nil}, {"import", r.Import != nil},
		{"batch", r.Batch != nil}, {"page", r.Page != nil}, {"correction", r.Correction != nil}, {"fix", r.Fix != nil},
		{"request", r.Request != nil}, {"audit", r.Audit != nil}, {"item", r.Item != nil},
	} {
		if !p.set {
			continue
		}
		if name != "" {
			return ""
		}
		name = p.name
	}
	return name
}

// Bounds of what Gather puts into one transaction.
const (
	gatherRecords = 2000
	gatherBytes   = 8 << 20
)

// Gather calls fn with what next returns, up to io.EOF, in runs of one kind and
// workspace that are small enough for one transaction. It is how stores Restore.
// The slice is used again.
func Gather(next func() (Record, error), fn func(what string, run []Record) error) error {
	var run []Record
	var what string
	size := 0
	hand := func() error {
		if len(run) == 0 {
			return nil
		}
		err := fn(what, run)
		run, size = run[:0], 0
		return err
	}
	for n := 1; ; n++ {
		r, err := next()
		if errors.Is(err, io.EOF) {
			return hand()
		}
		if err != nil {
			return err
		}
		is := r.What()
		if is == "" {
			return fmt.Errorf("record %d is not one thing", n)
		}
		if is != what || len(run) == gatherRecords || size >= gatherBytes || len(run) > 0 && run[0].WS != r.WS {
			if err := hand(); err != nil {
				return err
			}
		}
		what, run, size = is, append(run, r), size+r.bulk()
	}
}

// bulk is about how many bytes the record takes, of those that can take many.
func (r *Record) bulk() int {
	switch {
	case r.Page != nil:
		return len(r.Page.Outcomes) + len(r.Page.Images)
	case r.Item != nil:
		return len(r.Item.Doc) + len(r.Item.Live.Doc)
	case r.Request != nil:
		return len(r.Request.Body)
	case r.Import != nil:
		return len(r.Import.Definition) + len(r.Import.Findings)
	}
	return 0
}
