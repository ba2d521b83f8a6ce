package tabular

import "strings"

// extent says how far a record reaches in the text and what became of it.
type extent struct {
	verdict verdict
	// content is where the text before the record's line end ends, next where
	// the next record begins. Set for complete records and blank lines, and for
	// unclosed ones where lineEnds.
	content, next int
	// lines are the physical lines that end in the record, as far as walked.
	lines int64
	// field is the opening quote of an unclosed record, and the start of the
	// first field that an oversize one has no room for.
	field int
	// lineEnds says that an unclosed record's line ends in the text.
	lineEnds bool
}

// walk reads the record that begins at start, cell by cell.
func (d *csvDecoder) walk(start int) extent {
	w := walk{csvDecoder: d, start: start, limit: start + d.lim.RecordBytes, at: start}
	for !w.field() {
	}
	return w.extent
}

// walk is the reading of one record. Its extent grows with it.
type walk struct {
	*csvDecoder
	extent
	// The record begins at start, its content may reach to limit, and the next
	// field begins at at.
	start, limit, at int
}

// field reads a field, or all the fields of a line that has no quotes, and
// reports whether the record has ended.
func (w *walk) field() bool {
	if w.at < len(w.s) && w.s[w.at] == '"' && w.at <= w.limit {
		return w.quoted(w.at)
	}
	content, next, ok := w.lineEnd(w.at)
	if !ok {
		content = len(w.s)
	}
	// Where the line end is not known yet, a CR and LF may follow that do not
	// belong to the content.
	fits := content <= w.limit || !ok && content <= w.limit+1
	if fits && w.quotes.next(w.s, w.at) >= content {
		return w.rest(content, next, ok)
	}
	open := w.skipBlanks(w.at, content)
	if open <= w.limit && open < content && w.s[open] == '"' {
		return w.quoted(open)
	}
	k := strings.IndexByte(w.s[w.at:content], w.delim)
	switch {
	case k >= 0 && w.at+k <= w.limit:
		w.cells.add(w.s[w.at : w.at+k])
		w.at += k + 1
		return false
	case k >= 0 || !fits:
		return w.end(extent{verdict: oversize, field: w.at})
	case !ok:
		return w.end(extent{verdict: needMore})
	}
	w.cells.add(w.s[w.at:content])
	return w.end(extent{content: content, next: next, lines: 1})
}

// end closes the record's extent.
func (w *walk) end(e extent) bool {
	e.lines += w.lines
	w.extent = e
	return true
}

// rest reads the fields up to the line end at content, which hold no quotes.
func (w *walk) rest(content, next int, ok bool) bool {
	if !ok {
		return w.end(extent{verdict: needMore})
	}
	if w.at == w.start && w.blankLine(content) {
		return w.end(extent{verdict: blankLine, content: content, next: next, lines: 1})
	}
	w.cells.addLine(w.s[w.at:content], w.delim)
	return w.end(extent{content: content, next: next, lines: 1})
}

// blankLine reports whether a line without quotes is no record: one that is
// empty, or has only blanks in a file where that cannot be a cell's value.
func (w *walk) blankLine(content int) bool {
	return content == w.start ||
		w.manyColumns && w.isBlank(w.s[w.start]) && w.skipBlanks(w.start, content) == content
}

// quoted reads the quoted field whose opening quote is at open.
func (w *walk) quoted(open int) bool {
	quote, end, v := w.closing(open)
	switch {
	case v == needMore:
		return w.end(extent{verdict: needMore})
	case v == unclosed:
		return w.unclosed(open)
	case end > w.limit:
		return w.end(extent{verdict: oversize, field: w.at})
	case end < len(w.s) && w.s[end] == w.delim:
		w.addQuoted(open, quote, end)
		w.at = end + 1
		return false
	}
	content, next, ok := w.lineEnd(end)
	if !ok {
		return w.end(extent{verdict: needMore})
	}
	w.addQuoted(open, quote, end)
	return w.end(extent{content: content, next: next, lines: 1})
}

func (w *walk) addQuoted(open, quote, end int) {
	w.cells.addQuoted(w.s[open+1 : quote])
	if w.lf.next(w.s, open) < end || w.crEnds {
		w.lines += w.countLines(w.s[open:end])
	}
}

// unclosed ends the record with the line on which a quote opened for good. What
// stands behind the quote, as far as there is room, is its last cell.
func (w *walk) unclosed(open int) bool {
	content, next, ok := w.lineEnd(open)
	if !ok {
		content = len(w.s)
	}
	w.cells.addQuoted(w.s[open+1 : max(open+1, min(content, w.limit))])
	return w.end(extent{verdict: unclosed, content: content, next: next, lines: 1, field: open, lineEnds: ok})
}
