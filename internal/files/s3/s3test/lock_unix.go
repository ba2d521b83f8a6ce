//go:build unix

package s3test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockFolder waits until nobody else has the folder locked. The lock ends with
// the process at the latest.
func lockFolder(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
