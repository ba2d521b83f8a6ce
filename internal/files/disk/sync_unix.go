//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// syncFolder makes a folder's entries durable, as far as its file system can.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the file was deleted meanwhile, and its folder with it
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	// Some network and FUSE file systems cannot sync a folder and say so.
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
