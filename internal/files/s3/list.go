package s3

import (
	"context"
	"fmt"
	"strings"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
)

// pageKeys is how many objects a server lists at a time, and how many List holds.
const pageKeys = 1000

// List calls fn with every file whose key begins with prefix, in order of keys.
// Files that come or go while it runs may or may not be listed. Objects whose
// keys the contract does not allow are passed over.
func (s *Store) List(ctx context.Context, prefix string, fn func(files.Info) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("list files %q: %w", prefix, err)
	}
	if !beginsKeys(prefix) {
		return nil
	}
	for after := ""; ; {
		page, err := s.page(ctx, s.object(prefix), after, pageKeys)
		if err != nil {
			return fmt.Errorf("list files %q: %w", prefix, err)
		}
		for _, o := range page {
			if err := s.listed(o, fn); err != nil {
				return err
			}
		}
		if len(page) < pageKeys {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

func (s *Store) listed(o minio.ObjectInfo, fn func(files.Info) error) error {
	key := strings.TrimPrefix(o.Key, s.cfg.Prefix)
	if files.CheckKey(key) != nil {
		return nil
	}
	return fn(files.Info{Key: key, Size: o.Size, ModTime: o.LastModified})
}

// beginsKeys says whether any key that is allowed begins with the prefix. Servers
// differ in what they make of the others.
func beginsKeys(prefix string) bool {
	folder, start := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		folder, start = prefix[:i], prefix[i+1:]
		if files.CheckKey(folder) != nil {
			return false
		}
	}
	return start == "" || files.CheckKey(start) == nil
}

// page returns up to n objects, in order of keys, that follow the key after.
func (s *Store) page(ctx context.Context, prefix, after string, n int) ([]minio.ObjectInfo, error) {
	var page []minio.ObjectInfo
	owner := false
	err := s.try(ctx, requestTime, func(ctx context.Context) error {
		page = page[:0]
		opts := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: n, FetchOwner: &owner}
		for o := range s.client.ListObjectsIter(ctx, s.cfg.Bucket, opts) {
			if o.Err != nil {
				return o.Err
			}
			if page = append(page, o); len(page) == n {
				break
			}
		}
		return ctx.Err()
	})
	return page, err
}
