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
	"slices"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer/keyset"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// The status that takes an item out of sale, and the field that holds it.
const (
	fieldStatus    = "status"
	statusInactive = "inactive"
)

// missingPrefix begins the names of the lists that the slice step of this number
// made of the items that the feed owns and the file does not name: their ids, each
// behind its length, with the sizes of their documents. The rest of a name is the step's epoch, for a late job's list
// must not take the place of its successor's: that of the highest epoch counts.
func missingPrefix(imp *store.Import, cut int) string {
	return fmt.Sprintf("w%d/imports/%d/missing-%d-", imp.WS, imp.No, cut)
}

// missingKey finds the list of the batches at work.
func (s *Service) missingKey(ctx context.Context, imp *store.Import) (string, error) {
	prefix, key, highest := missingPrefix(imp, imp.Cut), "", int64(-1)
	err := s.cfg.Files.List(ctx, prefix, func(f files.Info) error {
		epoch, err := strconv.ParseInt(f.Key[len(prefix):], 10, 64)
		if err == nil && epoch > highest {
			key, highest = f.Key, epoch
		}
		return nil
	})
	if err == nil && key == "" {
		err = files.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("find list of missing items: %w", err)
	}
	return key, nil
}

// sideKey names a segment of keys that serves to find the missing items.
func sideKey(imp *store.Import, what string, b *store.Batch) string {
	return fmt.Sprintf("w%d/imports/%d/%s-%d-%d", imp.WS, imp.No, what, b.No, b.Epoch)
}

// cutMissing lists the items that the feed owns and the file does not name, and
// cuts them into batches numbered behind those of the file. An item is named
// where any of its keys stands in the file, whatever else is wrong with the row.
// scan is the slice step that read the file; more are segments of further keys.
func (s *Service) cutMissing(ctx context.Context, st *started, in *input, scan *store.Batch, before int, more ...string) ([]store.Batch, error) {
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
	owned, err := s.listOwned(ctx, st, in, scan, ids)
	if err != nil {
		return nil, fmt.Errorf("list owned items: %w", err)
	}
	if _, err := ids.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("list owned items: %w", err)
	}
	batches, err := s.listMissing(ctx, st, scan, bufio.NewReader(ids), owned, before, more)
	if err != nil {
		return nil, fmt.Errorf("list missing items: %w", err)
	}
	return batches, nil
}

// ownedAtOnce is how many items are read together.
const ownedAtOnce = 1000

// listOwned writes the ids of the items that the feed owns, and their keys as a
// segment whose rows go on behind those of the file. It returns how many there are.
func (s *Service) listOwned(ctx context.Context, st *started, in *input, scan *store.Batch, ids io.Writer) (int64, error) {
	mine, err := s.importsOf(ctx, &st.imp)
	if err != nil {
		return 0, err
	}
	keys, err := keyset.NewWriter(ctx, s.cfg.Files, sideKey(&st.imp, "owned", &st.batch))
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
			if err := addOwned(keys, it, scan.NextRow+n); err != nil {
				return 0, err
			}
			if _, err := out.Write(appendOwned(nil, ownedItem{it.ID, int64(len(it.Doc))})); err != nil {
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

// ownedItem is an entry of a list of items: its id, and the size of its document
// when the list was made, by which chunks of them are bounded.
type ownedItem struct {
	id   string
	size int64
}

func appendOwned(b []byte, it ownedItem) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(it.id))), it.id...)
	return binary.AppendUvarint(b, uint64(it.size))
}

func readOwned(r *bufio.Reader) (it ownedItem, err error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return it, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return it, err
	}
	size, err := binary.ReadUvarint(r)
	return ownedItem{string(b), int64(size)}, err
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
func (s *Service) listMissing(ctx context.Context, st *started, scan *store.Batch, ids *bufio.Reader, owned int64, before int, more []string) ([]store.Batch, error) {
	segments, err := s.segments(ctx, &st.imp, keySegments, scan.NextSeq)
	if err != nil {
		return nil, err
	}
	w, err := s.cfg.Files.Create(ctx, fmt.Sprintf("%s%d", missingPrefix(&st.imp, st.batch.No), st.batch.Epoch))
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	l := missingList{out: bufio.NewWriter(w), ids: ids, row: scan.NextRow, first: scan.NextRow, size: batchRows(owned), no: before}
	segments = append(append(segments, more...), sideKey(&st.imp, "owned", &st.batch))
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
	return l.batches, s.cfg.Files.Delete(ctx, sideKey(&st.imp, "owned", &st.batch))
}

// missingAgain lists the missing items anew for a further run that has not touched
// any: corrected rows may name them by now. Where some are done already, or a newer
// import of the feed has said what the feed names, no more are taken for missing.
func (s *Service) missingAgain(ctx context.Context, st *started, in *input, sections, all []store.Batch) ([]store.Batch, error) {
	sections = slices.DeleteFunc(slices.Clone(sections), func(b store.Batch) bool { return b.Input == store.MissingInput })
	var done int64
	for i := range all {
		if b := &all[i]; b.Input == store.MissingInput && !b.Pass.Planning() {
			done += b.Tally.Rows()
		}
	}
	newer, err := s.newerOfFeed(ctx, &st.imp)
	if err != nil {
		return nil, err
	}
	st.imp.Extra = done
	if done > 0 || newer {
		return sections, nil
	}
	scan := slices.IndexFunc(all, func(b store.Batch) bool { return b.Pass == ledger.PassSlice && b.No == 1 })
	if scan < 0 {
		return nil, errors.New("the step that read the file is gone")
	}
	corrected := sideKey(&st.imp, "corrected", &st.batch)
	if err := s.addCorrected(ctx, st, in, corrected); err != nil {
		return nil, fmt.Errorf("list corrected keys: %w", err)
	}
	missing, err := s.cutMissing(ctx, st, in, &all[scan], len(sections), corrected)
	if err != nil {
		return nil, err
	}
	st.imp.Extra = rowsOf(missing)
	return append(sections, missing...), s.cfg.Files.Delete(ctx, corrected)
}

// newerOfFeed reports whether a newer import of the feed has written rows, or found
// them unchanged.
func (s *Service) newerOfFeed(ctx context.Context, imp *store.Import) (bool, error) {
	newest, _, err := s.cfg.Store.Imports(ctx, imp.WS, store.ImportFilter{Feed: imp.Feed}, store.Range{Limit: 100})
	if err != nil {
		return false, fmt.Errorf("find newer imports of the feed: %w", err)
	}
	return slices.ContainsFunc(newest, func(n store.Import) bool { return n.No > imp.No && n.Tally.Successful() > 0 }), nil
}

// addCorrected writes the keys that corrected rows have now as a segment.
func (s *Service) addCorrected(ctx context.Context, st *started, in *input, key string) error {
	f, err := s.rowFileOf(ctx, &st.imp, in)
	if err != nil {
		return err
	}
	keys, err := keyset.NewWriter(ctx, s.cfg.Files, key)
	if err != nil {
		return err
	}
	defer keys.Abort()
	mapper := in.binding.Mapper(st.imp.Mode)
	for i := range f.batches {
		o, err := f.overlay(ctx, i)
		if err != nil {
			return err
		}
		if o == nil {
			continue
		}
		for _, row := range sortedKeys(o.rows) {
			rec, ok, err := f.laid(ctx, row)
			if err != nil || !ok {
				return errors.Join(err, fmt.Errorf("read row %d", row))
			}
			for _, k := range mapper.Keys(rec, nil) {
				if err := keys.Add(byte(k.Field), keyset.Hash(byte(k.Field), k.Value), row, 0); err != nil {
					return err
				}
			}
		}
	}
	return keys.Seal(ctx)
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
		it, err := readOwned(l.ids)
		if err != nil {
			return err
		}
		if err := l.add(it); err != nil {
			return err
		}
	}
	if l.row > row {
		return nil // by another of its keys
	}
	l.row++
	if _, err := readOwned(l.ids); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (l *missingList) add(it ownedItem) error {
	b := appendOwned(nil, it)
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
	item  ownedItem
	ahead bool
	// weighs is the size of the documents of the items so far.
	weighs int64
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
	key, err := s.missingKey(ctx, &st.imp)
	if err != nil {
		return nil, err
	}
	f, err := s.cfg.Files.Open(ctx, key)
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

// sketch implements rowSource: such a row asks for its item to go.
func (r *missingRows) sketch(bool) *sketches { return nil }

func (r *missingRows) weight() int64 { return r.weighs }

func (r *missingRows) more() (bool, error) {
	for !r.ahead {
		it, err := readOwned(r.data)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read list of missing items: %w", err)
		}
		r.item, r.ahead = it, r.again.wants(r.here.number)
		if !r.ahead {
			r.pass()
		}
	}
	return true, nil
}

// pass moves behind the item at hand.
func (r *missingRows) pass() {
	r.here.offset += int64(len(appendOwned(nil, r.item)))
	r.here.number++
}

func (r *missingRows) group(g *catalog.Group) error {
	key := catalog.Key{Field: catalog.KeyID, Value: r.item.id}
	g.Rows = append(g.Rows, catalog.Row{Number: r.here.number, Ident: []catalog.Key{key}})
	g.Changes = append(g.Changes, catalog.Change{Kind: r.kind, Mode: catalog.Update, Row: len(g.Rows) - 1,
		Keys: []catalog.Key{key}, Ops: r.ops, Delete: r.ops == nil})
	r.weighs += r.item.size
	r.ahead = false
	r.pass()
	return nil
}
