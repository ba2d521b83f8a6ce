package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// folder is the data folder: everything that the program keeps on this machine.
//
//	tallyman.db   the database (with -wal and -shm beside it)
//	files/        stored files
//	scratch/      temporary files of running imports; empty when nobody runs
//	lock          held by the process that runs the job engine
//	opening       held for the moment in which a process opens the database
//	server.json   where that process answers, while it is a server
type folder string

func (f folder) database() string    { return filepath.Join(string(f), "tallyman.db") }
func (f folder) files() string       { return filepath.Join(string(f), "files") }
func (f folder) scratch() string     { return filepath.Join(string(f), "scratch") }
func (f folder) lockFile() string    { return filepath.Join(string(f), "lock") }
func (f folder) openingFile() string { return filepath.Join(string(f), "opening") }
func (f folder) serverFile() string  { return filepath.Join(string(f), "server.json") }

// make makes the folder where it is not there. Only the owner may look in: it
// holds the catalog and the keys to it.
func (f folder) make() error {
	if err := os.MkdirAll(f.scratch(), 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	return nil
}

// exists reports whether the folder holds a database.
func (f folder) exists() bool {
	_, err := os.Stat(f.database())
	return err == nil
}

// errLocked says that another process runs the folder's engine.
var errLocked = errors.New("the data folder is in use")

// owner says which process holds the lock. It stands in the lock file.
type owner struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

// folderLock is the right to run the folder's engine. The operating system
// takes it away with the process, however that ends.
type folderLock struct{ file *os.File }

// lock takes the folder for this process; errLocked if another has it.
func (f folder) lock(command string) (*folderLock, error) {
	if err := f.make(); err != nil {
		return nil, err
	}
	l, err := f.peek()
	if err != nil {
		return nil, err
	}
	if err := writeOwner(l.file, owner{PID: os.Getpid(), Command: command}); err != nil {
		l.unlock()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return l, nil
}

func writeOwner(file *os.File, o owner) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt(append(text, '\n'), 0)
	return err
}

// unlock gives the folder back.
func (l *folderLock) unlock() error { return l.file.Close() }

// owner returns who took the lock last, and whether that can be read: the
// process may be gone, and the next one may be about to write itself down.
func (f folder) owner() (owner, bool) {
	file, err := os.Open(f.lockFile())
	if err != nil {
		return owner{}, false
	}
	defer file.Close()
	var o owner
	if err := json.NewDecoder(io.LimitReader(file, 1<<10)).Decode(&o); err != nil {
		return owner{}, false
	}
	return o, o.PID != 0
}

// alone makes the folder where it is not there and runs do while no other
// process runs its own.
func (f folder) alone(do func() error) error {
	if err := f.make(); err != nil {
		return err
	}
	file, err := os.OpenFile(f.openingFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open data folder: %w", err)
	}
	defer file.Close()
	if err := waitLock(file); err != nil {
		return err
	}
	return do()
}

// peek takes the lock without writing down who has it, to find out whether
// anybody else does.
func (f folder) peek() (*folderLock, error) {
	file, err := os.OpenFile(f.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := tryLock(file); err != nil {
		file.Close()
		return nil, err
	}
	return &folderLock{file: file}, nil
}

// sweepScratch removes what a process that died left behind. Only the holder of
// the lock may call it.
func (f folder) sweepScratch() error {
	entries, err := os.ReadDir(f.scratch())
	if err != nil {
		return fmt.Errorf("sweep scratch folder: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(f.scratch(), e.Name())); err != nil {
			return fmt.Errorf("sweep scratch folder: %w", err)
		}
	}
	return nil
}

// fileSize is a file's size in bytes, 0 where it cannot be told.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
