package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// rowFile reads the rows of an import's file by their numbers, as the file has
// them or with their corrections laid over. Rows may be asked for in any order;
// rising ones read each part of the file once. It is not safe for concurrent use.
type rowFile struct {
	svc *Service
	imp *store.Import
	in  *input
	// batches are those of the file, in order of rows.
	batches []store.Batch
	marks   *markIndex // nil until a row is looked for
	// every is the account of every pass, for what fixes reach; nil until needed.
	every *ledger.Book

	dec tabular.Decoder
	rec tabular.Record
	// ahead says that rec was read and not given out yet.
	ahead bool
	// over is what is laid over the rows of the batch with the index overOf, -1
	// for none.
	over   *overlay
	overOf int
}

// codeFileGone is the code of a file that is not kept any more.
const codeFileGone = "file_gone"

// hasFile reports whether an import's rows are records of a file.
func hasFile(imp *store.Import) bool { return imp.UndoOf == "" && imp.FileKey != "" }

// openRowFile opens the file of an import; a file that is not kept any more is a
// *catalog.Fault (file_gone).
func (s *Service) openRowFile(ctx context.Context, imp *store.Import) (*rowFile, error) {
	if imp.State == store.Refused {
		return nil, fileGone(nil)
	}
	in, err := s.open(ctx, imp)
	if errors.Is(err, files.ErrNotFound) {
		return nil, fileGone(err)
	}
	if err != nil {
		return nil, err
	}
	f, err := s.rowFileOf(ctx, imp, in)
	if err != nil {
		in.Close()
		return nil, err
	}
	return f, nil
}

func fileGone(err error) error {
	return &catalog.Fault{Kind: catalog.KindConflict, Code: codeFileGone,
		Message: "The file of this import is not kept any more.", Hint: "Import the file again.", Err: err}
}

// rowFileOf is openRowFile for a file that is open already; it is its opener's to
// close.
func (s *Service) rowFileOf(ctx context.Context, imp *store.Import, in *input) (*rowFile, error) {
	batches, err := s.fileBatches(ctx, imp)
	if err != nil {
		return nil, err
	}
	return &rowFile{svc: s, imp: imp, in: in, batches: batches, overOf: -1}, nil
}

func (f *rowFile) Close() { f.in.Close() }

// header is the file's header.
func (f *rowFile) header() []string { return f.in.layout.Header }

// batchOf returns the index of the batch that a row would lie in, -1 for none.
func (f *rowFile) batchOf(row int64) int {
	at, found := slices.BinarySearchFunc(f.batches, row, func(b store.Batch, row int64) int {
		return int(min(max(b.FirstRow-row, -1), 1))
	})
	if found {
		return at
	}
	return at - 1
}

// seekWindow is how much of the file is read at a time where single rows are
// looked for.
const seekWindow = 64 << 10

// record returns a row as the file has it; ok is false where the file has no such
// row. The record is good until the next call.
func (f *rowFile) record(ctx context.Context, row int64) (rec *tabular.Record, ok bool, err error) {
	if !f.near(row) {
		if ok, err := f.seek(ctx, row); !ok || err != nil {
			return nil, false, err
		}
	}
	for !f.ahead || f.rec.Number < row {
		f.ahead = false
		if err := f.dec.Next(&f.rec); errors.Is(err, io.EOF) {
			f.dec = nil
			return nil, false, nil
		} else if err != nil {
			return nil, false, fmt.Errorf("read row %d: %w", row, err)
		}
		f.ahead = true
	}
	if f.rec.Number > row {
		return nil, false, nil
	}
	f.ahead = false
	return &f.rec, true, nil
}

// near reports whether a row is reached soonest by reading on.
func (f *rowFile) near(row int64) bool {
	switch {
	case f.dec == nil, f.ahead && f.rec.Number > row:
		return false
	case f.ahead && f.rec.Number == row:
		return true
	}
	_, next, _ := f.dec.Position()
	return next <= row && row < next+markEvery
}

// seek makes the decoder begin at the last mark before a row, or where its batch
// begins, unless it stands behind that already. ok is false where no batch can
// have the row.
func (f *rowFile) seek(ctx context.Context, row int64) (ok bool, err error) {
	if f.marks == nil {
		if f.marks, err = f.svc.openMarks(ctx, f.imp); err != nil {
			return false, err
		}
	}
	at := f.batchOf(row)
	if at < 0 {
		return false, nil
	}
	m, ok, err := f.marks.before(ctx, row)
	if err != nil {
		return false, err
	}
	if b := &f.batches[at]; !ok || m.number < b.FirstRow {
		m = mark{offset: b.Offset, number: b.FirstRow, line: b.FirstLine}
	}
	if f.dec != nil && !(f.ahead && f.rec.Number > row) {
		if _, next, _ := f.dec.Position(); m.number <= next && next <= row {
			return true, nil
		}
	}
	limits := f.svc.cfg.Limits
	limits.WindowBytes = seekWindow
	f.ahead = false
	f.dec, err = tabular.Open(f.in.file, &f.in.layout,
		tabular.Section{Offset: m.offset, Length: -1, FirstRow: m.number, FirstLine: m.line}, limits, nil)
	return err == nil, err
}

// laid is record with what corrects the row laid over it.
func (f *rowFile) laid(ctx context.Context, row int64) (rec *tabular.Record, ok bool, err error) {
	rec, ok, err = f.record(ctx, row)
	if !ok || err != nil {
		return nil, false, err
	}
	o, err := f.overlay(ctx, f.batchOf(row))
	if err != nil {
		return nil, false, err
	}
	o.lay(rec)
	return rec, true, nil
}

// overlay returns what is laid over the rows of a batch, by its index; nil for
// nothing.
func (f *rowFile) overlay(ctx context.Context, i int) (*overlay, error) {
	if i < 0 || i == f.overOf {
		return f.over, nil
	}
	book, err := f.account(ctx)
	if err != nil {
		return nil, err
	}
	if f.over, err = f.svc.sectionOverlay(ctx, f.imp, book, f.header(), sectionOf(f.batches, i), asItStands); err != nil {
		f.overOf = -1
		return nil, err
	}
	f.overOf = i
	return f.over, nil
}

// account is the account of every pass.
func (f *rowFile) account(ctx context.Context) (_ *ledger.Book, err error) {
	if f.every == nil {
		f.every, err = f.svc.everyPass(ctx, f.imp)
	}
	return f.every, err
}

// forget makes the file look for corrections anew.
func (f *rowFile) forget() { f.over, f.overOf = nil, -1 }

// everyPass opens the account of every pass of an import, plans too.
func (s *Service) everyPass(ctx context.Context, imp *store.Import) (*ledger.Book, error) {
	headers, err := s.headers(ctx, imp, "")
	if err != nil {
		return nil, err
	}
	for round := range imp.Round + 1 {
		plan, err := s.headers(ctx, imp, ledger.PlanOf(round))
		if err != nil {
			return nil, err
		}
		headers = append(headers, plan...)
	}
	return ledger.NewBook(headers, s.loadPage(ctx, imp)), nil
}

// numbers calls fn with the number of every row of a batch, in order.
func (f *rowFile) numbers(b *store.Batch, fn func(row int64)) error {
	sec := tabular.Section{Offset: b.Offset, Length: b.Length, FirstRow: b.FirstRow, FirstLine: b.FirstLine}
	dec, err := tabular.Open(f.in.file, &f.in.layout, sec, f.svc.cfg.Limits, []int{})
	if err != nil {
		return err
	}
	for {
		var rec tabular.Record
		if err := dec.Next(&rec); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read rows of batch %d: %w", b.No, err)
		}
		fn(rec.Number)
	}
}

func rowNotFound(row int64) error {
	return catalog.Faultf(catalog.KindNotFound, "row_not_found", "The import has no row %d.", row)
}
