package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"tallyman/internal/catalog"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// The status that takes an item out of sale, and the field that holds it.
const (
	fieldStatus    = "status"
	statusInactive = "inactive"
)

// missingKey names the list of the items that the feed owns and the file does
// not name: their ids, each behind its length.
func missingKey(imp *store.Import) string {
	return fmt.Sprintf("w%d/imports/%d/missing", imp.WS, imp.No)
}

func ownedKey(imp *store.Import, b *store.Batch) string {
	return fmt.Sprintf("w%d/imports/%d/owned-%d", imp.WS, imp.No, b.Epoch)
}

// cutMissing lists the items that the feed owns and the file does not name, and
// cuts them into batches numbered behind those of the file. An item is named
// where any of its keys stands in the file, whatever else is wrong with the row.
func (s *Service) cutMissing(ctx context.Context, st *started, in *input, before int) ([]store.Batch, error) {
	if !removesMissing(OptionsOf(&st.imp).Missing) {
		return nil, nil
	}
	ids, err := os.CreateTemp(s.cfg.ScratchDir, "owned")
	if err != nil {
		return nil, fmt.Errorf("list owned items: %w", err)
	}
	defer func() {
		ids.Close()
		os.Remove(ids.Name())
	}()
	owned, err := s.listOwned(ctx, st, in, ids)
	if err != nil {
		return nil, fmt.Errorf("list owned items: %w", err)
	}
	if _, err := ids.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("list owned items: %w", err)
	}
	batches, err := s.listMissing(ctx, st, bufio.NewReader(ids), owned, before)
	if err != nil {
		return nil, fmt.Errorf("list missing items: %w", err)
	}
	return batches, nil
}

// ownedAtOnce is how many items are read together.
const ownedAtOnce = 1000

// listOwned writes the ids of the items that the feed owns, and their keys as a
// segment whose rows go on behind those of the file. It returns how many there are.
func (s *Service) listOwned(ctx context.Context, st *started, in *input, ids io.Writer) (int64, error) {
	mine, err := s.importsOf(ctx, &st.imp)
	if err != nil {
		return 0, err
	}
	keys, err := keyset.NewWriter(ctx, s.cfg.Files, ownedKey(&st.imp, &st.batch))
	if err != nil {
		return 0, err
	}
	defer keys.Abort()
	deactivate := OptionsOf(&st.imp).Missing == missingDeactivate
	out := bufio.NewWriter(ids)
	n, after := int64(0), ""
	for more := true; more; {
		f := store.ItemFilter{Kind: in.kind(), AfterID: after}
		items, err := s.cfg.Store.Items(ctx, st.imp.WS, f, store.Range{Limit: ownedAtOnce})
		if err != nil {
			return 0, err
		}
		for i := range items {
			it := &items[i]
			after = it.ID
			if !mine[it.CreatedNo] || deactivate && it.Doc.Text(fieldStatus) == statusInactive {
				continue
			}
			if err := addOwned(keys, it, st.batch.NextRow+n); err != nil {
				return 0, err
			}
			if _, err := out.Write(appendID(nil, it.ID)); err != nil {
				return 0, err
			}
			n++
		}
		more = len(items) == ownedAtOnce
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	return n, keys.Seal(ctx)
}

func addOwned(keys *keyset.Writer, it *catalog.Item, row int64) error {
	for _, f := range keysOfItem {
		if v := it.Get(f); v != "" {
			if err := keys.Add(byte(f), keyset.Hash(byte(f), v), row, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendID(b []byte, id string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(id))), id...)
}

func readID(r *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return string(b), err
}

// importsOf lists the numbers of the imports of an import's feed.
func (s *Service) importsOf(ctx context.Context, imp *store.Import) (map[int64]bool, error) {
	all, _, err := s.cfg.Store.Imports(ctx, imp.WS, store.ImportFilter{Feed: imp.Feed}, store.Range{})
	if err != nil {
		return nil, fmt.Errorf("list imports of the feed: %w", err)
	}
	mine := make(map[int64]bool, len(all))
	for i := range all {
		mine[all[i].No] = true
	}
	return mine, nil
}

// listMissing writes the list of those of the owned items whose keys do not
// stand in the file, and cuts it into batches.
func (s *Service) listMissing(ctx context.Context, st *started, ids *bufio.Reader, owned int64, before int) ([]store.Batch, error) {
	segments, err := s.segments(ctx, &st.imp, keySegments, st.batch.NextSeq)
	if err != nil {
		return nil, err
	}
	w, err := s.cfg.Files.Create(ctx, missingKey(&st.imp))
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	l := missingList{out: bufio.NewWriter(w), ids: ids, row: st.batch.NextRow, first: st.batch.NextRow, size: batchRows(owned), no: before}
	segments = append(segments, ownedKey(&st.imp, &st.batch))
	err = keyset.Candidates(ctx, s.cfg.Files, segments, s.cfg.ScratchDir, func(p keyset.Pair) error {
		if p.Row < l.first || p.FirstRow >= l.first {
			return nil
		}
		return l.named(p.Row)
	})
	if err == nil {
		err = l.named(l.first + owned)
	}
	if err == nil {
		err = l.out.Flush()
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.Commit(ctx); err != nil {
		return nil, err
	}
	return l.batches, s.cfg.Files.Delete(ctx, ownedKey(&st.imp, &st.batch))
}

// missingList writes the items between those that are named.
type missingList struct {
	out *bufio.Writer
	ids *bufio.Reader
	// row is the next owned item to be looked at; first is the first one.
	row, first int64
	offset     int64
	listed     int64
	size       int64
	no         int
	batches    []store.Batch
}

// named takes the item of a row for named and lists those before it. Rows must
// not fall.
func (l *missingList) named(row int64) error {
	for ; l.row < row; l.row++ {
		id, err := readID(l.ids)
		if err != nil {
			return err
		}
		if err := l.add(id); err != nil {
			return err
		}
	}
	if l.row > row {
		return nil // by another of its keys
	}
	l.row++
	if _, err := readID(l.ids); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (l *missingList) add(id string) error {
	b := appendID(nil, id)
	if _, err := l.out.Write(b); err != nil {
		return err
	}
	if n := len(l.batches); n == 0 || l.batches[n-1].Rows >= l.size {
		l.batches = append(l.batches, store.Batch{BatchRef: store.BatchRef{No: l.no + n + 1}, Input: store.MissingInput,
			Offset: l.offset, FirstRow: l.first + l.listed})
	}
	batch := &l.batches[len(l.batches)-1]
	batch.Length += int64(len(b))
	batch.Rows++
	l.offset += int64(len(b))
	l.listed++
	return nil
}

// missingRows are the items of a section of the list, each a row behind those of
// the file that asks for its item to be deactivated or deleted.
type missingRows struct {
	kind  catalog.Kind
	ops   []catalog.Op // none: the items are deleted
	again *rowsAgain
	data  *bufio.Reader
	here  mark
	id    string
	ahead bool
}

func (s *Service) openMissing(ctx context.Context, st *started, in *input, again *rowsAgain) (rowSource, error) {
	r := &missingRows{kind: in.kind(), again: again, here: mark{offset: st.batch.NextOffset, number: st.batch.NextRow}}
	if OptionsOf(&st.imp).Missing == missingDeactivate {
		field, ok := s.schema.Field(r.kind, "", fieldStatus)
		if !ok {
			return nil, catalog.Faultf(catalog.KindInvalid, "validation_error", "A %s has no %s; its missing items cannot be deactivated.", r.kind, fieldStatus)
		}
		r.ops = []catalog.Op{{Field: field, Kind: catalog.OpSet, Value: catalog.Value{Type: field.Property.Type, Text: statusInactive}}}
	}
	f, err := s.cfg.Files.Open(ctx, missingKey(&st.imp))
	if err != nil {
		return nil, fmt.Errorf("open list of missing items: %w", err)
	}
	defer f.Close()
	// A batch's list of ids is small.
	end := st.batch.Offset + st.batch.Length
	raw := make([]byte, end-st.batch.NextOffset)
	if err := readFull(f, raw, st.batch.NextOffset); err != nil {
		return nil, fmt.Errorf("read list of missing items: %w", err)
	}
	r.data = bufio.NewReader(bytes.NewReader(raw))
	return r, nil
}

// Close implements rowSource.
func (r *missingRows) Close() error { return nil }

func (r *missingRows) was(row int64) *ledger.Was { return r.again.was(row) }

func (r *missingRows) at() mark { return r.here }

func (r *missingRows) more() (bool, error) {
	for !r.ahead {
		id, err := readID(r.data)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read list of missing items: %w", err)
		}
		r.id, r.ahead = id, r.again.wants(r.here.number)
		if !r.ahead {
			r.pass()
		}
	}
	return true, nil
}

// pass moves behind the item at hand.
func (r *missingRows) pass() {
	r.here.offset += int64(len(appendID(nil, r.id)))
	r.here.number++
}

func (r *missingRows) group(g *catalog.Group) error {
	key := catalog.Key{Field: catalog.KeyID, Value: r.id}
	g.Rows = append(g.Rows, catalog.Row{Number: r.here.number, Ident: []catalog.Key{key}})
	g.Changes = append(g.Changes, catalog.Change{Kind: r.kind, Mode: catalog.Update, Row: len(g.Rows) - 1,
		Keys: []catalog.Key{key}, Ops: r.ops, Delete: r.ops == nil})
	r.ahead = false
	r.pass()
	return nil
}
