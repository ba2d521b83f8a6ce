package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// serverFile tells other commands on this machine where the folder's server
// answers, and lets them in. Only the owner of the folder can read it.
type serverFile struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
	// Token is good for every workspace, as an admin, until the server ends.
	// For the workspace W the key is Token.W (see localToken).
	Token string `json:"token"`
}

// writeServer writes the server file in one step, so that nobody reads half.
func (f folder) writeServer(s serverFile) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write server file: %w", err)
	}
	tmp := f.serverFile() + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write server file: %w", err)
	}
	if err := os.Rename(tmp, f.serverFile()); err != nil {
		return fmt.Errorf("write server file: %w", err)
	}
	return nil
}

// removeServer takes the server file away.
func (f folder) removeServer() { os.Remove(f.serverFile()) }

// server returns the server that holds the folder's lock, if it is one and has
// begun to answer. A file that a killed server left names a process that does
// not hold the lock.
func (f folder) server() (serverFile, bool) {
	text, err := os.ReadFile(f.serverFile())
	if err != nil {
		return serverFile{}, false
	}
	var s serverFile
	if err := json.Unmarshal(text, &s); err != nil {
		return serverFile{}, false
	}
	o, ok := f.owner()
	return s, ok && o.PID == s.PID
}
