package importer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
	"tallyman/internal/tabular/safecsv"
)

// SourceEdit is the source of imports of one row that a person makes.
const SourceEdit = "edit"

// The pseudo-columns of an edit's file (source edit).
const (
	columnID      = "id"
	columnVersion = "@version"
	columnDelete  = "@delete"
)

// Edit implements API. The edit is an import like any other, its one chunk
// decided and written in the transaction that records it.
func (s *Service) Edit(ctx context.Context, ws store.Workspace, e EditRequest) (Edited, error) {
	for try := 1; ; try++ {
		done, err := s.editAsIs(ctx, ws, e)
		fault := catalog.AsFault(err)
		// What a replacement clears was worked out from a version that its sender
		// need not know of.
		moved := e.Replace && e.Version == 0 && fault != nil && fault.Code == string(catalog.CodeVersionConflict)
		if !moved || try == maxEdits {
			return done, err
		}
	}
}

// editAsIs makes the edit of the item as it is now.
func (s *Service) editAsIs(ctx context.Context, ws store.Workspace, e EditRequest) (Edited, error) {
	before, err := s.cfg.Store.Item(ctx, ws.WS, e.Kind, catalog.Key{Field: catalog.KeyID, Value: e.ID})
	if errors.Is(err, store.ErrNotFound) {
		return Edited{}, catalog.Faultf(catalog.KindNotFound, "not_found", "There is no %s %q.", e.Kind, catalog.Shorten(e.ID))
	}
	if err != nil {
		return Edited{}, fmt.Errorf("read item: %w", err)
	}
	if e.Replace && e.Version == 0 {
		e.Version = before.Version
	}
	table, err := newEditTable(&before, &e)
	if err != nil {
		return Edited{}, err
	}
	imp, up, err := s.newEdit(ctx, ws, &e, table)
	if err != nil {
		return Edited{}, err
	}
	outcome, err := s.makeEdit(ctx, ws, &imp)
	if err != nil {
		s.Discard(context.WithoutCancel(ctx), up)
		return Edited{}, err
	}
	return s.edited(ctx, ws, &imp, &e, outcome)
}

// editTable is what the one-row file of the source edit holds.
type editTable struct{ header, cells []string }

func (t *editTable) add(column, cell string) {
	t.header, t.cells = append(t.header, column), append(t.cells, cell)
}

// newEditTable brings what is asked for into a row. Fields that cannot be changed are
// a *catalog.Fault.
func newEditTable(before *catalog.Item, e *EditRequest) (*editTable, error) {
	var t editTable
	t.add(columnID, e.ID)
	if e.Version > 0 {
		t.add(columnVersion, fmt.Sprint(e.Version))
	}
	if e.Delete {
		t.add(columnDelete, "true")
	}
	set := maps.Clone(e.Set)
	had := make(map[string]bool)
	before.Doc.Each(func(field, _ string) bool { had[field] = true; return true })
	if e.Replace {
		if set == nil {
			set = make(map[string]string)
		}
		for field := range had {
			if _, given := set[field]; !given {
				set[field] = "null"
			}
		}
	}
	wrong := make(map[string][]string)
	for _, field := range slices.Sorted(maps.Keys(set)) {
		cell, why := editCell(set[field])
		if !had[field] {
			why = cmp.Or(notEditable(field), why)
		}
		if why != "" {
			wrong[catalog.Shorten(field)] = []string{why}
			continue
		}
		t.add(field, cell)
	}
	if len(wrong) > 0 {
		return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error", Message: "The request is not valid.", Fields: wrong}
	}
	return &t, nil
}

// notEditable says why a name is none that an edit may name, "" if it may. Headings
// are names of fields exactly, or of columns of the edit's own; which fields there
// are, the source knows.
func notEditable(field string) string {
	switch {
	case field != strings.TrimFunc(field, isNameBlank):
		return "A field's name has no blanks round it; leave them out."
	case field == columnID || strings.HasPrefix(field, "@"):
		return "This is no field that can be changed."
	}
	return ""
}

// isNameBlank reports whether r is a blank, or the byte-order mark that looks like
// none.
func isNameBlank(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

// editCell writes a JSON token as a cell: nothing for null, a list as JSON; why
// says why it cannot.
func editCell(token string) (cell, why string) {
	var v any
	dec := json.NewDecoder(strings.NewReader(token))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return "", "The value is not valid JSON."
	}
	switch v := v.(type) {
	case nil:
		return "", ""
	case string:
		return v, ""
	case json.Number:
		return v.String(), ""
	case bool:
		return fmt.Sprint(v), ""
	case []any:
		if len(v) == 0 {
			return "", ""
		}
		return token, ""
	}
	return "", "Give a text, a number, true or false, a list, or null."
}

// encode writes the table as CSV, and says how it is read: nothing needs to be
// found out about a file that is written here.
func (t *editTable) encode() ([]byte, *tabular.Layout) {
	file := safecsv.AppendRecord(nil, t.header)
	layout := &tabular.Layout{Format: tabular.CSV, Encoding: tabular.UTF8, Delimiter: ",", RecordEnd: "\n",
		Header: t.header, DataOffset: int64(len(file)), DataRow: 2, DataLine: 2}
	return safecsv.AppendRecord(file, t.cells), layout
}

// newEdit stores the file and makes the import's record.
func (s *Service) newEdit(ctx context.Context, ws store.Workspace, e *EditRequest, t *editTable) (store.Import, *Upload, error) {
	def, err := source.ByID(SourceEdit)
	if err != nil {
		return store.Import{}, nil, err
	}
	def.Kind = e.Kind.String()
	file, layout := t.encode()
	if _, err := def.Bind(layout.Header, s.schema, settingsOf(ws)); err != nil {
		return store.Import{}, nil, err
	}
	up, _, err := s.storeUpload(ctx, ws, SourceEdit, bytes.NewReader(file))
	if err != nil {
		return store.Import{}, nil, err
	}
	imp, err := s.newImport(up, Options{WorkspaceCurrency: ws.Currency, Door: e.Door, CreatedBy: e.By, RequestKey: e.RequestKey, Mode: catalog.Update, HasMode: true}, layout, &def)
	now := s.now()
	imp.State, imp.Pass, imp.Rows, imp.Sliced, imp.Small, imp.Cut = store.Done, ledger.PassApply, 1, true, true, 1
	imp.WS, imp.StartedAt, imp.CompletedAt = ws.WS, &now, &now
	return imp, up, err
}

// maxEdits bounds how often an edit is made or decided again because others write.
const maxEdits = 20

// makeEdit decides and writes the edit. One that changes nothing that it may is
// not recorded.
func (s *Service) makeEdit(ctx context.Context, ws store.Workspace, imp *store.Import) (catalog.Outcome, error) {
	in, err := s.open(ctx, imp)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	for try := 1; ; try++ {
		fresh := *imp
		var outcome catalog.Outcome
		began := time.Now()
		err := s.cfg.Store.Write(ctx, ws.WS, true, func(tx store.Tx) error {
			outcome, err = s.writeEdit(ctx, tx, &fresh, in)
			return err
		})
		switch {
		case err == nil:
			*imp = fresh
			s.tellEdit(ctx, imp, outcome, time.Since(began))
			return outcome, nil
		case errors.Is(err, store.ErrExists) && imp.RequestKey != "":
			return 0, catalog.Faultf(catalog.KindConflict, "request_in_flight", "The same request has made an import already.")
		case try == maxEdits || !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrRetry):
			return 0, err
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
	}
}

// writeEdit is the edit's one transaction.
func (s *Service) writeEdit(ctx context.Context, tx store.Tx, imp *store.Import, in *input) (catalog.Outcome, error) {
	if err := tx.InsertImport(ctx, imp); err != nil {
		return 0, err
	}
	now := s.now()
	b := store.Batch{BatchRef: store.BatchRef{ImportNo: imp.No, Pass: ledger.PassApply, No: 1}, State: store.BatchDone,
		Offset: in.layout.DataOffset, Length: imp.FileSize - in.layout.DataOffset, FirstRow: in.layout.DataRow, FirstLine: in.layout.DataLine, Rows: 1,
		NextOffset: in.layout.DataOffset, NextRow: in.layout.DataRow, NextLine: in.layout.DataLine, Beat: &now, Node: s.cfg.Node}
	c, err := s.editChunk(imp, in, &b)
	if err != nil {
		return 0, err
	}
	v, err := s.newDecider(ctx, imp, in).decide(ctx, tx, c)
	if err != nil {
		return 0, err
	}
	row := v.decisions.Rows[0]
	page := v.page()
	if row.Outcome == catalog.Failed {
		return 0, editFault(row.Row.Problems)
	}
	if err := v.store(ctx, tx); err != nil {
		return 0, err
	}
	page.ImportNo, page.Pass, page.Batch = imp.No, b.Pass, b.No
	b.NextSeq, b.Tally = 1, page.Tally
	b.NextOffset, b.NextRow, b.NextLine = c.next.offset, c.next.number, c.next.line
	if err := tx.InsertBatches(ctx, []store.Batch{b}); err != nil {
		return 0, err
	}
	if err := tx.InsertPage(ctx, page); err != nil {
		return 0, err
	}
	return row.Outcome, s.noteEdit(ctx, tx, imp, row.ItemID, row.Outcome, in.layout.Header)
}

// editChunk reads the edit's one row.
func (s *Service) editChunk(imp *store.Import, in *input, b *store.Batch) (*chunk, error) {
	rows := &fileRows{mapper: in.binding.Mapper(imp.Mode), binding: in.binding}
	var err error
	if rows.dec, err = tabular.Open(in.file, &in.layout, section(b), s.cfg.Limits, nil); err != nil {
		return nil, err
	}
	c := &chunk{groups: make([]catalog.Group, 1), rows: 1, last: true}
	if more, err := rows.more(); err != nil || !more {
		return nil, errors.Join(err, errors.New("the edit has no row"))
	}
	if err := rows.group(&c.groups[0]); err != nil {
		return nil, err
	}
	c.next = rows.at()
	return c, nil
}

// editFault words the problems of an edit's row as those of a request.
func editFault(problems []catalog.Problem) error {
	f := &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error", Message: "The change cannot be made.", Fields: make(map[string][]string)}
	for _, p := range problems {
		switch {
		case p.Severity != catalog.Error:
		case p.Code == catalog.CodeVersionConflict:
			return &catalog.Fault{Kind: catalog.KindConflict, Code: string(p.Code), Message: p.Message}
		case p.Code == catalog.CodeItemNotFound:
			return &catalog.Fault{Kind: catalog.KindNotFound, Code: "not_found", Message: p.Message}
		case p.Column == "":
			f.Message += " " + p.Message
		default:
			f.Fields[p.Column] = append(f.Fields[p.Column], p.Message)
		}
	}
	return f
}

func (s *Service) edited(ctx context.Context, ws store.Workspace, imp *store.Import, e *EditRequest, outcome catalog.Outcome) (Edited, error) {
	done := Edited{Outcome: outcome}
	var err error
	if done.Import, err = s.cfg.Store.Import(ctx, ws.WS, imp.ID); err != nil {
		return done, err
	}
	item, err := s.cfg.Store.Item(ctx, ws.WS, e.Kind, catalog.Key{Field: catalog.KeyID, Value: e.ID})
	if errors.Is(err, store.ErrNotFound) {
		return done, nil
	}
	done.Item = &item
	return done, err
}
