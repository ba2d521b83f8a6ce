// Package s3 keeps stored files in a bucket of Amazon S3 or of a server that
// speaks its protocol: the key, behind the prefix of the store, is the object's.
//
// A small file is sent in one request, when it is committed. A larger one goes in
// parts while it is written: one part is sent while the next one fills, so a
// writer holds two of them. It becomes visible by one request at the end, and
// each write has an id, kept with the object, by which the store finds out what
// became of a request whose answer was lost, and a reader that its file was
// replaced.
//
// A request that fails for the moment (the server is gone, too busy, silent, or
// the connection broke) is made again, with growing pauses, for as long as
// Options.Patience; then the method returns the error.
//
// What does not belong here: which keys the program uses and how long their
// files are kept (packages importer, export and media); making and configuring
// buckets.
//
// The bucket, or the prefix in it, is the store's own. Two limits beyond the
// contract come from S3: a key has at most 1024 bytes together with the prefix,
// and a file at most 10,000 parts.
package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
)

// Options set a Store; the zero value is ready to use.
type Options struct {
	// Patience is how long a request that fails for the moment is made again,
	// counted from its first failure; 0 means a minute.
	Patience time.Duration
	// OpenPatience is how long Open takes at most to find the bucket; 0 means 8
	// seconds.
	OpenPatience time.Duration
	// LeftoverAge is how long ago an upload must have begun before Sweep takes it
	// for one that a crash left, and removes it; 0 means 24 hours.
	LeftoverAge time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wait pauses between two attempts, and returns early with the context's error
	// when that ends; nil means a timer.
	Wait func(context.Context, time.Duration) error
	// Log is told about servers that do not answer and about removed leftovers; nil
	// means nobody is.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	if o.OpenPatience == 0 {
		o.OpenPatience = 8 * time.Second
	}
	if o.LeftoverAge == 0 {
		o.LeftoverAge = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is a files.Store in a bucket. Any number of processes may use the same
// bucket at once.
//
// The context that Create and Open are given bounds the writer's Writes and the
// reader's reads.
type Store struct {
	cfg    Config
	opts   Options
	client minio.Core
	conns  *http.Transport
	ahead  *budget
	// longest bounds every attempt; 0 is for no bound.
	longest time.Duration
}

var _ files.Store = (*Store)(nil)

// Open opens the store and makes sure that the bucket is there and can be listed.
// Its error names what to do.
func Open(ctx context.Context, cfg Config, opts Options) (*Store, error) {
	s, err := newStore(ctx, cfg, opts)
	if err == nil {
		err = s.hasty().Check(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open file store %s: %w", cfg, err)
	}
	return s, nil
}

func newStore(ctx context.Context, cfg Config, opts Options) (*Store, error) {
	conns, err := newTransport()
	if err != nil {
		return nil, err
	}
	client, err := newClient(ctx, cfg, conns)
	if err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, opts: opts.withDefaults(), client: minio.Core{Client: client}, conns: conns, ahead: newBudget(readAheadTotal)}, nil
}

// hasty is the store as Open tries it: whoever waits for a start wants to hear soon
// what is wrong.
func (s *Store) hasty() *Store {
	h := *s
	h.longest = h.opts.OpenPatience / 2
	h.opts.Patience = min(h.opts.Patience, h.longest)
	return &h
}

// Check returns an error that names what to do where the bucket is not there or
// cannot be listed.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.page(ctx, s.cfg.Prefix, "", 1)
	return err
}

// Close lets go of idle connections. Writers and readers that are still open go
// on working.
func (s *Store) Close() error {
	s.conns.CloseIdleConnections()
	return nil
}

// Create begins a new file. Nothing is sent before a part is full.
func (s *Store) Create(ctx context.Context, key string) (files.Writer, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("create file %q: %w", key, err)
	}
	return newWriter(ctx, s, key), nil
}

// Open opens a file for reading. One request finds the file and brings its first
// 64 KiB.
func (s *Store) Open(ctx context.Context, key string) (files.Reader, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("open file %q: %w", key, err)
	}
	r, err := openReader(ctx, s, key)
	if err != nil {
		return nil, fmt.Errorf("open file %q: %w", key, notFound(err))
	}
	return r, nil
}

// Stat returns a file's size and time, without its hash.
func (s *Store) Stat(ctx context.Context, key string) (files.Info, error) {
	if err := check(ctx, key); err != nil {
		return files.Info{}, fmt.Errorf("stat file %q: %w", key, err)
	}
	o, err := s.head(ctx, key)
	if err != nil {
		return files.Info{}, fmt.Errorf("stat file %q: %w", key, notFound(err))
	}
	return files.Info{Key: key, Size: o.Size, ModTime: o.LastModified}, nil
}

func (s *Store) head(ctx context.Context, key string) (o minio.ObjectInfo, err error) {
	err = s.try(ctx, requestTime, func(ctx context.Context) error {
		o, err = s.client.StatObject(ctx, s.cfg.Bucket, s.object(key), minio.StatObjectOptions{})
		return err
	})
	return o, err
}

// Delete removes a file.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("delete file %q: %w", key, err)
	}
	err := s.try(ctx, requestTime, func(ctx context.Context) error {
		return s.client.RemoveObject(ctx, s.cfg.Bucket, s.object(key), minio.RemoveObjectOptions{})
	})
	if err != nil && !errors.Is(notFound(err), files.ErrNotFound) {
		return fmt.Errorf("delete file %q: %w", key, err)
	}
	return nil
}

// object is the key that a file has in the bucket.
func (s *Store) object(key string) string { return s.cfg.Prefix + key }

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return files.CheckKey(key)
}
