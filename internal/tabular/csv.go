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
	// suspect says that the window holds bytes that may be no text.
	// ascii says that it needs no decoding.
	suspect, ascii bool
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
	e, err := d.walkFilling(rec)
	if err != nil {
		return false, err
	}
	start := d.at
	switch e.verdict {
	case complete:
		d.finish(rec, d.s[start:e.content])
	case unclosed:
		d.decodeDamaged(rec)
		rec.Problem = d.unclosedQuote(rec)
	case oversize:
		d.decodeDamaged(rec)
		rec.Problem = d.recordTooLarge(rec)
	}
	switch {
	case e.verdict == oversize:
		d.at = e.field
		more, err := d.skipFields()
		if err != nil {
			return false, err
		}
		e.lines += more
	case e.verdict == unclosed && !e.lineEnds:
		if err := d.skipLine(); err != nil {
			return false, err
		}
	default:
		d.at = e.next
	}
	d.pos = position{d.base + int64(d.at), d.pos.number + 1, d.pos.line + e.lines}
	return e.verdict != blankLine, nil
}

// walkFilling walks the next record, filling the window until it can be told.
func (d *csvDecoder) walkFilling(rec *Record) (extent, error) {
	for {
		rec.Number, rec.Line, rec.Offset = d.pos.number, d.pos.line, d.pos.offset
		rec.Cells, rec.Quoted, rec.Problem = rec.Cells[:0], 0, nil
		d.cells.rec, d.cells.seen = rec, 0
		e := d.walk(d.at)
		if e.verdict != needMore {
			return e, nil
		}
		if err := d.fill(); err != nil {
			return extent{}, err
		}
	}
}

// finish checks a complete record's text and turns it into UTF-8.
func (d *csvDecoder) finish(rec *Record, content string) {
	switch {
	case d.suspect && !d.charset.valid(content):
		d.cells.decodeDamaged(rec, d.charset)
		rec.Problem = d.badText(content)
		return
	case !d.ascii && d.charset != utf8Text:
		d.cells.decode(rec, d.charset)
	}
	if d.cells.seen > d.lim.Columns {
		rec.Problem = d.tooManyColumns()
	}
}

// decodeDamaged turns what there is of a damaged record into UTF-8.
func (d *csvDecoder) decodeDamaged(rec *Record) {
	d.cells.decodeDamaged(rec, d.charset)
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
	d.suspect, d.ascii = d.charset.inspect(s)
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
