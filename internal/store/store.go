// Package store is the contract between the program and its database: what is
// kept (workspaces, keys, imports, batches, pages, items, jobs) and how it may be read
// and written. sqlite/ and postgres/ implement it, storetest/ is the suite that
// each passes.
//
// A method takes the workspace first, and storetest calls each one from another
// workspace and expects nothing. What does not belong here: semantics of items
// (package catalog decides, a store writes) and the order of an import's steps
// (package importer).
package store

import (
	"context"
	"errors"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
)

// Errors that a caller handles.
var (
	// ErrNotFound: no such thing in this workspace.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name or id is taken.
	ErrExists = errors.New("already exists")
	// ErrConflict: an inserted item's key is taken. The transaction is over and
	// nothing of it was written; the chunk must be decided with the items read.
	ErrConflict = errors.New("a key of a new item is taken")
	// ErrRetry: deadlock, serialization failure or a row that moved. The
	// transaction is over; the chunk must be decided again.
	ErrRetry = errors.New("transaction must be retried")
	// ErrStale: another job holds the batch; this one must return.
	ErrStale = errors.New("batch belongs to another job")
	// ErrFenced: the batch's epoch was raised; whoever works on it must stop.
	ErrFenced = errors.New("batch was taken back")
)

// WS is a workspace's number within the store. Every key of every table begins
// with it.
type WS int64

// Workspace is a tenant.
type Workspace struct {
	WS        WS
	Name      string // unique, [a-z0-9-]{1,63}
	Currency  string // ISO 4217 code for money that names none; may be empty
	CreatedAt time.Time
}

// DefaultWorkspace is the name of the workspace made at first start.
const DefaultWorkspace = "default"

// Key is an API key as it is stored: hashed.
type Key struct {
	ID        string
	WS        WS
	Name      string
	Role      string
	Hash      string // hex SHA-256 of the secret
	CreatedAt time.Time
	RevokedAt *time.Time
}

// State is where an import stands.
type State string

const (
	Received    State = "received"    // stored, nothing read yet
	Slicing     State = "slicing"     // being cut into batches
	Running     State = "running"     // batches are being worked on
	Pausing     State = "pausing"     // asked to pause; at most a chunk still ends
	Paused      State = "paused"      // nothing moves until resumed
	Terminating State = "terminating" // asked to stop for good
	Terminated  State = "terminated"  // stopped; what was applied stays
	Done        State = "done"        // every row has its outcome
	Refused     State = "refused"     // the file could not be imported; nothing was read
	FailedState State = "failed"      // stopped by a fault of the file or the system
)

// Ended reports whether the import will not move again by itself.
func (s State) Ended() bool {
	return s == Terminated || s == Done || s == Refused || s == FailedState
}

// Import is one file on its way into the catalog.
type Import struct {
	WS WS
	// No numbers a workspace's imports from 1; items and pages name imports by it.
	No int64
	// ID is "imp_" and a ULID.
	ID    string
	State State
	// Door is the face it came through: rest, pcm, commerce, web, cli.
	Door string
	// Source is the source's id; Definition is the source as pinned, with this
	// import's mapping and options (JSON of source.Definition).
	Source     string
	Definition []byte
	Mode       catalog.Mode
	// Layout is how the file is read (JSON of tabular.Layout).
	Layout []byte
	// Format is csv, xlsx or json, "" when unknown.
	Format string
	// SourceName is the file's name as uploaded.
	SourceName string
	FileKey    string
	FileSize   int64
	SHA256     string
	// Rows is the number of rows found; final once Sliced.
	Rows   int64
	Sliced bool
	// Small imports have a queue of their own.
	Small bool
	// FaultCode and FaultMessage say why it was refused or failed.
	FaultCode    string
	FaultMessage string
	// CreatedBy names the key or user, for the audit.
	CreatedBy   string
	CreatedAt   time.Time
	StartedAt   *time.Time
	CompletedAt *time.Time
	// UpdatedAt moves with every change of state.
	UpdatedAt time.Time
	// Version counts changes of the import's own record.
	Version int64

	// Tally is the sum over its batches of every pass but plan; read only.
	Tally catalog.Tally
	// Beat is the newest beat of its batches; read only.
	Beat *time.Time
}

// BatchState is where a batch stands.
type BatchState string

const (
	BatchWaiting    BatchState = "waiting"    // no job yet: the import's parallel limit
	BatchQueued     BatchState = "queued"     // a job is enqueued
	BatchRunning    BatchState = "running"    // a job works on it
	BatchPaused     BatchState = "paused"     //
	BatchDone       BatchState = "done"       //
	BatchTerminated BatchState = "terminated" //
	BatchFailed     BatchState = "failed"     //
)

// Finished reports whether the batch needs no more work.
func (s BatchState) Finished() bool {
	return s == BatchDone || s == BatchTerminated || s == BatchFailed
}

// BatchRef names a batch.
type BatchRef struct {
	ImportNo int64
	Pass     ledger.Pass
	No       int // from 1
}

// Batch is a run of whole records that workers take; the slice step and the
// finish step are batches too, of passes slice and finish with number 1, so
// that one mechanism (job, epoch, cursor, beat) makes all of them safe.
type Batch struct {
	BatchRef
	State BatchState
	// Offset, Length, FirstRow and FirstLine bound its section of the file; Rows
	// counts its records.
	Offset, Length      int64
	FirstRow, FirstLine int64
	Rows                int64
	// JobID is the job that may work on it, 0 for none. Epoch rises with every
	// start and with pause and terminate; a chunk commits only under its own.
	JobID int64
	Epoch int64
	// The cursor: where the next chunk begins, and its page's sequence number.
	NextOffset, NextRow, NextLine int64
	NextSeq                       int
	// Tally is the sum of its pages.
	Tally catalog.Tally
	// Beat is when it last moved. Node names the process that last worked on it.
	Beat *time.Time
	Node string
}

// Job is a piece of work for the job engine.
type Job struct {
	// Format is the version of this record; a node leaves newer ones to others.
	Format int
	WS     WS
	Batch  BatchRef
	// Small puts it into the queue of small imports.
	Small bool
}

// JobFormat is the newest Job.Format this program understands.
const JobFormat = 1

// Range bounds a listing: from Offset, at most Limit (0: no bound).
type Range struct{ Offset, Limit int }

// ImportFilter narrows a listing of imports; zero fields do not.
type ImportFilter struct {
	State  State
	Source string
	Door   string
}

// ItemFilter narrows a listing of items; zero fields do not.
type ItemFilter struct {
	Kind catalog.Kind
	// Query is looked for in title, SKU, EAN and brand, without regard to case.
	Query string
	// Equal asks for text properties to have exactly these values.
	Equal map[string]string
	// AfterID lists items whose id comes after it; listings are in order of ids.
	AfterID string
}

// PageFilter narrows the pages read.
type PageFilter struct {
	// Pass narrows to one pass; "" reads all but plan.
	Pass ledger.Pass
	// Batch narrows to one batch; 0 reads all. Seq narrows to one page of it
	// where HasSeq is set.
	Batch  int
	Seq    int
	HasSeq bool
	// ErrorsOnly and ProblemsOnly leave out pages without any.
	ErrorsOnly, ProblemsOnly bool
	// Outcomes and Images ask for the bodies.
	Outcomes, Images bool
}

// Found is what a look-up by key found, without the item's document.
type Found struct {
	// Index is the index, in the look-up, of the key that matched.
	Index  int
	ID     string
	Handle int64
	Hash   int64
	// ImportNo and Row last wrote the item.
	ImportNo int64
	Row      int64
}

// Prepared is a set of new items in the form the store writes fastest. Only
// the store that prepared it understands it.
type Prepared any

// Store is the database. Every method is safe for concurrent use.
type Store interface {
	// Read methods see committed state and never wait for writers.

	// Workspaces lists every workspace, by name.
	Workspaces(ctx context.Context) ([]Workspace, error)
	// Workspace returns the workspace named name; ErrNotFound.
	Workspace(ctx context.Context, name string) (Workspace, error)
	// CreateWorkspace adds a workspace; ErrExists.
	CreateWorkspace(ctx context.Context, w Workspace) (Workspace, error)
	// SetCurrency changes a workspace's currency; ErrNotFound.
	SetCurrency(ctx context.Context, ws WS, currency string) error

	// CreateKey stores a key.
	CreateKey(ctx context.Context, ws WS, k Key) error
	// Keys lists a workspace's keys, oldest first, revoked ones too.
	Keys(ctx context.Context, ws WS) ([]Key, error)
	// RevokeKey ends a key; ErrNotFound.
	RevokeKey(ctx context.Context, ws WS, id string, at time.Time) error
	// KeyByHash returns the key with this hash in whatever workspace it is: the
	// one method without a workspace, for it finds out which one. Revoked keys
	// are returned too. ErrNotFound.
	KeyByHash(ctx context.Context, hash string) (Key, error)

	// Import returns an import with its tally; ErrNotFound.
	Import(ctx context.Context, ws WS, id string) (Import, error)
	// Imports lists imports, newest first, with how many there are in all.
	Imports(ctx context.Context, ws WS, f ImportFilter, r Range) ([]Import, int, error)
	// Batches lists an import's batches of a pass in order; "" lists all passes.
	Batches(ctx context.Context, ws WS, importNo int64, pass ledger.Pass) ([]Batch, error)
	// Pages calls fn with an import's pages in order of (pass, batch, seq) until
	// fn returns an error, which Pages returns. The page and its bodies are
	// fn's to keep.
	Pages(ctx context.Context, ws WS, importNo int64, f PageFilter, fn func(ledger.Page) error) error

	// Item returns the item with this key, with ErrNotFound for none and the
	// first by id where the key is not unique.
	Item(ctx context.Context, ws WS, kind catalog.Kind, key catalog.Key) (catalog.Item, error)
	// Items lists items in order of ids.
	Items(ctx context.Context, ws WS, f ItemFilter, r Range) ([]catalog.Item, error)
	// CountItems counts what Items would list without a range.
	CountItems(ctx context.Context, ws WS, f ItemFilter) (int, error)

	// Snapshot calls fn with a reader for which time stands still: everything it
	// reads is of one moment.
	Snapshot(ctx context.Context, fn func(Store) error) error

	// Stalled lists, over all workspaces, unfinished batches of imports that
	// should move whose beat is before the given time, and imports that should
	// move and have no batch with a job. It is what the sweep acts on.
	Stalled(ctx context.Context, before time.Time) ([]StalledBatch, error)

	// Ahead calls fn with a reader of items as they are committed at one moment,
	// for deciding a chunk before its transaction begins. It is the store's to say
	// whether that pays, as it does where only one transaction at a time can
	// write: where not, it returns false and fn is not called. What was read may
	// be out of date when the transaction runs; Insert and Update notice.
	Ahead(ctx context.Context, ws WS, fn func(ItemReader) error) (bool, error)

	// Prepare encodes new items for Insert. It touches no database and may run
	// beside a transaction.
	Prepare(ws WS, items []catalog.Item) Prepared

	// Write runs fn in one transaction: committed when it returns nil, rolled
	// back otherwise. durable asks that the commit survives power loss. fn may
	// be called again after ErrRetry only by the caller, never by the store.
	Write(ctx context.Context, ws WS, durable bool, fn func(Tx) error) error

	// Health checks that the database answers.
	Health(ctx context.Context) error
	Close() error
}

// StalledBatch is a batch that needs a new job.
type StalledBatch struct {
	WS    WS
	Batch Batch
	State State // of its import
}

// ItemReader reads the items of one workspace that a chunk touches.
type ItemReader interface {
	// Find looks keys of one kind up by one key field. Keys must be sorted and
	// distinct. Several items may be found for one key where it is not unique.
	Find(ctx context.Context, kind catalog.Kind, field catalog.KeyField, keys []string) ([]Found, error)
	// Read reads the items with these handles whole, in any order.
	Read(ctx context.Context, kind catalog.Kind, handles []int64) ([]catalog.Item, error)
}

// Tx is one transaction in one workspace.
type Tx interface {
	// LockImport reads an import's own record (no tally) and keeps others from
	// changing it until the transaction ends; ErrNotFound.
	LockImport(ctx context.Context, importNo int64) (Import, error)
	// LockImportID is LockImport by id.
	LockImportID(ctx context.Context, id string) (Import, error)
	// InsertImport stores a new import, giving it its No.
	InsertImport(ctx context.Context, imp *Import) error
	// UpdateImport stores what may change of an import: state, format, layout,
	// definition, rows, sliced, small, faults and times; Version rises by one.
	UpdateImport(ctx context.Context, imp *Import) error

	// InsertBatches stores new batches.
	InsertBatches(ctx context.Context, batches []Batch) error
	// Batch reads and locks a batch; ErrNotFound.
	Batch(ctx context.Context, ref BatchRef) (Batch, error)
	// StartBatch gives the batch to the job that runs now: it checks that jobID
	// holds the batch (ErrStale) and that it is not finished (ErrStale), raises
	// the epoch, sets state running, node and beat, and returns it.
	StartBatch(ctx context.Context, ref BatchRef, jobID int64, node string, now time.Time) (Batch, error)
	// CheckBatch locks the batch and checks that its epoch is still this one;
	// ErrFenced. It is the first thing a chunk does.
	CheckBatch(ctx context.Context, ref BatchRef, epoch int64) error
	// SaveBatch stores a batch's state, job, epoch, cursor, tally, rows and beat.
	SaveBatch(ctx context.Context, b *Batch) error
	// StopBatches sets every unfinished batch of the import to a state, raises
	// its epoch and takes its job away. It returns how many there were.
	StopBatches(ctx context.Context, importNo int64, to BatchState) (int, error)
	// UnfinishedBatches counts the import's unfinished batches of a pass.
	UnfinishedBatches(ctx context.Context, importNo int64, pass ledger.Pass) (int, error)
	// HeldBatch reads and locks the unfinished batch of the pass that the job
	// holds; ErrNotFound for none. A job that ended its own batch may have gone on
	// with another.
	HeldBatch(ctx context.Context, importNo int64, pass ledger.Pass, jobID int64) (Batch, error)
	// NextBatches lists up to limit unfinished batches of a pass that have no
	// job, in order, locked.
	NextBatches(ctx context.Context, importNo int64, pass ledger.Pass, limit int) ([]Batch, error)

	// ItemReader reads items as the transaction sees them; Read locks them.
	ItemReader

	// Insert adds prepared new items; ErrConflict when a key is taken.
	Insert(ctx context.Context, p Prepared) error
	// Update stores changed items by their handles, checking that each still has
	// the version it was read with (After.Version - 1); ErrRetry if not.
	// ErrConflict when a changed key is taken.
	Update(ctx context.Context, items []catalog.Item) error
	// Delete removes items by their handles; ErrRetry if one is gone.
	Delete(ctx context.Context, kind catalog.Kind, handles []int64) error

	// InsertPage stores a page; ErrExists if its key is there already.
	InsertPage(ctx context.Context, p *ledger.Page) error

	// Enqueue adds a job and returns its id. It runs only if the transaction
	// commits.
	Enqueue(ctx context.Context, j Job) (int64, error)
}
