package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lockName is the file in the store's folder that open stores lock.
const lockName = ".lock"

// sweepAndShare removes leftovers, then holds the folder's lock together with
// the other open stores. Whoever gets the lock alone knows that no temporary
// file has a writer; otherwise only those nobody wrote to for long are removed.
func sweepAndShare(dir string, lock *folderLock, opts Options) error {
	before := opts.Now().Add(-opts.LeftoverAge)
	alone := lock.tryExclusive()
	if alone {
		before = time.Time{}
	}
	n, err := sweep(dir, before)
	if err != nil {
		return fmt.Errorf("remove leftovers: %w", err)
	}
	if n > 0 {
		opts.Log.Info("removed unfinished files", "folder", dir, "count", n)
	}
	return lock.share()
}

// sweep removes the temporary files below dir that were last written before a
// time (zero: all of them) and returns how many there were. It reads one folder
// at a time.
func sweep(dir string, before time.Time) (int, error) {
	removed := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process deleted it meanwhile
		}
		if err != nil || entry.IsDir() || !strings.HasPrefix(entry.Name(), tempPrefix) {
			return err
		}
		ok, err := removeLeftover(path, entry, before)
		if ok {
			removed++
		}
		return err
	})
	return removed, err
}

func removeLeftover(path string, entry fs.DirEntry, before time.Time) (bool, error) {
	fi, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !before.IsZero() && !fi.ModTime().Before(before) {
		return false, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, nil
}
