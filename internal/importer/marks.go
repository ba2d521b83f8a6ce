package importer

import (
	"context"
	"encoding/binary"
	"fmt"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
)

// mark is where a record begins. index counts records from 0; number is the
// row number, which blank lines move too.
type mark struct{ index, offset, number, line int64 }

// markEvery is how many records lie between two marks.
const markEvery = 250

const markSize = 32

// markWriter collects the marks of one time slice of the scan, and holds what
// the scan reuses from record to record.
type markWriter struct {
	buf  []byte
	keys []catalog.Key
}

func (w *markWriter) add(m mark) {
	for _, v := range [...]int64{m.index, m.offset, m.number, m.line} {
		w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(v))
	}
}

func (w *markWriter) save(ctx context.Context, fs files.Store, key string) error {
	f, err := fs.Create(ctx, key)
	if err != nil {
		return fmt.Errorf("create marks: %w", err)
	}
	defer f.Abort()
	if _, err := f.Write(w.buf); err != nil {
		return fmt.Errorf("write marks: %w", err)
	}
	if _, err := f.Commit(ctx); err != nil {
		return fmt.Errorf("store marks: %w", err)
	}
	return nil
}

// markReader finds marks by record index. It walks the segments forward: the
// indexes asked for must not fall.
type markReader struct {
	svc      *Service
	segments []string // their keys in the file store
	next     int      // segment to load next
	buf      []byte   // what is left of the loaded one
	last     mark
	any      bool
}

// before returns the last mark at or before a record index.
func (r *markReader) before(ctx context.Context, index int64) (mark, error) {
	for {
		for len(r.buf) >= markSize {
			m := parseMark(r.buf)
			if m.index > index {
				return r.found()
			}
			r.last, r.any = m, true
			r.buf = r.buf[markSize:]
		}
		if r.next == len(r.segments) {
			return r.found()
		}
		if err := r.load(ctx); err != nil {
			return mark{}, err
		}
	}
}

func (r *markReader) found() (mark, error) {
	if !r.any {
		return mark{}, fmt.Errorf("find mark: the slice step left none")
	}
	return r.last, nil
}

func (r *markReader) load(ctx context.Context) error {
	f, err := r.svc.cfg.Files.Open(ctx, r.segments[r.next])
	if err != nil {
		return fmt.Errorf("open marks: %w", err)
	}
	defer f.Close()
	r.buf = make([]byte, f.Size())
	if err := readFull(f, r.buf, 0); err != nil {
		return fmt.Errorf("read marks: %w", err)
	}
	r.next++
	return nil
}

func parseMark(b []byte) mark {
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	return mark{index: at(0), offset: at(1), number: at(2), line: at(3)}
}
