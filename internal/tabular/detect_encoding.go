package tabular

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/wlynxg/chardet"

	"tallyman/internal/catalog"
)

const (
	bomUTF8    = "\xEF\xBB\xBF"
	bomUTF16LE = "\xFF\xFE"
	bomUTF16BE = "\xFE\xFF"
	bomUTF32LE = "\xFF\xFE\x00\x00"
	bomUTF32BE = "\x00\x00\xFE\xFF"
)

// sureOfEncoding is the confidence from which a guess by statistics counts as
// found.
const sureOfEncoding = 0.8

// headText is the head of a file as the CSV decoder reads it.
type headText struct {
	// text is in UTF-8 where the file is in UTF-16, else in the file's encoding.
	text []byte
	// start is where the text behind a byte-order mark begins in the file.
	start int64
	utf16 bool
}

// fileOffset says where in the file the text before at ends.
func (t headText) fileOffset(at int64) int64 {
	if !t.utf16 {
		return t.start + at
	}
	return t.start + utf16Bytes(t.text[:at])
}

// detectEncoding sets the layout's encoding and returns the head's text. The
// order is: what the user says, a byte-order mark, valid UTF-8, the pattern of
// zeros that UTF-16 has, a guess by statistics where it is sure, and
// windows-1252 with a warning.
func detectEncoding(h sniffed, told string, layout *Layout) (headText, error) {
	bom, mark, err := byteOrderMark(h.bytes)
	if err != nil {
		return headText{}, err
	}
	body := h.bytes
	switch {
	case told != "":
		layout.Encoding = told
		layout.because("The encoding %s was given.", told)
		if told == bom {
			body = body[len(mark):]
		}
	case bom != "":
		layout.Encoding = bom
		body = body[len(mark):]
		layout.because("The encoding is %s, because the file begins with its byte-order mark.", bom)
	default:
		guessEncoding(h, layout)
	}
	t := headText{text: body, start: int64(len(h.bytes) - len(body))}
	switch layout.Encoding {
	case UTF16LE, UTF16BE:
		t.utf16 = true
		t.text = headOfUTF16(body, layout.Encoding, h.cut)
	case UTF8:
		if h.cut {
			t.text = []byte(withoutCutRune(string(body)))
		}
	}
	return t, nil
}

func byteOrderMark(head []byte) (encoding, mark string, err error) {
	for _, m := range []struct{ mark, encoding string }{
		{bomUTF32LE, ""}, {bomUTF32BE, ""}, {bomUTF8, UTF8}, {bomUTF16LE, UTF16LE}, {bomUTF16BE, UTF16BE},
	} {
		if !bytes.HasPrefix(head, []byte(m.mark)) {
			continue
		}
		if m.encoding == "" {
			return "", "", &catalog.Fault{Kind: catalog.KindRefused, Code: faultBadEncoding,
				Message: "The file is in UTF-32, which cannot be read.", Hint: "Save it as UTF-8."}
		}
		return m.encoding, m.mark, nil
	}
	return "", "", nil
}

func guessEncoding(h sniffed, layout *Layout) {
	text := string(h.bytes)
	if h.cut {
		text = withoutCutRune(text)
	}
	if order := utf16Order(h.bytes); order != "" {
		layout.Encoding = order
		layout.because("The encoding is %s, because every second byte is zero.", order)
		return
	}
	if utf8.ValidString(text) {
		layout.Encoding = UTF8
		layout.because("The encoding is utf-8, because the beginning of the file is valid UTF-8.")
		return
	}
	layout.Encoding = Windows1252
	guess := chardet.Detect(h.bytes)
	name := strings.ToLower(guess.Encoding)
	if guess.Confidence >= sureOfEncoding && (name == Windows1252 || name == "iso-8859-1") {
		layout.because("The encoding is windows-1252, by the frequency of its letters.")
		return
	}
	layout.because("The encoding was taken to be windows-1252, because the file is not UTF-8.")
	message := "The file is not UTF-8 and was read as windows-1252; check letters with accents, and name the encoding if they are wrong."
	if guess.Confidence >= sureOfEncoding {
		message = "The file is not UTF-8 and was read as windows-1252, though it may be " + guess.Encoding +
			"; check its letters, and save the file as UTF-8 if they are wrong."
	}
	layout.Warnings = append(layout.Warnings, catalog.Problem{Code: catalog.CodeEncodingGuessed, Severity: catalog.Warning, Message: message})
}

// utf16Order tells by the zeros among the bytes whether they are UTF-16 and
// returns its name, or "". Delimiters, line ends and digits have a zero byte on
// one side, whatever the script.
func utf16Order(head []byte) string {
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	units := len(head) / 2
	enough := max(1, units/10)
	switch even, odd := zeros[0], zeros[1]; {
	case bytes.HasPrefix(head, []byte(bomUTF16LE)) || odd >= enough && even*20 <= odd:
		return UTF16LE
	case bytes.HasPrefix(head, []byte(bomUTF16BE)) || even >= enough && odd*20 <= even:
		return UTF16BE
	}
	return ""
}
