package importer

import (
	"context"
	"fmt"

	"tallyman/internal/files"
	"tallyman/internal/store"
)

// The two kinds of segments that a time slice of the scan leaves in the file
// store.
const (
	keySegments  = "keys"
	markSegments = "marks"
)

// segmentKey names the segment that the slice batch's job writes now. The epoch
// is part of it because nothing fences the file store: a job that was taken for
// dead must not overwrite what its successor has committed, and may have read
// less far.
func segmentKey(imp *store.Import, kind string, b *store.Batch) string {
	return fmt.Sprintf("%s%d-%d", segmentPrefix(imp, kind), b.NextSeq, b.Epoch)
}

func segmentPrefix(imp *store.Import, kind string) string {
	return fmt.Sprintf("w%d/imports/%d/%s/", imp.WS, imp.No, kind)
}

// segments lists the keys of an import's n committed segments in order. Of those
// with one number the one of the highest epoch is committed: a start raises the
// epoch, after which no job of before commits, and once a number is committed
// later jobs write the next one.
func (s *Service) segments(ctx context.Context, imp *store.Import, kind string, n int) ([]string, error) {
	prefix := segmentPrefix(imp, kind)
	keys, epochs := make([]string, n), make([]int64, n)
	err := s.cfg.Files.List(ctx, prefix, func(f files.Info) error {
		var seq int
		var epoch int64
		if _, err := fmt.Sscanf(f.Key[len(prefix):], "%d-%d", &seq, &epoch); err != nil {
			return fmt.Errorf("segment %s: %w", f.Key, err)
		}
		if seq < n && epoch > epochs[seq] {
			keys[seq], epochs[seq] = f.Key, epoch
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	for seq, key := range keys {
		if key == "" {
			return nil, fmt.Errorf("segment %d of %s: %w", seq, kind, files.ErrNotFound)
		}
	}
	return keys, nil
}
