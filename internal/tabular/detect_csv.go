package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"tallyman/internal/catalog"
)

// delimiters are the ones that are tried, the likelier first.
var delimiters = []string{",", ";", "\t", "|"}

// delimiterNames are for people.
var delimiterNames = map[string]string{",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

// detectCSV finds how the text is cut into records, and its header.
func detectCSV(t headText, h sniffed, opt DetectOptions, layout *Layout) error {
	if !h.cut && len(bytes.TrimSpace(t.text)) == 0 {
		return emptyFile("The file has nothing but blanks.")
	}
	p := &probe{text: t.text, cut: h.cut, charset: layout.Encoding, headerRow: max(opt.HeaderRow, 1)}
	if layout.Encoding != Windows1252 {
		p.charset = UTF8
	}
	told := p.skipSepLine()
	switch {
	case opt.Delimiter != "":
		layout.Delimiter = opt.Delimiter
		layout.because("The delimiter %s was given.", delimiterNames[opt.Delimiter])
	case told != "":
		layout.Delimiter = told
		layout.because("The delimiter is a %s, because the first line says so.", delimiterNames[told])
	default:
		p.detectDelimiter(h, layout)
	}
	layout.RecordEnd = p.recordEnd(layout.Delimiter)
	if layout.RecordEnd == "\r" {
		layout.because("Rows end with a carriage return alone, because no row of the beginning ends otherwise.")
	}
	return p.readHeader(t, opt, layout)
}

// probe reads the head of a file with the real decoder in one way or another.
type probe struct {
	text    []byte
	cut     bool
	charset string
	// start is where the records begin, on line 1 + lines.
	start, lines int64
	// headerRow is the number of the header record; blank lines are passed over
	// where it is not given.
	headerRow int64
}

// skipSepLine passes over a first line like "sep=;", which Excel understands
// and hides, and returns the delimiter that it names, or "".
func (p *probe) skipSepLine() string {
	line, _, _ := bytes.Cut(p.text, []byte("\n"))
	line, _, _ = bytes.Cut(line, []byte("\r"))
	name := string(bytes.Trim(line, `"`))
	if len(name) != len("sep=;") || !strings.EqualFold(name[:4], "sep=") || delimiterNames[name[4:]] == "" {
		return ""
	}
	p.start = int64(len(line))
	for _, end := range []string{"\r\n", "\n", "\r"} {
		if bytes.HasPrefix(p.text[p.start:], []byte(end)) {
			p.start += int64(len(end))
			break
		}
	}
	p.lines = 1
	return name[4:]
}

func (p *probe) open(delimiter, recordEnd string) *csvDecoder {
	layout := &Layout{Format: CSV, Encoding: p.charset, Delimiter: delimiter, RecordEnd: recordEnd}
	lim := Limits{RecordBytes: SniffBytes * 2}.orDefaults()
	d, err := openCSV(bytes.NewReader(p.text), layout, Section{Offset: p.start, Length: -1, FirstRow: 1, FirstLine: 1 + p.lines}, lim, nil)
	if err != nil {
		panic(fmt.Sprintf("the probe's own layout is wrong: %v", err))
	}
	return d
}

// each calls f with every record of the head that can be trusted: where the
// file goes on behind the head, not the last one, nor anything behind a quote
// that the head leaves open.
func (p *probe) each(d *csvDecoder, f func(rec *Record, next int64)) {
	var rec Record
	for d.Next(&rec) == nil {
		next, _, _ := d.Position()
		open := rec.Problem != nil && rec.Problem.Code == catalog.CodeUnclosedQuote
		if p.cut && (open || next == int64(len(p.text))) {
			return
		}
		f(&rec, next)
	}
}

// recordEnd says whether records end with a lone CR: only where some do and
// none ends otherwise.
func (p *probe) recordEnd(delimiter string) string {
	if bytes.IndexByte(p.text, '\r') < 0 {
		return "\n"
	}
	returns, others := 0, 0
	p.each(p.open(delimiter, "\r"), func(_ *Record, next int64) {
		switch p.text[next-1] {
		case '\r':
			returns++
		case '\n':
			others++
		}
	})
	if returns > 0 && others == 0 {
		return "\r"
	}
	return "\n"
}

// shape is what the head looks like when read with a delimiter.
type shape struct {
	columns int // cells of the header
	usual   int // the number of cells that most rows have
	rows    int // rows behind the header
	alike   int // rows with the usual number of cells
}

func (p *probe) shape(delimiter string) shape {
	var s shape
	counts := map[int]int{}
	p.each(p.open(delimiter, p.recordEnd(delimiter)), func(rec *Record, _ int64) {
		switch {
		case rec.Number < p.headerRow || p.headerRow <= 1 && s.columns == 0 && rec.Blank():
		case s.columns == 0:
			s.columns = len(rec.Cells)
		case rec.Problem == nil:
			s.rows++
			counts[len(rec.Cells)]++
		default:
			s.rows++
		}
	})
	for n, rows := range counts {
		if rows > s.alike || rows == s.alike && n > s.usual {
			s.usual, s.alike = n, rows
		}
	}
	if s.rows == 0 {
		s.usual, s.alike, s.rows = s.columns, 1, 1
	}
	return s
}

// score is high where most rows have the same number of cells, and many. The
// header counts too: a character that it does not have delimits nothing.
func (s shape) score() float64 {
	if s.columns < 2 || s.usual < 2 {
		return 0
	}
	return float64(min(s.columns, s.usual)-1) * float64(s.alike) / float64(s.rows)
}

// detectDelimiter chooses the delimiter with the best score.
func (p *probe) detectDelimiter(h sniffed, layout *Layout) {
	best := 0.0
	shapes := map[string]shape{}
	for _, delimiter := range delimiters {
		s := p.shape(delimiter)
		shapes[delimiter] = s
		score := s.score()
		if delimiter == "\t" && hasSuffix(h.name, ".tsv", ".tab") {
			score *= 2
		}
		if score > best {
			best, layout.Delimiter = score, delimiter
		}
	}
	if best > 0 {
		s := shapes[layout.Delimiter]
		layout.because("The delimiter is a %s, which gives %d columns in %d of the first %d rows.",
			delimiterNames[layout.Delimiter], s.usual, s.alike, s.rows)
		return
	}
	layout.Delimiter = ","
	if shapes[","].columns > 1 {
		layout.because("The delimiter was taken to be a comma, because the rows have no common number of cells.")
		return
	}
	for _, delimiter := range delimiters {
		if s := shapes[delimiter]; shapes[","].columns == 1 && s.alike == s.rows {
			layout.Delimiter = delimiter
			break
		}
	}
	layout.because("The file has one column, because its header has no delimiter.")
}

// readHeader reads the header and says where the data begins.
func (p *probe) readHeader(t headText, opt DetectOptions, layout *Layout) error {
	d := p.open(layout.Delimiter, layout.RecordEnd)
	var rec Record
	for {
		err := d.Next(&rec)
		if errors.Is(err, io.EOF) && !p.cut {
			return badHeader("The file has no row %d to be its header.", p.headerRow)
		}
		if err != nil {
			return headerNotEnded()
		}
		if rec.Number > opt.HeaderRow && opt.HeaderRow > 0 {
			return badHeader("Row %d, which should be the header, is blank.", p.headerRow)
		}
		if rec.Number == opt.HeaderRow || opt.HeaderRow == 0 && !rec.Blank() {
			break
		}
	}
	offset, number, line := d.Position()
	switch {
	case p.cut && (offset == int64(len(p.text)) || rec.Problem != nil && rec.Problem.Code == catalog.CodeUnclosedQuote):
		return headerNotEnded()
	case rec.Problem != nil:
		return badHeader("The header cannot be read: %s", rec.Problem.Message)
	}
	layout.Header = make([]string, len(rec.Cells))
	for i, c := range rec.Cells {
		layout.Header[i] = strings.TrimFunc(c, isHeaderBlank)
	}
	layout.DataOffset, layout.DataRow, layout.DataLine = t.fileOffset(offset), number, line
	layout.because("The header is row %d, with %d columns.", rec.Number, len(rec.Cells))
	return nil
}

// isHeaderBlank tells what may stand around a column's name without belonging
// to it: white space, no-break spaces among it, and marks that nobody can see.
func isHeaderBlank(r rune) bool {
	return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b'
}

func badHeader(format string, args ...any) *catalog.Fault {
	return &catalog.Fault{Kind: catalog.KindRefused, Code: faultBadHeader, Message: fmt.Sprintf(format, args...),
		Hint: "See that the first row holds the column names."}
}

func headerNotEnded() *catalog.Fault {
	return &catalog.Fault{Kind: catalog.KindRefused, Code: faultBadHeader,
		Message: fmt.Sprintf("The header does not end within the first %d bytes of the file.", SniffBytes),
		Hint:    "See whether a line end is missing or a quote is not closed."}
}
