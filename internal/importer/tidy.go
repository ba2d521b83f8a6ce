package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tallyman/internal/files"
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
	return s.deleteKeys(ctx, keys)
}

// importFolder is where the lists of an import lie.
func importFolder(imp *store.Import) string { return fmt.Sprintf("w%d/imports/%d/", imp.WS, imp.No) }

// uploadFolder is where a workspace's uploads lie, each under a ULID of the moment
// at which it came.
func uploadFolder(ws store.WS) string { return fmt.Sprintf("w%d/uploads/", ws) }

func (s *Service) keysBelow(ctx context.Context, prefix string) (keys []string, err error) {
	err = s.cfg.Files.List(ctx, prefix, func(f files.Info) error {
		keys = append(keys, f.Key)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	return keys, nil
}

func (s *Service) deleteKeys(ctx context.Context, keys []string) error {
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

// Tidy removes uploads that never became an import. It lists the uploads of every
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
