package tabular

import "strings"

// Records that are too large are passed over by the same rule as all others,
// field by field, without holding more than one quoted field.

// skipFields moves behind a record of which the next field begins at d.at. It
// returns the physical lines that end in what it passed.
func (d *csvDecoder) skipFields() (lines int64, err error) {
	for {
		if err := d.skipToText(); err != nil {
			return 0, err
		}
		if d.at < len(d.s) && d.s[d.at] == '"' {
			n, closed, err := d.skipQuoted()
			if err != nil {
				return 0, err
			}
			lines += n
			if !closed {
				return lines + 1, d.skipLine()
			}
		}
		if more, err := d.skipToDelimiter(); err != nil || !more {
			return lines + 1, err
		}
	}
}

// skipToText moves to the first byte that is no blank, or to the end of the file.
func (d *csvDecoder) skipToText() error {
	for {
		d.at = d.skipBlanks(d.at, len(d.s))
		if d.at < len(d.s) || d.last {
			return nil
		}
		if err := d.fill(); err != nil {
			return err
		}
	}
}

// skipQuoted moves behind the quoted field that opens at d.at, and returns the
// line ends within it. Where the field never closes, it stays.
func (d *csvDecoder) skipQuoted() (lines int64, closed bool, err error) {
	for {
		_, end, v := d.closing(d.at)
		switch v {
		case complete:
			lines = d.countLines(d.s[d.at:end])
			d.at = end
			return lines, true, nil
		case unclosed:
			return 0, false, nil
		}
		if err := d.fill(); err != nil {
			return 0, false, err
		}
	}
}

// skipToDelimiter moves behind the next delimiter and reports true, or behind
// the line end if that comes first.
func (d *csvDecoder) skipToDelimiter() (bool, error) {
	for {
		content, next, ok := d.lineEnd(d.at)
		if !ok {
			content = len(d.s)
		}
		if k := strings.IndexByte(d.s[d.at:content], d.delim); k >= 0 {
			d.at += k + 1
			return true, nil
		}
		if ok {
			d.at = next
			return false, nil
		}
		if err := d.fillDropping(); err != nil {
			return false, err
		}
	}
}

// skipLine moves behind the line that d.at is in.
func (d *csvDecoder) skipLine() error {
	for {
		_, next, ok := d.lineEnd(d.at)
		if ok {
			d.at = next
			return nil
		}
		if err := d.fillDropping(); err != nil {
			return err
		}
	}
}

// fillDropping fills the window anew, keeping nothing but a CR at its end, which
// may be half of a line end.
func (d *csvDecoder) fillDropping() error {
	end := len(d.s)
	if end > d.at && d.s[end-1] == '\r' {
		end--
	}
	d.at = end
	return d.fill()
}
