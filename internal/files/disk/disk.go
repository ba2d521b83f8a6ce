// Package disk keeps stored files in a folder: the key is the path below it.
//
// A file is written under a temporary name beside its target, hashed on the
// way, synced, closed and renamed, and its folders are synced. At whatever
// moment the process or the machine dies, a key shows a whole file or none;
// what a crash leaves behind is removed by the next Open.
//
// What does not belong here: which keys the program uses and how long their
// files are kept (packages importer, export and media).
//
// Two limits of the contract come from file systems: a key cannot also be the
// folder of another key ("a" beside "a/b"), and where names ignore case, keys
// that differ by case alone are one file.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tallyman/internal/files"
)

// folderMode lets only the owner see what people upload; files are made with
// as little.
const folderMode = 0o700

// Options set a Store; the zero value is ready to use.
type Options struct {
	// LeftoverAge is how long a temporary file must have been left unwritten
	// before Open removes it while another process has the folder open; 0 means
	// 24 hours. With nobody else there, Open removes them all.
	LeftoverAge time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told about removed leftovers; nil means nobody is.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.LeftoverAge == 0 {
		o.LeftoverAge = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is a files.Store in a folder. Several processes may have the same
// folder open.
type Store struct {
	dir  string
	lock *folderLock
}

var _ files.Store = (*Store)(nil)

// Open opens the store in dir, making the folder if it is not there, and
// removes the temporary files that a crash left.
func Open(dir string, opts Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	if err := makeDurable(dir); err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	lock, err := openLock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	if err := sweepAndShare(dir, lock, opts.withDefaults()); err != nil {
		return nil, errors.Join(fmt.Errorf("open file store: %w", err), lock.close())
	}
	return &Store{dir: dir, lock: lock}, nil
}

// makeDurable makes a folder and its parents where they are missing, so that
// they outlive a power cut.
func makeDurable(dir string) error {
	fi, err := os.Stat(dir)
	switch {
	case err == nil && fi.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDurable(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// Close lets go of the folder. Writers and readers that are still open go on
// working, but the next Open of the folder may remove what they write.
func (s *Store) Close() error {
	if err := s.lock.close(); err != nil {
		return fmt.Errorf("close file store: %w", err)
	}
	return nil
}

// Create begins a new file.
func (s *Store) Create(ctx context.Context, key string) (files.Writer, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("create file %q: %w", key, err)
	}
	target := s.path(key)
	temp, err := createTemp(filepath.Dir(target))
	if err != nil {
		return nil, fmt.Errorf("create file %q: %w", key, err)
	}
	return newWriter(s, key, target, temp), nil
}

// createAttempts bounds how often a folder may vanish between making it and
// making a file in it, because a Delete found it empty.
const createAttempts = 100

func createTemp(folder string) (*os.File, error) {
	for attempt := 1; ; attempt++ {
		// A folder that somebody removes again while it is made shows as missing, or
		// as there already; CreateTemp tells what is true.
		if err := os.MkdirAll(folder, folderMode); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		temp, err := os.CreateTemp(folder, tempPrefix+"*")
		if errors.Is(err, fs.ErrNotExist) && attempt < createAttempts {
			continue
		}
		return temp, err
	}
}

// Open opens a file for reading.
func (s *Store) Open(ctx context.Context, key string) (files.Reader, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("open file %q: %w", key, err)
	}
	r, err := openReader(s.path(key))
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
	fi, err := os.Stat(s.path(key))
	if err == nil && !fi.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return files.Info{}, fmt.Errorf("stat file %q: %w", key, notFound(err))
	}
	return files.Info{Key: key, Size: fi.Size(), ModTime: fi.ModTime()}, nil
}

// Delete removes a file, and the folders that it leaves empty. A power cut may
// bring the file back, whole.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("delete file %q: %w", key, err)
	}
	path := s.path(key)
	if fi, err := os.Lstat(path); err == nil && fi.IsDir() {
		return nil // the folder of other keys is not a file
	}
	err := os.Remove(path)
	if errors.Is(notFound(err), files.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete file %q: %w", key, err)
	}
	s.pruneFolders(filepath.Dir(path))
	return nil
}

// pruneFolders removes the folder and its parents as far as they are empty;
// the system refuses to remove one that is not.
func (s *Store) pruneFolders(folder string) {
	for folder != s.dir && os.Remove(folder) == nil {
		folder = filepath.Dir(folder)
	}
}

func (s *Store) path(key string) string {
	return filepath.Join(s.dir, filepath.FromSlash(key))
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return files.CheckKey(key)
}
