package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// moved says where a data folder's content went. It stands in a file of the
// folder.
type moved struct {
	// Database and Files are where, without secrets; "" for what stayed.
	Database string    `json:"database,omitempty"`
	Files    string    `json:"files,omitempty"`
	At       time.Time `json:"at"`
}

func (f folder) movedFile() string { return filepath.Join(string(f), "moved.json") }

// moved returns where the folder's content went; the zero value for nowhere.
func (f folder) moved() (m moved, err error) {
	text, err := os.ReadFile(f.movedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return moved{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read %s: %w", f.movedFile(), err)
	}
	return m, nil
}

// writeMoved writes down where the content went, so that nobody works on what is
// out of date; what went earlier is kept.
func (f folder) writeMoved(m moved) error {
	before, err := f.moved()
	if err != nil {
		return err
	}
	if m.Database == "" {
		m.Database = before.Database
	}
	if m.Files == "" {
		m.Files = before.Files
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("mark data folder: %w", err)
	}
	if err := writeDurably(f.movedFile(), append(text, '\n')); err != nil {
		return fmt.Errorf("mark data folder: %w", err)
	}
	return nil
}

// writeDurably writes a file in one step that outlives a power cut.
func writeDurably(path string, content []byte) error {
	tmp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// movedOn refuses a node on what is not there any more: it is in another place,
// or on its way there.
func (n *node) movedOn(context.Context) error {
	f, cfg := n.settings.folder, &n.settings.config
	m, err := f.moved()
	if err != nil {
		return err
	}
	noDatabase, noFiles := m.Database != "" && !cfg.Shared(), m.Files != "" && cfg.Files == "" && !n.settings.fileless
	if noDatabase && noFiles {
		return fmt.Errorf("what was in the data folder %s was moved to %s, and its files to %s%s; name both with --database and --files", f, m.Database, m.Files, day(m.At))
	}
	if noDatabase {
		return fmt.Errorf("what was in the data folder %s was moved to %s%s; name that with --database", f, m.Database, day(m.At))
	}
	if noFiles {
		return fmt.Errorf("the files of the data folder %s were moved to %s%s; name that with --files", f, m.Files, day(m.At))
	}
	return f.notMoving()
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " on " + t.UTC().Format("2006-01-02")
}

// moving is what the lock file says of the command that moves a folder.
const moving = "move"

// notMoving returns an error while another process moves the folder.
func (f folder) notMoving() error {
	o, ok := f.owner()
	if !ok || o.Command != moving || o.PID == os.Getpid() {
		return nil
	}
	lock, err := f.peek()
	if err == nil {
		return lock.unlock()
	}
	if errors.Is(err, errLocked) {
		return fmt.Errorf("process %d is moving the data folder %s to another place; wait until it has ended", o.PID, f)
	}
	return err
}
