package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/ledger"
	"tallyman/internal/source"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
)

// Start implements API.
func (s *Service) Start(ctx context.Context, ws store.Workspace, up *Upload, opt Options) (store.Import, error) {
	layout, def, err := s.examine(ctx, ws, up, opt)
	if err != nil {
		if f := catalog.AsFault(err); f != nil {
			err = s.refuse(ctx, ws, up, opt, f)
		}
		return store.Import{}, err
	}
	opt.WorkspaceCurrency = ws.Currency
	imp, err := s.newImport(up, opt, layout, def)
	if err != nil {
		return store.Import{}, err
	}
	if imp.DuplicateOf, err = s.duplicateOf(ctx, ws, &imp); err != nil {
		return store.Import{}, err
	}
	err = s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		if err := tx.InsertImport(ctx, &imp); err != nil {
			return err
		}
		if err := s.note(ctx, tx, audit.ImportStart, imp.ID, fileDetail(&imp, &opt)); err != nil {
			return err
		}
		return s.addStep(ctx, tx, &imp, ledger.PassSlice, store.Batch{Offset: layout.DataOffset, Length: -1,
			FirstRow: layout.DataRow, FirstLine: layout.DataLine,
			NextOffset: layout.DataOffset, NextRow: layout.DataRow, NextLine: layout.DataLine})
	})
	if errors.Is(err, store.ErrExists) && opt.RequestKey != "" {
		return store.Import{}, catalog.Faultf(catalog.KindConflict, "request_in_flight", "The same request has made an import already.")
	}
	if err != nil {
		return store.Import{}, fmt.Errorf("record import: %w", err)
	}
	s.cfg.Observer.UploadTaken(ctx, &imp, up.received)
	return imp, nil
}

// duplicateOf finds the newest import of the same content by the same source that
// left something in the catalog.
func (s *Service) duplicateOf(ctx context.Context, ws store.Workspace, imp *store.Import) (string, error) {
	same, _, err := s.cfg.Store.Imports(ctx, ws.WS, store.ImportFilter{SHA256: imp.SHA256, Source: imp.Source}, store.Range{Limit: 20})
	if err != nil {
		return "", fmt.Errorf("look for the same file: %w", err)
	}
	for i := range same {
		if same[i].Tally.Successful() > 0 && same[i].State != store.RolledBack && same[i].FileSize == imp.FileSize {
			return same[i].ID, nil
		}
	}
	return "", nil
}

// examine finds out how the file is to be read and what its columns mean.
func (s *Service) examine(ctx context.Context, ws store.Workspace, up *Upload, opt Options) (*tabular.Layout, *source.Definition, error) {
	f, err := s.cfg.Files.Open(ctx, up.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	head, err := readHead(f)
	if err != nil {
		return nil, nil, fmt.Errorf("read upload: %w", err)
	}
	layout, err := tabular.Detect(head, f.Size(), up.Name, tabular.DetectOptions{
		Format: tabular.Format(opt.Format), Delimiter: opt.Delimiter, Encoding: opt.Encoding})
	if err != nil {
		return nil, nil, err
	}
	if layout.Format != tabular.CSV {
		return nil, nil, &catalog.Fault{Kind: catalog.KindRefused, Code: "unsupported_format",
			Message: fmt.Sprintf("The file is %s, which cannot be imported yet.", layout.Format), Hint: "Save it as CSV and upload that."}
	}
	if tabular.NeedsSpool(layout) {
		if layout, err = s.spool(ctx, up, f, layout); err != nil {
			return nil, nil, err
		}
	}
	def, err := s.define(layout, opt)
	if err != nil {
		return nil, nil, err
	}
	if err := checkOptions(&opt); err != nil {
		return nil, nil, err
	}
	if err := s.learnDecimals(ctx, up, layout, def); err != nil {
		return nil, nil, err
	}
	if def.MaxBytes > 0 && up.Size > def.MaxBytes {
		return nil, nil, catalog.Faultf(catalog.KindTooLarge, "file_too_large", "The file has %d bytes; %s takes at most %d. Split it.", up.Size, def.Name, def.MaxBytes)
	}
	if _, err := def.Bind(layout.Header, s.schema, settingsOf(ws)); err != nil {
		return nil, nil, err
	}
	return layout, def, nil
}

func readHead(f files.Reader) ([]byte, error) {
	head := make([]byte, min(f.Size(), tabular.SniffBytes))
	n, err := f.ReadAt(head, 0)
	if err != nil && !(errors.Is(err, io.EOF) && n == len(head)) {
		return nil, err
	}
	return head, nil
}

// spool writes the file's records once as text that can be entered in the
// middle. The spool takes the upload's place as what is read.
func (s *Service) spool(ctx context.Context, up *Upload, f files.Reader, layout *tabular.Layout) (*tabular.Layout, error) {
	w, err := s.cfg.Files.Create(ctx, spoolKey(up.Key))
	if err != nil {
		return nil, fmt.Errorf("create spool: %w", err)
	}
	defer w.Abort()
	spooled, err := tabular.Spool(ctx, f, layout, w)
	if err != nil {
		return nil, err
	}
	if _, err := w.Commit(ctx); err != nil {
		return nil, fmt.Errorf("store spool: %w", err)
	}
	return spooled, nil
}

func spoolKey(fileKey string) string { return fileKey + ".spool" }

// recordsKey is the file that an import's records are read from.
func recordsKey(imp *store.Import, layout *tabular.Layout) string {
	if layout.Spooled {
		return spoolKey(imp.FileKey)
	}
	return imp.FileKey
}

// define chooses the source and fills in the import's own options.
func (s *Service) define(layout *tabular.Layout, opt Options) (*source.Definition, error) {
	var def source.Definition
	var err error
	if opt.Source != "" {
		def, err = source.ByID(opt.Source)
	} else {
		var choice source.Choice
		choice, err = source.Detect(layout.Header)
		def = choice.Definition
		layout.Why = append(layout.Why, choice.Why)
	}
	if err != nil {
		return nil, err
	}
	def.Mapping, def.Mapped = opt.Mapping, opt.MappingOnly
	overrule(&def.Currency, opt.Currency)
	overrule(&def.Decimal, opt.Decimal)
	overrule(&def.Blank, opt.Blank)
	overrule(&def.GTINCheck, opt.GTINCheck)
	if def.Currency != "" {
		if _, ok := catalog.CurrencyDigits(def.Currency); !ok {
			m := fmt.Sprintf("%q is no ISO 4217 currency code.", def.Currency)
			return nil, &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error", Message: m, Fields: map[string][]string{"currency": {m}}}
		}
	}
	return &def, nil
}

func overrule(field *string, with string) {
	if with != "" {
		*field = with
	}
}

// learnDecimals finds out from the first records how each column writes its
// numbers, and pins it: every batch must read them alike.
func (s *Service) learnDecimals(ctx context.Context, up *Upload, layout *tabular.Layout, def *source.Definition) error {
	if def.Decimal != "" && def.Decimal != "auto" {
		return nil
	}
	key := up.Key
	if layout.Spooled {
		key = spoolKey(key)
	}
	f, err := s.cfg.Files.Open(ctx, key)
	if err != nil {
		return fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	dec, err := tabular.Open(f, layout, tabular.Section{Offset: layout.DataOffset, Length: -1, FirstRow: layout.DataRow, FirstLine: layout.DataLine}, s.cfg.Limits, nil)
	if err != nil {
		return err
	}
	evidence := make([]catalog.DecimalEvidence, len(layout.Header))
	var rec tabular.Record
	for rec.Offset < layout.DataOffset+tabular.SniffBytes {
		if err := dec.Next(&rec); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read first records: %w", err)
		}
		for i := range min(len(rec.Cells), len(evidence)) {
			evidence[i].Add(rec.Cells[i])
		}
	}
	def.ColumnDecimals = map[string]string{}
	for i, h := range layout.Header {
		if style := evidence[i].Style(); style != catalog.DecimalAuto {
			def.ColumnDecimals[h] = style.String()
		}
	}
	return nil
}

func (s *Service) newImport(up *Upload, opt Options, layout *tabular.Layout, def *source.Definition) (store.Import, error) {
	now := s.now()
	imp := store.Import{ID: newImportID(now), State: store.Received, Door: opt.Door, Source: def.ID,
		Format: string(layout.Format), SourceName: up.Name, FileKey: up.Key, FileSize: up.Size, SHA256: up.SHA256,
		CreatedBy: opt.CreatedBy, CreatedAt: now, UpdatedAt: now}
	if opt.HasMode {
		imp.Mode = opt.Mode
	}
	imp.RequestKey = opt.RequestKey
	if imp.Feed = opt.Feed; imp.Feed == "" {
		imp.Feed = def.ID
	}
	// Few bytes are few rows: such an import need not wait behind big ones even
	// while its rows are not counted yet.
	imp.Small = up.Size < smallBytes
	var err error
	if imp.Options, err = json.Marshal(opt.with(def)); err != nil {
		return imp, fmt.Errorf("encode options: %w", err)
	}
	if err = (planReport{Wanted: opt.Plan}).save(&imp); err != nil {
		return imp, err
	}
	if imp.Layout, err = json.Marshal(layout); err != nil {
		return imp, fmt.Errorf("encode layout: %w", err)
	}
	if imp.Definition, err = json.Marshal(def); err != nil {
		return imp, fmt.Errorf("encode source: %w", err)
	}
	return imp, nil
}

// smallBytes is the size under which a file is taken to have fewer than
// SmallRows rows until they are counted.
const smallBytes = 1 << 20

// settingsOf names the workspace's settings that a change is resolved with.
func settingsOf(ws store.Workspace) string { return ws.Currency }
