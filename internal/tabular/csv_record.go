package tabular

import "strings"

// walk is the reading of one record, cell by cell, and what came of it. A
// decoder has one and begins it anew for every record.
type walk struct {
	*csvDecoder
	// The record begins at start, its content may reach to limit, and the next
	// field begins at at.
	start, limit, at int
	// ended are the physical lines that end in the record, as far as walked.
	ended int64

	// verdict is what came of it. Where it is complete or blankLine, or unclosed
	// on a line that ends in the text (lineEnds), content is the end of the text
	// before the line end and next is where the next record begins. Where it is
	// oversize, at is the first field that there is no room for.
	verdict       verdict
	content, next int
	lineEnds      bool
	// unclosedText is what stands behind a quote that is not closed, as far as
	// there is room.
	unclosedText string
}

// read reads the record that begins at start.
func (w *walk) read(start int) {
	w.start, w.limit, w.at, w.ended = start, start+w.lim.RecordBytes, start, 0
	for !w.field() {
	}
}

// field reads a field, or all the fields up to the next one that has a quote, and
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
	if fits {
		quote := w.quotes.next(w.s, w.at)
		if quote >= content {
			return w.rest(content, next, ok)
		}
		if k := strings.LastIndexByte(w.s[w.at:quote], w.delim); k >= 0 {
			w.cells.addPlain(w.s[w.at:w.at+k], w.delim)
			w.at += k + 1
			return false
		}
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
		return w.end(oversize)
	case !ok:
		return w.end(needMore)
	}
	w.cells.add(w.s[w.at:content])
	return w.endLine(complete, content, next)
}

// end ends the record, or the attempt to read it, within a line.
func (w *walk) end(v verdict) bool {
	w.verdict = v
	return true
}

// endLine ends the record with its line.
func (w *walk) endLine(v verdict, content, next int) bool {
	w.verdict, w.content, w.next = v, content, next
	w.ended++
	return true
}

// rest reads the fields up to the line end at content, which hold no quotes.
func (w *walk) rest(content, next int, ok bool) bool {
	if !ok {
		return w.end(needMore)
	}
	if w.at == w.start && w.blankLine(content) {
		return w.endLine(blankLine, content, next)
	}
	w.cells.addPlain(w.s[w.at:content], w.delim)
	return w.endLine(complete, content, next)
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
		return w.end(needMore)
	case v == unclosed:
		return w.unclosed(open)
	case end > w.limit:
		return w.end(oversize)
	}
	w.cells.addQuoted(w.s[open+1 : quote])
	if w.lf.next(w.s, open) < end || w.crEnds {
		w.ended += w.countLines(w.s[open:end])
	}
	if end < len(w.s) && w.s[end] == w.delim {
		w.at = end + 1
		return false
	}
	content, next, ok := w.lineEnd(end)
	if !ok {
		return w.end(needMore)
	}
	return w.endLine(complete, content, next)
}

// unclosed ends the record with the line on which a quote opened for good. What
// stands behind the quote is its last cell.
func (w *walk) unclosed(open int) bool {
	content, next, ok := w.lineEnd(open)
	if !ok {
		content = len(w.s)
	}
	w.lineEnds = ok
	w.unclosedText = w.s[open+1 : max(open+1, min(content, w.limit))]
	w.cells.addQuoted(w.unclosedText)
	return w.endLine(unclosed, content, next)
}
