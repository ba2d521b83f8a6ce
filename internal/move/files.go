package move

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"tallyman/internal/files"
	"tallyman/internal/files/marker"
	"tallyman/internal/store"
)

// copiers is how many files are copied at once: most are small, and a bucket
// answers slowly.
const copiers = 8

// whoseFiles makes sure that neither place has the files of another database.
func (m *mover) whoseFiles(ctx context.Context) (err error) {
	if m.installation, err = m.from.Store.Installation(ctx); err != nil {
		return fmt.Errorf("find out whose files they are: %w", err)
	}
	if err := marker.Check(ctx, m.from.Files, m.installation); err != nil {
		return fmt.Errorf("look at the old files: %w", err)
	}
	if m.to.Store != nil {
		if m.replaced, err = m.to.Store.Installation(ctx); err != nil {
			return fmt.Errorf("find out whose files they are: %w", err)
		}
	}
	owner, err := marker.Owner(ctx, m.to.Files)
	var other *marker.Other
	if err != nil && !errors.As(err, &other) {
		return fmt.Errorf("look at the new files: %w", err)
	}
	if err != nil || owner != "" && owner != m.installation && owner != m.replaced {
		return fmt.Errorf("look at the new files: %w: %w", ErrInUse, marker.Check(ctx, m.to.Files, m.installation))
	}
	return nil
}

// markFiles makes the new files the old database's, and so the new one's.
func (m *mover) markFiles(ctx context.Context) error {
	if err := marker.Take(ctx, m.to.Files, m.installation, m.replaced); err != nil {
		return fmt.Errorf("mark the new files: %w", err)
	}
	return nil
}

// refuseStrangers makes sure that the new place has no files of somebody else,
// whose retention might take ours.
func (m *mover) refuseStrangers(ctx context.Context) error {
	if m.opt.Restart {
		return nil
	}
	err := m.to.Files.List(ctx, "", func(f files.Info) error {
		if f.Key == marker.Key {
			return nil
		}
		_, err := m.from.Files.Stat(ctx, f.Key)
		if errors.Is(err, files.ErrNotFound) {
			return fmt.Errorf("%w: it has the file %s, which is not here; name an empty bucket, prefix or folder", ErrInUse, f.Key)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look at the new files: %w", err)
	}
	return nil
}

// copyFiles copies every file that the new place does not have.
func (m *mover) copyFiles(ctx context.Context) error {
	known, err := m.uploads(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan files.Info)
	var group sync.WaitGroup
	var mu sync.Mutex
	for range copiers {
		group.Go(func() {
			for f := range work {
				done, err := m.copyFile(ctx, f)
				if err != nil {
					cancel(fmt.Errorf("copy the file %s: %w", f.Key, err))
					return
				}
				mu.Lock()
				m.copied(f, done, known[f.Key])
				mu.Unlock()
			}
		})
	}
	err = m.from.Files.List(ctx, "", func(f files.Info) error {
		if f.Key == marker.Key {
			return nil // the new place has its own
		}
		select {
		case work <- f:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	close(work)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	slices.Sort(m.report.Damaged)
	return nil
}

// transfer is how one file came to the new place.
type transfer struct {
	sha256 string
	new    bool
}

func (m *mover) copied(f files.Info, t transfer, want string) {
	m.report.Files++
	m.report.Bytes += f.Size
	if t.new {
		m.report.Copied++
	}
	if want != "" && want != t.sha256 {
		m.report.Damaged = append(m.report.Damaged, f.Key)
	}
	m.opt.Progress(Progress{Step: StepFiles, Done: m.report.Files, Bytes: m.report.Bytes})
}

// importsAtOnce is how many imports are listed at once.
const importsAtOnce = 500

// uploads returns the hashes that imports know their files by.
func (m *mover) uploads(ctx context.Context) (map[string]string, error) {
	known := map[string]string{}
	workspaces, err := m.from.Store.Workspaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	for _, w := range workspaces {
		for at := 0; ; at += importsAtOnce {
			list, _, err := m.from.Store.Imports(ctx, w.WS, store.ImportFilter{}, store.Range{Offset: at, Limit: importsAtOnce})
			if err != nil {
				return nil, fmt.Errorf("list uploads: %w", err)
			}
			for i := range list {
				known[list[i].FileKey] = list[i].SHA256
			}
			if len(list) < importsAtOnce {
				break
			}
		}
	}
	return known, nil
}

// copyFile brings a file to the new place, unless it is there. One of the same
// size is only the same if its bytes are.
func (m *mover) copyFile(ctx context.Context, f files.Info) (transfer, error) {
	there, err := m.to.Files.Stat(ctx, f.Key)
	if err == nil && there.Size == f.Size {
		here, err := sum(ctx, m.from.Files, f.Key)
		if err != nil {
			return transfer{}, err
		}
		if other, err := sum(ctx, m.to.Files, f.Key); err != nil || other == here {
			return transfer{sha256: here}, err
		}
	} else if err != nil && !errors.Is(err, files.ErrNotFound) {
		return transfer{}, err
	}
	return m.sendFile(ctx, f)
}

func (m *mover) sendFile(ctx context.Context, f files.Info) (transfer, error) {
	w, err := m.to.Files.Create(ctx, f.Key)
	if err != nil {
		return transfer{}, err
	}
	defer w.Abort()
	hash, err := read(ctx, m.from.Files, f.Key, w)
	if err != nil {
		return transfer{}, err
	}
	stored, err := w.Commit(ctx)
	if err != nil {
		return transfer{}, err
	}
	if stored.Size != f.Size || stored.SHA256 != "" && stored.SHA256 != hash {
		return transfer{}, fmt.Errorf("%w: %d of %d bytes arrived", ErrDiffers, stored.Size, f.Size)
	}
	there, err := m.to.Files.Stat(ctx, f.Key)
	if err == nil && there.Size != f.Size {
		err = fmt.Errorf("%w: %d of %d bytes are there", ErrDiffers, there.Size, f.Size)
	}
	return transfer{sha256: hash, new: true}, err
}

// sum reads a file and returns its hash.
func sum(ctx context.Context, s files.Store, key string) (string, error) {
	return read(ctx, s, key, io.Discard)
}

// read writes a file's bytes to w and returns their hash, SHA-256 in hex.
func read(ctx context.Context, s files.Store, key string, w io.Writer) (_ string, err error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256.New()
	buffer := make([]byte, 256<<10)
	if _, err := io.CopyBuffer(io.MultiWriter(w, h), onlyReader{io.NewSectionReader(r, 0, r.Size())}, buffer); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// onlyReader hides that a reader can write itself, which would take as much at
// once as it likes.
type onlyReader struct{ io.Reader }
