package importer

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/tabular"
	"tallyman/internal/tabular/safecsv"
)

// CorrectFile implements API. Rows are attached in order of their numbers,
// whatever the order they come in, so that the import's file and its ledger are
// read once.
func (s *Service) CorrectFile(ctx context.Context, ws store.Workspace, id, name, by string, body io.Reader) (CorrectionReport, error) {
	imp, err := s.Import(ctx, ws, id)
	if err != nil {
		return CorrectionReport{}, err
	}
	if err := atRest(&imp); err != nil {
		return CorrectionReport{}, err
	}
	f, err := s.openRowFile(ctx, &imp)
	if err != nil {
		return CorrectionReport{}, err
	}
	defer f.Close()
	up, err := s.receiveCorrections(ctx, name, body)
	if err != nil {
		return CorrectionReport{}, err
	}
	defer up.Close()
	a := &attacher{svc: s, imp: &imp, file: f, up: up, by: by, name: name, at: -1, keys: f.in.binding.Mapper(imp.Mode).KeyColumns()}
	if err := a.attach(ctx); err != nil {
		return a.report, fmt.Errorf("attach corrections: %w", err)
	}
	return a.report, nil
}

// attacher attaches the rows of an uploaded file to those of an import.
type attacher struct {
	svc    *Service
	imp    *store.Import
	file   *rowFile
	up     *correctedFile
	by     string
	name   string       // of the uploaded file
	noted  bool         // in the audit log
	key    int          // index of the uploaded column with the row keys
	pairs  []columnPair // columns that both files have
	places []place
	report CorrectionReport
	// standing is of all rows, rows of those of the batch with the index at.
	standing *standing
	rows     *standingRows
	at       int
	entered  time.Time // before what is laid over that batch was read
	// keys are the columns of the import that identify rows.
	keys    []int
	unsaved []laying
}

// columnPair is a column of the uploaded file and the one of the import's that it
// is.
type columnPair struct{ up, own int }

// place is where in the uploaded file a row is.
type place struct{ row, offset int64 }

// maxPlaces bounds the rows of an uploaded file. At 16 bytes each they are held in
// memory; a spreadsheet has no more than a quarter of it.
const maxPlaces = 4 << 20

// maxStrange is how many rows are read in vain before the first that is the
// import's.
const maxStrange = 100_000

// codeNoRowKey is the code of a file whose rows cannot be attached.
const codeNoRowKey = "no_row_key"

// savedAtOnce is how many corrections one transaction saves.
const savedAtOnce = 1000

func (a *attacher) attach(ctx context.Context) (err error) {
	if err := a.pairColumns(); err != nil {
		return err
	}
	if err := a.locate(); err != nil {
		return err
	}
	if a.standing, err = a.svc.standing(ctx, a.imp); err != nil {
		return err
	}
	slices.SortFunc(a.places, func(x, y place) int { return cmp.Or(cmp.Compare(x.row, y.row), cmp.Compare(x.offset, y.offset)) })
	for rest := a.places; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].row == rest[0].row {
			n++
		}
		if err := a.row(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return a.save(ctx)
}

// pairColumns finds the row keys and the columns that both files have, by their
// headings. Our own columns are the last of their names. Several of one name are
// paired in their order, provided that none of them is missing.
func (a *attacher) pairColumns() error {
	uploaded := make(map[string][]int)
	for i, h := range a.up.layout.Header {
		h = headingText(safecsv.Unguard(h))
		uploaded[h] = append(uploaded[h], i)
	}
	keys := uploaded[RowColumns[0]]
	if len(keys) == 0 {
		return &catalog.Fault{Kind: catalog.KindInvalid, Code: codeNoRowKey,
			Message: fmt.Sprintf("The file has no column %q, by which its rows find their way back; it has %s.", RowColumns[0], quoted(a.up.layout.Header)),
			Hint:    "Download the rows, correct them, and keep that column."}
	}
	a.key = keys[len(keys)-1]
	for _, name := range RowColumns {
		if all := uploaded[name]; len(all) > 0 {
			uploaded[name] = all[:len(all)-1]
		}
	}
	own := make(map[string][]int)
	for i, h := range a.file.header() {
		h = headingText(writable(h))
		own[h] = append(own[h], i)
	}
	paired := make(map[int]bool)
	for h, all := range own {
		if len(uploaded[h]) != len(all) {
			continue
		}
		for i := range all {
			a.pairs = append(a.pairs, columnPair{up: uploaded[h][i], own: all[i]})
			paired[uploaded[h][i]] = true
		}
	}
	slices.SortFunc(a.pairs, func(x, y columnPair) int { return cmp.Compare(x.own, y.own) })
	a.ignore(uploaded, paired)
	return nil
}

// maxIgnored is how many columns a report names.
const maxIgnored = 20

// ignore names the uploaded columns that have no pair, in their order.
func (a *attacher) ignore(uploaded map[string][]int, paired map[int]bool) {
	var left []int
	for h, all := range uploaded {
		if h != "" {
			left = append(left, slices.DeleteFunc(all, func(i int) bool { return paired[i] })...)
		}
	}
	slices.Sort(left)
	for _, i := range left[:min(len(left), maxIgnored)] {
		a.report.Ignored = append(a.report.Ignored, catalog.Shorten(headingText(safecsv.Unguard(a.up.layout.Header[i]))))
	}
	if more := len(left) - maxIgnored; more > 0 {
		a.report.Ignored = append(a.report.Ignored, fmt.Sprintf("… and %s more", inThousands(more)))
	}
}

// inThousands writes a number with its digits in groups of three.
func inThousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// headingText is a heading as headings are compared here: the download has them as
// the file does, and spreadsheets leave them alone.
func headingText(h string) string { return strings.ToLower(strings.TrimSpace(bareText(h))) }

// locate reads the row keys.
func (a *attacher) locate() error {
	return a.up.each(func(rec *tabular.Record) error {
		if rec.Blank() {
			return nil
		}
		r := &a.report
		if r.Rows++; r.Rows > maxStrange && len(a.places) == 0 {
			return &catalog.Fault{Kind: catalog.KindInvalid, Code: codeNoRowKey,
				Message: fmt.Sprintf("None of the first %s rows has a row key of this import in the column %q.", inThousands(maxStrange), RowColumns[0]),
				Hint:    "Download the rows of this import, correct them, and keep that column as it is."}
		}
		if rec.Problem != nil {
			r.NoKey++
			a.example("Line %d cannot be read: %s", rec.Line, rec.Problem.Message)
			return nil
		}
		cell := safecsv.Unguard(cellAt(rec.Cells, a.key))
		id, row, ok := parseRowKey(cell)
		switch {
		case !ok && strings.TrimSpace(cell) == "":
			r.NoKey++
			a.example("Line %d has no row key.", rec.Line)
		case !ok:
			r.NoKey++
			a.example("Line %d has the row key %q, which is damaged.", rec.Line, catalog.Shorten(cell))
		case id != a.imp.ID:
			r.Foreign++
			a.example("Line %d is row %d of another import, %s.", rec.Line, row, catalog.Shorten(id))
		case len(a.places) == maxPlaces:
			return catalog.Faultf(catalog.KindTooLarge, "too_many_rows", "The file has more than %d rows; split it.", maxPlaces)
		default:
			a.places = append(a.places, place{row: row, offset: rec.Offset})
		}
		return nil
	})
}

// maxExamples is how many rows a report names.
const maxExamples = 10

func (a *attacher) example(format string, args ...any) {
	if len(a.report.Examples) < maxExamples {
		a.report.Examples = append(a.report.Examples, fmt.Sprintf(format, args...))
	}
}

// row attaches the uploaded rows of one key: the first counts, others like it do no
// harm.
func (a *attacher) row(ctx context.Context, places []place) error {
	up, err := a.up.at(places[0].offset)
	if err != nil {
		return err
	}
	first := tabular.Record{Cells: slices.Clone(up.Cells)}
	if err := a.one(ctx, places[0].row, &first); err != nil {
		return err
	}
	for _, p := range places[1:] {
		again, err := a.up.at(p.offset)
		if err != nil {
			return err
		}
		if a.alike(&first, again) {
			a.report.Same++
			continue
		}
		a.report.Twice++
		a.example("Row %d comes twice, with other cells; the first was taken.", p.row)
	}
	return nil
}

// alike reports whether two uploaded rows have the same cells.
func (a *attacher) alike(x, y *tabular.Record) bool {
	return !slices.ContainsFunc(a.pairs, func(p columnPair) bool {
		return bareText(safecsv.Unguard(cellAt(x.Cells, p.up))) != bareText(safecsv.Unguard(cellAt(y.Cells, p.up)))
	})
}

// one compares an uploaded row with the import's and notes its correction.
func (a *attacher) one(ctx context.Context, row int64, up *tabular.Record) error {
	rec, there, err := a.file.record(ctx, row)
	if err != nil {
		return err
	}
	if !there {
		return a.without(ctx, row)
	}
	o, err := a.enter(ctx, row)
	if err != nil {
		return err
	}
	o.lay(rec)
	cells := a.corrected(rec, up)
	switch {
	case len(cells) == 0:
		a.report.Same++
	case !a.rows.open(row):
		a.report.Done++
		if last := a.rows.last(row); last != catalog.Pending {
			a.example("Row %d is done (%s).", row, last)
		} else {
			a.example("Row %d has not failed.", row)
		}
	case rec.Problem != nil:
		a.report.Done++
		a.example("Row %d cannot be read as cells; correct it in the file and import that.", row)
	default:
		a.report.Changed++
		a.report.Cells += int64(len(cells))
		a.unsaved = append(a.unsaved, laying{row: row, given: cells, fixes: o.fixes(row), by: a.by, at: a.entered})
		if len(a.unsaved) == savedAtOnce {
			return a.save(ctx)
		}
	}
	return nil
}

// without counts a row that the file has not: one of an item that it does not name,
// which has no cells to correct, or none at all.
func (a *attacher) without(ctx context.Context, row int64) error {
	batches, err := a.svc.firstBatches(ctx, a.imp)
	if err != nil {
		return err
	}
	for i := range batches {
		if b := &batches[i]; b.Input != store.FileInput && b.FirstRow <= row && row < b.FirstRow+b.Rows {
			a.report.Same++
			return nil
		}
	}
	a.report.NoKey++
	a.example("The import has no row %d.", row)
	return nil
}

// enter moves on to the batch of a row and returns what is laid over its rows.
func (a *attacher) enter(ctx context.Context, row int64) (*overlay, error) {
	at := a.file.batchOf(row)
	if at != a.at {
		var err error
		if a.rows, err = a.standing.batch(a.file.batches[at].No); err != nil {
			return nil, err
		}
		a.at, a.entered = at, a.svc.now()
	}
	return a.file.overlay(ctx, at)
}

// corrected returns the cells in which an uploaded row is another than the
// import's, by the columns of the import.
func (a *attacher) corrected(rec, up *tabular.Record) map[int]string {
	var cells map[int]string
	for _, p := range a.pairs {
		text, stands := safecsv.Unguard(cellAt(up.Cells, p.up)), cellAt(rec.Cells, p.own)
		if text == stands {
			continue
		}
		trouble := a.rows.trouble(rec.Number, a.file.header()[p.own])
		switch a.compare(text, stands, trouble, slices.Contains(a.keys, p.own)) {
		case differs:
			if trouble == noTrouble && ungrouped(text, stands) {
				continue // nobody had a reason to
			}
			if cells == nil {
				cells = make(map[int]string)
			}
			cells[p.own] = text
		case rounded:
			a.example("Row %d: a spreadsheet shortened %s to %s in %q; the cell stays as it was. Format such columns as text.",
				rec.Number, catalog.Shorten(strings.TrimSpace(stands)), catalog.Shorten(strings.TrimSpace(text)), a.file.header()[p.own])
		}
	}
	return cells
}

// compare compares a cell that came back with the cell as it stands, by what is
// wrong in its column; key says that the column identifies rows.
func (a *attacher) compare(back, stands string, t trouble, key bool) likeness {
	switch stands = a.sent(stands); {
	case t == damaged, t == wrong && key:
		return compareTexts(back, stands)
	case t == wrong:
		return compareWrong(back, stands)
	}
	return compareCells(back, stands)
}

// sent is a cell as the file that came back can show it.
func (a *attacher) sent(cell string) string {
	if a.up.layout.Encoding == tabular.Windows1252 {
		return inWindows1252(cell)
	}
	return cell
}

func (a *attacher) save(ctx context.Context) error {
	if len(a.unsaved) == 0 {
		return nil
	}
	err := a.svc.correcting(ctx, a.imp, func(tx store.Tx) error {
		all := make([]store.Correction, len(a.unsaved))
		for i := range a.unsaved {
			var err error
			if all[i], err = a.unsaved[i].merged(ctx, tx, a.imp.No); err != nil {
				return err
			}
		}
		if err := tx.SaveCorrections(ctx, a.imp.No, all); err != nil || a.noted {
			return err
		}
		// What the first transaction begins, the others go on with.
		return a.svc.note(ctx, tx, audit.ImportCorrect, a.imp.ID, audit.Detail{"source_name": a.name, "offered": len(a.places)})
	})
	a.noted = a.noted || err == nil
	a.unsaved = a.unsaved[:0]
	return err
}
