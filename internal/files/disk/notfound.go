package disk

import (
	"errors"
	"io/fs"
	"syscall"

	"tallyman/internal/files"
)

// notFound turns the system's ways to say that there is no such file into
// files.ErrNotFound: no entry, or a file where the key has a folder.
func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return files.ErrNotFound
	}
	return err
}
