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
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
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
	// WorkersPerImport bounds how many batches of one import all nodes work on at
	// once; 0 sets no bound of its own.
	WorkersPerImport int
	// Held says in a sentence why this node takes nothing on just now, "" for
	// nothing; nil where nobody watches over it. It must not wait.
	Held func() string
	// MayDelete says why files may not be removed just now; nil where nobody looks.
	MayDelete func(ctx context.Context) error
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
	// KeepImages and KeepOutcomes are how long the ledger keeps what an undo needs
	// and what became of each row, from an import's end on; KeepRequests is how
	// long an Idempotency-Key is good. 0 means 30 days, 400 days and 24 hours.
	KeepImages, KeepOutcomes, KeepRequests time.Duration
	// KeepAudit is how long entries of the audit log are kept; 0 means 400 days.
	KeepAudit time.Duration
	// KeepFiles is how long an import's file is kept, from its end on: what its rows
	// were is read from it. 0 means 90 days.
	KeepFiles time.Duration
	// JobsLive tells which of the jobs with these ids the engine still knows as
	// waiting or running; nil when nobody can tell.
	JobsLive func(ctx context.Context, ids []int64) (map[int64]bool, error)
	// Observer is told what happens; nil for nobody.
	Observer Observer
	// Probe, where set, is called at named steps of the path; kill tests stop
	// the process there.
	Probe func(step Step)
}

// Step names a place in the path where a process may die and nothing may be
// lost.
type Step string

// The steps that Config.Probe is called at.
const (
	StepJob               Step = "job" // one was handed out and has begun nothing yet
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
	// cluster is what was last seen of the other nodes.
	cluster cluster
	// ended rings when a step of this process ends a pass or an import.
	ended bell
	// unrevived is what was said of imports that cannot be revived.
	unrevived jobs.Repeats
	// encoders are of pages; each holds a window of a compressor.
	encoders sync.Pool
}

var _ API = (*Service)(nil)

// defaults of Config.
const (
	defaultSliceTime    = 2 * time.Second
	defaultKeepImages   = 30 * 24 * time.Hour
	defaultKeepOutcomes = 400 * 24 * time.Hour
	defaultKeepRequests = 24 * time.Hour
	defaultKeepAudit    = 400 * 24 * time.Hour
	defaultKeepFiles    = 90 * 24 * time.Hour
	defaultChunkRows    = 2000
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
	if cfg.Node != "" {
		cfg.Log = cfg.Log.With(jobs.LogNode, cfg.Node)
	}
	if cfg.Observer == nil {
		cfg.Observer = unobserved{}
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
	cfg.KeepImages = cmp.Or(cfg.KeepImages, defaultKeepImages)
	cfg.KeepOutcomes = cmp.Or(cfg.KeepOutcomes, defaultKeepOutcomes)
	cfg.KeepRequests = cmp.Or(cfg.KeepRequests, defaultKeepRequests)
	cfg.KeepAudit = cmp.Or(cfg.KeepAudit, defaultKeepAudit)
	cfg.KeepFiles = cmp.Or(cfg.KeepFiles, defaultKeepFiles)
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
