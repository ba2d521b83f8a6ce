package importer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular/safecsv"
)

// WriteRows implements API. It holds the entries of one batch at a time.
func (s *Service) WriteRows(ctx context.Context, ws store.Workspace, id string, f RowFilter, w io.Writer) error {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return err
	}
	l, err := s.listRows(ctx, &imp, f)
	if err != nil {
		return err
	}
	defer l.Close()
	if !hasFile(&imp) {
		err = l.writeItems(ctx, w)
	} else {
		err = l.writeFile(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

// writeFile writes the selected rows of an import of a file.
func (l *rowLister) writeFile(ctx context.Context, w io.Writer) error {
	var err error
	if l.file, err = l.svc.openRowFile(ctx, l.imp); err != nil {
		return err
	}
	out := newRowWriter(w, l.imp, l.file.in.layout.Delimiter)
	out.header(l.file.header()...)
	err = l.each(ctx, func(b *store.Batch, e *ledger.Entry) error {
		if b.Input != store.FileInput {
			return out.row(make([]string, len(l.file.header())), e, "Item "+e.ItemID+", which the file does not name.")
		}
		cells, surplus, err := l.cells(ctx, e.Row)
		if err != nil {
			return err
		}
		return out.row(cells, e, surplus)
	})
	if err != nil {
		return err
	}
	return out.flush()
}

// cells returns a row's cells as they stand, as many as the header has, and says
// what stands beyond them.
func (l *rowLister) cells(ctx context.Context, row int64) (cells []string, surplus string, err error) {
	rec, ok, err := l.file.laid(ctx, row)
	if err != nil {
		return nil, "", err
	}
	width := len(l.file.header())
	cells = make([]string, width)
	if !ok {
		return cells, "", nil
	}
	copy(cells, rec.Cells)
	if len(rec.Cells) > width {
		if more := rec.Cells[width:]; strings.TrimSpace(strings.Join(more, "")) != "" {
			surplus = "Cells beyond the last column: " + catalog.Shorten(strings.Join(more, " | "))
		}
	}
	return cells, surplus, nil
}

// writeItems writes the selected rows of an import that has no file: each is an
// item.
func (l *rowLister) writeItems(ctx context.Context, w io.Writer) error {
	kind, err := l.svc.kindOf(ctx, l.imp)
	if err != nil {
		return err
	}
	out := newRowWriter(w, l.imp, ",")
	out.header("id", "kind")
	err = l.each(ctx, func(_ *store.Batch, e *ledger.Entry) error { return out.row([]string{e.ItemID, kind}, e, "") })
	if err != nil {
		return err
	}
	return out.flush()
}

// kindOf is the kind of items that an import's rows are about: that of its source,
// or of the import that it takes back.
func (s *Service) kindOf(ctx context.Context, imp *store.Import) (string, error) {
	for {
		var def source.Definition
		// Written by this program, or empty.
		_ = json.Unmarshal(imp.Definition, &def)
		if def.Kind != "" || imp.UndoOf == "" {
			return def.Kind, nil
		}
		undone, err := s.cfg.Store.Import(ctx, imp.WS, imp.UndoOf)
		if err != nil {
			return "", fmt.Errorf("find import %s: %w", imp.UndoOf, err)
		}
		imp = &undone
	}
}

// each calls fn with every selected row in order.
func (l *rowLister) each(ctx context.Context, fn func(*store.Batch, *ledger.Entry) error) error {
	for i := range l.batches {
		b := &l.batches[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.count(b) == 0 {
			continue
		}
		entries, err := l.entries(ctx, b)
		if err != nil {
			return err
		}
		for j := range entries {
			if err := fn(b, &entries[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowWriter writes rows with the columns RowColumns behind them. Every cell is
// guarded, so that nothing in it runs as a formula.
type rowWriter struct {
	w         *bufio.Writer
	imp       *store.Import
	delimiter string
	buf       []byte
	// begun says that the record under way has a cell.
	begun bool
}

func newRowWriter(w io.Writer, imp *store.Import, delimiter string) *rowWriter {
	return &rowWriter{w: bufio.NewWriterSize(w, 32<<10), imp: imp, delimiter: delimiter}
}

func (w *rowWriter) header(columns ...string) {
	w.begin(columns)
	w.cells(RowColumns[:])
	// A bufio.Writer keeps its first error for Flush.
	_, _ = w.w.WriteString(safecsv.BOM)
	_ = w.end()
}

// row writes a row's cells and what became of it. note is said behind its
// problems; "" for none.
func (w *rowWriter) row(cells []string, e *ledger.Entry, note string) error {
	w.begin(cells)
	var codes, messages []string
	for i := range e.Problems {
		codes = append(codes, string(e.Problems[i].Code))
		messages = append(messages, e.Problems[i].Message)
	}
	if note != "" {
		messages = append(messages, note)
	}
	w.cells([]string{rowKey(w.imp.ID, e.Row), statusOf(w.imp, e.Outcome), strings.Join(codes, "; "), strings.Join(messages, " | ")})
	return w.end()
}

func (w *rowWriter) begin(cells []string) {
	w.buf, w.begun = w.buf[:0], false
	w.cells(cells)
}

// cells appends cells to the record under way. safecsv ends each record it writes
// with a CRLF and separates cells by commas; one cell at a time, it knows neither.
func (w *rowWriter) cells(cells []string) {
	for _, c := range cells {
		if w.begun {
			w.buf = append(w.buf, w.delimiter...)
		}
		w.begun = true
		one := [1]string{safecsv.Guard(writable(c))}
		w.buf = safecsv.AppendRecord(w.buf, one[:])
		w.buf = w.buf[:len(w.buf)-len("\r\n")]
	}
}

func (w *rowWriter) end() error {
	w.buf = append(w.buf, "\r\n"...)
	_, err := w.w.Write(w.buf)
	return err
}

func (w *rowWriter) flush() error { return w.w.Flush() }

// writable is a cell as the download has it: what is no text, in a row that could
// not be read, is shown as such.
func writable(cell string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(cell, "\ufffd"), "\x00", "\ufffd")
}

// statusOf is how a row ended, in the words of the download.
func statusOf(imp *store.Import, o catalog.Outcome) string {
	switch {
	case o == catalog.Pending:
		return "unprocessed"
	case imp.UndoOf == "" || o == catalog.Failed:
		return o.String()
	case o == catalog.Created || o == catalog.Updated || o == catalog.Deleted:
		return "reverted"
	}
	return "kept"
}
