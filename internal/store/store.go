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
	// ErrTooLarge: a value is larger than the database can keep. The transaction is
	// over; to try again is of no use.
	ErrTooLarge = errors.New("a value is larger than the database can keep")
	// ErrUnavailable: the database does not answer, is full, or takes no writes
	// just now. The transaction is over; try later. A commit whose answer was lost
	// is this too, and may have happened.
	ErrUnavailable = errors.New("the database is not available")
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
	Received    State = "received"     // stored, nothing read yet
	Slicing     State = "slicing"      // being cut into batches
	Planning    State = "planning"     // batches of the plan are being worked on
	Planned     State = "planned"      // the plan is there and waits to be applied
	Running     State = "running"      // batches are being worked on
	Pausing     State = "pausing"      // asked to pause; at most a chunk still ends
	Paused      State = "paused"       // nothing moves until resumed
	Terminating State = "terminating"  // asked to stop for good
	Terminated  State = "terminated"   // stopped; what was applied stays
	Stopped     State = "stopped"      // stopped at its limit of failed rows; what was applied stays
	RollingBack State = "rolling_back" // an undo of its own takes back what was applied
	RolledBack  State = "rolled_back"  // all or nothing, and it was not all: nothing of it stays
	Done        State = "done"         // every row has its outcome
	Refused     State = "refused"      // the file could not be imported; nothing was read
	FailedState State = "failed"       // stopped by a fault of the file or the system
)

// Ended reports whether the import will not move again unless it is asked to.
func (s State) Ended() bool {
	switch s {
	case Terminated, Stopped, RolledBack, Done, Refused, FailedState:
		return true
	}
	return false
}

// Working reports whether jobs work on the import, or should.
func (s State) Working() bool {
	return s == Received || s == Slicing || s == Planning || s == Running
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
	// Round counts the runs over its rows: 0 is the first, each retry is one more.
	Round int
	// Pass is the pass at work, or the last that was; "" before the first.
	Pass ledger.Pass
	// Options are what later passes must know of how it was asked for (JSON of
	// importer.Options); they never change.
	Options []byte
	// Cut is the number of the slice step that made the batches at work; lists in
	// the file store are named by it. 0 before the first.
	Cut int
	// Fingerprint names the plan of this round; "" for none, or for one that no
	// longer holds.
	Fingerprint string
	// Findings say what the plan ran into (JSON of importer.Findings).
	Findings []byte
	// Feed names what the import belongs to: its source, or the feed that its
	// options name. Items that its imports create are that feed's.
	Feed string
	// Extra is the number of rows beside those of the file: items that a full
	// feed no longer names.
	Extra int64
	// UndoOf is the id of the import that this one takes back; UndoneBy that of
	// the newest import that takes this one back. DuplicateOf is an earlier
	// import of the same content by the same source. "" for none.
	UndoOf, UndoneBy, DuplicateOf string
	// RequestKey is the Idempotency-Key that made it, with whose it is; unique
	// where it is not "".
	RequestKey string
	// ImagesGone, OutcomesGone and FilesGone say that retention took them.
	ImagesGone, OutcomesGone, FilesGone bool
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

	// Tally is the sum over its batches of every pass but plans; read only.
	Tally catalog.Tally
	// Plan is the sum over the batches of this round's plan; read only.
	Plan catalog.Tally
	// PassRows is how many rows the pass at work is about, PassDone how many of them
	// stand in batches that are finished; read only.
	PassRows, PassDone int64
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

// Input says where the rows of a batch come from, and what its Offset and Length
// count.
type Input string

const (
	FileInput    Input = ""        // records of the file; bytes
	MissingInput Input = "missing" // items that a full feed no longer names; places in their list
	ImageInput   Input = "images"  // what another import wrote; places in the list of its pages
)

// Batch is a run of whole records that workers take; the slice step and the
// finish step are batches too, of passes slice and finish with number 1, so
// that one mechanism (job, epoch, cursor, beat) makes all of them safe.
type Batch struct {
	BatchRef
	State BatchState
	// Input says where its rows come from.
	Input Input
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
	Feed   string
	SHA256 string
	// UndoOf lists the imports that take this one back.
	UndoOf string
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
	// Pass narrows to one pass; "" reads all but plans.
	Pass ledger.Pass
	// Row narrows to pages whose rows lie round this one; 0 does not.
	Row int64
	// Batch narrows to one batch; 0 reads all. Seq narrows to one page of it
	// where HasSeq is set.
	Batch  int
	Seq    int
	HasSeq bool
	// ErrorsOnly and ProblemsOnly leave out pages without any. The counts of
	// passes behind the first plan and apply are signed and may come to nothing
	// where there are some; their pages are never left out.
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

// Locator is an item to be removed, as it was read.
type Locator struct {
	Handle  int64
	Version int64
}

// Correction is cells laid over one row of an import's file. The file itself
// never changes.
type Correction struct {
	Row int64
	// Cells maps indexes of columns, from 0, to what their cells are to hold.
	Cells map[int]string
	By    string
	At    time.Time
}

// Fix corrects every row of an import with one cause: rows that in any pass so
// far had a problem of this code in this column for this value.
type Fix struct {
	No     int // from 1, within the import
	Code   catalog.Code
	Column string // heading
	From   string // the whole cell, blanks round it aside
	To     string
	// Since is the first round whose runs it is laid over: what a row did in an
	// earlier one, it did without it.
	Since int
	By    string
	At    time.Time
}

// Request is an HTTP request with an Idempotency-Key, and its answer once there
// is one.
type Request struct {
	// Key is whose key it is and the key itself.
	Key string
	// Hash is of method, path, query and parts; "" until it is known, which may be
	// while it is in flight.
	Hash string
	// Status is 0 while it is in flight.
	Status int
	Header []byte // JSON object of those to repeat
	Body   []byte
	At     time.Time // when it began
	Beat   time.Time // when its node last said that it is in flight
}

// LedgerSize is what a workspace's ledger holds and costs.
type LedgerSize struct {
	Imports, Pages, Rows int64
	// Bytes of the two bodies, and how many pages still have them.
	OutcomeBytes, ImageBytes int64
	WithOutcomes, WithImages int64
	Corrections, Requests    int64
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
	// ImportNo returns an import by its number; ErrNotFound.
	ImportNo(ctx context.Context, ws WS, no int64) (Import, error)
	// ImportByRequest returns the import that a request key made; ErrNotFound.
	ImportByRequest(ctx context.Context, ws WS, requestKey string) (Import, error)
	// Imports lists imports, newest first, with how many there are in all.
	Imports(ctx context.Context, ws WS, f ImportFilter, r Range) ([]Import, int, error)
	// Batches lists an import's batches of a pass in order; "" lists all passes.
	Batches(ctx context.Context, ws WS, importNo int64, pass ledger.Pass) ([]Batch, error)
	// Pages calls fn with an import's pages in order of (pass, batch, seq), passes
	// by their names, until fn returns an error, which Pages returns. The page and
	// its bodies are fn's to keep.
	Pages(ctx context.Context, ws WS, importNo int64, f PageFilter, fn func(ledger.Page) error) error

	// Corrections lists the corrections of rows from..to (0: no bound), in order
	// of rows.
	Corrections(ctx context.Context, ws WS, importNo, from, to int64) ([]Correction, error)
	// CountCorrections counts an import's corrections.
	CountCorrections(ctx context.Context, ws WS, importNo int64) (int64, error)
	// Fixes lists an import's fixes in order.
	Fixes(ctx context.Context, ws WS, importNo int64) ([]Fix, error)

	// BeginRequest records a request as in flight and reports true, or returns
	// the one that has its key already. One whose beat is before dead and that has
	// no answer is taken over, and so reports true. At and Beat are the caller's.
	BeginRequest(ctx context.Context, ws WS, r Request, dead time.Time) (Request, bool, error)
	// BeatRequest says that the request that began at this time is in flight;
	// ErrNotFound if it is not.
	BeatRequest(ctx context.Context, ws WS, key string, began, now time.Time) error
	// EndRequest stores the answer of the request that began at r.At; ErrNotFound
	// if it is not in flight any more. With Status 0 it only notes the hash, which
	// BeginRequest returns when the request is taken over.
	EndRequest(ctx context.Context, ws WS, r Request) error
	// DropRequest forgets the request that began at this time, if it has no answer.
	DropRequest(ctx context.Context, ws WS, key string, began time.Time) error
	// PurgeRequests forgets requests of all workspaces that began before.
	PurgeRequests(ctx context.Context, before time.Time) error

	// Expired lists up to limit imports, of all workspaces, that have ended (or
	// were left planned) before the given times and still have images, outcomes or
	// files. Oldest first.
	Expired(ctx context.Context, e Expiry, limit int) ([]Import, error)
	// FileKeys returns those of the given file keys that are an import's FileKey,
	// each once and sorted.
	FileKeys(ctx context.Context, ws WS, keys []string) ([]string, error)
	// LedgerSize measures a workspace's ledger. It goes through the headers of all
	// pages, which takes a while where there are many.
	LedgerSize(ctx context.Context, ws WS) (LedgerSize, error)

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
	// move and have no batch with a job. What is noted for after until was noted by a
	// wrong clock, and counts as from before. It is what the sweep acts on.
	Stalled(ctx context.Context, before, until time.Time) ([]StalledBatch, error)

	// ReadItems calls fn with a reader of items as they are committed at one
	// moment. It locks nothing. What was read may be out of date when a transaction
	// runs later; Insert, Update and Delete notice.
	ReadItems(ctx context.Context, ws WS, fn func(ItemReader) error) error
	// DecidesAhead reports whether it pays to decide a chunk with ReadItems before
	// its transaction begins, as it does where only one transaction at a time can
	// write.
	DecidesAhead() bool

	// Prepare encodes new items for Insert. It touches no database and may run
	// beside a transaction.
	Prepare(ws WS, items []catalog.Item) Prepared

	// Write runs fn in one transaction: committed when it returns nil, rolled
	// back otherwise. durable asks that the commit survives power loss. fn may
	// be called again after ErrRetry only by the caller, never by the store.
	Write(ctx context.Context, ws WS, durable bool, fn func(Tx) error) error

	Operation
	Dumper

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
	// InsertImport stores a new import, giving it its No; ErrExists when its id or
	// its request key is taken.
	InsertImport(ctx context.Context, imp *Import) error
	// UpdateImport stores what may change of an import: state, format, layout,
	// definition, rows, sliced, small, round, pass, cut, fingerprint, findings, extra,
	// undone-by, what retention took, faults and times; Version rises by one.
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
	// DeletePass removes the batches and pages of a pass: a plan that another
	// takes the place of.
	DeletePass(ctx context.Context, importNo int64, pass ledger.Pass) error
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
	// Delete removes items, checking that each still has the version it was read
	// with; ErrRetry if not, or if one is gone.
	Delete(ctx context.Context, kind catalog.Kind, items []Locator) error

	// InsertPage stores a page; ErrExists if its key is there already.
	InsertPage(ctx context.Context, p *ledger.Page) error
	// DropBodies takes the bodies from up to limit of an import's pages that still
	// have them, and returns from how many. A plan's pages lose both at once.
	DropBodies(ctx context.Context, importNo int64, images, outcomes bool, limit int) (int, error)

	// Correction reads the correction of one row; ErrNotFound. Until the transaction
	// ends nobody else changes it.
	Correction(ctx context.Context, importNo, row int64) (Correction, error)
	// SaveCorrections stores corrections; cells of a row that has some already
	// are added to them. A cell given twice has its later value.
	SaveCorrections(ctx context.Context, importNo int64, cs []Correction) error
	// DeleteCorrection forgets what was laid over a row; ErrNotFound.
	DeleteCorrection(ctx context.Context, importNo, row int64) error
	// InsertFix stores a fix, giving it its No.
	InsertFix(ctx context.Context, importNo int64, f *Fix) error
	// DeleteFix forgets a fix; ErrNotFound.
	DeleteFix(ctx context.Context, importNo int64, no int) error

	// AppendAudit is Operation's, within the transaction of what was done.
	AppendAudit(ctx context.Context, e *AuditEntry) error

	// Enqueue adds a job and returns its id. It runs only if the transaction
	// commits.
	Enqueue(ctx context.Context, j Job) (int64, error)
}
