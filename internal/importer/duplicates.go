package importer

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// duplicate says that a row's key stands on an earlier row of the file.
type duplicate struct {
	row, first int64
	field      catalog.KeyField
}

const duplicateSize = 17

// duplicatesKey names the list that the slice step of this number made. The
// first one has no number.
func duplicatesKey(imp *store.Import, cut int) string {
	if cut <= 1 {
		return fmt.Sprintf("w%d/imports/%d/duplicates", imp.WS, imp.No)
	}
	return fmt.Sprintf("w%d/imports/%d/duplicates-%d", imp.WS, imp.No, cut)
}

// findDuplicates writes the list of the file's duplicates, sorted by row. Equal
// hashes are only candidates; both records are read and their keys compared.
func (s *Service) findDuplicates(ctx context.Context, st *started, in *input) error {
	w, err := s.cfg.Files.Create(ctx, duplicatesKey(&st.imp, st.batch.No))
	if err != nil {
		return fmt.Errorf("create list of duplicates: %w", err)
	}
	defer w.Abort()
	out := bufio.NewWriter(w)
	segments, err := s.segments(ctx, &st.imp, keySegments, st.batch.NextSeq)
	if err != nil {
		return err
	}
	c := confirmer{svc: s, in: in, mapper: in.binding.Mapper(st.imp.Mode)}
	err = keyset.Candidates(ctx, s.cfg.Files, segments, s.cfg.ScratchDir, func(p keyset.Pair) error {
		same, err := c.same(p)
		if err != nil || !same {
			return err
		}
		var b [duplicateSize]byte
		binary.LittleEndian.PutUint64(b[0:], uint64(p.Row))
		binary.LittleEndian.PutUint64(b[8:], uint64(p.FirstRow))
		b[16] = p.Tag
		_, err = out.Write(b[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("find duplicates: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write list of duplicates: %w", err)
	}
	if _, err := w.Commit(ctx); err != nil {
		return fmt.Errorf("store list of duplicates: %w", err)
	}
	return nil
}

// confirmer compares the real keys of candidate pairs.
type confirmer struct {
	svc    *Service
	in     *input
	mapper source.Mapper
	rec    tabular.Record
	keys   []catalog.Key
}

// confirmWindow is how much of the file is read for one record at first; a
// longer record makes the decoder read on.
const confirmWindow = 4 << 10

func (c *confirmer) same(p keyset.Pair) (bool, error) {
	later, err := c.key(p.Offset, p.Tag)
	if err != nil {
		return false, err
	}
	first, err := c.key(p.FirstOffset, p.Tag)
	if err != nil {
		return false, err
	}
	return later != "" && later == first, nil
}

func (c *confirmer) key(offset int64, tag byte) (string, error) {
	limits := c.svc.cfg.Limits
	limits.WindowBytes = confirmWindow
	one := tabular.Section{Offset: offset, Length: 1}
	dec, err := tabular.Open(c.in.file, &c.in.layout, one, limits, c.mapper.KeyColumns())
	if err != nil {
		return "", err
	}
	if err := dec.Next(&c.rec); err != nil {
		return "", fmt.Errorf("read record at byte %d: %w", offset, err)
	}
	c.keys = c.mapper.Keys(&c.rec, c.keys[:0])
	for _, k := range c.keys {
		if byte(k.Field) == tag {
			return k.Value, nil
		}
	}
	return "", nil
}

// keyFields is how many kinds of keys one row can have, and so how many
// duplicates.
const keyFields = int(catalog.KeySlug)

// duplicates returns the duplicates among the rows of a batch that are still to
// be done. What lies behind the batch may be returned too; it does no harm.
func (s *Service) duplicates(ctx context.Context, imp *store.Import, b *store.Batch) ([]duplicate, error) {
	f, err := s.cfg.Files.Open(ctx, duplicatesKey(imp, imp.Cut))
	if err != nil {
		return nil, fmt.Errorf("open list of duplicates: %w", err)
	}
	defer f.Close()
	n := int(f.Size() / duplicateSize)
	var rerr error
	from := sort.Search(n, func(i int) bool {
		var raw [duplicateSize]byte
		if err := readFull(f, raw[:], int64(i)*duplicateSize); err != nil {
			rerr = err
		}
		return parseDuplicate(raw[:]).row >= b.NextRow
	})
	raw := make([]byte, min(n-from, int(b.Rows)*keyFields)*duplicateSize)
	if rerr == nil {
		rerr = readFull(f, raw, int64(from)*duplicateSize)
	}
	if rerr != nil {
		return nil, fmt.Errorf("read list of duplicates: %w", rerr)
	}
	out := make([]duplicate, 0, len(raw)/duplicateSize)
	for ; len(raw) > 0; raw = raw[duplicateSize:] {
		out = append(out, parseDuplicate(raw))
	}
	return out, nil
}

func parseDuplicate(raw []byte) duplicate {
	return duplicate{row: int64(binary.LittleEndian.Uint64(raw[0:])), first: int64(binary.LittleEndian.Uint64(raw[8:])),
		field: catalog.KeyField(raw[16])}
}

// problem words the duplicate for its row (M4: the later row is an error that
// names the first one's).
func (d *duplicate) problem(row *catalog.Row, heading string) catalog.Problem {
	p := catalog.Problem{Code: catalog.CodeDuplicateKeyInFile, Severity: catalog.Error, Column: heading}
	if d.field == catalog.KeySKU {
		p.Code = catalog.CodeDuplicateSKUInFile
	}
	for _, k := range row.Ident {
		if k.Field == d.field {
			p.Value = k.Value
		}
	}
	p.Message = fmt.Sprintf("%s %s was first used on row %d; keep one of the rows.", d.field.Label(), p.Value, d.first)
	return p
}

func readFull(f files.Reader, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
