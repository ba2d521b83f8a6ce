package tabular

import "strings"

// The rule of CSV, in one place. Boundary scans and full reads walk the same
// code; nothing else in the program looks for quotes or line ends.
//
// A record ends at LF or CRLF, and in files whose layout says so at a lone CR
// too. A quote opens a quoted field only at the field's start, behind blanks at
// most. It closes the field only where blanks at most stand between it and a
// delimiter, a record end or the end of the file. In between, two quotes are
// one, and a quote that is neither is text. A quote anywhere else is text: an
// inch mark, say.
//
// Look at the quotes of a file as runs, each as long as it can be. Within a
// quoted field a run of an even number is all pairs and closes nothing; a run
// of an odd number closes the field where an end follows. That depends on the
// bytes alone, not on where the field began, with one exception: the run that
// holds the opening quote itself. So the search for a closing quote, once
// begun, serves every later field that it has passed (type closers), and a file
// of a million quotes that never close is still read in one pass.

// csvText is the part of a file that a decoder holds, read by the rule.
// Positions are indexes into s.
type csvText struct {
	s string
	// last says that s reaches the end of the file.
	last bool
	// delim separates fields. crEnds says that a lone CR ends a record.
	delim  byte
	crEnds bool
	// fieldBytes bounds how far from its opening quote a quoted field may end.
	fieldBytes int

	lf, cr, quotes hop
	closers        closers
}

// verdict is what the rule says of a piece of text.
type verdict uint8

const (
	// complete: its end was found.
	complete verdict = iota
	// needMore: the text held does not reach far enough to tell.
	needMore
	// blankLine: it is a line without a record.
	blankLine
	// unclosed: a quote opens in it that closes nowhere within the bound.
	unclosed
	// oversize: it is longer than a record may be.
	oversize
)

// hop finds the next place of a byte, remembering the last answer. Questions
// must come in rising order.
type hop struct {
	b  byte
	at int // the answer to the last question; -1 before the first
}

func (h *hop) next(s string, from int) int {
	if h.at >= from {
		return h.at
	}
	return h.search(s, from)
}

func (h *hop) search(s string, from int) int {
	h.at = len(s)
	if k := strings.IndexByte(s[from:], h.b); k >= 0 {
		h.at = from + k
	}
	return h.at
}

// reset gives the text new content, whose first byte was at the index drop.
func (t *csvText) reset(s string, last bool, drop int) {
	t.s, t.last = s, last
	t.lf, t.cr, t.quotes = hop{'\n', -1}, hop{'\r', -1}, hop{'"', -1}
	t.closers.from -= drop
	t.closers.at -= drop
	t.closers.quote -= drop
}

// lineEnd finds the first line end at or after from: the text before it ends at
// content, the next line begins at next. ok is false where the text held does
// not tell; the line then reaches at least to len(s)-1.
func (t *csvText) lineEnd(from int) (content, next int, ok bool) {
	k := t.lf.next(t.s, from)
	if t.crEnds {
		if c := t.cr.next(t.s, from); c < k {
			return t.lineEndCR(c)
		}
	}
	if k < len(t.s) {
		next = k + 1
	} else if t.last {
		next = k
	} else {
		return 0, 0, false
	}
	if k > from && t.s[k-1] == '\r' {
		k--
	}
	return k, next, true
}

func (t *csvText) lineEndCR(c int) (content, next int, ok bool) {
	switch {
	case c+1 < len(t.s) && t.s[c+1] == '\n':
		return c, c + 2, true
	case c+1 < len(t.s) || t.last:
		return c, c + 1, true
	}
	return 0, 0, false
}

// countLines counts the physical lines that end in a piece of text. A CR that ends
// the piece counts, so no piece may end between CR and LF.
func (t *csvText) countLines(s string) int64 {
	n := strings.Count(s, "\n")
	if t.crEnds {
		n += strings.Count(s, "\r") - strings.Count(s, "\r\n")
	}
	return int64(n)
}

func (t *csvText) isBlank(c byte) bool {
	return c == ' ' || c == '\t' && t.delim != '\t'
}

// skipBlanks returns the first index from i on, and before end, that holds no
// blank; or end.
func (t *csvText) skipBlanks(i, end int) int {
	for i < end && t.isBlank(t.s[i]) {
		i++
	}
	return i
}

// endsField tells whether a delimiter, a record end or the end of the file
// stands at i.
func (t *csvText) endsField(i int) (ends bool, v verdict) {
	if i == len(t.s) {
		if t.last {
			return true, complete
		}
		return false, needMore
	}
	switch c := t.s[i]; {
	case c == t.delim || c == '\n':
		return true, complete
	case c != '\r':
		return false, complete
	case t.crEnds:
		return true, complete
	case i+1 < len(t.s):
		return t.s[i+1] == '\n', complete
	case t.last:
		return true, complete
	}
	return false, needMore
}

// closing finds where the quoted field ends whose opening quote is at open: its
// closing quote, and the delimiter, record end or end of file behind it. The
// verdict is complete, needMore or unclosed.
func (t *csvText) closing(open int) (quote, end int, v verdict) {
	limit := open + t.fieldBytes
	// Nearly every field ends at the next quote there is.
	if k := strings.IndexByte(t.s[open+1:], '"'); k >= 0 {
		quote, end = open+1+k, open+2+k
		if end <= limit && end+1 < len(t.s) {
			if c := t.s[end]; c == t.delim || c == '\n' || c == '\r' && t.s[end+1] == '\n' {
				return quote, end, complete
			}
		}
	}
	run := open
	for run < len(t.s) && t.s[run] == '"' {
		run++
	}
	switch {
	case run > limit:
		return 0, 0, unclosed
	case run == len(t.s) && !t.last:
		return 0, 0, needMore
	case (run-open)%2 == 0:
		end = t.skipBlanks(run, len(t.s))
		if end > limit {
			return 0, 0, unclosed
		}
		ends, v := t.endsField(end)
		if ends || v == needMore {
			return run - 1, end, v
		}
	}
	return t.closers.first(t, run, limit)
}

// closers is the search for a run of quotes that closes a quoted field,
// whichever field that is. It goes on where it stopped.
type closers struct {
	// No run that begins at or after from and ends before at closes a field,
	// unless state is found.
	from, at int
	// quote is the last quote of the run that ends at or reaches to at.
	quote int
	state closersState
}

type closersState uint8

const (
	inText   closersState = iota
	oddRun                // behind an odd number of quotes
	evenRun               // behind an even number of quotes
	inBlanks              // behind an odd run and blanks
	found                 // an odd run at quote, an end at at
)

// first finds the first closing quote at or after from, where no quote may
// stand at from-1 that belongs to a run reaching from. Its end must not lie
// behind limit.
func (c *closers) first(t *csvText, from, limit int) (quote, end int, v verdict) {
	if from < c.from || from > c.at || c.state != inText && c.quote < from {
		*c = closers{from: from, at: from}
	}
	for {
		switch {
		case c.at > limit:
			return 0, 0, unclosed
		case c.state == found:
			return c.quote, c.at, complete
		case c.at == len(t.s) && !t.last:
			return 0, 0, needMore
		case c.at == len(t.s) && (c.state == inText || c.state == evenRun):
			return 0, 0, unclosed
		}
		if c.step(t, limit) == needMore {
			return 0, 0, needMore
		}
	}
}

// step moves the search over one byte, or over text up to the next quote that
// may close something.
func (c *closers) step(t *csvText, limit int) verdict {
	if c.state == inText {
		c.hop(t, limit)
		return complete
	}
	if c.at < len(t.s) && t.s[c.at] == '"' {
		c.state = nextInRun[c.state]
		c.quote = c.at
		c.at++
		return complete
	}
	if c.state == evenRun {
		c.state = inText
		return complete
	}
	ends, v := t.endsField(c.at)
	switch {
	case v == needMore:
		return needMore
	case ends:
		c.state = found
	case t.isBlank(t.s[c.at]):
		c.state = inBlanks
		c.at++
	default:
		c.state = inText
	}
	return complete
}

// hop moves the search over text to behind the next quote. Pairs of quotes, the
// most of what stands in quoted fields, it passes over itself.
func (c *closers) hop(t *csvText, limit int) {
	end := min(len(t.s), limit+1)
	for {
		k := strings.IndexByte(t.s[c.at:end], '"')
		if k < 0 {
			c.at = end
			return
		}
		c.quote = c.at + k
		if after := c.quote + 2; after < end && t.s[after-1] == '"' && t.s[after] != '"' {
			c.at = after
			continue
		}
		c.at = c.quote + 1
		c.state = oddRun
		return
	}
}

// nextInRun is the state that a further quote leads to.
var nextInRun = [...]closersState{oddRun: evenRun, evenRun: oddRun, inBlanks: oddRun}
