package tabular

import (
	"errors"
	"fmt"
	"io"
)

// csvDecoder reads records from a window of the file. The window is one string
// and the cells are pieces of it, so reading allocates nothing for a cell
// unless its text has to be written anew. A window normally has
// Limits.WindowBytes; while a record or the search for a closing quote needs
// more, it grows to at most windowMax.
type csvDecoder struct {
	csvText
	src    Source
	lim    Limits
	header []string
	// size is the file's, end is where no further record may begin.
	size, end int64
	// manyColumns says that a line of blanks is no record.
	manyColumns bool
	charset     charset
	cells       cells
	walk        walk

	// pos is where the next record begins. err is the error that ended it all.
	pos position
	err error

	// buf holds the bytes of the window, which begins at base in the file;
	// the text from at on is not read yet. window is how many bytes the next
	// fill aims at.
	buf    []byte
	base   int64
	at     int
	window int
	// suspect says that the window may hold bytes that are no text, decodes that
	// its cells are to be turned into UTF-8.
	suspect, decodes bool
}

type position struct {
	offset, number, line int64
}

func openCSV(src Source, layout *Layout, sec Section, lim Limits, columns []int) (*csvDecoder, error) {
	if len(layout.Delimiter) != 1 {
		return nil, fmt.Errorf("open csv: the layout's delimiter %q is not one byte", layout.Delimiter)
	}
	charset, err := charsetOf(layout)
	if err != nil {
		return nil, fmt.Errorf("open csv: %w", err)
	}
	d := &csvDecoder{
		csvText: csvText{delim: layout.Delimiter[0], crEnds: layout.RecordEnd == "\r", fieldBytes: lim.RecordBytes},
		src:     src, lim: lim, header: layout.Header,
		size: src.Size(), end: src.Size(),
		manyColumns: len(layout.Header) != 1,
		charset:     charset,
		cells:       cells{max: lim.Columns, wanted: wantedColumns(columns)},
		pos:         position{sec.Offset, sec.FirstRow, sec.FirstLine},
		base:        sec.Offset,
		window:      lim.WindowBytes,
	}
	if sec.Length >= 0 {
		d.end = min(d.end, sec.Offset+sec.Length)
	}
	d.walk.csvDecoder = d
	d.reset("", false, 0)
	return d, nil
}

// wantedColumns turns a list of columns into a table by column.
func wantedColumns(columns []int) []bool {
	if columns == nil {
		return nil
	}
	wanted := []bool{}
	for _, c := range columns {
		for len(wanted) <= c {
			wanted = append(wanted, false)
		}
		wanted[c] = true
	}
	return wanted
}

// Position implements Decoder.
func (d *csvDecoder) Position() (offset, number, line int64) {
	return d.pos.offset, d.pos.number, d.pos.line
}

// Next implements Decoder. After an error that is not io.EOF, every further
// call returns that error.
func (d *csvDecoder) Next(rec *Record) error {
	if d.err != nil {
		return d.err
	}
	for d.pos.offset < d.end {
		ok, err := d.record(rec)
		if err != nil {
			d.err = fmt.Errorf("read records at byte %d: %w", d.base+int64(len(d.s)), err)
			return d.err
		}
		if ok {
			return nil
		}
	}
	return io.EOF
}

// record reads the next record and moves behind it. It reports false for a
// blank line.
func (d *csvDecoder) record(rec *Record) (bool, error) {
	rec.Number, rec.Line, rec.Offset = d.pos.number, d.pos.line, d.pos.offset
	if err := d.walkFilling(rec); err != nil {
		return false, err
	}
	w := &d.walk
	if w.verdict == complete || w.verdict == blankLine {
		if w.verdict == complete && (d.suspect || d.decodes || d.cells.seen > d.lim.Columns) {
			d.finish(rec, d.s[d.at:w.content])
		}
		d.at = w.next
	} else if err := d.passDamaged(rec); err != nil {
		return false, err
	}
	d.pos = position{d.base + int64(d.at), d.pos.number + 1, d.pos.line + w.ended}
	return w.verdict != blankLine, nil
}

// walkFilling walks the next record, filling the window until it can be told.
func (d *csvDecoder) walkFilling(rec *Record) error {
	d.cells.rec = rec
	for {
		rec.Cells, rec.Quoted, rec.Problem = rec.Cells[:0], 0, nil
		d.cells.seen = 0
		d.walk.read(d.at)
		if d.walk.verdict != needMore {
			return nil
		}
		if err := d.fill(); err != nil {
			return err
		}
	}
}

// passDamaged moves behind a record that is unclosed or oversize.
func (d *csvDecoder) passDamaged(rec *Record) error {
	w := &d.walk
	d.cells.arena.decode(rec.Cells, d.charset)
	switch {
	case w.verdict == oversize:
		rec.Problem = d.recordTooLarge()
		d.at = w.at
		lines, err := d.skipFields()
		w.ended += lines
		return err
	case !w.lineEnds:
		rec.Problem = d.unclosedQuote(w.unclosedText)
		return d.skipLine()
	}
	rec.Problem = d.unclosedQuote(w.unclosedText)
	d.at = w.next
	return nil
}

// finish checks a complete record's text and turns its cells into UTF-8.
func (d *csvDecoder) finish(rec *Record, content string) {
	damaged := d.suspect && !d.charset.valid(content)
	if damaged || d.decodes {
		d.cells.arena.decode(rec.Cells, d.charset)
	}
	switch {
	case damaged:
		rec.Problem = d.badText(content)
	case d.cells.seen > d.lim.Columns:
		rec.Problem = d.tooManyColumns()
	}
}

// windowMax bounds a window: a quoted field may begin where its record has no
// room left, and reach as far again; the delimiter and a line end follow; and a
// whole normal window on top makes every fill worth its copying.
func (d *csvDecoder) windowMax() int {
	return 2*d.lim.RecordBytes + d.lim.WindowBytes + 4
}

// fill drops what stands before at and reads on behind the window. The window
// doubles where it was mostly filled by what has to be kept, and returns to its
// usual size where it was not.
func (d *csvDecoder) fill() error {
	keep := len(d.s) - d.at
	switch {
	case 2*keep >= d.window:
		d.window = max(min(2*d.window, d.windowMax()), keep+1)
	case 2*keep < d.lim.WindowBytes:
		d.window = d.lim.WindowBytes
	}
	buf := d.buf
	if cap(buf) < d.window || cap(buf) > 4*d.window {
		buf = make([]byte, d.window)
	}
	copy(buf[:keep], d.s[d.at:])
	d.buf = buf[:d.window]
	d.base += int64(d.at)
	n, err := d.read(d.buf[keep:], d.base+int64(keep))
	if err != nil {
		return err
	}
	s := string(d.buf[:keep+n])
	d.reset(s, d.base+int64(len(s)) >= d.size, d.at)
	d.at = 0
	d.suspect, d.decodes = d.charset.inspect(s, d.last)
	return nil
}

// read reads as much of the file as there is at off, up to len(p).
func (d *csvDecoder) read(p []byte, off int64) (int, error) {
	p = p[:min(int64(len(p)), d.size-off)]
	n, err := d.src.ReadAt(p, off)
	switch {
	case n == len(p):
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}
