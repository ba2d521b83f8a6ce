package tabular

import "strings"

// cells collects the cells of a record.
type cells struct {
	rec *Record
	// wanted tells, by column, which cells to keep; nil means all of them.
	wanted []bool
	// max bounds the cells that are kept.
	max int
	// seen counts the record's cells, kept or not.
	seen int
	// arena holds the text of cells that had to be written anew.
	arena arena
}

// full says that no further cell of the record will be kept.
func (c *cells) full() bool {
	return c.seen >= c.max || c.wanted != nil && c.seen >= len(c.wanted)
}

func (c *cells) add(s string) {
	if !c.full() {
		if c.wanted != nil && !c.wanted[c.seen] {
			s = ""
		}
		c.rec.Cells = append(c.rec.Cells, s)
	}
	c.seen++
}

// addQuoted adds what stood between quotes.
func (c *cells) addQuoted(s string) {
	if c.seen < 64 {
		c.rec.Quoted |= 1 << c.seen
	}
	if !c.full() && (c.wanted == nil || c.wanted[c.seen]) && strings.IndexByte(s, '"') >= 0 {
		s = c.arena.halveQuotes(s)
	}
	c.add(s)
}

// addPlain adds the fields of a text without quotes.
func (c *cells) addPlain(line string, delim byte) {
	if c.wanted != nil || c.seen+len(line) >= c.max {
		c.addSome(line, delim)
		return
	}
	c.rec.Cells = split(c.rec.Cells, line, delim)
	c.seen = len(c.rec.Cells)
}

// addSome is addPlain where cells may have to be left out. What follows the last
// cell to keep is only counted.
func (c *cells) addSome(line string, delim byte) {
	for !c.full() {
		k := strings.IndexByte(line, delim)
		if k < 0 {
			c.add(line)
			return
		}
		c.add(line[:k])
		line = line[k+1:]
	}
	c.seen += 1 + strings.Count(line, string(delim))
}

// arenaBytes is how much text an arena takes at a time.
const arenaBytes = 64 << 10

// arena keeps text that could not be cut from the window, many cells to one
// allocation. No string of it keeps more alive than arenaBytes, or than itself
// where it is longer.
type arena struct {
	b strings.Builder
}

// room makes place for n more bytes. The text taken before stays as it is: what
// a Builder has handed out it never writes again.
func (a *arena) room(n int) {
	if a.b.Cap()-a.b.Len() < n {
		a.b = strings.Builder{}
		a.b.Grow(max(n, arenaBytes))
	}
}

// halveQuotes returns s with every two quotes made one.
func (a *arena) halveQuotes(s string) string {
	if !strings.Contains(s, `""`) {
		return s
	}
	a.room(len(s))
	start := a.b.Len()
	for {
		k := strings.IndexByte(s, '"')
		if k < 0 {
			a.b.WriteString(s)
			return a.b.String()[start:]
		}
		a.b.WriteString(s[:k+1])
		s = s[k+1:]
		if s != "" && s[0] == '"' {
			s = s[1:]
		}
	}
}
