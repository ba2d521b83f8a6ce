package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"tallyman/internal/files"
)

// List calls fn with every file whose key begins with prefix, in order of keys.
// It holds the names of one folder of each depth at a time. Files that come or
// go while it runs may or may not be listed.
func (s *Store) List(ctx context.Context, prefix string, fn func(files.Info) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("list files %q: %w", prefix, err)
	}
	folder, start := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		folder, start = prefix[:i], prefix[i+1:]
		if files.CheckKey(folder) != nil {
			return nil // no key begins like this
		}
	}
	l := lister{store: s, fn: fn}
	return l.folder(ctx, folder, start)
}

type lister struct {
	store *Store
	fn    func(files.Info) error
}

// entry is a file or a folder with the text that orders it among the keys.
type entry struct {
	fs.DirEntry
	order string
}

// folder lists the folder ("" is the store's own) as far as its names begin
// with start.
func (l *lister) folder(ctx context.Context, folder, start string) error {
	entries, err := l.read(folder, start)
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list files: %w", err)
		}
		if err := l.entry(ctx, joinKey(folder, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) entry(ctx context.Context, key string, e entry) error {
	if e.IsDir() {
		return l.folder(ctx, key, "")
	}
	fi, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	if !fi.Mode().IsRegular() {
		return nil
	}
	return l.fn(files.Info{Key: key, Size: fi.Size(), ModTime: fi.ModTime()})
}

// read returns a folder's entries that are part of keys, in order of the keys.
// A folder sorts as its name with the slash that follows it there: "a.csv"
// comes before "a/b", although "a" comes before "a.csv".
func (l *lister) read(folder, start string) ([]entry, error) {
	found, err := os.ReadDir(l.store.path(folder))
	if errors.Is(notFound(err), files.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(found))
	for _, d := range found {
		if !strings.HasPrefix(d.Name(), start) || files.CheckKey(d.Name()) != nil {
			continue
		}
		e := entry{DirEntry: d, order: d.Name()}
		if d.IsDir() {
			e.order += "/"
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
	return entries, nil
}

func joinKey(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}
