package tabular_test

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
)

// naive reads CSV by the rule as it is told to people, one byte at a time and
// with the whole file at hand. The decoder is compared with it.
type naive struct {
	data    []byte
	delim   byte
	crEnds  bool
	cap     int
	columns int
	many    bool
}

// naiveRecord is what the two have in common.
type naiveRecord struct {
	Number, Line, Offset, Next int64
	Cells                      []string
	Quoted                     uint64
	Code                       catalog.Code
}

func (n *naive) all() []naiveRecord {
	var out []naiveRecord
	at, number, line := 0, int64(1), int64(1)
	for at < len(n.data) {
		r, content, next, blank := n.record(at)
		r.Number, r.Line, r.Offset, r.Next = number, line, int64(at), int64(next)
		if r.Code == "" {
			r.Code = n.check(n.data[at:content], r.Cells)
		}
		if len(r.Cells) > n.columns {
			r.Cells = r.Cells[:n.columns]
		}
		for i, c := range r.Cells {
			r.Cells[i] = strings.ToValidUTF8(c, "\ufffd")
		}
		if !blank {
			out = append(out, r)
		}
		line += n.physicalLines(at, next)
		number++
		at = next
	}
	return out
}

func (n *naive) check(content []byte, cells []string) catalog.Code {
	for i := 0; i < len(content); {
		r, size := utf8.DecodeRune(content[i:])
		if content[i] == 0 {
			return catalog.CodeInvalidRecord
		}
		if r == utf8.RuneError && size == 1 {
			return catalog.CodeBadEncoding
		}
		i += size
	}
	if len(cells) > n.columns {
		return catalog.CodeColumnCount
	}
	return ""
}

func (n *naive) record(start int) (r naiveRecord, content, next int, blank bool) {
	limit := start + n.cap
	at := start
	for {
		open := n.blanks(at)
		if open > limit {
			r.Code = catalog.CodeRecordTooLarge
		}
		quoted := open < len(n.data) && n.data[open] == '"'
		text, end := "", 0
		if quoted {
			quote, e := n.close(open)
			if quote < 0 {
				content, next = n.lineEnd(open)
				if r.Code == "" {
					r.Code = catalog.CodeUnclosedQuote
					r.Quoted |= n.bit(r.Cells)
					r.Cells = append(r.Cells, halve(n.data[open+1:max(open+1, min(content, limit))]))
				}
				return r, content, next, false
			}
			text, end = halve(n.data[open+1:quote]), e
		} else {
			end = at
			for !n.ends(end) {
				end++
			}
			text = string(n.data[at:end])
		}
		if end > limit {
			r.Code = catalog.CodeRecordTooLarge
		}
		if r.Code == "" {
			if quoted {
				r.Quoted |= n.bit(r.Cells)
			}
			r.Cells = append(r.Cells, text)
		}
		if end < len(n.data) && n.data[end] == n.delim {
			at = end + 1
			continue
		}
		content, next = n.lineEnd(end)
		line := n.data[start:content]
		blank = r.Code == "" && (len(line) == 0 || n.many && n.blanks(start) >= content && len(r.Cells) == 1)
		return r, content, next, blank
	}
}

func (n *naive) bit(cells []string) uint64 {
	if len(cells) >= 64 {
		return 0
	}
	return 1 << len(cells)
}

func halve(b []byte) string { return strings.ReplaceAll(string(b), `""`, `"`) }

func (n *naive) blanks(i int) int {
	for i < len(n.data) && (n.data[i] == ' ' || n.data[i] == '\t') && n.data[i] != n.delim {
		i++
	}
	return i
}

// ends tells whether a field ends at i.
func (n *naive) ends(i int) bool {
	return i == len(n.data) || n.data[i] == n.delim || n.endsRecord(i)
}

func (n *naive) endsRecord(i int) bool {
	switch {
	case i == len(n.data) || n.data[i] == '\n':
		return true
	case n.data[i] != '\r':
		return false
	}
	return n.crEnds || i+1 == len(n.data) || n.data[i+1] == '\n'
}

// lineEnd finds the first line end at or after i.
func (n *naive) lineEnd(i int) (content, next int) {
	for !n.endsRecord(i) {
		i++
	}
	next = i
	if next < len(n.data) && n.data[next] == '\r' {
		next++
	}
	if next < len(n.data) && n.data[next] == '\n' {
		next++
	}
	return i, next
}

// close finds the quote that closes the one at open, and where the field ends.
func (n *naive) close(open int) (quote, end int) {
	for i := open + 1; i < len(n.data); i++ {
		if n.data[i] != '"' {
			continue
		}
		if i+1 < len(n.data) && n.data[i+1] == '"' {
			i++
			continue
		}
		if end := n.blanks(i + 1); n.ends(end) {
			if end > open+n.cap {
				return -1, 0
			}
			return i, end
		}
	}
	return -1, 0
}

func (n *naive) physicalLines(at, next int) (lines int64) {
	for i := at; i < next; i++ {
		switch c := n.data[i]; {
		case c == '\n', n.crEnds && c == '\r' && !bytes.HasPrefix(n.data[i:], []byte("\r\n")):
			lines++
		}
	}
	if !n.endsWithLineEnd(next) {
		lines++
	}
	return lines
}

func (n *naive) endsWithLineEnd(next int) bool {
	last := n.data[next-1]
	return last == '\n' || n.crEnds && last == '\r'
}

// compared turns what the decoder returned into what naive returns.
func compared(r tabular.Record, next int64) naiveRecord {
	out := naiveRecord{Number: r.Number, Line: r.Line, Offset: r.Offset, Next: next, Cells: r.Cells, Quoted: r.Quoted}
	if r.Problem != nil {
		out.Code = r.Problem.Code
	}
	return out
}
