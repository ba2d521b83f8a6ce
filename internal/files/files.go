// Package files holds stored files: uploads, spools, reports and the scratch
// of running imports, under keys that begin with their workspace.
//
// The package defines the contract (Store) and what every store shares; disk/
// and s3/ implement it, and filestest/ is the suite that each passes. What does
// not belong here: what is in the files, and which import they belong to.
package files

import (
	"context"
	"errors"
	"io"
	"time"
)

// ErrNotFound says that no file has the key.
var ErrNotFound = errors.New("file not found")

// ErrUnavailable says that the store does not answer, or has no room, and may
// again later.
var ErrUnavailable = errors.New("the file store is not available")

// ErrNoRoom says that the store takes nothing more until somebody makes room. Where
// the room is a disk's, the error is the system's instead (ENOSPC, EDQUOT).
var ErrNoRoom = errors.New("the file store has no room")

// Info describes a stored file.
type Info struct {
	Key     string
	Size    int64
	SHA256  string // hex; "" where only the store's listing was asked
	ModTime time.Time
}

// Store keeps files under keys. Every method is safe for concurrent use.
//
// A key is a path of one or more elements of [A-Za-z0-9._-], separated by '/';
// no element begins with a dot. An element has at most 255 bytes, a key at most
// 1024. A method given any other key returns an error (CheckKey); a prefix of
// List may be anything. Whoever makes keys keeps to two rules more, which a store
// may but need not enforce: a key is not also the folder of another ("a" beside
// "a/b"), and no two keys differ by case alone, for they may be one file.
//
// A file is written once, whole, and never changed; a reader sees all of it or
// nothing. A key may be given a new file. A reader that has the old one open goes
// on reading its bytes or gets an error; never does it see bytes of both.
type Store interface {
	// Create begins a new file. Nothing is seen under the key before Commit. An
	// existing file of that key is replaced by Commit, in one step.
	Create(ctx context.Context, key string) (Writer, error)
	// Open opens a file for reading; ErrNotFound if there is none.
	Open(ctx context.Context, key string) (Reader, error)
	// Stat returns a file's size and time; ErrNotFound if there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes a file; removing one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List calls fn with every file whose key begins with prefix, in order of
	// keys, until fn returns an error, which List returns.
	List(ctx context.Context, prefix string, fn func(Info) error) error
}

// Writer takes the bytes of a new file. It hashes what it is given.
type Writer interface {
	io.Writer
	// Commit makes the file durable and visible, and returns what was stored.
	Commit(ctx context.Context) (Info, error)
	// Abort throws the bytes away. After Commit it does nothing, so that it can
	// be deferred.
	Abort()
}

// Reader reads a file from anywhere. Reads at different offsets may run side by
// side.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}
