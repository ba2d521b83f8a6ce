package tabular

import (
	"context"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// NeedsSpool reports whether a file's records can only be read once Spool has
// written them down.
func NeedsSpool(layout *Layout) bool {
	return !layout.Spooled && layout.Format == CSV && isUTF16(layout.Encoding)
}

func isUTF16(encoding string) bool { return encoding == UTF16LE || encoding == UTF16BE }

// spoolBytes is how much of a file Spool reads at a time.
const spoolBytes = 256 << 10

// Spool writes a file's text to w as a file that Open can enter anywhere, and
// returns the layout of that file. It holds little of either in memory.
//
// Text in UTF-16 becomes UTF-8 without a byte-order mark. Where it is damaged,
// the spool is damaged in the same place: half of a surrogate pair is written
// as three bytes that are not UTF-8, and a byte that is left over at the end as
// one, so that they are their row's problem when it is read.
func Spool(ctx context.Context, src Source, layout *Layout, w io.Writer) (*Layout, error) {
	if !NeedsSpool(layout) {
		return nil, fmt.Errorf("spool: a file in %s %s is read as it is", layout.Encoding, layout.Format)
	}
	spooled := *layout
	spooled.Spooled = true
	t := transcoder{bigEndian: layout.Encoding == UTF16BE}
	buf := make([]byte, spoolBytes)
	var out []byte
	var written int64
	for off, size := int64(0), src.Size(); off < size; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		end := min(off+spoolBytes, size)
		if off < layout.DataOffset {
			end = min(end, layout.DataOffset)
		}
		part := buf[:end-off]
		if n, err := src.ReadAt(part, off); n < len(part) {
			return nil, fmt.Errorf("spool: read at byte %d: %w", off, unexpectedEnd(err))
		}
		out = t.append(out[:0], part, off == 0)
		if off = end; off == size || off == layout.DataOffset {
			out = t.flush(out)
		}
		n, err := w.Write(out)
		if err != nil {
			return nil, fmt.Errorf("spool: write: %w", err)
		}
		written += int64(n)
		if off == layout.DataOffset {
			spooled.DataOffset = written
		}
	}
	return &spooled, nil
}

// transcoder turns UTF-16, given in pieces, into UTF-8.
type transcoder struct {
	bigEndian bool
	// half is the first byte of a unit that is not whole yet.
	half    byte
	hasHalf bool
	// high is the first half of a surrogate pair, or 0.
	high rune
}

// append appends the text of part to out. first says that part begins the file.
func (t *transcoder) append(out, part []byte, first bool) []byte {
	for i, b := range part {
		if !t.hasHalf {
			t.half, t.hasHalf = b, true
			continue
		}
		t.hasHalf = false
		unit := rune(b)<<8 | rune(t.half)
		if t.bigEndian {
			unit = rune(t.half)<<8 | rune(b)
		}
		if first && i == 1 && unit == 0xFEFF {
			continue
		}
		out = t.unit(out, unit)
	}
	return out
}

func (t *transcoder) unit(out []byte, unit rune) []byte {
	if t.high != 0 {
		if pair := utf16.DecodeRune(t.high, unit); pair != utf8.RuneError {
			t.high = 0
			return utf8.AppendRune(out, pair)
		}
		out = appendSurrogate(out, t.high)
		t.high = 0
	}
	switch {
	case unit >= 0xD800 && unit < 0xDC00:
		t.high = unit
		return out
	case unit >= 0xDC00 && unit < 0xE000:
		return appendSurrogate(out, unit)
	}
	return utf8.AppendRune(out, unit)
}

// flush appends what is left at the end of the text.
func (t *transcoder) flush(out []byte) []byte {
	if t.high != 0 {
		out = appendSurrogate(out, t.high)
	}
	if t.hasHalf {
		out = append(out, 0xFF)
	}
	t.high, t.hasHalf = 0, false
	return out
}

// appendSurrogate writes half of a pair the way UTF-8 would if it had such a
// character. It has not, so the bytes are found to be no text when read.
func appendSurrogate(out []byte, half rune) []byte {
	return append(out, 0xE0|byte(half>>12), 0x80|byte(half>>6)&0x3F, 0x80|byte(half)&0x3F)
}

// headOfUTF16 is the text of a file's beginning behind its byte-order mark.
// Where the file goes on, a character that is not whole is left out.
func headOfUTF16(head []byte, encoding string, cut bool) []byte {
	t := transcoder{bigEndian: encoding == UTF16BE}
	out := t.append(nil, head, false)
	if cut {
		return out
	}
	return t.flush(out)
}

// utf16Bytes says how long text that headOfUTF16 made is in UTF-16.
func utf16Bytes(text []byte) (n int64) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case size == 4:
			n += 4
			text = text[size:]
		case r == utf8.RuneError && size == 1 && len(text) >= 3 && text[0] == 0xED:
			n += 2
			text = text[3:]
		case r == utf8.RuneError && size == 1:
			n++
			text = text[1:]
		default:
			n += 2
			text = text[size:]
		}
	}
	return n
}

func unexpectedEnd(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
