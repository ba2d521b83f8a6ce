// Package importer is the path a file takes into the catalog: receive, detect,
// slice, decode, map, check, decide, write, page, tally. It is the only package
// that knows every step; import, plan, retry and undo are passes over this one
// path.
//
// What does not belong here: the words of a front door (package server), the
// meaning of columns (package source), what a change does (package catalog),
// SQL (package store).
package importer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// Config is what a Service is made of and set to.
type Config struct {
	Store store.Store
	Files files.Store
	Log   *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Node names this process in batches and logs.
	Node string
	// Workers is how many batches this node works on at once.
	Workers int
	// ScratchDir is a local folder for the slice step's temporary files.
	ScratchDir string
	// MaxUploadBytes bounds an upload; 0 is unbounded.
	MaxUploadBytes int64
	// Limits bound what a decoder holds in memory.
	Limits tabular.Limits
	// ChunkRows bounds the rows of one transaction; 0 means 2,000.
	ChunkRows int
	// SliceTime is how long a job works before it enqueues its continuation.
	SliceTime time.Duration
	// JobsLive tells which of the jobs with these ids the engine still knows as
	// waiting or running; nil when nobody can tell.
	JobsLive func(ctx context.Context, ids []int64) (map[int64]bool, error)
	// Probe, where set, is called at named steps of the path; kill tests stop
	// the process there.
	Probe func(step Step)
}

// Step names a place in the path where a process may die and nothing may be
// lost.
type Step string

// The steps that Config.Probe is called at.
const (
	StepSlice             Step = "slice"
	StepSliceCommit       Step = "slice-commit"
	StepChunkBegin        Step = "chunk-begin"
	StepChunkWrite        Step = "chunk-write"
	StepChunkBeforeCommit Step = "chunk-before-commit"
	StepChunkAfterCommit  Step = "chunk-after-commit"
	StepFinishBefore      Step = "finish-before-commit"
	StepFinishAfter       Step = "finish-after-commit"
)

// Service is the importer. It holds no state of an import: everything that
// matters is in the store and the file store, so any node can go on with it.
type Service struct {
	cfg    Config
	schema *catalog.Schema
	ids    *idSource
	fresh  freshness
	// encoders are of pages; each holds a window of a compressor.
	encoders sync.Pool
}

var _ API = (*Service)(nil)

// defaults of Config.
const (
	defaultSliceTime = 2 * time.Second
	defaultChunkRows = 2000
	// SmallRows is the size below which an import goes to the queue of small ones.
	SmallRows = 5000
)

// New returns a Service. Store, Files and ScratchDir must be set.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Files == nil || cfg.ScratchDir == "" {
		return nil, errors.New("importer: store, files and a scratch folder are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 1
	}
	if cfg.ChunkRows <= 0 {
		cfg.ChunkRows = defaultChunkRows
	}
	if cfg.SliceTime <= 0 {
		cfg.SliceTime = defaultSliceTime
	}
	return &Service{cfg: cfg, schema: catalog.NewSchema(1, nil), ids: newIDSource(cfg.Now),
		encoders: sync.Pool{New: func() any { return ledger.NewEncoder() }}}, nil
}

// now is the clock in the precision that stores keep.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) probe(step Step) {
	if s.cfg.Probe != nil {
		s.cfg.Probe(step)
	}
}

// Upload is a file that is stored but not yet an import.
type Upload struct {
	Name   string // as the client calls it
	Key    string // in the file store
	Size   int64
	SHA256 string
}

// Options say how an upload is to be imported.
type Options struct {
	// Source is a source's id; "" lets detection choose.
	Source string
	// Mapping names columns; when Only is set columns it does not name are left out.
	Mapping     []source.Mapping
	MappingOnly bool
	// Format, Delimiter and Encoding overrule detection where not "".
	Format, Delimiter, Encoding string
	// Mode overrules the source's where HasMode is set.
	Mode    catalog.Mode
	HasMode bool
	// Currency, Decimal, Blank and GTINCheck overrule the source's where not "".
	Currency, Decimal, Blank, GTINCheck string
	// Door and CreatedBy say whose import it is.
	Door, CreatedBy string
}

// RowProblem is one line of an error report, ProblemFilter narrows one.
type (
	RowProblem    = ledger.RowProblem
	ProblemFilter = ledger.ProblemFilter
)

// API is what the doors and the command line use.
type API interface {
	// Receive stores the bytes of an upload, hashing them on the way. A file
	// that no option could make importable (empty, binary, over the limit) is
	// a *Refusal with a fault of kind KindRefused or KindTooLarge.
	Receive(ctx context.Context, ws store.Workspace, door, createdBy, name string, body io.Reader) (*Upload, error)
	// Discard forgets an upload that will not be started.
	Discard(ctx context.Context, up *Upload)
	// Start makes an upload an import and sets it going. A file that cannot be
	// imported as the options ask is a *Refusal; its bytes are gone then.
	Start(ctx context.Context, ws store.Workspace, up *Upload, opt Options) (store.Import, error)

	// Import returns one import.
	Import(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	// Imports lists imports, newest first, and counts all that fit the filter.
	Imports(ctx context.Context, ws store.Workspace, f store.ImportFilter, r store.Range) ([]store.Import, int, error)
	// Batches lists the batches of an import's rows in order.
	Batches(ctx context.Context, ws store.Workspace, id string) ([]store.Batch, error)
	// Wait returns the import once its Version is past the one given or the
	// context ends, whichever is first; an ended context is no error here.
	Wait(ctx context.Context, ws store.Workspace, id string, version int64) (store.Import, error)

	// Pause, Resume and Terminate move an import; a *catalog.Fault of kind
	// KindConflict says that its state does not allow it. Each returns the
	// import as it then is. Asking for what already is, is no error.
	Pause(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	Resume(ctx context.Context, ws store.Workspace, id string) (store.Import, error)
	Terminate(ctx context.Context, ws store.Workspace, id string) (store.Import, error)

	// Problems lists the problems of an import in order of rows, and counts all
	// that fit the filter.
	Problems(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, r store.Range) ([]RowProblem, int, error)
	// EachProblem calls fn with every problem in order of rows.
	EachProblem(ctx context.Context, ws store.Workspace, id string, f ProblemFilter, fn func(RowProblem) error) error
	// EachRow calls fn with every row done so far in order of batches.
	EachRow(ctx context.Context, ws store.Workspace, id string, fn func(ledger.Entry) error) error
}
