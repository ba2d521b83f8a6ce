package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"tallyman/internal/files"
)

// tempPrefix begins the name of a file that is being written. Keys have no
// element that begins with a dot, so it is never a key.
const tempPrefix = ".tmp-"

// sendBytes is how much is written before it is sent on to the disk.
const sendBytes = 8 << 20

// errFinished answers whoever uses a writer after Commit or Abort.
var errFinished = errors.New("file is already committed or aborted")

// writer writes one new file under its temporary name. It is for one goroutine.
type writer struct {
	store  *Store
	key    string
	target string
	temp   *os.File // nil once committed or aborted
	hash   hash.Hash
	size   int64
	sent   int64 // how much of it is on its way to the disk
	err    error // of the first Write that failed; the file is not whole then
}

var _ files.Writer = (*writer)(nil)

func newWriter(s *Store, key, target string, temp *os.File) *writer {
	return &writer{store: s, key: key, target: target, temp: temp, hash: sha256.New()}
}

// Write adds bytes to the file.
func (w *writer) Write(p []byte) (int, error) {
	if w.temp == nil {
		return 0, fmt.Errorf("write file %q: %w", w.key, errFinished)
	}
	n, err := w.temp.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.sendOn()
	if err != nil {
		err = fmt.Errorf("write file %q: %w", w.key, err)
		w.err = errors.Join(w.err, err)
	}
	return n, err
}

// sendOn has the system begin to bring what was written to the disk, so that the
// sync of a large file finds little left to wait for.
func (w *writer) sendOn() {
	if ready := w.size - w.sent; ready >= sendBytes {
		beginSync(w.temp, w.sent, ready)
		w.sent = w.size
	}
}

// Commit makes the file durable, then visible. After an error the key shows
// what it showed before, except when only the last sync of the folders failed:
// then it may show the new file, which a power cut might take back.
func (w *writer) Commit(ctx context.Context) (files.Info, error) {
	defer w.Abort()
	info, err := w.commit(ctx)
	if err != nil {
		return files.Info{}, fmt.Errorf("commit file %q: %w", w.key, err)
	}
	return info, nil
}

func (w *writer) commit(ctx context.Context) (files.Info, error) {
	switch {
	case w.temp == nil:
		return files.Info{}, errFinished
	case w.err != nil:
		return files.Info{}, w.err
	case ctx.Err() != nil:
		return files.Info{}, ctx.Err()
	}
	if err := w.temp.Sync(); err != nil {
		return files.Info{}, err
	}
	fi, err := w.temp.Stat()
	if err != nil {
		return files.Info{}, err
	}
	if err := w.publish(); err != nil {
		return files.Info{}, err
	}
	return files.Info{
		Key:     w.key,
		Size:    w.size,
		SHA256:  hex.EncodeToString(w.hash.Sum(nil)),
		ModTime: fi.ModTime(),
	}, nil
}

// publish gives the file its name and makes that as durable as its bytes.
func (w *writer) publish() error {
	if err := w.temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(w.temp.Name(), w.target); err != nil {
		return err
	}
	w.temp = nil
	return w.store.syncFolders(filepath.Dir(w.target))
}

// Abort throws the bytes away.
func (w *writer) Abort() {
	if w.temp == nil {
		return
	}
	// Nothing is lost where these fail: the next Open removes the leftover. The
	// file may be closed already, by a commit that failed after it.
	_ = w.temp.Close()
	_ = os.Remove(w.temp.Name())
	w.temp = nil
	w.store.pruneFolders(filepath.Dir(w.target))
}

// syncFolders makes the entries of a folder and of its parents, up to the
// store's own, durable. The parents are synced every time, because whoever
// made them, in this process or another, may not have come to that yet.
func (s *Store) syncFolders(folder string) error {
	for {
		if err := syncFolder(folder); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
		if folder == s.dir {
			return nil
		}
		folder = filepath.Dir(folder)
	}
}
