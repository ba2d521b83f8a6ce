package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/files"
	"tallyman/internal/jobs"
	"tallyman/internal/store"
)

// deleteFiles removes an import's file and every list that stands beside it. What
// is gone already is no error, so it can be done again.
func (s *Service) deleteFiles(ctx context.Context, imp *store.Import) error {
	keys, err := s.keysBelow(ctx, importFolder(imp))
	if err != nil {
		return err
	}
	if imp.FileKey != "" {
		keys = append(keys, spoolKey(imp.FileKey), imp.FileKey)
	}
	return s.deleteKeys(ctx, append(keys, goneMark(imp)))
}

// goneMark is a file that stands among an import's lists from before its files go
// until the last of them has gone: whatever dies in between, Tidy finds the rest.
func goneMark(imp *store.Import) string { return importFolder(imp) + goneName }

const goneName = "gone"

// mayDelete reports why files may not be removed just now.
func (s *Service) mayDelete(ctx context.Context) error {
	if s.cfg.MayDelete == nil {
		return nil
	}
	if err := s.cfg.MayDelete(ctx); err != nil {
		return fmt.Errorf("delete files: %w", err)
	}
	return nil
}

// leaveGoneMark says that an import's files are about to go.
func (s *Service) leaveGoneMark(ctx context.Context, imp *store.Import) error {
	if err := s.mayDelete(ctx); err != nil {
		return err
	}
	w, err := s.cfg.Files.Create(ctx, goneMark(imp))
	if err != nil {
		return fmt.Errorf("mark files as gone: %w", err)
	}
	defer w.Abort()
	if _, err := fmt.Fprintf(w, "The files of import %s are past their retention.\n", imp.ID); err != nil {
		return fmt.Errorf("mark files as gone: %w", err)
	}
	if _, err := w.Commit(ctx); err != nil {
		return fmt.Errorf("mark files as gone: %w", err)
	}
	return nil
}

// importFolder is where the lists of an import lie.
func importFolder(imp *store.Import) string { return fmt.Sprintf("w%d/imports/%d/", imp.WS, imp.No) }

// uploadFolder is where a workspace's uploads lie, each under a ULID of the moment
// at which it came.
func uploadFolder(ws store.WS) string { return fmt.Sprintf("w%d/uploads/", ws) }

// OwnKey reports whether a file of this key can be one of an import: below the
// uploads or the imports of a workspace.
func OwnKey(key string) bool {
	folder, rest, _ := strings.Cut(key, "/")
	ws, ok := strings.CutPrefix(folder, "w")
	if _, err := strconv.ParseUint(ws, 10, 63); !ok || err != nil {
		return false
	}
	kind, name, _ := strings.Cut(rest, "/")
	return (kind == "uploads" || kind == "imports") && name != ""
}

// keysBelow lists an import's files but for the mark that they go.
func (s *Service) keysBelow(ctx context.Context, prefix string) (keys []string, err error) {
	err = s.cfg.Files.List(ctx, prefix, func(f files.Info) error {
		if f.Key != prefix+goneName {
			keys = append(keys, f.Key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	return keys, nil
}

// deleteKeys removes files, unless they are another database's by now.
func (s *Service) deleteKeys(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := s.mayDelete(ctx); err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.cfg.Files.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete file: %w", err)
		}
	}
	return nil
}

// An upload without an import is one whose process died between its last byte and
// its import. It is left alone for so long that no client can still be about to
// start it.
const (
	orphanAge   = 24 * time.Hour
	orphansOnce = 500 // keys compared with the database at once
)

// Tidy removes uploads that never became an import, and what is left of files that
// retention was taking when its process died. It lists the files of every
// workspace, so once a day is often enough; it may run on every node.
func (s *Service) Tidy(ctx context.Context) error {
	all, err := s.cfg.Store.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("tidy uploads: %w", err)
	}
	for _, ws := range all {
		if err := s.tidy(ctx, ws.WS); err != nil {
			return fmt.Errorf("tidy uploads of workspace %s: %w", ws.Name, err)
		}
		if err := s.tidyGone(ctx, ws.WS); err != nil {
			return fmt.Errorf("tidy imports of workspace %s: %w", ws.Name, err)
		}
	}
	return nil
}

func (s *Service) tidy(ctx context.Context, ws store.WS) error {
	var old []string
	flush := func() error {
		err := s.deleteOrphans(ctx, ws, old)
		old = old[:0]
		return err
	}
	before := s.now().Add(-orphanAge)
	err := s.cfg.Files.List(ctx, uploadFolder(ws), func(f files.Info) error {
		if !f.ModTime.Before(before) {
			return nil
		}
		if old = append(old, f.Key); len(old) < orphansOnce {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// tidyGone removes the rest of the files of imports whose retention took them.
func (s *Service) tidyGone(ctx context.Context, ws store.WS) error {
	before := s.now().Add(-orphanAge)
	folder := fmt.Sprintf("w%d/imports/", ws)
	var left []int64
	err := s.cfg.Files.List(ctx, folder, func(f files.Info) error {
		number, name, _ := strings.Cut(strings.TrimPrefix(f.Key, folder), "/")
		if no, err := strconv.ParseInt(number, 10, 64); err == nil && name == goneName && f.ModTime.Before(before) {
			left = append(left, no)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	for _, no := range left {
		imp, err := s.cfg.Store.ImportNo(ctx, ws, no)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return fmt.Errorf("find import %d: %w", no, err)
		case imp.FilesGone:
			s.cfg.Log.InfoContext(ctx, "rest of an aged out import removed", jobs.LogImport, imp.ID)
			err = s.deleteFiles(ctx, &imp)
		default:
			// It was run again, and its files stay.
			err = s.deleteKeys(ctx, []string{goneMark(&imp)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteOrphans removes those of the keys, uploads and spools, of whose upload
// there is no import.
func (s *Service) deleteOrphans(ctx context.Context, ws store.WS, keys []string) error {
	uploads := make([]string, 0, len(keys))
	for _, key := range keys {
		uploads = append(uploads, uploadOf(key))
	}
	slices.Sort(uploads)
	known, err := s.cfg.Store.FileKeys(ctx, ws, slices.Compact(uploads))
	if err != nil {
		return fmt.Errorf("find imports of uploads: %w", err)
	}
	orphans := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(known, uploadOf(key)) })
	if len(orphans) == 0 {
		return nil
	}
	s.cfg.Log.InfoContext(ctx, "uploads without an import removed", "files", len(orphans))
	return s.deleteKeys(ctx, orphans)
}

// uploadOf is the upload that a key is, or whose spool it is.
func uploadOf(key string) string { return strings.TrimSuffix(key, spoolKey("")) }
