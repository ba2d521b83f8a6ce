package catalog

import (
	"fmt"
	"strings"
	"time"
)

// ParseDate reads an ISO 8601 date, 2026-03-15, and returns it as it is. A
// timestamp whose time is midnight, as spreadsheets and exports write dates, is
// its date; any other time would be lost and is an error.
func ParseDate(cell string, ps []Problem) (string, []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", ps
	}
	m, ok := readMoment(text)
	switch {
	case !ok:
		return "", refuse(ps, CodeInvalidDate, cell, "This is not a date; write year, month and day as in 2026-03-15.")
	case m.hour|m.minute|m.second|m.nano != 0:
		return "", refuse(ps, CodeInvalidDate, cell, "The date has a time of day, which would be lost; write the date alone, as in 2026-03-15.")
	}
	return text[:len("2006-01-02")], ps
}

// ParseTimestamp reads an RFC 3339 timestamp and returns it in UTC,
// 2026-03-15T09:00:00Z, with the fraction of a second that it has. Also read
// are a blank for the T, a time without seconds, and a date alone, which is its
// first moment; a timestamp without a zone is in UTC.
func ParseTimestamp(cell string, ps []Problem) (string, []Problem) {
	text, ps := bare(cell, ps)
	if text == "" {
		return "", ps
	}
	m, ok := readMoment(text)
	if ok {
		if len(text) == len("2006-01-02T15:04:05Z") && text[10] == 'T' && text[19] == 'Z' {
			return text, ps
		}
		if s, ok := m.utc(); ok {
			return s, ps
		}
	}
	return "", refuse(ps, CodeInvalidDate, cell, "This is not a point in time; write it as in 2026-03-15T09:00:00Z.")
}

// moment is a date and a time of day as they are written.
type moment struct {
	year, month, day, hour, minute, second, nano int
	// offset is what the written zone is ahead of UTC, in minutes.
	offset int
}

// valid reports whether there is such a day and such a time.
func (m moment) valid() bool {
	return m.year >= 1 && m.month >= 1 && m.month <= 12 && m.day >= 1 && m.day <= daysIn(m.year, m.month) &&
		m.hour < 24 && m.minute < 60 && m.second < 60
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// date returns the canonical form of a Date.
func (m moment) date() string {
	return m.time().Format(time.DateOnly)
}

// utc returns the canonical form of a Timestamp. ok is false when the zone
// carries it out of the years 1 to 9999.
func (m moment) utc() (s string, ok bool) {
	t := m.time()
	return t.Format(time.RFC3339Nano), t.Year() >= 1 && t.Year() <= 9999
}

func (m moment) time() time.Time {
	return time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute-m.offset, m.second, m.nano, time.UTC)
}

// readMoment reads a date, or a date and a time with a zone or without.
func readMoment(s string) (m moment, ok bool) {
	r := reader{rest: s}
	m.year = r.digits(4)
	r.sign("-")
	m.month = r.digits(2)
	r.sign("-")
	m.day = r.digits(2)
	if r.rest != "" {
		r.sign("Tt ")
		r.time(&m)
		r.zone(&m)
	}
	return m, !r.failed && r.rest == "" && m.valid()
}

// reader takes fields of fixed form off the front of a text. Once something
// does not fit it has failed, and what it returns means nothing.
type reader struct {
	rest   string
	failed bool
}

// digits takes exactly n digits.
func (r *reader) digits(n int) int {
	if len(r.rest) < n || !isDigits(r.rest[:n]) {
		r.failed = true
		return 0
	}
	v := 0
	for i := range n {
		v = v*10 + int(r.rest[i]-'0')
	}
	r.rest = r.rest[n:]
	return v
}

// sign takes one of the characters.
func (r *reader) sign(oneOf string) {
	if !r.has(oneOf) {
		r.failed = true
		return
	}
	r.rest = r.rest[1:]
}

// has reports whether one of the characters comes next.
func (r *reader) has(oneOf string) bool {
	return r.rest != "" && strings.IndexByte(oneOf, r.rest[0]) >= 0
}

// count returns how many digits come next, at most limit.
func (r *reader) count(limit int) int {
	n := 0
	for n < limit && n < len(r.rest) && r.rest[n]-'0' <= 9 {
		n++
	}
	return n
}

func (r *reader) time(m *moment) {
	m.hour = r.digits(2)
	r.sign(":")
	m.minute = r.digits(2)
	if !r.has(":") {
		return
	}
	r.sign(":")
	m.second = r.digits(2)
	if !r.has(".,") {
		return
	}
	r.sign(".,")
	n := r.count(9)
	m.nano = r.digits(max(n, 1))
	for range 9 - n {
		m.nano *= 10
	}
}

func (r *reader) zone(m *moment) {
	if r.rest == "" {
		return
	}
	if r.has("Zz") {
		r.sign("Zz")
		return
	}
	behind := r.has("-")
	r.sign("+-")
	hours := r.digits(2)
	if r.has(":") {
		r.sign(":")
	}
	minutes := r.digits(2)
	if hours > 23 || minutes > 59 {
		r.failed = true
	}
	m.offset = hours*60 + minutes
	if behind {
		m.offset = -m.offset
	}
}

// DateLayout is a Java date pattern made ready for use. It is immutable.
type DateLayout struct {
	fields []dateField
	// timed says that the layout has a time of day.
	timed bool
}

// dateField is one element of a layout: a number of least to most digits, an
// AM or PM mark, or literal text.
type dateField struct {
	// kind is the pattern's letter, or 0 for literal text.
	kind        byte
	least, most int
	literal     string
}

// HasTime reports whether the layout has a time of day, so that what it reads
// are timestamps and not dates.
func (l DateLayout) HasTime() bool { return l.timed }

// JavaLayout makes a Java date pattern ready for use: yyyy, yy (2000 to 2099),
// MM, M, dd, d, HH, H, hh and h with a (AM or PM), mm, m, ss, s, SSS, text in
// apostrophes, and any sign that is not a letter. A doubled letter is exactly
// two digits, a single one one or two. The error says what in the pattern
// cannot be used, in words for the file's author.
func JavaLayout(pattern string) (DateLayout, error) {
	var l DateLayout
	for i := 0; i < len(pattern); {
		f, n, err := nextDateField(pattern[i:])
		if err != nil {
			return DateLayout{}, fmt.Errorf("date pattern %q: %w", pattern, err)
		}
		l.fields = append(l.fields, f)
		l.timed = l.timed || strings.IndexByte("HhmsSa", f.kind) >= 0 && f.kind != 0
		i += n
	}
	if err := l.complete(); err != nil {
		return DateLayout{}, fmt.Errorf("date pattern %q: %w", pattern, err)
	}
	return l, nil
}

// nextDateField reads the first element of a pattern and its length there.
func nextDateField(pattern string) (dateField, int, error) {
	c := pattern[0]
	if c == '\'' {
		return quotedText(pattern)
	}
	if !isLetter(c) {
		return dateField{literal: pattern[:1]}, 1, nil
	}
	n := 1
	for n < len(pattern) && pattern[n] == c {
		n++
	}
	f := dateField{kind: c, least: n, most: n}
	switch {
	case c == 'y' && (n == 2 || n == 4), c == 'S' && n == 3, c == 'a' && n <= 2,
		strings.IndexByte("MdHhms", c) >= 0 && n == 2:
		return f, n, nil
	case strings.IndexByte("MdHhms", c) >= 0 && n == 1:
		f.most = 2
		return f, n, nil
	}
	return f, n, fmt.Errorf("%q is not supported", pattern[:n])
}

func isLetter(c byte) bool {
	lower := c | 0x20
	return 'a' <= lower && lower <= 'z'
}

// quotedText reads text in apostrophes; two of them are one.
func quotedText(pattern string) (dateField, int, error) {
	if strings.HasPrefix(pattern, "''") {
		return dateField{literal: "'"}, 2, nil
	}
	for i := 1; i < len(pattern); i++ {
		if pattern[i] != '\'' {
			continue
		}
		if i+1 < len(pattern) && pattern[i+1] == '\'' {
			i++
			continue
		}
		return dateField{literal: strings.ReplaceAll(pattern[1:i], "''", "'")}, i + 1, nil
	}
	return dateField{}, 0, fmt.Errorf("the text after %q does not end", pattern)
}

// complete checks that a layout says each thing once and a whole date.
func (l DateLayout) complete() error {
	seen := map[byte]bool{}
	for _, f := range l.fields {
		if f.kind != 0 && seen[f.kind] {
			return fmt.Errorf("%c stands twice", f.kind)
		}
		seen[f.kind] = true
	}
	for _, c := range "yMd" {
		if !seen[byte(c)] {
			return fmt.Errorf("%c is missing", c)
		}
	}
	if seen['H'] && seen['h'] {
		return fmt.Errorf("letters H and h exclude each other")
	}
	if seen['h'] != seen['a'] {
		return fmt.Errorf("h and a belong together")
	}
	return nil
}

// ParseWithJava reads a date or timestamp that must match the layout exactly,
// two digits where it has two, and be a real day and time. It returns the
// canonical form of a Timestamp when the layout has a time, in UTC, else that
// of a Date.
func ParseWithJava(cell string, layout DateLayout, ps []Problem) (string, []Problem) {
	text := strings.TrimSpace(cell)
	if text == "" {
		return "", ps
	}
	m, ok := layout.read(text)
	if !ok {
		return "", refuse(ps, CodeInvalidDate, cell, "The value does not match the file's date format, or there is no such day; write it exactly in that format.")
	}
	if !layout.timed {
		return m.date(), ps
	}
	s, _ := m.utc()
	return s, ps
}

func (l DateLayout) read(s string) (m moment, ok bool) {
	r := reader{rest: s}
	afternoon := false
	for _, f := range l.fields {
		switch f.kind {
		case 0:
			r.text(f.literal)
		case 'a':
			afternoon = r.half()
		default:
			m.set(f, r.digits(max(f.least, r.count(f.most))), &r)
		}
	}
	if afternoon {
		m.hour += 12
	}
	return m, !r.failed && r.rest == "" && m.valid()
}

// text takes the literal text.
func (r *reader) text(literal string) {
	rest, ok := strings.CutPrefix(r.rest, literal)
	r.rest, r.failed = rest, r.failed || !ok
}

// half takes AM or PM, in any case, and reports whether it is PM.
func (r *reader) half() (afternoon bool) {
	if len(r.rest) < 2 || r.rest[1]|0x20 != 'm' || !r.has("AaPp") {
		r.failed = true
		return false
	}
	afternoon = r.has("Pp")
	r.rest = r.rest[2:]
	return afternoon
}

// set gives the field's part of the moment its value.
func (m *moment) set(f dateField, v int, r *reader) {
	switch f.kind {
	case 'y':
		if f.most == 2 {
			v += 2000
		}
		m.year = v
	case 'M':
		m.month = v
	case 'd':
		m.day = v
	case 'H':
		m.hour = v
	case 'h':
		r.failed = r.failed || v < 1 || v > 12
		m.hour = v % 12
	case 'm':
		m.minute = v
	case 's':
		m.second = v
	case 'S':
		m.nano = v * int(time.Millisecond)
	}
}
