package s3

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Sweep removes those uploads of files whose keys are ours that were begun long
// ago and neither finished nor aborted: their writers are gone, and their parts
// take room. Others may keep files in the same bucket, so whatever is not
// certainly ours stays. A lifecycle rule can remove uploads as well.
func (s *Store) Sweep(ctx context.Context, ours func(key string) bool) error {
	before := s.opts.Now().Add(-s.opts.LeftoverAge)
	var last minio.ListMultipartUploadsResult
	removed := 0
	for {
		page, err := s.uploads(ctx, last.NextKeyMarker, last.NextUploadIDMarker)
		if err != nil {
			return fmt.Errorf("look for unfinished files: %w", err)
		}
		n, err := s.sweepPage(ctx, page.Uploads, before, ours)
		removed += n
		if err != nil {
			return err
		}
		if last = page; !page.IsTruncated {
			break
		}
	}
	if removed > 0 {
		s.opts.Log.Info("removed unfinished files", "store", s.cfg.String(), "count", removed)
	}
	return nil
}

func (s *Store) uploads(ctx context.Context, afterKey, afterUpload string) (page minio.ListMultipartUploadsResult, err error) {
	err = s.try(ctx, requestTime, func(ctx context.Context) error {
		page, err = s.client.ListMultipartUploads(ctx, s.cfg.Bucket, s.cfg.Prefix, afterKey, afterUpload, "", pageKeys)
		return err
	})
	return page, err
}

// sweepPage removes those of our uploads that were begun before a time, and
// returns how many there were.
func (s *Store) sweepPage(ctx context.Context, uploads []minio.ObjectMultipartInfo, before time.Time, ours func(string) bool) (removed int, err error) {
	for _, u := range uploads {
		key, within := strings.CutPrefix(u.Key, s.cfg.Prefix)
		if !within || !ours(key) || !u.Initiated.Before(before) {
			continue
		}
		if err := s.removeUpload(ctx, u.Key, u.UploadID); err != nil {
			return removed, fmt.Errorf("remove unfinished upload of %q: %w", u.Key, err)
		}
		removed++
	}
	return removed, nil
}

// removeUpload throws an upload away; one that is not there any more is no error.
func (s *Store) removeUpload(ctx context.Context, object, upload string) error {
	err := s.try(ctx, requestTime, func(ctx context.Context) error {
		return s.client.AbortMultipartUpload(ctx, s.cfg.Bucket, object, upload)
	})
	if codeOf(err) == "NoSuchUpload" {
		return nil
	}
	return err
}
