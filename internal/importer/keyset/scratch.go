package keyset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// tempFile is a file in the scratch folder that is gone when it is closed.
type tempFile struct {
	*os.File
}

func newTempFile(dir string) (tempFile, error) {
	f, err := os.CreateTemp(dir, "keyset-*")
	if err != nil {
		return tempFile{}, fmt.Errorf("create scratch file: %w", err)
	}
	return tempFile{f}, nil
}

func (f tempFile) close() {
	f.Close()
	os.Remove(f.Name())
}

const entrySize = 24

// spill keeps entries, in their order, for another round.
type spill struct {
	file  tempFile
	out   *bufio.Writer
	count int
}

func newSpill(dir string) (*spill, error) {
	f, err := newTempFile(dir)
	if err != nil {
		return nil, err
	}
	return &spill{file: f, out: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (s *spill) add(e entry) error {
	b := s.out.AvailableBuffer()
	b = binary.LittleEndian.AppendUint64(b, e.word)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.row))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.offset))
	s.count++
	if _, err := s.out.Write(b); err != nil {
		return fmt.Errorf("write scratch file: %w", err)
	}
	return nil
}

// each calls fn with every entry; none can be added afterwards.
func (s *spill) each(fn func(entry) error) error {
	if err := s.out.Flush(); err != nil {
		return fmt.Errorf("write scratch file: %w", err)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, int64(s.count)*entrySize), 64<<10)
	var b [entrySize]byte
	for {
		switch _, err := io.ReadFull(in, b[:]); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read scratch file: %w", err)
		}
		e := entry{
			word:   binary.LittleEndian.Uint64(b[:]),
			row:    int64(binary.LittleEndian.Uint64(b[8:])),
			offset: int64(binary.LittleEndian.Uint64(b[16:])),
		}
		if err := fn(e); err != nil {
			return err
		}
	}
}

func (s *spill) close() { s.file.close() }
