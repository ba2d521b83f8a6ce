package disk

import (
	"errors"
	"io/fs"
	"os"

	"tallyman/internal/files"
)

// reader reads one file. It keeps reading the same bytes when its key is
// replaced or deleted.
type reader struct {
	file *os.File
	size int64
}

var _ files.Reader = (*reader)(nil)

func openReader(path string) (*reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &reader{file: f, size: fi.Size()}, nil
}

// ReadAt reads as io.ReaderAt says.
func (r *reader) ReadAt(p []byte, off int64) (int, error) { return r.file.ReadAt(p, off) }

// Size returns the file's size in bytes.
func (r *reader) Size() int64 { return r.size }

// Close ends reading.
func (r *reader) Close() error { return r.file.Close() }
