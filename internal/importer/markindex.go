package importer

import (
	"context"
	"fmt"
	"sort"

	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// markIndex finds marks by row number, in any order.
type markIndex struct {
	svc      *Service
	segments []markSegment
	loaded   int // index of the segment in buf, -1 for none
	buf      []byte
}

// markSegment is a segment that has marks.
type markSegment struct {
	key  string
	size int64
	// first is the row number of its first mark.
	first int64
}

// openMarks lists the marks that the first slice step of an import left.
func (s *Service) openMarks(ctx context.Context, imp *store.Import) (*markIndex, error) {
	keys, err := s.firstSegments(ctx, imp, markSegments)
	if err != nil {
		return nil, err
	}
	x := &markIndex{svc: s, loaded: -1}
	for _, key := range keys {
		seg, err := s.openMarkSegment(ctx, key)
		if err != nil {
			return nil, err
		}
		if seg.size > 0 {
			x.segments = append(x.segments, seg)
		}
	}
	return x, nil
}

func (s *Service) openMarkSegment(ctx context.Context, key string) (markSegment, error) {
	f, err := s.cfg.Files.Open(ctx, key)
	if err != nil {
		return markSegment{}, fmt.Errorf("open marks: %w", err)
	}
	defer f.Close()
	seg := markSegment{key: key, size: f.Size()}
	if seg.size == 0 {
		return seg, nil
	}
	var raw [markSize]byte
	if err := readFull(f, raw[:], 0); err != nil {
		return seg, fmt.Errorf("read marks: %w", err)
	}
	seg.first = parseMark(raw[:]).number
	return seg, nil
}

// firstSegments lists the segments of a kind that the scan of the file left,
// whatever was cut after it; none for a file that was not scanned.
func (s *Service) firstSegments(ctx context.Context, imp *store.Import, kind string) ([]string, error) {
	steps, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, ledger.PassSlice)
	if err != nil {
		return nil, fmt.Errorf("find slice step: %w", err)
	}
	for i := range steps {
		if steps[i].No == 1 {
			return s.segments(ctx, imp, kind, steps[i].NextSeq)
		}
	}
	return nil, nil
}

// before returns the last mark at or before a row number; ok is false where there
// is none.
func (x *markIndex) before(ctx context.Context, row int64) (m mark, ok bool, err error) {
	at := sort.Search(len(x.segments), func(i int) bool { return x.segments[i].first > row }) - 1
	if at < 0 {
		return mark{}, false, nil
	}
	if err := x.load(ctx, at); err != nil {
		return mark{}, false, err
	}
	i := sort.Search(len(x.buf)/markSize, func(i int) bool { return parseMark(x.buf[i*markSize:]).number > row }) - 1
	return parseMark(x.buf[i*markSize:]), true, nil
}

func (x *markIndex) load(ctx context.Context, at int) error {
	if x.loaded == at {
		return nil
	}
	f, err := x.svc.cfg.Files.Open(ctx, x.segments[at].key)
	if err != nil {
		return fmt.Errorf("open marks: %w", err)
	}
	defer f.Close()
	x.loaded, x.buf = -1, make([]byte, f.Size())
	if err := readFull(f, x.buf, 0); err != nil {
		return fmt.Errorf("read marks: %w", err)
	}
	x.loaded = at
	return nil
}
