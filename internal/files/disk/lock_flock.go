//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// folderLock is a lock on the store's folder. The system lets go of it when
// the process ends, however it ends.
type folderLock struct{ file *os.File }

func openLock(path string) (*folderLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &folderLock{file: f}, nil
}

// tryExclusive reports whether the folder is now locked against everyone else;
// it is not while another store is open, nor on a file system without locks.
func (l *folderLock) tryExclusive() bool {
	return l.flock(syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// share keeps the folder from being locked exclusively until close. It waits
// for another store that is being opened.
func (l *folderLock) share() error {
	err := l.flock(syscall.LOCK_SH)
	// Without locks nobody ever holds the folder exclusively.
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOLCK) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock folder: %w", err)
	}
	return nil
}

func (l *folderLock) flock(how int) error {
	for {
		err := syscall.Flock(int(l.file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func (l *folderLock) close() error { return l.file.Close() }
