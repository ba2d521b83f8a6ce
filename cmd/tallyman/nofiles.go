package main

import (
	"context"
	"fmt"
	"os"

	"tallyman/internal/files"
)

// noFiles is the file store of a command that has none and needs none. It holds
// nothing, and takes nothing.
type noFiles struct{ where string }

var _ files.Store = noFiles{}

// Create implements files.Store.
func (f noFiles) Create(context.Context, string) (files.Writer, error) {
	return nil, fmt.Errorf("there is no folder %s; say with --files where files are kept", f.where)
}

// Open implements files.Store.
func (f noFiles) Open(_ context.Context, key string) (files.Reader, error) {
	return nil, f.missing(key)
}

// Stat implements files.Store.
func (f noFiles) Stat(_ context.Context, key string) (files.Info, error) {
	return files.Info{}, f.missing(key)
}

func (f noFiles) missing(key string) error {
	return fmt.Errorf("%s: %w: there is no folder %s; say with --files where files are kept", key, files.ErrNotFound, f.where)
}

// Delete implements files.Store.
func (noFiles) Delete(context.Context, string) error { return nil }

// List implements files.Store.
func (noFiles) List(context.Context, string, func(files.Info) error) error { return nil }

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
