package importer

import (
	"errors"
	"syscall"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/store"
)

// putOffFor is how long a job waits that the surroundings keep from its work.
const putOffFor = 3 * time.Second

// outside reports whether what went wrong lies in what the node works on, and not
// in the import: a database or a file store that is away, a disk that is full. It
// passes, however long it takes, and the import goes on.
func (s *Service) outside(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, files.ErrUnavailable) || noRoom(err) || s.held() != ""
}

// noRoom reports whether a file could not be written because nothing more fits.
func noRoom(err error) bool {
	return errors.Is(err, files.ErrNoRoom) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// accepts refuses an upload while the node holds: there may be no room for it, or
// nowhere to put it.
func (s *Service) accepts() error {
	if reason := s.held(); reason != "" {
		return &catalog.Fault{Kind: catalog.KindUnavailable, Code: "unavailable", Message: reason, Hint: "Send the file again when that is over."}
	}
	return nil
}
